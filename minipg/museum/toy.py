"""An environment whose lengths, endings and buffer are known: what rollouts are tested on."""

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete


class Toy(gym.Env):
    """Ends after as many steps as its seed draws, in one of two ways; counts what it is told."""

    def __init__(
        self, observation_space=None, action_space=None, observe=None, reward=None, least=1
    ):
        self.observation_space = observation_space or Box(-9, 9, (2,), np.float64)
        self.action_space = action_space or Discrete(2)
        self.observe, self.reward, self.least = observe, reward or (lambda: 1.0), least
        self.buffer = np.zeros(2)

    def _obs(self):
        if self.observe is not None:
            return self.observe(self.t)
        self.buffer[:] = [self.t, self.length]  # the same memory every time
        return self.buffer

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.length = 0, int(self.np_random.integers(self.least, 5))
        self.actions = []
        return self._obs(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.t += 1
        done = self.t >= self.length
        return self._obs(), self.reward(), done and self.length % 2 == 0, done, {}


def vector(count=3, copy=True, **kwargs):
    return gym.vector.SyncVectorEnv([lambda: Toy(**kwargs)] * count, copy=copy)
