"""Is the mean of an estimator, ours or yours, the truth? A test of stated error probabilities.

Axes: n independent estimates, P parameters.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minipg.validate import (
    Array,
    check_count,
    check_finite,
    check_range,
    finite_array,
    power_of_two,
)

Sample = Callable[[int, np.random.Generator], Array]  # n, rng ↦ n independent estimates (n, P)


class Verdict(NamedTuple):
    """Whether an estimator's mean may be the truth: it is refused where distance > radius.

    distance ‖mean − truth‖₂; smallest_bias: one of this norm, in whatever direction, would have
    been refused with probability at least 1 − beta; n estimates decided; mean (P,) is theirs.
    """

    unbiased: bool
    distance: float
    radius: float
    smallest_bias: float
    n: int
    alpha: float
    beta: float
    mean: Array


class _Seen(NamedTuple):
    """Of n estimates: mean (P,), tr S, largest eigenvalue of S, reach R, root mean square, and
    whether any differs from the first.
    """

    mean: Array
    trace: float
    largest: float
    reach: float
    size: float
    varies: bool


def _look(
    sample: Sample, truth: Array, unit: float, n: int, chunk: int, rng: np.random.Generator
) -> _Seen:
    """Running sums of n fresh estimates in a unit, as truth is; never more than `chunk` at once."""
    total, second, reach = np.zeros_like(truth), np.zeros((len(truth), len(truth))), 0.0
    first, varies = None, False
    for start in range(0, n, chunk):
        count = min(chunk, n - start)
        x = finite_array("estimates", sample(count, rng), (count, len(truth))) / unit - truth
        total, second = total + x.sum(0), second + x.T @ x
        reach = max(reach, float(np.linalg.norm(x, axis=1).max()))
        first = x[0] if first is None else first
        varies = varies or bool((x != first).any())
    check_finite("square of the estimates (another unit of rewards)", second)
    off = total / n
    covariance = (second / n - np.outer(off, off)) * n / (n - 1)
    trace = max(float(np.trace(covariance)), 0.0)
    largest = max(float(np.linalg.eigvalsh(covariance)[-1]), 0.0)
    size = float(np.sqrt(trace + (truth + off) @ (truth + off)))
    return _Seen(truth + off, trace, largest, reach + float(np.linalg.norm(off)), size, varies)


def _radii(seen: _Seen, n: int, alpha: float, beta: float) -> tuple[float, float]:
    """(radius, smallest bias) of n estimates of this spread.

    A bias is hidden only by an error against its own direction: Bernstein's bound, without tr S.
    """
    false_alarm, miss = -np.log(alpha), -np.log(beta)
    error = np.sqrt(seen.trace / n)  # of the mean: ≥ E‖mean − its expectation‖
    radius = error + np.sqrt(2 * false_alarm * (seen.largest + 2 * seen.reach * error) / n)
    radius += seen.reach * false_alarm / (3 * n) + 1e-9 * seen.size  # rounding
    against = np.sqrt(2 * miss * seen.largest / n) + seen.reach * miss / (3 * n)
    return float(radius), float(radius + against)


def _enough(seen: _Seen, bias: float, alpha: float, beta: float) -> int:
    """The n whose smallest bias is 0.9 · bias: a tenth in hand for another S."""
    return bisect_left(range(2**60), -0.9 * bias, 2, key=lambda n: -_radii(seen, n, alpha, beta)[1])


def check_unbiased(
    sample: Sample,
    truth: Array,
    bias: float,
    rng: np.random.Generator,
    alpha: float = 1e-6,
    beta: float = 1e-3,
    pilot: int = 2_000,
    most: int = 10_000_000,
) -> Verdict:
    """Is E sample = truth (P,)? Of all components at once, in any rotation of them.

    sample(n, rng) gives n independent estimates (n, P), at most `pilot` at a time. A pilot tells
    their covariance S and how far from the mean R they reach, so that n fresh ones miss a bias
    ‖E sample − truth‖₂ ≥ `bias` with probability ≤ beta and refuse a right estimator with
    probability ≤ alpha. Where by their own S and R they do, they decide; where not, they are the
    pilot of the next n. Look k has alpha/2^k and beta/2^k, which sum to what is stated.
    The radius is √(tr S/n) + √(2t(λ_max + 2R√(tr S/n))/n) + Rt/3n, t = log 2^k/alpha. With the
    true S and a true bound R it is a theorem (Bousquet 2002, doi 10.1016/S1631-073X(02)02292-6;
    Boucheron, Lugosi & Massart 2013, theorem 12.5); with those seen scripts/calibrate.py measures
    the rates. No test with power holds alpha for every law (Bahadur & Savage 1956, doi
    10.1214/aoms/1177728077): what is so rare that n never show it, and moves the mean by more
    than the radius (heavy importance weights), gives a false alarm or hides a bias.

    Where n would exceed `most` it is a ValueError, before the time is spent and never a quiet
    cap; it tells the bias that `most` shows. ValueError also for estimates that are not finite,
    of another shape, all the same, or not drawn from rng.

    >>> truth, rng = np.array([1.0, 0.0]), np.random.default_rng(0)
    >>> right = check_unbiased(lambda n, rng: truth + rng.random((n, 2)) - 0.5, truth, 0.05, rng)
    >>> print(right.unbiased, right.n, f"{right.smallest_bias:.3f}")
    True 5338 0.045
    >>> check_unbiased(lambda n, rng: truth + rng.random((n, 2)) - 0.45, truth, 0.05, rng).unbiased
    False
    """
    truth = finite_array("truth", truth, (None,))
    check_range("number of parameters", len(truth), 1)
    bias = check_range("bias", bias, 1e-300)
    alpha = check_range("alpha", alpha, 1e-300, 0.5)
    beta = check_range("beta", beta, 1e-300, 0.5)
    pilot = check_count("pilot", pilot, 100)
    most = check_count("most", most, pilot)
    unit = power_of_two(np.append(truth, bias))  # in it no square over- or underflows
    truth, bias = truth / unit, bias / unit
    before, n = str(rng.bit_generator.state), pilot
    seen = _look(sample, truth, unit, n, pilot, rng)
    if not seen.varies:
        raise ValueError(
            f"estimates: expected some that differ, got {n} times the same: a constant, what is "
            "rarer than the pilot shows, or no chance at all (then one of them tells)"
        )
    if str(rng.bit_generator.state) == before:
        raise ValueError("sample: expected one that draws from its rng, it did not")
    a, b, smallest = alpha, beta, np.inf
    while smallest > bias:
        a, b = a / 2, b / 2
        n = max(n, _enough(seen, bias, a, b))
        if n > most:
            shown = _radii(seen, most, a, b)[1] / 0.9 * unit
            raise ValueError(
                f"bias: expected at least {shown:.3g}, which most = "
                f"{most} estimates show; got {bias * unit:.3g}, for which it takes {n}"
            )
        fresh = _look(sample, truth, unit, n, pilot, rng)
        seen = fresh._replace(reach=max(fresh.reach, seen.reach))
        radius, smallest = _radii(seen, n, a, b)
    distance = float(np.linalg.norm(seen.mean - truth))
    return Verdict(distance <= radius, distance * unit, radius * unit, smallest * unit, n, alpha,
                   beta, seen.mean * unit)  # fmt: skip


def assert_unbiased(verdict: Verdict) -> None:
    """AssertionError, in one line, if refused: for a test suite of your own.

    >>> rng = np.random.default_rng(0)
    >>> wrong = check_unbiased(lambda n, rng: rng.random((n, 1)), np.zeros(1), 0.1, rng)
    >>> assert_unbiased(wrong)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: biased: ‖mean − truth‖ = 0.494 > 0.0483 (n = 2000, ...
    """
    if not verdict.unbiased:
        raise AssertionError(
            f"biased: ‖mean − truth‖ = {verdict.distance:.3g} > {verdict.radius:.3g} (n = "
            f"{verdict.n}, false alarms ≤ {verdict.alpha:g}; a bias from "
            f"{verdict.smallest_bias:.3g} shows with probability ≥ 1 − {verdict.beta:g})"
        )
