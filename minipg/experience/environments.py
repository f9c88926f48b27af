"""Gymnasium environments made ready for a policy: observations flat and finite, returns counted."""

from collections.abc import Sequence
from importlib import import_module
from multiprocessing import active_children
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.wrappers.utils import rescale_box
from gymnasium.wrappers.vector import (
    FlattenObservation,
    RecordEpisodeStatistics,
    TransformAction,
)

from minipg.experience.guard import CheckFinite, Guard, VectorGuard
from minipg.policies.build import policy_with
from minipg.policies.policy import Policy
from minipg.policies.registry import head_for
from minipg.problems.faults import Fault, raised, within
from minipg.validate import Array, array, check_choice, check_count

Envs = gym.vector.VectorEnv[Any, Any, Any]
MOST = 65_536  # copies


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
    if mode is not None:
        check_choice("mode", mode, ("sync", "async"))
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
        others = set(active_children())
        with within("being made", lambda: set(active_children()) - others):
            envs = gym.make_vec(env_id, num_envs, mode, **guards, **limit, **(env_kwargs or {}))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of the environment's own code, any
        made = f"env {env_id!r}" + (f" with {env_kwargs}" if env_kwargs else "")
        own, text = raised(error)
        text = f"being made it {text}" if own else f"{type(error).__name__}: {error}"
        text = str(error) if isinstance(error, Fault) else text
        if mode == "async" and not own:
            text += "; --mode sync may say more" * ("--mode sync" not in text)
        raise ValueError(f"{made}: {text}") from error
    if envs.num_envs != num_envs:
        raise ValueError(f"env {env_id!r}: expected {num_envs} copies, it made {envs.num_envs}")
    return adapt(envs, rescale_actions)


def check_autoreset(envs: Envs) -> None:
    mode = envs.metadata.get("autoreset_mode")
    if mode != gym.vector.AutoresetMode.NEXT_STEP:
        raise ValueError(f"envs: expected next-step autoreset, got {mode}")


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
    return rescaled(envs) if rescale_actions else envs


def rescaled(envs: Envs) -> Envs:
    """The same with actions in [-1, 1], mapped onto the bounds of a Box and no farther.

    ValueError where there are none, or none that its dtype can be mapped onto.
    """
    box = envs.single_action_space
    if not (isinstance(box, Box) and box.is_bounded() and box.dtype.kind == "f"):
        raise ValueError("rescale_actions: expected a bounded Box of floating-point actions, got "
                         f"{box}")  # fmt: skip
    low, high, one = box.low, box.high, np.ones(box.shape, box.dtype)
    with np.errstate(all="ignore"):
        unit, _, back = rescale_box(box, -one, one)
        half = high.astype(np.float64) / 2 - low.astype(np.float64) / 2
        reached = ((low, back(-one)), (high, back(one)))
    for end, x in reached:
        if not np.all(np.abs(x.astype(np.float64) - end) <= 0.01 * half):
            raise ValueError(f"rescale_actions: expected bounds that [-1, 1] maps onto in "
                             f"{box.dtype}, got {box}")  # fmt: skip
    return TransformAction(envs, lambda actions: np.clip(back(actions), low, high),
                           single_action_space=unit)  # fmt: skip


def policy_for(
    envs: Envs,
    hidden: Sequence[int],
    state_dependent_std: bool = False,
    value_head: bool = False,
) -> Policy:
    """Softmax for Discrete actions, one a dimension for MultiDiscrete and MultiBinary (any start
    and shape), diagonal Gaussian for Box: of registry.HEADS the first that fits; else ValueError.
    """
    for name in ("observation", "action"):
        space = getattr(envs, f"single_{name}_space")
        if 0 in (space.shape or ()):
            raise ValueError(f"{name} space: expected one that holds a number, got {space}")
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
