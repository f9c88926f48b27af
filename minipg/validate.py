"""Checks where things enter, so that the formulas behind stay bare.

Every error is a ValueError that names the argument, what came and what was expected.
"""

import cmath
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
LARGEST = float(np.finfo(np.float64).max)
TINY = float(np.finfo(np.float64).tiny)  # the least that counts as above 0
BELOW_1 = float(np.nextafter(1, 0))
NUMBERS = (float, int, np.floating, np.integer)  # but bool, which Python counts among the int


def array(value: object) -> Array:
    """Lists and numbers as an array, an array as it is; ValueError for rows of unlike length."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"array: expected rows of one length, got {value}") from error


def floats(value: object) -> Array:
    """As `array`; whole numbers as float64, so that nothing computed from them is cut to whole."""
    found = array(value)
    return found.astype(np.float64) if found.dtype.kind in "biu" else found


def product(a: Array | float, b: Array | float) -> Array:
    """a · b, 0 where either is 0, whatever the other is: what counts for nothing may be ∞ or NaN.

    >>> product(np.array([0.0, 2.0]), np.array([np.nan, 3.0]))
    array([0., 6.])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.multiply(a, b)
    if all_finite(plain):
        return plain
    return np.where(np.equal(a, 0) | np.equal(b, 0), 0, plain)


def arrays(*values: object) -> tuple[Array, ...]:
    """Each as `array`."""
    return tuple(map(array, values))


def check_shape(name: str, array: Array, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless array.shape is `shape` (None: any length)."""
    if array.shape == shape:
        return
    pairs = zip(array.shape, shape, strict=False)
    if array.ndim != len(shape) or any(want not in (None, have) for have, want in pairs):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape)
        wanted += ",)" if len(shape) == 1 else ")"
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
    found = reals(name, value)
    check_shape(name, found, shape)
    check_finite(name, found)
    return found.astype(dtype)


def reals(name: str, value: object) -> Array:
    """As an array of real numbers, finite or not; ValueError otherwise."""
    try:
        found = np.asarray(value)
    except ValueError as error:  # rows of unlike length
        raise ValueError(f"{name}: expected an array of numbers, got {error}") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got dtype {found.dtype}")
    return found


def check_parameters(name: str, value: object, size: int) -> Array:
    """`value` as an array (size,); ValueError unless it is finite and of floating point."""
    found = array(value)
    check_shape(name, found, (size,))
    check_finite(name, found)
    if found.dtype.kind not in "fc":
        raise ValueError(f"{name}: expected floating-point numbers, got dtype {found.dtype}")
    return found


def check_weight(value: object, count: int) -> Array:
    """`value` as numbers (count,), none below 0 by rounding; ValueError unless finite and ≥ 0."""
    weight = floats(value)
    check_shape("weight", weight, (count,))
    check_finite("weight", weight)
    rounding = 4 * float(np.finfo(weight.dtype).eps) * float(weight.max(initial=0))
    weight = np.where((weight < 0) & (weight >= -rounding), 0, weight)
    check_range("weight", float(weight.min(initial=0)), 0)
    return weight


def check_vectors(name: str, value: object, size: int) -> Array:
    """`value` as an array (..., size); ValueError unless it is finite."""
    found = array(value)
    if found.ndim < 1 or found.shape[-1] != size:
        raise ValueError(
            f"{name}: expected {size} numbers along the last axis, got shape {found.shape}"
        )
    check_finite(name, found)
    return found


def check_range(name: str, value: object, low: float = -LARGEST, high: float = LARGEST) -> float:
    """`value` as Python's own, as NumPy's float64 would make what it multiplies float64 too;
    ValueError unless it is a number, low ≤ value ≤ high. NaN and True are none."""
    if not isinstance(value, NUMBERS) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name}: expected a number{_interval(low, high)}, got {_shown(value)}")
    return float(value)


def check_count(name: str, value: object, low: int = 0, high: float = LARGEST) -> int:
    """`value` as Python's own, which never overflows; ValueError unless it is a whole number."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]
        bounds = _interval(low, high)
        raise ValueError(f"{name}: expected a whole number{bounds}, got {_shown(value)}")
    return int(value)  # type: ignore[call-overload]


def check_counts(name: str, values: object, at_least: int) -> tuple[int, ...]:
    """A tuple of whole numbers from 1, `at_least` so many; ValueError for anything else."""
    found = tuple(values) if isinstance(values, Iterable) else ()
    if len(found) < at_least:
        raise ValueError(f"{name}: expected {at_least} or more whole numbers, got {values!r}")
    return tuple(check_count(name, value, 1) for value in found)


def _interval(low: float, high: float) -> str:
    """The bounds, in words."""
    if high == BELOW_1:
        return f" from {low:g} to below 1"
    if high < LARGEST:
        return f" from {low:g} to {high:g}"
    if 0 < low <= TINY:
        return " above 0"
    return f" of {low:g} or more" if low > -LARGEST else ""


def _shown(value: object) -> str:
    """Numbers as they print, anything else as it is written; the begin of what is long."""
    return f"{str(value) if isinstance(value, NUMBERS) else repr(value):.80}"


def check_choice(name: str, value: object, known: Collection[str]) -> str:
    """`value`; ValueError, naming the known ones, if it is none of them."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return value


def check_flag(name: str, value: object) -> bool:
    """`value` as Python's own; ValueError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def powers_of_two(rows: Array) -> Array:
    """The power of two near the largest entry of each row (..., 1), 1 where all are 0."""
    largest = np.abs(rows).max(-1, initial=0.0, keepdims=True)
    return np.where(largest, np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1), 1)


def power_of_two(array: Array) -> float:
    """That of all entries: dividing by it is exact."""
    return float(powers_of_two(np.ravel(array))[0])
