"""Baselines b: they add no bias if no column sees its own sample, and change the variance.

Axes: T steps, B columns, P parameters.
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.validate import (
    Array,
    check_finite,
    check_shape,
    check_weight,
    floats,
    power_of_two,
    powers_of_two,
)


def _ratio_of_means(above: Array, below: Array, leave_one_out: bool) -> Array:
    """Σ above / Σ below over the last axis (B), kept; 0 where nothing is below.

    leave_one_out: for each column over the others only, so that no sample sees its own.
    """
    num, den = (
        _sum_of_others(x) if leave_one_out else x.sum(-1, keepdims=True) for x in (above, below)
    )
    return np.divide(num, den, out=np.zeros(den.shape, num.dtype), where=den > 0)


def _sum_of_others(x: Array) -> Array:
    """Σ over the last axis without the own column: those before and those after, never x − x."""
    zero = np.zeros((*x.shape[:-1], 1), x.dtype)
    before = np.concatenate([zero, np.cumsum(x, -1)[..., :-1]], -1)
    after = np.concatenate([np.cumsum(x[..., ::-1], -1)[..., -2::-1], zero], -1)
    return before + after


def constant_baseline(batch: Batch, psi: Array, leave_one_out: bool = False) -> Array:
    """E08 b = the mean of ψ over all steps (1, 1), or (1, B) with leave_one_out."""
    weight, psi, unit = _weighted(batch, psi)
    return unit * _ratio_of_means((weight * psi).sum(0), weight.sum(0), leave_one_out)[None]


def time_baseline(batch: Batch, psi: Array, leave_one_out: bool = False) -> Array:
    """E08 b_t = the mean of ψ_t over the columns still running at t (T, 1), or (T, B)."""
    weight, psi, unit = _weighted(batch, psi)
    return unit * _ratio_of_means(weight * psi, weight, leave_one_out)


def _weighted(batch: Batch, psi: Array) -> tuple[Array, Array, float]:
    """The weight of each transition (T, B), ψ (T, B) in a unit whose sums stay numbers, the unit.

    ψ is 0 where it counts for nothing, whatever stands there; else ValueError unless finite.
    """
    psi, weight = floats(psi), batch.weight * batch.valid
    check_shape("psi", psi, batch.rewards.shape)
    psi = np.where(weight > 0, psi, 0)
    check_finite("psi", psi)
    unit = power_of_two(psi)
    return weight, psi / unit, unit


def optimal_baseline(
    estimates: Array, scores: Array, weight: Array, per_parameter: bool, leave_one_out: bool = False
) -> Array:
    """E09 the b of lowest variance of estimates − b · scores, both (B, P), where E scores = 0.

    With scores Y = Σ_t ∇log π and estimates X = Y R this is the slides' b = E Y² R / E Y²,
    per parameter (1, P), or b = E‖Y‖² R / E‖Y‖² for the summed variance (1, 1) (errata 9).
    In general b = E XY / E Y², from Var(X − bY) = Var X − 2b E XY + b² E Y².
    leave_one_out: (B, P) or (B, 1), for each column from the others. A column of weight 0 counts
    for nothing, whatever stands there. ValueError where b is no number.
    """
    scores, weight = floats(scores), check_weight(weight, len(scores))
    check_shape("scores", scores, (len(weight), None))
    check_shape("estimates", floats(estimates), scores.shape)
    estimates, scores = (np.where(weight[:, None] > 0, x, 0) for x in (floats(estimates), scores))
    check_finite("estimates", estimates)
    check_finite("scores", scores)
    # in which no square underflows, of each parameter where each has its own b
    units = [
        powers_of_two(x.T).T if per_parameter else power_of_two(x) for x in (estimates, scores)
    ]
    estimates, scores = estimates / units[0], scores / units[1]
    above, below = weight * (estimates * scores).T, weight * (scores**2).T  # (P, B)
    if not per_parameter:
        above, below = above.sum(0, keepdims=True), below.sum(0, keepdims=True)
    with np.errstate(over="ignore"):
        b = _ratio_of_means(above, below, leave_one_out).T * (units[0] / units[1])
    check_finite("b (the estimates are too large for these scores)", b)
    return b
