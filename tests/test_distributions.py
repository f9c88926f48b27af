"""The heads' closed forms against sums, quadrature, complex steps and samples."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.linalg import block_diag
from strategies import NVECS, RNGS, nodes

from minipg.policies.gaussian import Gaussian
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.softmax import Softmax
from minipg.truth.check import central_difference, check_mean, complex_step

HEADS = st.one_of(
    st.integers(2, 5).map(Softmax), NVECS.map(MultiSoftmax), st.integers(1, 3).map(Gaussian)
)


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
def test_entropy_gradient_is_the_derivative_of_entropy(head, rng):
    eta = rng.standard_normal((6, head.size))
    gradient = head.entropy_gradient(eta)
    for k in range(head.size):
        v = np.zeros_like(eta)
        v[:, k] = 1
        np.testing.assert_allclose(gradient[:, k], complex_step(head.entropy, eta, v), atol=1e-12)


@given(HEADS, RNGS)
def test_no_action_is_likelier_than_the_mode(head, rng):
    """None that is drawn, and none of those a sum or a quadrature goes over."""
    eta = rng.standard_normal(head.size)
    best = head.log_prob(eta, head.mode(eta))
    many = np.tile(eta, (50, 1))
    assert (head.log_prob(many, head.sample(many, rng)) <= best + 1e-12).all()
    actions, _ = nodes(head, eta)
    assert (head.log_prob(np.tile(eta, (len(actions), 1)), actions) <= best + 1e-12).all()


@pytest.mark.parametrize("head", [Softmax(4), MultiSoftmax((2, 3)), Gaussian(2)], ids=str)
def test_samples_are_of_the_density_whose_score_it_is(head):
    """E ∇log π = 0 only under π: 200,000 draws, each mean within 6 of its deviations (4e-9 a
    component); of the density of another η some is 20 and more off.
    """
    rng, n = np.random.default_rng(0), 200_000
    eta = rng.standard_normal(head.size)
    drawn = head.sample(np.tile(eta, (n, 1)), rng)

    def off(own):
        score = head.score(np.tile(own, (n, 1)), drawn)
        return np.abs(score.mean(0) / score.std(0)).max() * np.sqrt(n)

    assert off(eta) < 6
    for k in range(head.size):
        assert off(eta + 0.2 * (np.arange(head.size) == k)) > 20


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


@given(NVECS, RNGS)
@pytest.mark.pitfall(18)
def test_softmax_over_d_dimensions_is_the_sum_of_d_of_one(nvec, rng):
    """Log-probability, entropy and KL are sums, the rest stands side by side or in blocks."""
    whole, ones, ends = MultiSoftmax(nvec), [Softmax(n) for n in nvec], np.cumsum(nvec)[:-1]
    eta, other, u = rng.standard_normal((3, 4, whole.size))
    a = whole.sample(eta, rng)
    parts = list(zip(ones, *(np.split(x, ends, 1) for x in (eta, other, u)), a.T, strict=True))
    for got, terms in (
        (whole.log_prob(eta, a), [one.log_prob(e, x) for one, e, _, _, x in parts]),
        (whole.entropy(eta), [one.entropy(e) for one, e, *_ in parts]),
        (whole.kl(eta, other), [one.kl(e, o) for one, e, o, *_ in parts]),
    ):
        assert got.shape == (4,)
        np.testing.assert_allclose(got, np.sum(terms, 0), rtol=1e-12, atol=1e-14)
    for got, beside in (
        (whole.score(eta, a), [one.score(e, x) for one, e, _, _, x in parts]),
        (whole.entropy_gradient(eta), [one.entropy_gradient(e) for one, e, *_ in parts]),
        (whole.fisher_product(eta)(u), [one.fisher_product(e)(v) for one, e, _, v, _ in parts]),
    ):
        np.testing.assert_allclose(got, np.concatenate(beside, 1), rtol=1e-12, atol=1e-14)
    for name in ("fisher", "fisher_root"):
        blocks = [getattr(one, name)(e) for one, e, *_ in parts]
        expected = [block_diag(*(b[k] for b in blocks)) for k in range(4)]
        np.testing.assert_allclose(getattr(whole, name)(eta), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(whole.mode(eta).T, [one.mode(e) for one, e, *_ in parts])


@given(HEADS, RNGS)
def test_the_root_and_the_product_are_of_the_fisher_matrix(head, rng):
    eta, u = rng.standard_normal((2, 4, head.size))
    root, fisher = head.fisher_root(eta), head.fisher(eta)
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), fisher, rtol=1e-12, atol=1e-14)
    expected = (fisher @ u[..., None])[..., 0]
    np.testing.assert_allclose(head.fisher_product(eta)(u), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.pitfall(17)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_at_the_extremes(dtype):
    softmax, gaussian = Softmax(3), Gaussian(2)
    logits = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [0, 1e4, 1e4]], dtype)
    log_std = np.array([[20, -20], [-20, 20], [-20, -20]], dtype)
    eta = np.concatenate([np.array([[0, 1], [1, 0], [-1, 1]], dtype), log_std], 1)
    many = np.concatenate([logits, logits[::-1, :2]], 1)
    for head, parameters in ((softmax, logits), (MultiSoftmax((3, 2)), many), (gaussian, eta)):
        a = draw_actions(head, parameters, np.random.default_rng(0))
        with np.errstate(all="raise", under="ignore"):
            for x in (
                head.log_prob(parameters, a),
                head.score(parameters, a),
                head.entropy(parameters),
                head.kl(parameters, parameters[::-1]),
                head.fisher(parameters),
                head.fisher_root(parameters),
                head.fisher_product(parameters)(parameters),
                head.entropy_gradient(parameters),
            ):
                assert np.isfinite(x).all()
                assert x.dtype == dtype
    assert softmax.log_prob(logits[:1], np.array([1]))[0] == dtype(-2e4)


@given(st.integers(0, 1000))
def test_softmax_never_draws_an_impossible_action(seed):
    logits = np.array([-1e4, 0, -1e4, 1, -1e4], np.float32)
    a = Softmax(5).sample(np.tile(logits, (2000, 1)), np.random.default_rng(seed))
    assert set(a.tolist()) <= {1, 3}
    many = MultiSoftmax((2, 5, 1))  # nor one that is only padding
    a = many.sample(np.tile([0, 0, *logits, -1e4], (2000, 1)), np.random.default_rng(seed))
    assert [set(column) for column in a.T.tolist()] == [{0, 1}, {1, 3}, {0}]


def test_samples_follow_the_distribution():
    """By the empirical Bernstein bound, false alarm ≤ 1e-6 each; a shifted mean is refused."""
    rng = np.random.default_rng(0)
    head, n = Softmax(4), 200_000
    eta = np.array([0.3, -1.0, 2.0, 0.0])
    hits = np.eye(4)[head.sample(np.tile(eta, (n, 1)), rng)]
    assert check_mean(hits, head.probs(eta), np.ones(4), 1e-6).accepted
    assert not check_mean(hits, head.probs(eta + [0.2, 0, 0, 0]), np.ones(4), 1e-6).accepted
    head, eta = MultiSoftmax((2, 3)), np.array([0.5, 0.0, -1.0, 0.3, 1.0])
    actions, probs = nodes(head, eta)  # of both dimensions at once: they are independent
    hits = (head.sample(np.tile(eta, (n, 1)), rng)[:, None] == actions).all(-1)
    assert check_mean(hits, probs, np.ones(6), 1e-6).accepted
    assert not check_mean(hits, nodes(head, eta + [0.2, 0, 0, 0, 0])[1], np.ones(6), 1e-6).accepted
    gaussian = Gaussian(2)
    eta = np.array([1.0, -2.0, 0.5, -0.5])
    z = gaussian.sample(np.tile(eta, (n, 1)), rng)
    below = z < eta[:2] + np.exp(eta[2:])  # Φ(1) of the draws, in each dimension
    assert check_mean(below, np.full(2, 0.8413447460685429), np.ones(2), 1e-6).accepted
    assert not check_mean(below, np.full(2, 0.80), np.ones(2), 1e-6).accepted
    both = below.all(1, keepdims=True)  # and the dimensions are independent
    assert check_mean(both, np.array([0.8413447460685429**2]), np.ones(1), 1e-6).accepted


def test_no_action_of_probability_0_is_drawn_even_by_a_waiting_time_of_0():
    class Zero:
        def standard_exponential(self, shape):
            waiting = np.ones(shape)
            waiting[..., 0] = 0
            return waiting

    for dtype, low in ((np.float32, -110), (np.float64, -800)):
        head, eta = Softmax(2), np.array([[low, 0]], dtype)
        assert head.probs(eta)[0, 0] == 0
        assert head.sample(eta, Zero()).tolist() == [1]


@given(HEADS, RNGS, st.sampled_from([1e-1, 1e-3, 1e-6, 1e-9]), st.sampled_from(["f4", "f8"]))
@pytest.mark.equation("E41")
def test_the_kl_of_near_policies_keeps_its_digits(head, rng, size, dtype):
    """Against ½ dᵀFd to third order, in either dtype; never negative; 0 to the bit of itself."""
    p = rng.standard_normal((5, head.size)).astype(dtype)
    q = (p + size * rng.standard_normal(p.shape)).astype(dtype)
    d = q.astype("f8") - p
    quadratic = 0.5 * np.einsum("ni,nij,nj->n", d, head.fisher(p.astype("f8")), d)
    rounding = 2 * np.finfo(dtype).eps
    scale = np.abs(d).max(-1) + rounding  # the third order, relative to the second
    for got in (head.kl(p, q), head.kl(q, p)):
        assert got.dtype == dtype
        assert (got >= 0).all()
        flat = 0.02 * (d**2).sum(-1)  # a direction in which π hardly changes
        error = np.abs(got - quadratic)
        assert (error <= 6 * scale * np.maximum(quadratic, flat)).all()
    assert not head.kl(p, p).any()


@given(RNGS)
def test_kls_of_near_and_far_logits_are_one_function(rng):
    """On both sides of where the formula changes, against the sum in long double."""
    head = Softmax(3)
    p = rng.standard_normal((4, 3))
    for size in (0.5, 0.9, 1.0, 1.1, 3.0, 40.0):
        q = p + size * rng.uniform(-1, 1, p.shape)
        a, b = (x.astype(np.longdouble) for x in (p, q))
        a, b = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (a, b))
        expected = (np.exp(a) * (a - b)).sum(-1)
        np.testing.assert_allclose(head.kl(p, q), expected.astype(float), rtol=1e-11)


def test_actions_that_are_masked_away():
    """Logits of −∞: no NaN in entropy, its gradient, KL, score; the rest is without them."""
    mask, eta = (
        np.array([True, False, True, True, False]),
        np.array([0.3, -np.inf, -1.0, 2.0, -np.inf]),
    )
    other = np.where(mask, [0.1, 0, 0.4, 1.0, 0], -np.inf)
    head, few = Softmax(5), Softmax(3)
    with np.errstate(all="raise", under="ignore"):
        assert head.entropy(eta) == pytest.approx(few.entropy(eta[mask]))
        gradient = head.entropy_gradient(eta)
        np.testing.assert_allclose(gradient[mask], few.entropy_gradient(eta[mask]))
        assert not gradient[~mask].any()
        assert head.kl(eta, other) == pytest.approx(few.kl(eta[mask], other[mask]))
        score = head.score(eta[None], np.array([2]))
        np.testing.assert_allclose(score[0, mask], few.score(eta[None, mask], np.array([1]))[0])
        assert not score[0, ~mask].any()
    more = np.where(np.arange(5) == 1, 0.5, eta)  # one more action: what it takes is all KL
    prob = head.probs(more)[1]
    assert head.kl(eta, more) == pytest.approx(-np.log1p(-prob))
    assert head.kl(more, eta) == np.inf
    drawn = head.sample(np.tile(eta, (1000, 1)), np.random.default_rng(0))
    assert set(drawn.tolist()) <= {0, 2, 3}


def test_actions_in_other_forms_are_refused_with_what_to_do():
    head = Softmax(3)
    with pytest.raises(ValueError, match=r"got \(4, 1\): take actions\[..., 0\]"):
        head.check_actions(np.zeros((4, 1), int), (4,))
    with pytest.raises(ValueError, match=r"got dtype float64: take actions.astype\(int\)"):
        head.check_actions(np.zeros(4), (4,))
    with pytest.raises(ValueError, match=r"got dtype float64: take actions.astype\(int\)"):
        MultiSoftmax((2, 3)).check_actions(np.zeros((4, 2)), (4,))
    with pytest.raises(ValueError, match=r"expected shape \(4, 1\), got \(4,\): take actions\["):
        Gaussian(1).check_actions(np.zeros(4), (4,))


@pytest.mark.parametrize("head", [Softmax(2), MultiSoftmax((2,))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
@pytest.mark.parametrize("far", [30, 99, 101, 700, 720, 744, 800])
def test_the_kl_of_logits_far_apart_is_finite_and_right(head, dtype, far):
    """e^d overflows beyond 709, p e^d = q does not; KL((1, e^−far)‖(½, ½)) = log 2, to 3e-12."""
    rare, even, other = np.array([[0, -far], [0, 0], [-far, 0]], dtype)
    assert head.kl(rare, even) == pytest.approx(np.log(2), rel=1e-6, abs=0)
    assert head.kl(even, rare) == pytest.approx(far / 2 - np.log(2), rel=1e-6)
    assert head.kl(rare, other) == pytest.approx(far, rel=1e-6)
    slope = complex_step(lambda x: head.kl(x, even), rare.astype(float), np.array([0.0, 1.0]))
    assert slope == pytest.approx(-far * np.exp(-far), abs=1e-12)  # of p log p as p → 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64])
def test_logits_may_be_whole_numbers_of_any_size(dtype):
    eta, head = np.array([100, 0, 0], dtype), Softmax(3)
    for name in ("log_probs", "probs", "entropy", "fisher", "mode"):
        np.testing.assert_array_equal(getattr(head, name)(eta), getattr(head, name)(eta * 1.0))
    np.testing.assert_array_equal(
        head.log_ratio(eta, eta[::-1]), head.log_ratio(1.0 * eta, eta[::-1])
    )
