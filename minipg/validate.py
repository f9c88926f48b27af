"""Checks where things enter (arrays, numbers, files), so that the formulas behind stay bare.

Every error is a ValueError that names the argument, what came and what was expected.
"""

import cmath
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
LARGEST, TINY = float(np.finfo(np.float64).max), float(np.finfo(np.float64).tiny)


def check_shape(name: str, array: Array, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless array.shape is `shape` (None: any length)."""
    fits = (
        array.shape == shape
        or array.ndim == len(shape)
        and all(want is None or have == want for have, want in zip(array.shape, shape, strict=True))
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")


def all_finite(array: Array) -> bool:
    """Whether all entries are: the sum of squares says so in one pass, unless it overflows."""
    if array.dtype.kind in "biu":  # which vdot would be slow on
        return True
    flat = array.ravel("K")
    return cmath.isfinite(np.vdot(flat, flat)) or bool(np.isfinite(flat).all())


def check_finite(name: str, array: Array) -> None:
    """Raise ValueError, naming the first place, where an array holds NaN, infinity, no number."""
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{name}: expected numbers, got dtype {array.dtype}")
    if not all_finite(array):
        bad = ~np.isfinite(array)
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: expected finite numbers, got {bad.sum()} of {array.size} that are not, "
            f"the first {array[place]} at index {place}"
        )


def finite_array(
    name: str, value: object, shape: tuple[int | None, ...], dtype: DTypeLike = np.float64
) -> Array:
    """A copy of `value`, finite and of this shape (None: any length); ValueError otherwise."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of unlike length
        raise ValueError(f"{name}: expected an array of numbers, got {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    check_shape(name, array, shape)
    check_finite(name, array)
    return array.astype(dtype)


def check_range(name: str, value: float, low: float, high: float = LARGEST) -> None:
    """Raise ValueError unless low ≤ value ≤ high (NaN and infinity are outside)."""
    if not low <= value <= high:
        least = "above 0" if 0 < low <= TINY else f"of {low} or more"
        wanted = least if high >= LARGEST else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a number {wanted}, got {value}")
