"""Rewards divided by the deviation of their return, episode by episode; observations that stay."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers.utils import RunningMeanStd

from minipg.validate import Array


class NormalizeReward(gym.wrappers.vector.NormalizeReward):
    """Gymnasium's, but for when a return begins anew: at the reset after an end, of either kind.

    Gymnasium 1.4 under next-step autoreset drops the return at a termination *before* the last
    reward is added, which then leaks into the next episode, and never drops it at a truncation.
    """

    def __init__(self, env: gym.vector.VectorEnv, gamma: float) -> None:
        super().__init__(env, gamma)
        self._prev_dones = np.zeros(self.num_envs, np.float32)  # earlier Gymnasiums have none

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The environments', and every return begins anew."""
        self.accumulated_reward = np.zeros(self.num_envs, np.float32)
        self._prev_dones = np.zeros(self.num_envs, np.float32)
        return self.env.reset(**options)

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """G ← γ G + r where a step was played, its variance, r / √(variance + ε)."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        played = ~self._prev_dones.astype(bool)
        returns = self.gamma * self.accumulated_reward + reward
        statistics: Any = self.return_rms
        if played.any():
            statistics.update(returns[played])
        self.accumulated_reward = np.where(played, returns, 0)  # a reset begins a new one
        self._prev_dones = (terminated | truncated).astype(np.float32)
        scale = np.sqrt(statistics.var + self.epsilon)
        return obs, reward / scale, terminated, truncated, info


class NormalizeObservation(gym.wrappers.vector.NormalizeObservation):
    """Gymnasium's, but where its statistics stay: there `deviation` divides."""

    def observations(self, observations: Array) -> Array:
        """(s − mean)/deviation, float32."""
        if self.update_running_mean:
            return super().observations(observations)
        centred = observations - self.obs_rms.mean
        return (centred / deviation(self.obs_rms, self.epsilon)).astype(np.float32)


def deviation(seen: RunningMeanStd, epsilon: float) -> Array:
    """√(variance + ε), but 1 of a number that never varied, which is centred and not divided.

    Its variance is what the first guess, 0 ± 1 of a weight of 1e-4, leaves of (1 + x²) 1e-4 / n:
    divided by the root of that it would, once it moves, be thousands.
    """
    guessed = 1.01e-4 * (1 + np.square(seen.mean, dtype=np.float64))
    variance = seen.var.copy()
    variance[np.multiply(seen.var, seen.count, dtype=np.float64) < guessed] = 1
    return np.sqrt(variance + epsilon)
