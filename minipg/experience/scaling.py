"""Rewards divided by the running deviation of the discounted return, each episode by itself."""

from typing import Any

import gymnasium as gym
import numpy as np

from minipg.validate import Array


class NormalizeReward(gym.wrappers.vector.NormalizeReward):
    """Gymnasium's, but for when an episode's return begins anew: after every end, and then only.

    Gymnasium 1.4 under next-step autoreset drops the return at a termination *before* the last
    reward is added, which then leaks into the next episode, and never drops it at a truncation.
    """

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """G ← γ G + r where a step was played, its variance, r / √(variance + ε)."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        played = ~self._prev_dones.astype(bool)
        returns = self.gamma * self.accumulated_reward + reward
        if played.any():
            self.return_rms.update(returns[played])
        ended = terminated | truncated
        self.accumulated_reward = np.where(ended | ~played, 0, returns)
        self._prev_dones = ended.astype(np.float32)
        scale = np.sqrt(self.return_rms.var + self.epsilon)
        return obs, reward / scale, terminated, truncated, info
