"""A TabularMDP as a Gymnasium vector environment, all copies stepped together in NumPy.

Axes: B environments, D features.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import batch_space

from minipg.problems.mdp import TabularMDP
from minipg.problems.resets import chosen, seeded
from minipg.validate import Array, array, check_count


class TabularVectorEnv(gym.vector.VectorEnv[Array, Array, Array]):
    """B copies of a TabularMDP stepped together; observations are its features.

    Next-step autoreset, as Gymnasium's own. max_episode_steps truncates; info["state"] (B,)
    holds the states.
    """

    metadata = {"render_modes": [], "autoreset_mode": gym.vector.AutoresetMode.NEXT_STEP}

    def __init__(self, mdp: TabularMDP, num_envs: int, max_episode_steps: int | None = None):
        num_envs = check_count("num_envs", num_envs, 1)
        if max_episode_steps is not None:
            max_episode_steps = check_count("max_episode_steps", max_episode_steps, 1)
        self.mdp, self.num_envs, self.max_episode_steps = mdp, num_envs, max_episode_steps
        self.single_action_space = gym.spaces.Discrete(mdp.num_actions)
        self.single_observation_space = gym.spaces.Box(
            mdp.features.min(0), mdp.features.max(0), dtype=np.float64
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        # Distribution function of every row in one ascending array: row i runs from i to i + 1.
        before = np.append(0.0, np.cumsum(mdp.prob))
        within = before[1:] - before[mdp.first[mdp.row]]
        self._cdf = mdp.row + within
        self._start_cdf = np.cumsum(mdp.start)
        self._state = np.full(num_envs, -1)  # until the first reset
        self._steps = np.zeros(num_envs, int)
        self._ended = np.zeros(num_envs, bool)

    def _starts(self, n: int) -> Array:
        u = self.np_random.random(n) * self._start_cdf[-1]
        return np.searchsorted(self._start_cdf, u, "right")

    def _result(self) -> tuple[Array, dict[str, Any]]:
        return self.mdp.features[self._state], {"state": self._state.copy()}

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start all episodes anew, or those of options["reset_mask"]."""
        seeded(self, seed)
        which = chosen(options, self.num_envs, self._state[0] >= 0)
        self._state[which] = self._starts(int(which.sum()))
        self._steps[which], self._ended[which] = 0, False
        return self._result()

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """One transition of each; an environment that ended before is reset instead."""
        mdp, resets = self.mdp, self._ended
        actions = array(actions)
        if self._state[0] < 0:
            raise ValueError("envs: expected a reset before the first step")
        whole = actions.shape == (self.num_envs,) and actions.dtype.kind in "iu"
        if not (whole and actions.min() >= 0 and actions.max() < mdp.num_actions):
            raise ValueError(
                f"actions: expected {self.num_envs} whole numbers in 0 … {mdp.num_actions - 1}, "
                f"got {actions}"
            )
        row = self._state * mdp.num_actions + actions
        entry = np.searchsorted(self._cdf, row + self.np_random.random(self.num_envs), "right")
        entry = np.clip(entry, mdp.first[row], mdp.first[row + 1] - 1)  # rounding at a row's ends
        self._steps = np.where(resets, 0, self._steps + 1)
        reward = np.where(resets, 0.0, mdp.reward[entry])
        terminated = mdp.terminated[entry] & ~resets
        truncated = np.zeros(self.num_envs, bool)
        if self.max_episode_steps is not None:
            truncated = (self._steps >= self.max_episode_steps) & ~resets
        self._state = mdp.next_state[entry]
        self._state[resets] = self._starts(int(resets.sum()))
        self._ended = terminated | truncated
        obs, info = self._result()
        return obs, reward, terminated, truncated, info
