"""Section 5: the performance identity and its bound, the Fisher matrix, CG, the line search."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import RNGS, mdps, nodes, policies, problems

from minipg.estimators.surrogate import batch_surrogate, batch_surrogate_gradient, ratio
from minipg.experience.enumeration import enumerate_trajectories
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.steps.linalg import backtrack, conjugate_gradients
from minipg.steps.natural import fisher_matrix, fisher_product, trust_region_step
from minipg.truth import exact
from minipg.truth.check import central_difference, complex_step
from minipg.truth.performance import (
    improve,
    kl,
    lower_bound,
    mean_kl,
    penalty,
    performance_difference,
    surrogate,
    tilted,
    within,
)

DISCOUNTS = st.sampled_from([0.0, 0.5, 0.9, 0.99])


def draw_pi(mdp: TabularMDP, rng: np.random.Generator, near: np.ndarray | None = None):
    """A random table of probabilities, or one near another."""
    if near is None:
        return rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
    tilted = near * np.exp(rng.choice([0.01, 0.3, 3.0]) * rng.standard_normal(near.shape))
    return tilted / tilted.sum(1, keepdims=True)


@given(mdps(gammas=DISCOUNTS), RNGS)
@pytest.mark.equation("E29", "E31", "E32", "E33")
def test_the_performance_identity_in_all_its_forms(mdp, rng):
    """To 1e-9: E29, over d_π̃ with a ∼ π̃ (E31), with weights (E32); L is it with d_π, L(π) = 0."""
    pi = draw_pi(mdp, rng)
    new = draw_pi(mdp, rng, pi)
    difference = exact.objective(mdp, new) - exact.objective(mdp, pi)
    close = {"rel": 1e-9, "abs": 1e-9 * np.abs(mdp.reward).max() / (1 - mdp.gamma)}
    assert performance_difference(mdp, new, pi) == pytest.approx(difference, **close)
    d_new, d = (exact.visitation(mdp, x)[:-1] for x in (new, pi))
    a = exact.advantages(mdp, pi)
    e31 = d_new @ (new * a).sum(1) / (1 - mdp.gamma)
    e32 = d_new @ (pi * (new / pi) * a).sum(1) / (1 - mdp.gamma)
    assert e31 == pytest.approx(difference, **close)
    assert e32 == pytest.approx(difference, **close)
    assert surrogate(mdp, new, pi) == pytest.approx(d @ (new * a).sum(1) / (1 - mdp.gamma), **close)
    assert surrogate(mdp, pi, pi) == pytest.approx(0, abs=close["abs"])


@given(problems(gammas=DISCOUNTS), RNGS)
@pytest.mark.equation("E29")
def test_every_line_of_the_proof(problem, rng):
    """The six lines of the slide, each by enumeration under π̃ of the unrolled table."""
    mdp, pi = problem.start, problem.pi
    new = draw_pi(mdp, rng, pi)
    from minipg.experience.enumeration import enumerate_trajectories

    batch, states = enumerate_trajectories(mdp, new)
    gamma_t = mdp.gamma ** np.arange(len(batch.rewards))[:, None] * batch.valid
    values, w = exact.state_values(mdp, pi), batch.weight
    v, v_next = values[states[:-1]], values[states[1:]] * ~batch.terminated
    returns = (gamma_t * batch.rewards).sum(0)
    lines = [
        w @ returns - exact.objective(mdp, pi),
        w @ returns - mdp.start @ values,
        w @ (returns - values[states[0]]),
        w @ (returns + (gamma_t * (mdp.gamma * v_next - v)).sum(0)),
        w @ (gamma_t * (batch.rewards + mdp.gamma * v_next - v)).sum(0),
        w @ (gamma_t * exact.advantages(mdp, pi)[states[:-1], batch.actions]).sum(0),
    ]
    truth = exact.objective(mdp, new) - exact.objective(mdp, pi)
    np.testing.assert_allclose(lines, truth, rtol=1e-8, atol=1e-9 * np.abs(mdp.reward).max())


def pair_of_policies():
    """A table of three states with γ = 0.9, π̃ and π."""
    rng = np.random.default_rng(0)
    transition = rng.dirichlet(np.ones(3), (3, 2))
    mdp = TabularMDP.from_arrays(transition, rng.standard_normal((3, 2)), np.eye(3)[0], 0.9)
    return mdp, draw_pi(mdp, rng), draw_pi(mdp, rng)


@pytest.mark.equation("errata 3")
def test_errata_3_the_difference_is_over_the_visits_of_the_new_policy():
    """J(π̃) − J(π) is over d_π̃; over d_π, as the slide first writes, it is L."""
    mdp, new, pi = pair_of_policies()
    slide = exact.visits(mdp, pi, 0.9) @ (new * exact.advantages(mdp, pi)).sum(1)
    assert slide == pytest.approx(surrogate(mdp, new, pi))
    assert abs(slide - performance_difference(mdp, new, pi)) > 0.1 * abs(slide)


@pytest.mark.equation("errata 6")
def test_errata_6_the_surrogate_is_a_sum_over_steps():
    """L needs its Σ_t γ^t: without γ^t, or of the first step alone, it is another number."""
    mdp, new, pi = pair_of_policies()
    gain, alive, terms = (new * exact.advantages(mdp, pi)).sum(1), mdp.start, []
    for _ in range(300):
        terms.append(alive @ gain)
        alive = mdp.chain(pi).T @ alive
    right = surrogate(mdp, new, pi)
    assert 0.9 ** np.arange(300) @ terms == pytest.approx(right)
    for other in (terms[0], np.sum(terms)):
        assert abs(other - right) > 0.1 * abs(right)


@pytest.mark.equation("errata 8")
def test_errata_8_the_two_directions_of_kl_are_two_trust_regions():
    """The bound holds with KL(π̃‖π) and with KL(π‖π̃), and either region has what the other lacks."""
    flat, steep = np.full((1, 2), 0.5), np.array([[0.9, 0.1]])
    assert kl(steep, flat) == pytest.approx(np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert kl(steep, flat) < 0.4 < kl(flat, steep)  # around flat; around steep the other way


@given(mdps(gammas=DISCOUNTS), RNGS)
@pytest.mark.equation("E34", "E37", "errata 8")
def test_the_bound_holds_in_both_directions_and_the_mean_kl_is_below_the_maximum(mdp, rng):
    pi = draw_pi(mdp, rng)
    new = draw_pi(mdp, rng, pi)
    error = abs(performance_difference(mdp, new, pi) - surrogate(mdp, new, pi))
    rounding = 1e-9 * np.abs(mdp.reward).max() / (1 - mdp.gamma)
    epsilon = np.abs(exact.action_values(mdp, exact.state_values(mdp, pi))
                     - exact.state_values(mdp, pi)[:, None]).max()  # fmt: skip
    constant = 4 * epsilon * mdp.gamma / (1 - mdp.gamma) ** 2
    assert penalty(mdp, pi) == pytest.approx(constant, abs=1e-300)
    for divergence in (kl(new, pi), kl(pi, new)):
        assert error <= penalty(mdp, pi) * divergence.max() + rounding
    for p, q in ((new, pi), (pi, new)):
        assert mean_kl(mdp, p, q, pi) <= kl(p, q).max() * (1 + 1e-12)
        expected = [sum(x * np.log(x / y) for x, y in zip(a, b, strict=True))
                    for a, b in zip(p, q, strict=True)]  # fmt: skip
        np.testing.assert_allclose(kl(p, q), expected, rtol=1e-9, atol=1e-12)


@given(mdps(gammas=st.sampled_from([0.0, 0.5, 0.9])), RNGS)
@pytest.mark.equation("E36")
def test_maximising_the_bound_never_lowers_j(mdp, rng):
    """Three rounds; the step attains its own bound, and no random table has a higher one."""
    pi = draw_pi(mdp, rng)
    rounding = 1e-10 * np.abs(mdp.reward).max() / (1 - mdp.gamma)
    for _ in range(3):
        new = improve(mdp, pi)
        gain, bound = performance_difference(mdp, new, pi), lower_bound(mdp, new, pi)
        assert gain >= bound - rounding
        assert bound >= 0
        others = [draw_pi(mdp, rng, pi) * 0.02 + pi * 0.98 for _ in range(5)]
        others += [pi + scale * (new - pi) for scale in (0.7, 1.4)]  # as far as that, no farther
        for other in others:
            if other.min() >= 0:
                assert lower_bound(mdp, other, pi) <= bound + 1e-4 * abs(bound) + rounding
        pi = new


@given(RNGS)
@pytest.mark.equation("E36", "E37")
def test_kl_of_near_and_of_sparse_tables_keeps_its_digits(rng):
    """To second order Σ (q − p)²/2p; q where p has no mass, infinity where q has none."""
    p = rng.dirichlet(np.ones(3), 4)
    direction = rng.standard_normal((4, 3))
    for size, rtol in ((1e-7, 1e-5), (1e-9, 2e-8)):
        q = p * (1 + size * (direction - (p * direction).sum(1, keepdims=True)))
        np.testing.assert_allclose(kl(p, q), ((q - p) ** 2 / (2 * p)).sum(1), rtol=rtol)
    assert kl(np.eye(3), np.full((3, 3), 1 / 3)) == pytest.approx(np.log(3))
    assert np.isinf(kl(np.full((3, 3), 1 / 3), np.eye(3))).all()
    half = np.array([[0.5, 0.5]])
    assert kl(np.array([[5e-324, 1.0]]), half) == pytest.approx(np.log(2))
    for rare in (1e-12, 1e-30, 1e-320):  # 1 + x would be 0
        expected = 0.5 * (np.log(0.25) - np.log(rare))
        assert kl(half, np.array([[rare, 1.0]])) == pytest.approx(expected, rel=1e-3)


@pytest.mark.equation("E36")
def test_where_no_step_raises_the_bound_the_policy_stays():
    """A huge advantage in a state never visited: C is 2e22, the best step is below rounding."""
    reward = np.array([[0.0, 0.01], [0.0, 1e20]])
    mdp = TabularMDP.from_arrays(np.eye(2)[:, None].repeat(2, 1), reward, np.eye(2)[0], 0.9)
    pi = np.array([[0.3, 0.7], [0.5, 0.5]])
    np.testing.assert_array_equal(improve(mdp, pi), pi)


def one_state(gamma: float, *rewards: float) -> TabularMDP:
    """A state that stays, an action a reward."""
    n = len(rewards)
    return TabularMDP.from_arrays(np.ones((1, n, 1)), np.array([rewards]), np.ones(1), gamma)


@pytest.mark.equation("E33", "E34", "E36")
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_the_surrogate_counts_what_the_old_policy_never_does(gamma):
    """r = (0, 1), π = (1, 0), π̃ = (½, ½): every state is the same, so L is ½ and J's change."""
    mdp, pi, new = one_state(gamma, 0, 1), np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert surrogate(mdp, new, pi) == pytest.approx(0.5 / (1 - gamma), rel=1e-12)
    change = performance_difference(mdp, new, pi)
    assert change == pytest.approx(0.5 / (1 - gamma), rel=1e-12)
    with np.errstate(all="raise"):
        bound = lower_bound(mdp, new, pi)  # C · ∞, but at γ = 0 there is no C
        best = improve(mdp, pi)  # where no π̃ near π gains anything, without a logarithm of 0
    assert bound == (0.5 if gamma == 0 else -np.inf)
    np.testing.assert_array_equal(best, [[0.0, 1.0]] if gamma == 0 else pi)


@given(mdps(gammas=st.sampled_from([0.01, 0.5, 0.9])), RNGS, st.sampled_from([-300, -15, 12, 280]))
@pytest.mark.equation("E36")
def test_the_best_table_does_not_depend_on_the_unit_of_the_rewards(mdp, rng, exponent):
    pi, scale = draw_pi(mdp, rng), 2.0**exponent
    other = dataclasses.replace(mdp, reward=mdp.reward * scale)
    new = improve(mdp, pi)
    np.testing.assert_allclose(improve(other, pi), new, atol=1e-9)
    bound = lower_bound(mdp, new, pi)
    assert lower_bound(other, new, pi) == pytest.approx(bound * scale, rel=1e-6, abs=0)


@pytest.mark.equation("E36")
def test_the_best_table_where_the_best_action_is_never_taken_and_where_none_matters():
    """Mass where π has none is infinitely far; what is equally good is left as it is."""
    pi = np.array([[0.5, 0.5, 0.0]])
    new = improve(one_state(0.5, 0, 1, 9), pi)
    assert new[0, 2] == 0
    assert new[0, 1] > 0.5
    np.testing.assert_array_equal(improve(one_state(0.5, 1, 1, 1), pi), pi)


@pytest.mark.equation("E34", "E37")
def test_what_is_never_visited_or_never_ends_is_no_nan():
    """0 · ∞: a state of no visits and infinite KL; C at γ = 1."""
    stay = np.eye(2)[:, None].repeat(2, 1)
    mdp = TabularMDP.from_arrays(stay, np.ones((2, 2)), np.eye(2)[0], 0.9)
    pi = np.array([[0.5, 0.5], [1.0, 0.0]])
    new = np.array([[0.4, 0.6], [0.5, 0.5]])
    assert mean_kl(mdp, new, pi, pi) == pytest.approx(0.4 * np.log(0.8) + 0.6 * np.log(1.2))
    ends = TabularMDP.from_arrays(np.tile(np.eye(2)[1], (2, 2, 1)), np.array([[0.0, 1], [0, 0]]),
                                  np.eye(2)[0], 1.0, np.array([False, True]))  # fmt: skip
    assert penalty(ends, np.full((2, 2), 0.5)) == np.inf
    assert lower_bound(ends, np.full((2, 2), 0.5), np.full((2, 2), 0.5)) == 0
    assert lower_bound(ends, np.full((2, 2), 0.5), np.array([[0.4, 0.6]] * 2)) == -np.inf
    same = dataclasses.replace(ends, reward=ends.reward * 0)
    assert penalty(same, np.full((2, 2), 0.5)) == 0


@given(problems(gammas=DISCOUNTS), RNGS)
@pytest.mark.equation("E33", "E35")
def test_the_surrogate_of_a_batch_and_its_gradient(problem, rng):
    """L under enumeration is the solve's; ∇L by complex step; at θ_k it is ∇J, the ratio 1."""
    p = problem
    psi = p.gamma_t * (p.q - p.v[:-1])
    theta = p.theta + 0.3 * rng.standard_normal(p.theta.shape)
    new = p.policy.probs(theta, p.start.features)
    close = {"rtol": 1e-8, "atol": 1e-9 * np.abs(p.start.reward).max()}
    with pytest.raises(ValueError, match="psi: expected shape"):
        batch_surrogate(p.policy, theta, p.batch, psi[..., None])
    got = batch_surrogate(p.policy, theta, p.batch, psi)
    np.testing.assert_allclose(got, surrogate(p.start, new, p.pi), **close)

    def objective(x):
        log_ratio = p.policy.log_prob(x, p.batch.obs[:-1], p.batch.actions) - p.batch.log_prob
        return (p.batch.weight * p.batch.valid * np.exp(log_ratio) * psi).sum()

    v = rng.standard_normal(theta.shape)
    slope = batch_surrogate_gradient(p.policy, theta, p.batch, psi) @ v
    np.testing.assert_allclose(slope, complex_step(objective, theta, v), **close)
    at_k = batch_surrogate_gradient(p.policy, p.theta, p.batch, psi)
    np.testing.assert_allclose(at_k, p.gradient, **close)
    np.testing.assert_allclose(ratio(p.policy, p.theta, p.batch)[p.batch.valid], 1, rtol=1e-12)


# natural gradient


def draw_observations(policy, rng, n=4):
    obs = rng.standard_normal((n, policy.network.sizes[0]))
    return obs, rng.dirichlet(np.ones(n))


@given(policies(), RNGS)
@pytest.mark.equation("E39", "E41", "E42", "errata 1", "errata 2")
@pytest.mark.pitfall(13, 27)
def test_the_fisher_matrix_three_ways(drawn, rng):
    """E ∇log π ∇log πᵀ over all actions (or quadrature), JᵀMJ, and the Hessian of either KL, whose
    gradient is zero at θ_k (footnote 7): so KL ≈ ½ dᵀHd. To 1e-10, and 1e-6 by differences."""
    policy, theta = drawn
    theta = 0.5 * theta
    obs, weight = draw_observations(policy, rng)
    matrix = fisher_matrix(policy, theta, obs, weight)
    definition = np.zeros_like(matrix)
    for o, w in zip(obs, weight, strict=True):
        actions, prob = nodes(policy.head, policy.forward(theta, o)[0], order=4)
        score = policy.score(theta, np.tile(o, (len(prob), 1)), actions)
        definition += w * (score.T @ (prob[:, None] * score))
    size = np.abs(matrix).max()
    np.testing.assert_allclose(matrix, definition, rtol=1e-10, atol=1e-10 * size)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-10, atol=1e-12 * size)
    assert np.linalg.eigvalsh(matrix).min() > -1e-10 * size
    u, v = rng.standard_normal((2, len(theta)))

    def towards(x):
        return weight @ policy.head.kl(policy.forward(theta, obs)[0], policy.forward(x, obs)[0])

    def away(x):
        return weight @ policy.head.kl(policy.forward(x, obs)[0], policy.forward(theta, obs)[0])

    for divergence in (towards, away):
        assert complex_step(divergence, theta, v) == pytest.approx(0, abs=1e-9)
        curvature = central_difference(lambda x, f=divergence: complex_step(f, x, v), theta, u)
        assert curvature == pytest.approx(v @ matrix @ u, rel=1e-6, abs=1e-6 * size)
    product = fisher_product(policy, theta, obs, weight)
    np.testing.assert_allclose(product(v), matrix @ v, rtol=1e-10, atol=1e-10 * size)


@given(policies(), RNGS)
@pytest.mark.equation("E41")
def test_taylor_remainders_shrink_at_the_right_order(drawn, rng):
    """L − gᵀd is O(d²), KL − ½dᵀHd is O(d³): halving d divides them by about 4 and 8, or more."""
    policy, theta = drawn
    theta = 0.5 * theta
    obs, weight = draw_observations(policy, rng)
    actions, log_prob = policy.sample(theta, obs, rng)
    psi, d = rng.standard_normal(len(obs)), rng.standard_normal(theta.shape)
    d /= np.linalg.norm(d) * (1 + np.abs(obs).max())
    h = fisher_product(policy, theta, obs, weight)
    g = policy.weighted_score(theta, obs, actions, weight * psi)

    def remainders(scale):
        x = theta + scale * d
        linear = weight @ (np.exp(policy.log_prob(x, obs, actions) - log_prob) * psi)
        quadratic = weight @ policy.kl(x, theta, obs)
        return (abs(linear - weight @ psi - scale * g @ d),
                abs(quadratic - 0.5 * scale**2 * d @ h(d)))  # fmt: skip

    big, small = remainders(2e-2), remainders(2e-3)
    assert small[0] <= 0.02 * big[0] + 1e-9
    assert small[1] <= 0.003 * big[1] + 1e-12


@given(policies(), RNGS)
@pytest.mark.equation("E40")
def test_the_natural_gradient_is_the_same_step_in_every_parametrisation(drawn, rng):
    """θ = h(φ), Dh invertible: H_φ⁻¹ g_φ moves π as H_θ⁻¹ g_θ does, the plain g_φ not as g_θ.

    Where H is singular any solution moves π alike; nearly singular ones are left out.
    """
    policy, theta = drawn
    obs, weight = draw_observations(policy, rng, 40)
    actions, _ = policy.sample(theta, obs, rng)
    g = policy.weighted_score(theta, obs, actions, weight * rng.standard_normal(len(obs)))
    h = fisher_matrix(policy, theta, obs, weight)
    n = len(theta)
    jacobian = np.eye(n) + 0.3 * rng.standard_normal((n, n)) / np.sqrt(n)  # of h at φ
    systems = [(h, g), (jacobian.T @ h @ jacobian, jacobian.T @ g)]
    for matrix, _ in systems:
        spectrum = np.linalg.eigvalsh(matrix) / np.abs(matrix).max()
        assume(not ((spectrum > 1e-13) & (spectrum < 1e-5)).any())
    step, step_phi = (np.linalg.pinv(m, rcond=1e-8, hermitian=True) @ x for m, x in systems)
    eta, tape = policy.forward(theta, obs)
    change, change_phi = (policy.jvp(theta, tape, x) for x in (step, jacobian @ step_phi))
    # of π, not of η: shifting all logits changes nothing
    change, change_phi = (policy.head.fisher_product(eta)(x) for x in (change, change_phi))
    np.testing.assert_allclose(change_phi, change, rtol=1e-6, atol=1e-6 * np.abs(change).max())
    plain, plain_phi = (policy.jvp(theta, tape, x) for x in (g, jacobian @ jacobian.T @ g))
    assert np.abs(plain_phi - plain).max() > 1e-6 * np.abs(plain).max()


@st.composite
def systems(draw):
    """A symmetric positive definite H (n, n) of condition up to 1e4, and b."""
    n, rng = draw(st.integers(1, 6)), draw(RNGS)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    spectrum = 10.0 ** rng.uniform(-2, 2, n)
    return q * spectrum @ q.T, rng.standard_normal(n)


@given(systems())
@pytest.mark.equation("E44")
def test_every_iterate_of_cg_is_the_best_of_its_krylov_space(system):
    """By a dense solve in an orthonormal basis of span (b, Hb, …, H^{j−1}b)."""
    h, b = system
    best = np.linalg.solve(h, b)
    for j in range(1, len(b) + 1):
        result = conjugate_gradients(lambda v: h @ v, b, j, tolerance=0.0)
        krylov = np.stack([np.linalg.matrix_power(h, i) @ b for i in range(j)], 1)
        basis, _ = np.linalg.qr(krylov / np.linalg.norm(krylov, axis=0))
        expected = basis @ np.linalg.solve(basis.T @ h @ basis, basis.T @ b)

        def objective(x):
            return 0.5 * x @ h @ x - b @ x

        floor = objective(best)
        assert objective(result.x) - floor <= (objective(expected) - floor) * (
            1 + 1e-4
        ) + 1e-9 * abs(floor)
        assert result.residual == pytest.approx(
            np.linalg.norm(b - h @ result.x) / np.linalg.norm(b), abs=1e-8
        )
    assert conjugate_gradients(lambda v: h @ v, b, 50).reason == "converged"


@given(systems(), RNGS)
@pytest.mark.equation("E44")
def test_cg_against_scipy_and_with_a_preconditioner(system, rng):
    from scipy.sparse.linalg import LinearOperator, cg

    h, b = system
    ours = conjugate_gradients(lambda v: h @ v, b, 100, tolerance=1e-12)
    theirs, _ = cg(LinearOperator(h.shape, lambda v: h @ v), b, rtol=1e-12, maxiter=100)
    np.testing.assert_allclose(ours.x, theirs, rtol=1e-5, atol=1e-7)
    exactly = np.linalg.inv(h)
    once = conjugate_gradients(lambda v: h @ v, b, 100, 1e-8, lambda r: exactly @ r)
    assert (once.iterations, once.reason) == (1, "converged")
    diagonal = np.diag(h)
    scaled = conjugate_gradients(lambda v: h @ v, b, 200, 1e-12, lambda r: r / diagonal)
    np.testing.assert_allclose(scaled.x, ours.x, rtol=1e-5, atol=1e-7)


def test_cg_says_why_it_stopped_and_refuses():
    b = np.array([1.0, 1.0])
    many = np.arange(1.0, 41.0)  # as many iterations as eigenvalues: ten by default
    assert conjugate_gradients(lambda v: many * v, np.ones(40)).iterations == 10
    flat = conjugate_gradients(lambda v: np.diag([1.0, -3.0]) @ v, b)
    assert (flat.reason, flat.iterations) == ("negative curvature", 0)
    assert not flat.x.any()
    broken = conjugate_gradients(lambda v: v * np.nan, b)
    assert (broken.reason, broken.x.tolist()) == ("not finite", [0, 0])
    assert conjugate_gradients(lambda v: v, np.zeros(2))[1:] == (0, 0.0, "zero")
    for scale in (1e-6, 1.0, 1e6):  # the tolerance is relative
        found = conjugate_gradients(lambda v: np.diag([1.0, 9.0]) @ v, scale * b)
        assert (found.reason, found.iterations) == ("converged", 2)
    assert conjugate_gradients(lambda v: v, b, tolerance=0.0)[1:] == (1, 0.0, "converged")
    assert conjugate_gradients(lambda v: np.diag([1.0, 9.0]) @ v, b, 1).reason == "iterations"
    for arguments, message in (
        ((lambda v: v, b[None]), "b: expected shape"),
        ((lambda v: v, b * np.nan), "b: expected finite"),
        ((lambda v: v, b, 0), "iterations: expected"),
        ((lambda v: v[:1], b), "product: expected shape"),
    ):
        with pytest.raises(ValueError, match=message):
            conjugate_gradients(*arguments)


@given(systems(), st.floats(1e-4, 1.0))
@pytest.mark.equation("E43", "errata 2")
@pytest.mark.pitfall(14)
def test_the_trust_region_step_against_scipy(system, delta):
    """max gᵀd s.t. ½ dᵀHd ≤ δ by SLSQP; and KKT: Hd is along g, the constraint tight."""
    from scipy.optimize import minimize

    h, g = system
    assume(np.linalg.cond(h) < 1e3)
    x = np.linalg.solve(h, g)
    step = trust_region_step(x, float(x @ h @ x), delta)
    assert 0.5 * step @ h @ step == pytest.approx(delta, rel=1e-9)
    towards = h @ step
    np.testing.assert_allclose(towards / np.linalg.norm(towards), g / np.linalg.norm(g), atol=1e-8)
    root = np.linalg.cholesky(h).T * np.sqrt(0.5 / delta)  # ‖root d‖ ≤ 1
    inverse = np.linalg.inv(root)
    found = minimize(
        lambda y: -(g @ inverse @ y), np.full(len(g), 0.1 / np.sqrt(len(g))), method="SLSQP",
        constraints={"type": "ineq", "fun": lambda y: 1 - y @ y}, options={"ftol": 1e-12},
    )  # fmt: skip
    assert g @ step == pytest.approx(-found.fun, rel=1e-5)
    damped = np.linalg.solve(h + 0.5 * np.eye(len(g)), g)
    shorter = trust_region_step(damped, float(damped @ h @ damped), delta)
    assert 0.5 * shorter @ h @ shorter == pytest.approx(delta, rel=1e-9)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="delta: expected"):
            trust_region_step(x, 1.0, bad)
        with pytest.raises(ValueError, match="curvature: expected"):
            trust_region_step(x, bad, 0.1)


@given(RNGS, st.floats(1e-3, 1.0))
@pytest.mark.equation("E46")
@pytest.mark.pitfall(12)
def test_the_line_search_accepts_only_what_meets_both_and_else_leaves_theta(rng, delta):
    """Random measures, NaN among them: accepted ⇒ L ≥ 0 and KL ≤ δ; refused ⇒ θ to the bit."""
    theta, step = rng.standard_normal((2, 3))
    table = {}

    def measure(x):
        key = x.tobytes()
        table[key] = tuple(
            rng.choice([rng.standard_normal(), np.nan, np.inf], 2, p=[0.8, 0.1, 0.1])
        )
        return table[key]

    before = theta.copy()
    result = backtrack(theta, step, measure, delta, most=4)
    np.testing.assert_array_equal(theta, before)
    if result.accepted:
        surrogate_value, divergence = table[result.theta.tobytes()]
        assert surrogate_value >= 0
        assert divergence <= delta
        np.testing.assert_allclose(result.theta, theta + 0.5 ** (result.tried - 1) * step)
    else:
        assert result.theta.tobytes() == theta.tobytes()
        assert result.tried == 4
    seen = list(table.values())
    assert len(seen) == result.tried
    bad = [x for x in seen if not np.isfinite(x).all()]
    far = [x for x in seen if np.isfinite(x).all() and x[1] > delta]
    worse = [x for x in seen if np.isfinite(x).all() and x[1] <= delta and x[0] < 0]
    assert result.refused == {"not_finite": len(bad), "kl": len(far), "surrogate": len(worse)}
    assert len(bad) + len(far) + len(worse) == result.tried - result.accepted
    assert backtrack(theta, step, lambda x: (0.0, delta), delta).tried == 1  # L = 0, KL = δ
    with pytest.raises(ValueError, match="delta: expected"):
        backtrack(theta, step, measure, 0.0)


@pytest.mark.equation("E46")
def test_the_line_search_halves_ten_times_and_no_more():
    """The tenth candidate is θ + 2⁻⁹ of the step; an eleventh is not tried."""
    tried = []

    def measure(x, accepted_at):
        tried.append(float(x[0]))
        return 0.0, 0.0 if len(tried) == accepted_at else np.inf

    for accepted_at in (10, 11):
        tried.clear()
        result = backtrack(np.zeros(1), np.ones(1), lambda x, n=accepted_at: measure(x, n), 0.01)
        assert tried == [2.0**-i for i in range(10)]
        assert result.accepted == (accepted_at == 10)
        assert result.tried == 10


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [("f8", 1e-300), ("f8", 1e-170), ("f8", 1e200), ("f4", 1e-36), ("f4", 1e-23), ("f4", 1e36)],
)
@pytest.mark.equation("E44")
def test_conjugate_gradients_solve_in_every_unit(dtype, unit):
    """‖b‖² over- or underflows: the answer is the unit's times that of b, with its reason."""
    rng = np.random.default_rng(0)
    half = rng.standard_normal((4, 4))
    h = (half @ half.T + np.eye(4)).astype(dtype)
    b = rng.standard_normal(4).astype(dtype)
    tolerance = 1e-10 if dtype == "f8" else 1e-5
    plain, got = (conjugate_gradients(lambda v: h @ v, x, 20, tolerance)
                  for x in (b, b * h.dtype.type(unit)))  # fmt: skip
    assert got.reason == plain.reason == "converged"
    assert got.iterations == plain.iterations
    np.testing.assert_allclose(got.x / h.dtype.type(unit), plain.x, rtol=1e-4, atol=1e-5)


@pytest.mark.equation("E36")
@pytest.mark.parametrize(("gamma", "rare"), [
    (1e-4, np.exp(-12)), (1e-5, 1e-300), (1e-200, 0.5), (1e-3, 1e-3), (0.2, 1e-9), (0.999, 0.3),
])  # fmt: skip
def test_the_best_table_is_the_best_of_every_radius(gamma, rare):
    """Also where the largest KL there is, or the rarest action, is far from where √(2κ) rules."""
    mdp = TabularMDP.from_arrays(np.full((2, 2, 2), 0.5), np.array([[1, 0], [0, 1e-6]]),
                                 np.full(2, 0.5), gamma)  # fmt: skip
    pi = np.array([[0.5, 0.5], [1 - rare, rare]])
    advantage, found = exact.advantages(mdp, pi), lower_bound(mdp, improve(mdp, pi), pi)
    for log_radius in np.linspace(-40, 6, 140):
        new = tilted(pi, advantage, within(pi, advantage, np.exp(log_radius)))
        assert lower_bound(mdp, new, pi) <= found * (1 + 1e-9)


@given(RNGS, st.floats(-25, 1))
@pytest.mark.equation("E36")
def test_a_table_within_a_radius_has_it_or_is_greedy(rng, log_radius):
    """KL = κ in every state in which even the greedy table is farther, to 1e-6 of it."""
    pi, advantage = rng.dirichlet(np.ones(3), 4), rng.standard_normal((4, 3))
    radius = np.exp(log_radius)
    new = tilted(pi, advantage, within(pi, advantage, radius))
    greedy = np.eye(3)[advantage.argmax(1)]
    np.testing.assert_allclose(kl(new, pi), np.minimum(radius, kl(greedy, pi)), rtol=1e-6)


@pytest.mark.equation("E37")
def test_the_kl_of_tables_a_rounding_apart_and_what_is_no_table():
    """Σ p x²/2 with x = ±2 spacings of ½; NaN, a sum of 1.1 and another shape are named."""
    half, step = np.array([[0.5, 0.5]]), 2.0**-52
    with np.errstate(all="raise"):  # in float32 too, whose least number is not float64's
        rare = np.array([[1e-40, 1]], "f4")
        assert kl(rare, half.astype("f4")) == pytest.approx(np.log(2))
    near = half + [[step, -step]]
    assert kl(half, near) == pytest.approx(2 * step**2, rel=1e-9, abs=0)
    for wrong in ([[np.nan, 0.5]], [[0.6, 0.5]], [[1.5, -0.5]], [0.5, 0.5], half.repeat(2, 0)):
        with pytest.raises(ValueError, match="p: expected|q: expected"):
            kl(wrong, half)
        with pytest.raises(ValueError, match="p: expected|q: expected"):
            kl(half, wrong)


@pytest.mark.equation("E33", "E35")
def test_an_infinite_ratio_counts_where_psi_does_and_is_refused_there():
    """One that the old policy never did: 0 · ∞ = 0 where ψ = 0, else it has a name."""
    policy, theta = softmax_policy(1, 2), np.zeros(4)
    mdp = one_state(0.5, 0, 1).unroll(1)
    batch, _ = enumerate_trajectories(mdp, np.full((2, 2), 0.5))
    batch = dataclasses.replace(batch, obs=np.ones((2, 2, 1)),
                                log_prob=np.array([[np.log(0.5), -1e3]]))  # fmt: skip
    rare = int(batch.actions[0, 1])
    psi = np.where(np.arange(2) == 1, 0.0, 3.0)[None]
    expected = batch.weight[0] * 3.0
    with np.errstate(all="raise"):
        assert batch_surrogate(policy, theta, batch, psi) == pytest.approx(expected)
        gradient = batch_surrogate_gradient(policy, theta, batch, psi)
    score = policy.score(theta, np.ones((1, 1)), np.array([1 - rare]))[0]
    np.testing.assert_allclose(gradient, expected * score)
    for function in (batch_surrogate, batch_surrogate_gradient):
        with pytest.raises(ValueError, match="ratio π/π_k times ψ"):
            function(policy, theta, batch, np.ones((1, 2)))
