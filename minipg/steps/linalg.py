"""Conjugate gradients and a backtracking line search, on flat vectors (P,)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minipg.validate import (
    TINY,
    Array,
    check_count,
    check_finite,
    check_range,
    check_shape,
    floats,
    power_of_two,
)


class CGResult(NamedTuple):
    """x (P,), how many iterations, ‖b − Hx‖/‖b‖, and why it stopped.

    reason: "converged", "iterations" (all used), "negative curvature" (pᵀHp ≤ 0: H is not
    positive definite; x is the iterate before), "not finite" (Hp was; likewise), "zero" (b = 0).
    """

    x: Array
    iterations: int
    residual: float
    reason: str


class InUnit:
    """v ↦ f(v)/unit, unit the power of two near the first f(v): exact, and no square overflows."""

    def __init__(self, f: Callable[[Array], Array]):
        self.f, self.unit = f, 0.0

    def __call__(self, v: Array) -> Array:
        found = self.f(v)
        self.unit = self.unit or power_of_two(found)
        return found if self.unit == 1 else found / self.unit


def conjugate_gradients(
    product: Callable[[Array], Array],
    b: Array,
    iterations: int = 10,
    tolerance: float = 1e-10,
    preconditioner: Callable[[Array], Array] | None = None,
) -> CGResult:
    """E44 iterate j minimises ½ xᵀHx − bᵀx over the span of (b, Hb, …, H^{j−1}b); product: v ↦ Hv.

    preconditioner: v ↦ M⁻¹v, symmetric positive definite; the span is then of (M⁻¹H)^i M⁻¹b.
    Source: Hestenes & Stiefel 1952; Nocedal & Wright 2006, algorithms 5.2 and 5.3.
    """
    b = floats(b)
    if b.ndim != 1:
        raise ValueError(f"b: expected shape (P,), got {b.shape}")
    check_finite("b", b)
    iterations = check_count("iterations", iterations, 1)
    tolerance = check_range("tolerance", tolerance, 0)
    unit = power_of_two(b)
    h, m = InUnit(product), InUnit(preconditioner or (lambda r: r))
    x, r = np.zeros_like(b), b / b.dtype.type(unit)
    size = float(np.linalg.norm(r))
    if not size:
        return CGResult(x, 0, 0.0, "zero")
    p = z = m(r)
    rz, j, reason = r @ z, 0, "iterations"
    while j < iterations:
        hp = h(p)
        check_shape("product", hp, b.shape)
        curvature = p @ hp
        if not np.isfinite(curvature):
            reason = "not finite"
            break
        if curvature <= 0:
            reason = "negative curvature"
            break
        alpha = rz / curvature
        x, r, j = x + alpha * p, r - alpha * hp, j + 1
        if np.linalg.norm(r) <= tolerance * size:
            reason = "converged"
            break
        z = m(r)
        rz, before = r @ z, rz
        p = z + (rz / before) * p
    with np.errstate(over="ignore"):
        x = x * b.dtype.type(unit / h.unit)
    check_finite("x of Hx = b (b is too large for H)", x)
    return CGResult(x, j, float(np.linalg.norm(r)) / size, reason)


class LineSearch(NamedTuple):
    """θ (P,), whether a step was accepted, how many were tried, and what refused the others.

    refused: how often {"kl": KL > δ, "surrogate": KL ≤ δ but L < 0, "not_finite": one of them is}.
    """

    theta: Array
    accepted: bool
    tried: int
    refused: dict[str, int]


def backtrack(
    theta: Array,
    step: Array,
    measure: Callable[[Array], tuple[float, float]],
    delta: float,
    most: int = 10,
) -> LineSearch:
    """E46 the first θ + 2⁻ⁱ step with L ≥ 0 and KL ≤ δ, or θ itself; measure: θ ↦ (L, KL).

    A condition that is not finite refuses. Source: Schulman et al. 2015, appendix C.
    """
    theta, step = floats(theta), floats(step)
    check_shape("step", step, theta.shape)
    check_finite("step", step)
    delta, most = check_range("delta", delta, TINY), check_count("most", most, 1)
    refused = {"surrogate": 0, "kl": 0, "not_finite": 0}
    for i in range(most):
        candidate = theta + theta.dtype.type(0.5**i) * step
        surrogate, kl = measure(candidate)
        if not (np.isfinite(surrogate) and np.isfinite(kl)):
            refused["not_finite"] += 1
        elif kl > delta:
            refused["kl"] += 1
        elif surrogate < 0:
            refused["surrogate"] += 1
        else:
            return LineSearch(candidate, True, i + 1, refused)
    return LineSearch(theta, False, most, refused)
