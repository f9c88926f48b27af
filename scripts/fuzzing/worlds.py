"""Environments nobody here wrote: any spaces, any habits, and a fault at one of their calls."""

import contextlib
import os
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np

from fuzzing.faults import EVERY
from fuzzing.spaces import UNFIT, action_space, observation_space
from minipg import files


@dataclass
class Plan:
    """The fault that happens at the at-th call of these methods, of all copies in this process."""

    kind: str = ""
    at: int = -1
    methods: tuple[str, ...] = ("reset", "step")
    calls: int = 0
    happened: bool = False


PLAN = Plan()


def plan(kind: str = "", at: int = -1, methods: tuple[str, ...] = ("reset", "step")) -> None:
    """From now on; without arguments nothing goes wrong."""
    PLAN.kind, PLAN.at, PLAN.methods, PLAN.calls, PLAN.happened = kind, at, methods, 0, False


def passed(method: str, value: Any) -> Any:
    """The value a method gives, or what the plan makes of it."""
    if method in PLAN.methods:
        PLAN.calls += 1
        if PLAN.calls == PLAN.at and PLAN.kind:
            PLAN.happened = True
            changed = EVERY[PLAN.kind](value)
            PLAN.happened = changed is not value  # a reset has no reward to spoil
            return changed
    return value


class World(gym.Env):
    """Drawn from a seed: the same spaces and habits each time."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}

    def __init__(self, draw: int = 0, unfit: str = "", render_mode: str | None = None):
        rng = np.random.default_rng(draw)
        self.observation_space, self.action_space = observation_space(rng), action_space(rng)
        if unfit:
            choice = UNFIT[unfit][draw % len(UNFIT[unfit])]
            setattr(self, f"{unfit}_space", choice)
        self.length, self.render_mode = int(rng.integers(1, 13)), render_mode
        self.own_buffer, self.steps, self.buffer = rng.random() < 0.3, 0, None
        passed("init", None)

    def _observation(self) -> Any:
        obs = self.observation_space.sample()
        if not (self.own_buffer and isinstance(obs, np.ndarray)):
            return obs
        self.buffer = obs if self.buffer is None else self.buffer
        self.buffer[...] = obs  # the same array each time
        return self.buffer

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.steps = 0
        return passed("reset", (self._observation(), {}))

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), f"{action!r} is none of {self.action_space}"
        assert np.asarray(action).dtype == self.action_space.dtype, f"{action!r} of another dtype"
        self.steps += 1
        over = self.steps >= self.length
        reward = float(self.np_random.normal())
        return passed("step", (self._observation(), reward, over, False, {}))

    def render(self) -> Any:
        return passed("render", np.zeros((8, 8, 3), np.uint8))

    def close(self) -> None:
        passed("close", None)


class Worlds(gym.vector.SyncVectorEnv):
    """Several that step themselves; what goes wrong does in what they give together."""

    def __init__(self, num_envs: int, max_episode_steps: int = 20, **drawn: Any):
        super().__init__([lambda: gym.wrappers.TimeLimit(World(**drawn), max_episode_steps)
                          for _ in range(num_envs)])  # fmt: skip

    def reset(self, **options: Any) -> Any:
        with without_plan():
            got = super().reset(**options)
        return passed("reset", got)

    def step(self, actions: Any) -> Any:
        with without_plan():
            got = super().step(actions)
        return passed("step", got)


def written(file: int) -> None:
    """In place of os.fsync, at each file that is written."""
    passed("write", file)


files.os = SimpleNamespace(**{**vars(os), "fsync": written})


@contextlib.contextmanager
def without_plan():
    """Nothing goes wrong inside."""
    methods, PLAN.methods = PLAN.methods, ()
    try:
        yield
    finally:
        PLAN.methods = methods


def wrapped(**drawn: Any) -> gym.Env:
    """In wrappers of Gymnasium's that people use, some of which we use too."""
    env = World(**drawn)
    kinds = [gym.wrappers.RecordEpisodeStatistics, gym.wrappers.OrderEnforcing,
             lambda env: gym.wrappers.TransformReward(env, lambda r: 2 * r),
             lambda env: gym.wrappers.TimeLimit(env, 9)]  # fmt: skip
    rng = np.random.default_rng(drawn.get("draw", 0))
    for i in rng.permutation(len(kinds))[: rng.integers(1, 3)]:
        env = kinds[i](env)
    return env


gym.register("World-v0", World, max_episode_steps=20)
gym.register("Wrapped-v0", wrapped, max_episode_steps=20)
gym.register("Worlds-v0", World, vector_entry_point=Worlds, max_episode_steps=20)
