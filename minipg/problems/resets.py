"""What a vector environment's reset is given: seeds, and which copies."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from minipg.validate import Array, check_count


def seeded(envs: gym.vector.VectorEnv[Any, Any, Any], seed: int | Sequence[int] | None) -> None:
    """Seed the one generator of all copies; a seed for each copy seeds it by all of them."""
    if seed is None:
        return
    if np.ndim(seed):
        if not isinstance(seed, Sequence | np.ndarray) or len(seed) != envs.num_envs:
            raise ValueError(f"seed: expected one for each of {envs.num_envs} copies, got {seed}")
        envs.np_random = np.random.default_rng([check_count("seed", one) for one in seed])
    else:
        one: Any = seed
        one = one.item() if isinstance(one, np.ndarray) else one
        gym.vector.VectorEnv.reset(envs, seed=check_count("seed", one))


def chosen(options: dict[str, Any] | None, num_envs: int, begun: bool) -> Array:
    """Which copies are reset (B,): options["reset_mask"], as Gymnasium's, else all.

    ValueError for a mask of another shape, without a True, or of some before the first reset.
    """
    if not isinstance(options, dict | None):
        raise ValueError(f"options: expected a dict, got {options!r:.80}")
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.ones(num_envs, bool)
    mask = np.asarray(mask)
    if mask.shape != (num_envs,) or mask.dtype != np.bool_ or not mask.any():
        raise ValueError(f"reset_mask: expected {num_envs} booleans, one True at least, got {mask}")
    if not begun and not mask.all():
        raise ValueError("reset_mask: expected all copies at the first reset")
    return mask
