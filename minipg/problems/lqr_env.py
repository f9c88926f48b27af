"""An LQR as a Gymnasium vector environment, all copies stepped together in NumPy."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import batch_space

from minipg.problems.lqr import LQR, reward
from minipg.problems.resets import chosen, seeded
from minipg.validate import Array, all_finite, check_count, finite_array


class LQRVectorEnv(gym.vector.VectorEnv[Array, Array, Array]):
    """B copies of an LQR; observations are s (n,), actions a (d,), both unbounded.

    The horizon terminates, max_episode_steps truncates. Next-step autoreset, as Gymnasium's own.
    """

    metadata = {"render_modes": [], "autoreset_mode": gym.vector.AutoresetMode.NEXT_STEP}

    def __init__(self, lqr: LQR, num_envs: int, max_episode_steps: int | None = None):
        num_envs = check_count("num_envs", num_envs, 1)
        if max_episode_steps is not None:
            max_episode_steps = check_count("max_episode_steps", max_episode_steps, 1)
        self.lqr, self.num_envs, self.max_episode_steps = lqr, num_envs, max_episode_steps
        n, d = lqr.G.shape
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (n,), np.float64)
        self.single_action_space = gym.spaces.Box(-np.inf, np.inf, (d,), np.float64)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._state = np.full((num_envs, n), np.nan)  # until the first reset
        self._steps = np.zeros(num_envs, int)
        self._ended = np.zeros(num_envs, bool)

    def _normal(self, covariance: Array, count: int) -> Array:
        mean = np.zeros(len(covariance))
        return self.np_random.multivariate_normal(mean, covariance, count, method="eigh")

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start all episodes anew, or those of options["reset_mask"]."""
        seeded(self, seed)
        which = chosen(options, self.num_envs, not np.isnan(self._state[0, 0]))
        self._state[which] = self.lqr.mean + self._normal(self.lqr.C, int(which.sum()))
        self._steps[which], self._ended[which] = 0, False
        return self._state.copy(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """One transition of each; an environment that ended before is reset instead.

        ValueError for actions of another shape or not finite, and where a state or reward is not.
        """
        lqr, resets = self.lqr, self._ended
        actions = finite_array("actions", actions, (self.num_envs, lqr.G.shape[1]))
        if np.isnan(self._state[0, 0]):
            raise ValueError("envs: expected a reset before the first step")
        gained = np.where(resets, 0.0, reward(lqr, self._state, actions))
        noise = self._normal(lqr.W, self.num_envs)
        with np.errstate(over="ignore", invalid="ignore"):
            state = self._state @ lqr.F.T + actions @ lqr.G.T + noise
        state[resets] = lqr.mean + self._normal(lqr.C, int(resets.sum()))
        if not all_finite(state):
            raise ValueError("state: expected a finite one, left it by actions up to "
                             f"{np.abs(actions).max():.3g}: smaller ones, or a stabler F"
                             )  # fmt: skip
        self._state = state
        self._steps = np.where(resets, 0, self._steps + 1)
        terminated = np.zeros(self.num_envs, bool)
        truncated = np.zeros(self.num_envs, bool)
        if lqr.horizon is not None:
            terminated = (self._steps >= lqr.horizon) & ~resets
        if self.max_episode_steps is not None:
            truncated = (self._steps >= self.max_episode_steps) & ~resets
        self._ended = terminated | truncated
        return self._state.copy(), gained, terminated, truncated, {}
