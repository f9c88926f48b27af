"""The checkers themselves: planted errors are caught, right answers pass at the stated rate."""

import numpy as np
import pytest
from hypothesis import given
from strategies import RNGS

from minipg.truth.check import central_difference, check_mean, complex_step, gradient_error


def f(x):
    return (np.sin(x) * np.arange(1, len(x) + 1)).sum()


def df(x):
    return np.cos(x) * np.arange(1, len(x) + 1)


@given(RNGS)
@pytest.mark.parametrize("difference", [central_difference, complex_step])
def test_a_right_gradient_passes_and_each_planted_error_is_caught(difference, rng):
    x = rng.standard_normal(6)
    assert gradient_error(f, df(x), x, rng, difference=difference) < 1e-8
    wrong = df(x)
    wrong[rng.integers(6)] += 0.1
    assert gradient_error(f, wrong, x, rng, difference=difference) > 1e-6
    assert gradient_error(f, df(x) * 1.01 + 0.01, x, rng, difference=difference) > 1e-6
    assert np.isnan(gradient_error(lambda x: f(x) * np.nan, df(x), x, rng, difference=difference))


def test_a_gradient_of_the_wrong_shape_or_with_nan_is_refused():
    x, rng = np.zeros(3), np.random.default_rng(0)
    for wrong in (df(x)[:2], df(x)[None], np.full(3, np.nan)):
        with pytest.raises(ValueError, match="gradient: expected"):
            gradient_error(f, wrong, x, rng)


@given(RNGS)
def test_complex_step_beats_differences(rng):
    x, v = rng.standard_normal((2, 3))
    assert complex_step(f, x, v) == pytest.approx(df(x) @ v, rel=1e-14, abs=1e-14)
    assert central_difference(f, x, v) == pytest.approx(df(x) @ v, abs=1e-7)


def test_check_mean_false_alarms_and_power():
    """At alpha = 0.1, 2,000 tests of a true mean: refusals are Binomial(2000, ≤ 0.1), so more than
    259 has probability ≤ 1e-5. A bias of twice the radius is missed as rarely."""
    rng = np.random.default_rng(0)
    refused = missed = 0
    for _ in range(2000):
        samples = rng.random((200, 3)) < 0.3
        verdict = check_mean(samples, np.full(3, 0.3), np.ones(3), 0.1)
        refused += not verdict.accepted
        biased = np.array([0.3, 0.3, 0.3 + 2 * verdict.radius])
        missed += check_mean(samples, biased, np.ones(3), 0.1).accepted
    assert refused <= 259
    assert missed <= 259


@pytest.mark.parametrize("p", [1, 3])
def test_check_mean_radius_is_maurer_and_pontil_s(p):
    samples = np.tile([[0.0], [1.0], [1.0], [0.0]], p)
    verdict = check_mean(samples, np.full(p, 0.5), np.full(p, 2.0), 0.01)
    log_term = np.log(4 * p / 0.01)
    assert verdict.radius == pytest.approx(
        np.sqrt(2 / 3 * log_term / 4) + 7 * 2.0 * log_term / (3 * 3)
    )
    assert verdict.distance == 0


def test_check_mean_looks_at_every_component():
    samples = np.zeros((1000, 3))
    verdict = check_mean(samples, np.array([0.0, 0.5, 0.0]), np.full(3, 0.1), 1e-6)
    assert not verdict.accepted
    assert verdict.component == 1
    assert verdict.distance == 0.5
    assert check_mean(np.ones((9, 1)) / 3, np.array([1 / 3]), np.zeros(1), 1e-6).accepted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), np.zeros(3), np.ones(3), 0.1), "samples: expected shape"),
        ((np.full((3, 1), np.nan), np.zeros(1), np.ones(1), 0.1), "samples: expected finite"),
        ((np.zeros((1, 1)), np.zeros(1), np.ones(1), 0.1), "number of samples"),
        ((np.zeros((3, 1)), np.zeros(2), np.ones(1), 0.1), "expected: expected shape"),
        ((np.zeros((3, 1)), np.zeros(1), np.ones(2), 0.1), "width: expected shape"),
        ((np.zeros((3, 1)), np.zeros(1), np.ones(1), 2.0), "alpha"),
        ((np.zeros((3, 1)), np.zeros(1), np.ones(1), 0.0), "alpha"),
        ((np.zeros((3, 0)), np.zeros(0), np.ones(0), 0.1), "number of components"),
        ((np.arange(3.0)[:, None], np.zeros(1), np.ones(1), 0.1), "width: expected at least"),
        ((np.zeros((3, 1)), np.zeros(1), -np.ones(1), 0.1), "width: expected at least"),
        ((np.eye(3), np.zeros(3), np.array([9.0, 0.5, 9.0]), 0.1), "width: expected at least"),
    ],
)
def test_check_mean_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_mean(*arguments)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_check_mean_is_the_same_in_every_unit(unit):
    """No square in it over- or underflows, so no verdict turns."""
    rng = np.random.default_rng(0)
    samples, width = rng.random((1000, 2)), np.ones(2)
    cases = ((np.full(2, 0.5), True), (np.array([0.5, 0.9]), False), (np.zeros(2), False))
    for expected, accepted in cases:
        plain = check_mean(samples, expected, width, 1e-6)
        got = check_mean(samples * unit, expected * unit, width * unit, 1e-6)
        assert got.accepted == plain.accepted == accepted
        assert got.distance == pytest.approx(plain.distance * unit, rel=1e-9)
        assert got.radius == pytest.approx(plain.radius * unit, rel=1e-9)


def test_the_mean_of_what_does_not_vary_is_right_to_rounding():
    """Samples that are all 1 + 1e-9 have no mean of 1; of 1 + 1e-13 rounding may make them."""
    for off, accepted in ((1e-9, False), (1e-13, True)):
        samples = np.full((100, 1), 1 + off)
        assert check_mean(samples, np.ones(1), np.zeros(1), 0.01).accepted == accepted
