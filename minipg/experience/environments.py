"""Gymnasium environments made ready for a policy: observations flat and finite, returns counted."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.wrappers.vector import (
    FlattenObservation,
    RecordEpisodeStatistics,
    RescaleAction,
)

from minipg.experience.guard import Guard, VectorGuard, Wrapper, raised
from minipg.policies.build import policy_with
from minipg.policies.policy import Policy
from minipg.policies.registry import head_for
from minipg.validate import Array, array, check_count

Envs = gym.vector.VectorEnv[Any, Any, Any]
MOST = 65_536  # copies
SQUARE = float(np.finfo(np.float32).max)


def make_envs(
    env_id: str,
    num_envs: int,
    mode: str | None = None,
    max_episode_steps: int | None = None,
    rescale_actions: bool = False,
    env_kwargs: dict[str, Any] | None = None,
) -> Envs:
    """B copies of a registered environment; observations flat.

    mode: None (the environment's own vectorised form, else sync), "sync" or "async".
    rescale_actions: [−1, 1] is mapped onto the bounds of a Box first.
    env_kwargs: keyword arguments of the environment itself.
    Raises ValueError for an unknown environment, mode or number, bounds that are infinite, and
    whatever the environment raises on being made.
    """
    num_envs = check_count("num_envs", num_envs, 1, MOST)
    limit: dict[str, Any] = {}
    if max_episode_steps is not None:
        limit = {"max_episode_steps": check_count("max_episode_steps", max_episode_steps, 1)}
    try:
        module, _, name = env_id.rpartition(":")
        if module:
            import_module(module)
        spec = gym.registry.get(name)  # those that step themselves take no wrapper of a copy
        alone = mode is not None or (spec is not None and spec.vector_entry_point is None)
        guards: dict[str, Any] = {}
        if alone:  # Gymnasium's own check refuses what nobody uses
            guards = {"wrappers": [Guard], "disable_env_checker": True}
        envs = gym.make_vec(env_id, num_envs, mode, **guards, **limit, **(env_kwargs or {}))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of the environment's own code, any
        made = f"env {env_id!r}" + (f" with {env_kwargs}" if env_kwargs else "")
        own, text = raised(error)
        text = f"being made it {text}" if own else f"{type(error).__name__}: {error}"
        raise ValueError(f"{made}: {text}") from error
    return adapt(envs, rescale_actions)


def check_autoreset(envs: Envs) -> None:
    mode = envs.metadata.get("autoreset_mode")
    if mode != gym.vector.AutoresetMode.NEXT_STEP:
        raise ValueError(f"envs: expected next-step autoreset, got {mode}")


class CheckFinite(Wrapper):
    """Raises ValueError, naming environment and step, where an observation or reward is not finite,
    or so large that float32, in which the networks compute, holds no square of it.

    It stands below any normalisation, whose statistics would spread a NaN to all environments.
    """

    def __init__(self, env: Envs):
        super().__init__(env)
        self.steps = 0

    def _check(self, name: str, value: Any) -> None:
        array = np.asarray(value)
        if array.dtype.kind in "biu":  # which vdot would be slow on
            return
        flat = array.ravel("K")
        if not np.vdot(flat, flat) <= SQUARE:
            bad = ~(np.abs(array) <= SQUARE**0.5).reshape(len(array), -1).all(1)
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


def adapt(envs: Envs, rescale_actions: bool = False) -> Envs:
    """Gymnasium's own wrappers: returns counted, observations flat; and all that comes finite."""
    check_autoreset(envs)
    envs = RecordEpisodeStatistics(VectorGuard(envs))
    space = envs.single_observation_space
    if not (isinstance(space, Box) and len(space.shape) == 1):
        if not space.is_np_flattenable:
            raise ValueError(f"observation space: expected one that flattens, got {space}")
        envs = FlattenObservation(envs)
    envs = CheckFinite(envs)
    actions = envs.single_action_space
    if rescale_actions:
        if not (isinstance(actions, Box) and actions.is_bounded() and actions.dtype.kind == "f"):
            raise ValueError(f"rescale_actions: expected a bounded Box of floating-point actions, "
                             f"got {actions}")  # fmt: skip
        one = np.ones(actions.shape, actions.dtype)
        envs = RescaleAction(envs, -one, one)
    return envs


def policy_for(
    envs: Envs,
    hidden: Sequence[int],
    state_dependent_std: bool = False,
    value_head: bool = False,
) -> Policy:
    """Softmax for Discrete actions, one a dimension for MultiDiscrete and MultiBinary (any start
    and shape), diagonal Gaussian for Box: of registry.HEADS the first that fits; else ValueError.
    """
    obs_size = int(np.prod(envs.single_observation_space.shape or (1,)))
    head = head_for(envs.single_action_space)
    return policy_with(head, obs_size, hidden, state_dependent_std, value_head)


def to_env(envs: Envs, actions: Array) -> Array:
    """The policy's actions, (B,) or (B, d), as the environment's: from its start, in its shape,
    clipped to its bounds (in an array; Gymnasium's ClipAction goes from one to the next)."""
    space, actions = envs.single_action_space, array(actions)
    if isinstance(space, Discrete):
        return actions + space.start
    shaped = actions.reshape(-1, *(space.shape or ()))
    if isinstance(space, Box) and space.dtype.kind in "iu":
        shaped = np.rint(shaped)  # the nearest; the largest integers are no floats, so select
        low, high = shaped <= space.low, shaped >= space.high
        inside = np.where(low | high, 0, shaped).astype(space.dtype)
        return np.where(low, space.low, np.where(high, space.high, inside))
    if isinstance(space, Box):
        shaped = np.clip(shaped, space.low, space.high)
    shaped = shaped.astype(space.dtype)
    return shaped + space.start if isinstance(space, MultiDiscrete) else shaped


def recent_returns(envs: Envs) -> tuple[int, float, float]:
    """Episodes so far, mean return and mean length of the last hundred (NaN before the first).

    Of environments in Gymnasium's RecordEpisodeStatistics, rewards as they were there.
    """
    while not isinstance(envs, RecordEpisodeStatistics):
        if not isinstance(envs, gym.vector.VectorWrapper):
            return 0, np.nan, np.nan
        envs = envs.env
    if not envs.return_queue:
        return 0, np.nan, np.nan
    return (
        int(envs.episode_count),
        float(sum(envs.return_queue) / len(envs.return_queue)),
        float(sum(envs.length_queue) / len(envs.length_queue)),
    )
