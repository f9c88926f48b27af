"""Around an environment that nobody here wrote: what goes wrong in it is one line that names it.

Guard stands around each copy, in the copy's own process; VectorGuard around all of them, and
CheckFinite around what these give.
"""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from minipg.experience.declared import fits, shown
from minipg.problems.faults import RESET, STEP, Fault, abandon, answered, called, closed, within
from minipg.validate import NUMBERS, Array

FLAGS = (bool, np.bool_)
SQUARE = float(np.finfo(np.float32).max)


if TYPE_CHECKING:
    Wrapper = gym.vector.VectorWrapper[Any, Any, Any, Any, Any]
else:  # which takes no parameters before Gymnasium 1.4
    Wrapper = gym.vector.VectorWrapper


def check_tuple(what: str, got: Any, wanted: str) -> None:
    """Raise Fault unless as much came as is wanted."""
    if not isinstance(got, tuple) or len(got) != wanted.count(",") + 1:
        came = f"{len(got)} of them" if isinstance(got, tuple) else type(got).__name__
        raise Fault(f"environment: expected of {what} {wanted}, got {came}")


def checked(space: Space[Any], obs: Any) -> Any:
    """The observation; Fault unless it is of its space."""
    plain = type(space) is Box and type(obs) is np.ndarray and obs.dtype == space.dtype
    if not (plain and obs.shape == space.shape) and not called("observation", fits, space, obs):
        array = isinstance(space, Box) and isinstance(obs, np.ndarray)
        wanted = f"shape {space.shape}" if array and obs.shape != space.shape else f"one of {space}"
        raise Fault(f"observation: expected {wanted}, got {shown(obs)}")
    return obs


class Guard(gym.Wrapper[Any, Any, Any, Any]):
    """Raises Fault where one environment raises, or returns what it did not declare.

    info is dropped: what is not used cannot stop a run.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        super().__init__(env)
        self.space = env.observation_space  # a wrapper's own is looked up through all the others

    def _observation(self, obs: Any) -> Any:
        return checked(self.space, obs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment's, checked."""
        got = called("reset", self.env.reset, seed=seed, options=options)
        check_tuple("reset", got, RESET)
        return self._observation(got[0]), {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environment's, checked."""
        got = called("step", self.env.step, action)
        check_tuple("step", got, STEP)
        obs, reward, terminated, truncated, _ = got
        if not isinstance(reward, NUMBERS) and (
            np.shape(reward) or np.asarray(reward).dtype.kind not in "biuf"
        ):
            raise Fault(f"reward: expected a number, got {shown(reward)}")
        if not isinstance(terminated, FLAGS) or not isinstance(truncated, FLAGS):
            for name, flag in (("terminated", terminated), ("truncated", truncated)):
                if np.shape(flag) or flag not in (0, 1):
                    raise Fault(f"{name}: expected True or False, got {shown(flag)}")
        return self._observation(obs), reward, bool(terminated), bool(truncated), {}

    def render(self) -> Any:
        """As the environment's."""
        return called("render", self.env.render)

    def close(self) -> None:
        """As the environment's; a failure is a warning."""
        closed("close", self.env.close)


class VectorGuard(Wrapper):
    """Guard for all copies together, among them those that step themselves; info is dropped."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]):
        super().__init__(env)
        self.space = env.observation_space
        self.guarded = type(env) in (SyncVectorEnv, AsyncVectorEnv)  # each copy is, or made by hand

    def _checked(self, name: str, value: Any, kinds: str, wanted: str) -> Array:
        try:
            array = np.asarray(value)
        except ValueError:  # rows of unlike length
            array = np.empty(0)
        if array.shape != (self.num_envs,) or array.dtype.kind not in kinds:
            raise Fault(f"{name}: expected {self.num_envs} {wanted}, got {shown(value)}")
        return array

    def _observation(self, obs: Any) -> Any:
        return obs if self.guarded else checked(self.space, obs)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """As the environments', checked."""
        env: Any = self.env
        if isinstance(env, AsyncVectorEnv):
            got = called("reset", answered, "reset", env, **options)
        else:
            got = called("reset", env.reset, **options)
        check_tuple("reset", got, RESET)
        return self._observation(got[0]), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments', checked."""
        env: Any = self.env
        if isinstance(env, AsyncVectorEnv):
            got = called("step", answered, "step", env, actions)
        else:
            got = called("step", env.step, actions)
        check_tuple("step", got, STEP)
        obs, reward, terminated, truncated, _ = got
        return (self._observation(obs), self._checked("reward", reward, "biuf", "numbers"),
                self._checked("terminated", terminated, "b", "booleans"),
                self._checked("truncated", truncated, "b", "booleans"), {})  # fmt: skip

    def render(self) -> Any:
        """As the environments'."""
        return called("render", self.env.render)

    def close(self, **options: Any) -> None:
        """As the environments'; a failure is a warning."""
        if isinstance(self.env, AsyncVectorEnv):
            closed("close", self._end_workers, **options)
            abandon(self)
        else:
            closed("close", self.env.close, **options)

    def _end_workers(self, **options: Any) -> None:
        env: Any = self.env
        with within("close", lambda: env.processes):
            env.close(**options)


class CheckFinite(Wrapper):
    """Raises ValueError, naming environment and step, where an observation or reward is not finite,
    or so large that float32, in which the networks compute, holds no square of it.

    It stands below any normalisation, whose statistics would spread a NaN to all environments.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]):
        super().__init__(env)
        self.steps = 0

    def _check(self, name: str, value: Any) -> None:
        array = np.asarray(value)
        if array.dtype.kind in "biu":  # which vdot would be slow on
            return
        flat = array.ravel("K")
        if not float(np.vdot(flat, flat)) <= SQUARE:
            size = np.abs(array.astype(np.float64))
            bad = ~(size <= SQUARE**0.5).reshape(len(array), -1).all(1)
            if bad.any():
                i = int(bad.argmax())
                raise ValueError(f"{name}: expected finite numbers to {SQUARE**0.5:.2g}, got "
                                 f"{array[i]} in environment {i} at step {self.steps}"
                                 )  # fmt: skip

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """As the environments', checked."""
        obs, info = self.env.reset(**options)
        self._check("observation", obs)
        return obs, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments', checked."""
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        self.steps += 1
        self._check("observation", obs)
        self._check("reward", rewards)
        return obs, rewards, terminated, truncated, info
