"""The sampled verdict: its radius, its design, its rates, and what it refuses to judge."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.optimize import brentq
from scipy.stats import binom
from strategies import RNGS, SEEDS

from minipg.truth.verdict import Verdict, assert_unbiased, check_unbiased

TRUTH = np.array([1.0, -2.0, 0.0])


def skewed(n, rng):
    """Mean TRUTH; component scales 1, 0.3, 0; the first seldom and large."""
    x = np.stack([rng.random(n) < 0.02, rng.random(n) < 0.5, np.ones(n)], 1)
    return TRUTH + (x - [0.02, 0.5, 1.0]) * [1 / 0.14, 0.6, 1.0]


class Recorder:
    """A sample that keeps what it drew."""

    def __init__(self, sample=skewed):
        self.sample, self.drawn = sample, []

    def __call__(self, n, rng):
        self.drawn.append(self.sample(n, rng))
        return self.drawn[-1]


def bousquet(covariance, reach, n, alpha, beta):
    """(radius, smallest bias) as the docstring writes them."""
    error, largest = np.sqrt(np.trace(covariance) / n), np.linalg.eigvalsh(covariance)[-1]
    t, u = np.log(1 / alpha), np.log(1 / beta)
    radius = error + np.sqrt(2 * t * (largest + 2 * reach * error) / n) + reach * t / (3 * n)
    return radius, radius + np.sqrt(2 * u * largest / n) + reach * u / (3 * n)


@given(SEEDS, st.sampled_from([0.2, 0.5]), st.sampled_from([0.05, 1e-3]))
def test_fresh_estimates_decide_by_the_stated_radius(seed, bias, alpha):
    """Everything recomputed from what was drawn: looks of n_1 < n_2 < … after a pilot of 100."""
    sample = Recorder()
    got = check_unbiased(sample, TRUTH, bias, np.random.default_rng(seed), alpha, 0.01, pilot=100)
    assert max(len(x) for x in sample.drawn) <= 100
    x, n, k, reach = np.concatenate(sample.drawn), 100, 0, 0.0
    while True:
        part, x = x[:n], x[n:]
        off = np.linalg.norm(part.mean(0) - TRUTH)
        reach = max(reach, np.linalg.norm(part - TRUTH, axis=1).max() + off)
        radius, smallest = bousquet(np.cov(part.T), reach, n, alpha / 2**k, 0.01 / 2**k)
        if not len(x):
            break
        assert k == 0 or smallest > bias
        k += 1

        def shown(n, part=part, k=k, reach=reach):
            return bousquet(np.cov(part.T), reach, n, alpha / 2**k, 0.01 / 2**k)[1] / 0.9

        last, n = n, int(min(np.ceil(brentq(lambda n: shown(n) - bias, 2, 1e8)), len(x)))
        n = max(n, last)
    assert k >= 1
    assert got.n == n
    np.testing.assert_allclose(got.mean, part.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got[1:4], (off, radius, smallest), rtol=1e-6)
    assert got.smallest_bias <= bias
    assert got.unbiased == (got.distance <= got.radius)
    assert (got.alpha, got.beta) == (alpha, 0.01)


def test_the_radius_in_numbers():
    """±1 with equal counts: S = n/(n−1), R = 1, so the radius is Bousquet's by hand."""

    def against(truth):
        return check_unbiased(
            lambda n, rng: rng.permutation(np.resize([1.0, -1.0], n))[:, None],
            np.array([truth]), 0.3, np.random.default_rng(0), 2 * np.exp(-2), np.exp(-1), 1000,
        )  # fmt: skip

    got = against(0.0)
    error = np.sqrt(1 / 999)
    radius = error + np.sqrt(2 * 2 * (1000 / 999 + 2 * error) / 1000) + 2 / 3000 + 1e-9
    assert (got.n, got.distance) == (1000, 0)
    assert got.radius == pytest.approx(radius, rel=1e-9)
    miss = 1 + np.log(2)
    smallest = radius + np.sqrt(2 * miss / 999) + miss / 3000
    assert got.smallest_bias == pytest.approx(smallest, rel=1e-9)
    assert against(0.9 * radius).unbiased
    assert not against(1.1 * radius).unbiased
    assert 1.1 * radius < smallest


@given(SEEDS, RNGS)
def test_every_rotation_of_the_parameters_gets_the_same_verdict(seed, rng):
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    plain, turned = (
        check_unbiased(lambda n, r, m=m: skewed(n, r) @ m, TRUTH @ m, 0.3,
                       np.random.default_rng(seed), 0.05)
        for m in (np.eye(3), turn)
    )  # fmt: skip
    np.testing.assert_allclose(turned[1:4], plain[1:4], rtol=1e-6)
    assert abs(turned.n - plain.n) <= 1


def test_false_alarms_and_power_at_the_designed_bias():
    """At alpha = beta = 0.05, 300 times each: Binomial(300, ≤ 0.05) exceeds the limit with
    probability ≤ 1e-6 a count, 4e-6 in all. scripts/calibrate.py does it 2,000 times."""
    limit = binom.isf(1e-6, 300, 0.05)
    wrong = np.zeros(4)
    for i in range(300):
        for j, shift in enumerate([np.zeros(3), *0.5 * np.eye(3)]):
            verdict = check_unbiased(
                lambda n, rng, shift=shift: skewed(n, rng) + shift,
                TRUTH, 0.5, np.random.default_rng([i, j]), 0.05, 0.05, 200,
            )  # fmt: skip
            wrong[j] += verdict.unbiased == shift.any()
    assert (wrong <= limit).all(), (wrong, limit)


@given(SEEDS)
def test_the_design_meets_the_bias_and_no_more(seed):
    """Of bounded noise with a pilot of 2,000: what it sees is within [0.8, 1] of what was asked."""
    rng = np.random.default_rng(seed)
    got = check_unbiased(lambda n, rng: rng.random((n, 5)) - 0.5, np.zeros(5), 0.02, rng)
    assert 0.016 <= got.smallest_bias <= 0.02
    assert got.n > 20_000  # the first pilot was too small for it
    assert got.unbiased


def test_a_bias_too_small_for_most_is_refused_and_told_which_is_not():
    def noise(n, rng):
        return rng.random((n, 2))

    rng, truth = np.random.default_rng(0), np.full(2, 0.5)
    with pytest.raises(ValueError, match="bias: expected at least") as refusal:
        check_unbiased(noise, truth, 1e-3, rng, most=50_000)
    possible = float(str(refusal.value).split("at least ")[1].split(",")[0])
    assert 1e-3 < possible < 0.1
    assert check_unbiased(noise, truth, 1.1 * possible, rng, most=50_000).n <= 50_000
    with pytest.raises(ValueError, match=f"takes {2**60}"):
        check_unbiased(noise, truth, 1e-12, rng)  # below rounding


def test_the_pilot_s_reach_stands_where_the_fresh_ones_see_nothing():
    """The rare value comes in the pilot only: without its R the radius were 0, a false alarm."""
    calls = []

    def rare(n, rng):
        calls.append(n)
        x = np.zeros((n, 1))
        x[rng.integers(n)] = len(calls) <= 1
        return x

    verdict = check_unbiased(rare, np.full(1, 1e-3), 0.1, np.random.default_rng(0), 1e-3, 1e-3)
    assert abs(verdict.mean[0]) < 1e-15
    assert verdict.unbiased


def test_what_is_too_rare_to_be_seen_is_the_stated_limit():
    """Mean 0, of which 0.1 comes once in 100,000 estimates: a few thousand show a bias of −0.1."""

    def jump(n, rng):
        return rng.random((n, 1)) - 0.6 + 1e4 * (rng.random((n, 1)) < 1e-5)

    verdict = check_unbiased(jump, np.zeros(1), 0.05, np.random.default_rng(0))
    assert verdict.n < 10_000
    assert not verdict.unbiased


def test_rounding_is_no_bias():
    rng, truth = np.random.default_rng(0), np.array([1.0])
    noise = 1e-14
    got = check_unbiased(lambda n, rng: 1 + 1e-12 + noise * rng.random((n, 1)), truth, 0.1, rng)
    assert got.unbiased


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (lambda n, rng: np.tile(TRUTH, (n, 1)) + 0 * rng.random(), "2000 times the same"),
        (lambda n, rng: np.zeros((n, 3)), "2000 times the same"),
        (lambda n, rng: np.random.default_rng(0).random((n, 3)), "draws from its rng"),
        (lambda n, rng: rng.random((n, 3)) * np.nan, "estimates: expected finite"),
        (lambda n, rng: rng.random((n, 2)), r"estimates: expected shape \(2000, 3\), got"),
        (lambda n, rng: rng.random(3), r"estimates: expected shape \(2000, 3\), got \(3,\)"),
        (lambda n, rng: rng.random((n - 1, 3)), "estimates: expected shape"),
        (lambda n, rng: [[1.0], [1.0, 2.0]], "estimates: expected an array"),
        (lambda n, rng: None, "estimates: expected real"),
    ],
)  # fmt: skip
def test_no_verdict_on_what_is_no_estimate(sample, message):
    with pytest.raises(ValueError, match=message):
        check_unbiased(sample, TRUTH, 0.1, np.random.default_rng(0))


def test_nan_in_a_later_chunk_is_refused():
    sample = Recorder()

    def late(n, rng):
        return sample(n, rng) * (np.nan if len(sample.drawn) > 4 else 1)

    with pytest.raises(ValueError, match="estimates: expected finite"):
        check_unbiased(late, TRUTH, 0.1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truth": np.zeros((3, 1))}, "truth: expected shape"),
        ({"truth": np.full(3, np.nan)}, "truth: expected finite"),
        ({"truth": np.zeros(0)}, "number of parameters"),
        ({"bias": 0.0}, "bias"), ({"bias": np.nan}, "bias"),
        ({"alpha": 0.0}, "alpha"), ({"alpha": 0.6}, "alpha"), ({"beta": 0.0}, "beta"),
        ({"beta": 0.6}, "beta"),
        ({"pilot": 99}, "pilot"), ({"most": 1999}, "most"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(change, message):
    arguments = {"truth": TRUTH, "bias": 0.1, "rng": np.random.default_rng(0), **change}
    with pytest.raises(ValueError, match=message):
        check_unbiased(skewed, **arguments)


@given(SEEDS)
def test_the_seed_determines_the_verdict(seed):
    one, two = (check_unbiased(skewed, TRUTH, 0.4, np.random.default_rng(seed)) for _ in range(2))
    assert one[:7] == two[:7]


def test_assert_unbiased_says_all_in_one_line():
    right = Verdict(True, 0.1, 0.2, 0.3, 10, 0.05, 0.01, np.zeros(2))
    assert_unbiased(right)
    with pytest.raises(AssertionError) as refusal:
        assert_unbiased(right._replace(unbiased=False, distance=0.25))
    assert str(refusal.value) == (
        "biased: ‖mean − truth‖ = 0.25 > 0.2 (n = 10, false alarms ≤ 0.05; a bias from 0.3 shows "
        "with probability ≥ 1 − 0.01)"
    )


def test_as_many_as_most_are_drawn_and_not_one_more():
    """n = most decides; most = n − 1 is refused, and says what most shows."""

    def ask(most):
        return check_unbiased(skewed, TRUTH, 0.1, np.random.default_rng(0), most=most)

    n = ask(10_000_000).n
    assert n > 2000
    assert ask(n).n == n
    with pytest.raises(ValueError, match=f"which most = {n - 1} estimates show; got 0.1"):
        ask(n - 1)
