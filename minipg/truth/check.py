"""Checks for any derivative and any estimator, ours or yours; it is given functions and arrays.

Axes: n samples, P parameters.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minipg.validate import (
    TINY,
    Array,
    array,
    arrays,
    check_count,
    check_range,
    finite_array,
    power_of_two,
)


def central_difference(f: Callable[[Array], Array], x: Array, v: Array, h: float = 1e-5) -> Array:
    """Directional derivative (f(x + hv) − f(x − hv)) / 2h; error O(h²) + rounding/h."""
    (x, v), h = arrays(x, v), check_range("h", h, TINY)
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


def complex_step(f: Callable[[Array], Array], x: Array, v: Array, h: float = 1e-30) -> Array:
    """Directional derivative Im f(x + ihv) / h of an analytic f, exact to machine precision.

    Source: Squire & Trapp 1998, doi 10.1137/S003614459631241X.
    """
    (x, v), h = arrays(x, v), check_range("h", h, TINY)
    return np.imag(f(x + 1j * h * v)) / h


def gradient_error(
    f: Callable[[Array], Array],
    gradient: Array,
    x: Array,
    rng: np.random.Generator,
    directions: int = 4,
    difference: Callable[[Callable[[Array], Array], Array, Array], Array] = central_difference,
) -> float:
    """Largest |vᵀ gradient − difference of f along v| / ‖v‖ over random directions v.

    An error of norm e stays below τ along all k directions with probability at most (τ√P/e)^k.
    """
    x = array(x)
    gradient = finite_array("gradient", gradient, x.shape)
    worst = 0.0
    for _ in range(check_count("directions", directions, 1)):
        v = rng.standard_normal(x.shape)
        error = abs(float(v @ gradient - difference(f, x, v)))
        worst = float(np.maximum(worst, error / np.linalg.norm(v)))  # NaN stays
    return worst


class MeanVerdict(NamedTuple):
    """Whether a mean may be the expected one; it is refused where distance exceeds radius."""

    accepted: bool
    distance: float
    radius: float
    component: int


def check_mean(samples: Array, expected: Array, width: Array, alpha: float) -> MeanVerdict:
    """Is E samples = expected? Wrongly refused with probability at most alpha, whatever the law.

    samples (n, P) independent, component j within an interval of width[j] (P,). The radius of
    component j is √(2 s_j² L/n) + 7 width_j L / (3(n−1)) with L = log(4P/alpha), s_j² the
    sample variance: the empirical Bernstein bound, once for each side of each component. A bias
    of more than twice the radius is missed with probability at most alpha. The verdict tells
    the component that is worst relative to its radius.
    Source: Maurer & Pontil 2009, arXiv 0907.3740, theorem 4.
    """
    samples = finite_array("samples", samples, (None, None))
    n, p = samples.shape
    check_range("number of samples", n, 2)
    check_range("number of components", p, 1)
    alpha = check_range("alpha", alpha, 1e-300, 1)
    expected = finite_array("expected", expected, (p,))
    width = finite_array("width", width, (p,))
    spread = np.ptp(samples, 0)
    if (spread > width + 1e-9 * np.abs(samples).max(0)).any():
        raise ValueError(f"width: expected at least the samples' {spread}, got {width}")
    unit = power_of_two(np.vstack([samples, expected, width]))  # no square overflows in it
    samples, expected, width = samples / unit, expected / unit, width / unit
    log_term = np.log(4 * p / alpha)
    radius = np.sqrt(2 * samples.var(0, ddof=1) * log_term / n) + 7 * width * log_term / (3 * n - 3)
    radius += 1e-12 * np.abs(expected) + 1e-300  # rounding, where nothing varies
    distance = np.abs(samples.mean(0) - expected)
    worst = int(np.argmax(distance / radius))
    accepted = bool((distance <= radius).all())
    return MeanVerdict(accepted, float(distance[worst] * unit), float(radius[worst] * unit), worst)
