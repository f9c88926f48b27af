"""What an environment gives, held against the space that it declares."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Space, Tuple

from minipg.validate import Array


def fits(space: Space[Any], obs: Any) -> bool:
    """Whether an observation is of its space; a Box's bounds are not held against it."""
    if isinstance(space, Box):
        try:
            array = np.asarray(obs)
        except ValueError:  # rows of unlike length
            return False
        return array.shape == space.shape and _castable(array, space.dtype)
    if isinstance(space, Dict):
        return isinstance(obs, dict) and obs.keys() == space.keys() and all(
            fits(space[key], obs[key]) for key in space)  # fmt: skip
    if isinstance(space, Tuple):
        return (isinstance(obs, tuple) and len(obs) == len(space)
                and all(map(fits, space, obs)))  # fmt: skip
    return bool(space.contains(obs))


def _castable(array: Array, dtype: np.dtype[Any]) -> bool:
    """Whether numbers may become those of a dtype: no fraction lost, no integer that wraps."""
    if array.dtype == dtype or dtype.kind == "f" or not array.size:
        return array.dtype.kind in "biuf"
    info = np.iinfo(dtype) if dtype.kind in "iu" else np.iinfo(np.uint8)
    return array.dtype.kind in "biu" and info.min <= array.min() and array.max() <= info.max


def shown(value: Any) -> str:
    """What came, short."""
    shape = f"shape {value.shape}, " if isinstance(value, np.ndarray) else ""
    return f"{shape}{' '.join(repr(value).split()):.80}"
