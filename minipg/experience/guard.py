"""Around an environment that nobody here wrote: what goes wrong in it is one line that names it.

Guard stands around each copy, in the copy's own process; VectorGuard around all of them.
"""

import traceback
import warnings
from collections.abc import Callable
from multiprocessing import TimeoutError  # not Python's own of this name
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from minipg.experience.declared import fits, shown
from minipg.validate import NUMBERS, Array

SECONDS = 600.0  # within which a worker process answers
LIBRARIES = Path(gym.__file__).parent, Path(np.__file__).parent, Path(__file__).parent
RESET = "(observation, info)"
STEP = "(observation, reward, terminated, truncated, info)"
FLAGS = (bool, np.bool_)


if TYPE_CHECKING:
    Wrapper = gym.vector.VectorWrapper[Any, Any, Any, Any, Any]
else:  # which takes no parameters before Gymnasium 1.4
    Wrapper = gym.vector.VectorWrapper


class Fault(ValueError):
    """What an environment's own code raised, or returned that it should not."""


def called(what: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """The function's result; Fault for whatever it raises (it may even exit), Ctrl-C excepted.

    The message is a text: what was raised need not be fit to leave its process. What it changes
    of NumPy's handling of errors is put back.
    """
    try:
        with np.errstate():
            return function(*args, **more)
    except (KeyboardInterrupt, Fault):
        raise
    except BaseException as error:
        own, text = raised(error)
        wanted = "" if own else f"; expected of reset {RESET}, of step {STEP}"
        raise Fault(f"environment: {what} {text}{wanted}") from error


def raised(error: BaseException) -> tuple[bool, str]:
    """Whether a stranger's code raised it, no library's, and what it was and where, in words."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(map(Path(f.filename).is_relative_to, LIBRARIES))]
    at, text = (own or frames)[-1], " ".join(str(error).split())
    text = f"{text[:300]} …" if len(text) > 300 else text
    return bool(own), f"raised {type(error).__name__}: {text} ({at.filename}:{at.lineno})"


def answered(what: str, ask: Callable[..., Any], wait: Callable[..., Any], *args: Any,
             **more: Any) -> Any:  # fmt: skip
    """What worker processes answer; Fault where one has died or does not answer."""
    try:
        ask(*args, **more)
        return wait(timeout=SECONDS)
    except (EOFError, ConnectionError) as error:
        raise Fault(f"a worker process died, {type(error).__name__}") from error
    except TimeoutError as error:
        raise Fault(f"environment: {what} got no answer from a worker process within {SECONDS:g} s"
                    ) from error  # fmt: skip


def closed(what: str, close: Callable[..., Any], **more: Any) -> None:
    """Close it; where that fails it is a warning, as nothing is lost by it."""
    try:
        called(what, close, **more)
    except Fault as error:
        warnings.warn(f"{error}: ignored", stacklevel=2)


def check_tuple(what: str, got: Any, wanted: str) -> None:
    """Raise Fault unless as much came as is wanted."""
    if not isinstance(got, tuple) or len(got) != wanted.count(",") + 1:
        came = f"{len(got)} of them" if isinstance(got, tuple) else type(got).__name__
        raise Fault(f"environment: expected of {what} {wanted}, got {came}")


def checked(space: Space[Any], obs: Any) -> Any:
    """The observation; Fault unless it is of its space."""
    if not called("observation", fits, space, obs):
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

    def _checked(self, name: str, value: Any, kinds: str) -> Array:
        array = np.asarray(value)
        if array.shape != (self.num_envs,) or array.dtype.kind not in kinds:
            raise Fault(f"{name}: expected shape ({self.num_envs},), a {kinds}, got "
                        f"{array.shape}, dtype {array.dtype}")  # fmt: skip
        return array

    def _observation(self, obs: Any) -> Any:
        return obs if self.guarded else checked(self.space, obs)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """As the environments', checked."""
        env: Any = self.env
        if isinstance(env, AsyncVectorEnv):
            got = called("reset", answered, "reset", env.reset_async, env.reset_wait, **options)
        else:
            got = called("reset", env.reset, **options)
        check_tuple("reset", got, RESET)
        return self._observation(got[0]), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments', checked."""
        env: Any = self.env
        if isinstance(env, AsyncVectorEnv):
            got = called("step", answered, "step", env.step_async, env.step_wait, actions)
        else:
            got = called("step", env.step, actions)
        check_tuple("step", got, STEP)
        obs, reward, terminated, truncated, _ = got
        return (self._observation(obs), self._checked("reward", reward, "biuf"),
                self._checked("terminated", terminated, "b"),
                self._checked("truncated", truncated, "b"), {})  # fmt: skip

    def render(self) -> Any:
        """As the environments'."""
        return called("render", self.env.render)

    def close(self, **options: Any) -> None:
        """As the environments'; a failure is a warning."""
        limit = {"timeout": SECONDS} if isinstance(self.env, AsyncVectorEnv) else {}
        closed("close", self.env.close, **{**limit, **options})
