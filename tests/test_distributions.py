"""The heads' closed forms against sums, quadrature, complex steps and samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import RNGS, nodes

from minipg.check import central_difference, check_mean, complex_step
from minipg.distributions import Gaussian, Softmax

HEADS = st.one_of(st.integers(2, 5).map(Softmax), st.integers(1, 3).map(Gaussian))


def draw_actions(head, eta, rng):
    return head.sample(eta, rng)


@given(HEADS, RNGS)
def test_score_is_the_derivative_of_log_prob(head, rng):
    eta = rng.standard_normal((6, head.size))
    a = draw_actions(head, eta, rng)
    score = head.score(eta, a)
    for k in range(head.size):
        v = np.zeros_like(eta)
        v[:, k] = 1
        expected = complex_step(lambda x: head.log_prob(x, a), eta, v)
        np.testing.assert_allclose(score[:, k], expected, rtol=1e-10, atol=1e-12)


@given(HEADS, RNGS)
def test_expectations_under_the_head(head, rng):
    """Σ π = 1, E score = 0, entropy = −E log π, KL(p‖q) = E_p log p/q, Fisher = E score scoreᵀ."""
    p, q = rng.standard_normal((2, head.size))
    a, w = nodes(head, p)
    many_p, many_q = np.tile(p, (len(w), 1)), np.tile(q, (len(w), 1))
    log_p, log_q, score = head.log_prob(many_p, a), head.log_prob(many_q, a), head.score(many_p, a)
    assert w.sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(w @ score, 0, atol=1e-10)
    assert head.entropy(p) == pytest.approx(-(w @ log_p), rel=1e-9)
    assert head.kl(p, q) == pytest.approx(w @ (log_p - log_q), rel=1e-8)
    assert head.kl(p, q) >= 0
    assert head.kl(p, p) == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(head.fisher(p), (score * w[:, None]).T @ score, rtol=1e-8, atol=1e-9)


@given(HEADS, RNGS)
def test_fisher_is_the_hessian_of_both_kls(head, rng):
    """∇²KL(p‖·) = ∇²KL(·‖p) = Fisher at p, and both have zero gradient there."""
    p = rng.standard_normal(head.size)
    for divergence in (lambda x: head.kl(p, x), lambda x: head.kl(x, p)):
        for u in np.eye(head.size):
            for v in np.eye(head.size):

                def slope(x, f=divergence, v=v):
                    return complex_step(f, x, v)

                curvature = central_difference(slope, p, u, 1e-5)
                assert curvature == pytest.approx(v @ head.fisher(p) @ u, rel=1e-6, abs=1e-7)
            assert complex_step(divergence, p, u) == pytest.approx(0, abs=1e-12)


def test_kl_direction_is_first_to_second():
    """Against numbers by hand: KL(N(0,1)‖N(0,e)) with log σ = 0 and 1 is 1 + e⁻²/2 − 1/2."""
    p, q = np.array([0.0, 0.0]), np.array([0.0, 1.0])
    assert Gaussian(1).kl(p, q) == pytest.approx(0.5 + np.exp(-2) / 2)
    assert Gaussian(1).kl(q, p) == pytest.approx(-1.5 + np.exp(2) / 2)
    p, q = np.log([0.5, 0.5]), np.log([0.9, 0.1])
    assert Softmax(2).kl(p, q) == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))


@given(st.integers(2, 4), RNGS)
@pytest.mark.pitfall(18)
def test_gaussian_over_d_dimensions_is_the_sum_of_d_of_one(d, rng):
    eta, other = rng.standard_normal((2, 3, 2 * d))
    a = rng.standard_normal((3, d))
    whole, single = Gaussian(d), Gaussian(1)
    parts = [(eta[:, [i, d + i]], other[:, [i, d + i]], a[:, [i]]) for i in range(d)]
    for got, terms in (
        (whole.log_prob(eta, a), [single.log_prob(e, x) for e, _, x in parts]),
        (whole.entropy(eta), [single.entropy(e) for e, _, _ in parts]),
        (whole.kl(eta, other), [single.kl(e, o) for e, o, _ in parts]),
    ):
        assert got.shape == (3,)
        np.testing.assert_allclose(got, np.sum(terms, 0), rtol=1e-12)


@pytest.mark.pitfall(17)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_at_the_extremes(dtype):
    softmax, gaussian = Softmax(3), Gaussian(2)
    logits = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [0, 1e4, 1e4]], dtype)
    log_std = np.array([[20, -20], [-20, 20], [-20, -20]], dtype)
    eta = np.concatenate([np.array([[0, 1], [1, 0], [-1, 1]], dtype), log_std], 1)
    for head, parameters in ((softmax, logits), (gaussian, eta)):
        a = draw_actions(head, parameters, np.random.default_rng(0))
        with np.errstate(all="raise", under="ignore"):
            for x in (
                head.log_prob(parameters, a),
                head.score(parameters, a),
                head.entropy(parameters),
                head.kl(parameters, parameters[::-1]),
                head.fisher(parameters),
            ):
                assert np.isfinite(x).all()
                assert x.dtype == dtype
    assert softmax.log_prob(logits[:1], np.array([1]))[0] == dtype(-2e4)


@given(st.integers(0, 1000))
def test_softmax_never_draws_an_impossible_action(seed):
    logits = np.array([-1e4, 0, -1e4, 1, -1e4], np.float32)
    a = Softmax(5).sample(np.tile(logits, (2000, 1)), np.random.default_rng(seed))
    assert set(a.tolist()) <= {1, 3}


def test_samples_follow_the_distribution():
    """By the empirical Bernstein bound, false alarm ≤ 1e-6 each; a shifted mean is refused."""
    rng = np.random.default_rng(0)
    head, n = Softmax(4), 200_000
    eta = np.array([0.3, -1.0, 2.0, 0.0])
    hits = np.eye(4)[head.sample(np.tile(eta, (n, 1)), rng)]
    assert check_mean(hits, head.probs(eta), np.ones(4), 1e-6).accepted
    assert not check_mean(hits, head.probs(eta + [0.2, 0, 0, 0]), np.ones(4), 1e-6).accepted
    gaussian = Gaussian(2)
    eta = np.array([1.0, -2.0, 0.5, -0.5])
    z = gaussian.sample(np.tile(eta, (n, 1)), rng)
    below = z < eta[:2] + np.exp(eta[2:])  # Φ(1) of the draws, in each dimension
    assert check_mean(below, np.full(2, 0.8413447460685429), np.ones(2), 1e-6).accepted
    assert not check_mean(below, np.full(2, 0.80), np.ones(2), 1e-6).accepted
    both = below.all(1, keepdims=True)  # and the dimensions are independent
    assert check_mean(both, np.array([0.8413447460685429**2]), np.ones(1), 1e-6).accepted
