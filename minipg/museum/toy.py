"""An environment whose lengths, endings and buffer are known: what rollouts are tested on."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete

from minipg.experience.environments import Envs


class Toy(gym.Env[Any, Any]):
    """Ends after as many steps as its seed draws, in one of two ways; observed: step and length."""

    def __init__(
        self,
        observation_space: gym.Space[Any] | None = None,
        action_space: gym.Space[Any] | None = None,
        observe: Callable[[int], Any] | None = None,
        reward: Callable[[], float] = lambda: 1.0,
        least: int = 1,
    ):
        self.observation_space = observation_space or Box(-9, 9, (2,), np.float64)
        self.action_space = action_space or Discrete(2)
        self.observe, self.reward, self.least = observe, reward, least
        self.buffer = np.zeros(2)

    def _obs(self) -> Any:
        if self.observe is not None:
            return self.observe(self.t)
        self.buffer[:] = [self.t, self.length]  # the same memory every time
        return self.buffer

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.length = 0, int(self.np_random.integers(self.least, 5))
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.t += 1
        done = self.t >= self.length
        return self._obs(), self.reward(), done and self.length % 2 == 0, done, {}


def vector(count: int = 3, copy: bool = True, **kwargs: Any) -> Envs:
    return gym.vector.SyncVectorEnv([lambda: Toy(**kwargs)] * count, copy=copy)
