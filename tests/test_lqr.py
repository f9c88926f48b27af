"""The oracle for continuous actions: against quadrature, differences, samples."""

import dataclasses

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import assume, given, strategies as st
from strategies import RNGS
from test_mdp import OneEnv

from minipg.estimators.returns import discounts, gae, reward_to_go, td_error, total_return
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.experience.batch import moments
from minipg.experience.rollout import play_episodes
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems import lqr
from minipg.problems.lqr import LQR
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.truth.check import central_difference, check_mean


@st.composite
def problems(draw, horizons=(1, 2, 3, None), most=2):
    """A random problem with n, d ≤ most, a stable θ and the policy that it belongs to."""
    n, d, rng = draw(st.integers(1, most)), draw(st.integers(1, most)), draw(RNGS)
    horizon = draw(st.sampled_from(horizons))

    def covariance(size):
        root = rng.standard_normal((size, size))
        return (root @ root.T + (root @ root.T).T) / 2

    theta = 0.3 * rng.standard_normal(n * d + 2 * d)
    problem = LQR(
        0.4 * rng.standard_normal((n, n)), 0.4 * rng.standard_normal((n, d)), covariance(n),
        covariance(d), covariance(n), rng.standard_normal(n), covariance(n),
        draw(st.sampled_from([0.0, 0.5, 0.9])), horizon,
    )  # fmt: skip
    loop = problem.F + problem.G @ theta[: n * d].reshape(n, d).T
    assume(
        horizon is not None or np.sqrt(problem.gamma) * np.abs(np.linalg.eigvals(loop)).max() < 1
    )
    return problem, gaussian_policy(n, d), theta


@given(problems())
@pytest.mark.equation("E05")
def test_policy_gradient_is_the_gradient_of_j(drawn):
    problem, policy, theta = drawn
    assert len(theta) == policy.num_params
    numeric = [central_difference(lambda x: lqr.objective(problem, x), theta, e)
               for e in np.eye(len(theta))]  # fmt: skip
    got = lqr.policy_gradient(problem, theta)
    np.testing.assert_allclose(got, numeric, rtol=1e-5, atol=1e-6 * (1 + np.abs(got).max()))


@given(problems(), RNGS)
@pytest.mark.equation("E11", "E12", "E28")
def test_v_is_the_mean_of_q_and_q_is_the_reward_and_the_next_v(drawn, rng):
    """Both expectations by quadrature, exact for quadratics; J the mean of V(s_0) likewise."""
    problem, policy, theta = drawn
    n, d = problem.G.shape
    z, w = np.polynomial.hermite_e.hermegauss(3)
    solution = lqr.solve(problem, theta)
    s = rng.standard_normal(n)
    mu, log_std = policy.head.split(policy.forward(theta, s)[0])

    def mean_over(size, f):
        grid = np.stack(np.meshgrid(*[z] * size, indexing="ij"), -1).reshape(-1, size)
        weight = np.stack(np.meshgrid(*[w / w.sum()] * size, indexing="ij"), -1)
        return weight.reshape(-1, size).prod(1) @ f(grid)

    times = range(problem.horizon) if problem.horizon is not None else [0]
    for t in times:
        v = lqr.state_values(problem, solution, s, t)
        q = mean_over(d, lambda e, t=t: lqr.action_values(
            problem, solution, np.broadcast_to(s, (len(e), n)), mu + np.exp(log_std) * e, t
        ))  # fmt: skip
        assert q == pytest.approx(v, rel=1e-9, abs=1e-9)
        a = rng.standard_normal(d)
        root = np.linalg.cholesky(problem.W + 1e-300 * np.eye(n))
        following = mean_over(n, lambda e, t=t, a=a, root=root: lqr.state_values(
            problem, solution, s @ problem.F.T + a @ problem.G.T + e @ root.T, t + 1
        ))  # fmt: skip
        expected = lqr.reward(problem, s, a) + problem.gamma * following
        assert lqr.action_values(problem, solution, s, a, t) == pytest.approx(expected, rel=1e-8,
                                                                              abs=1e-8)  # fmt: skip
    root = np.linalg.cholesky(problem.C + 1e-300 * np.eye(n))
    j = mean_over(n, lambda e: lqr.state_values(problem, solution, problem.mean + e @ root.T))
    assert lqr.objective(problem, theta) == pytest.approx(j, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("horizons", "most"), [((1, 2), 1), ((1,), 2)])
@given(data=st.data(), rng=RNGS)
@pytest.mark.equation("E03", "E05", "E10", "E12", "E14", "E20", "E21", "E24")
def test_the_gaussian_estimators_have_mean_grad_j(horizons, most, data, rng):
    """Exact, by quadrature: R, reward-to-go, Q, A, δ with the exact V, GAE with it at any λ."""
    problem, policy, theta = data.draw(problems(horizons=horizons, most=most))
    batch = enumeration.quadrature(problem, policy, theta, nodes=5)
    solution, steps = lqr.solve(problem, theta), range(problem.horizon)
    truth = lqr.policy_gradient(problem, theta)
    values = np.stack([lqr.state_values(problem, solution, batch.obs[t], t)
                       for t in range(problem.horizon + 1)])  # fmt: skip
    q = np.stack([lqr.action_values(problem, solution, batch.obs[t], batch.actions[t], t)
                  for t in steps])  # fmt: skip
    delta = td_error(batch.rewards, values, batch.terminated, batch.valid, problem.gamma)
    to_go = reward_to_go(batch.rewards, batch.ends, problem.gamma)
    gamma_t = discounts(batch.ends, problem.gamma)
    lam = rng.random()
    assert batch.weight @ total_return(batch.rewards, batch.ends, problem.gamma)[0] == (
        pytest.approx(lqr.objective(problem, theta), rel=1e-9, abs=1e-9)
    )
    scale = 1 + np.abs(truth).max()
    for name, psi in {
        "R": total_return(batch.rewards, batch.ends, problem.gamma),
        "to go": gamma_t * to_go,
        "Q": gamma_t * q,
        "A": gamma_t * (q - values[:-1]),
        "delta": gamma_t * delta,
        "gae": gamma_t * gae(delta, batch.ends, problem.gamma, lam),
        "to go - V": gamma_t * (to_go - values[:-1]),
    }.items():
        mean, _ = moments(gradients(policy, theta, batch, psi), batch.weight)
        np.testing.assert_allclose(mean, truth, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


def example(horizon=3):
    return LQR(np.array([[0.9]]), np.array([[0.5]]), np.eye(1), 0.1 * np.eye(1), 0.04 * np.eye(1),
               np.ones(1), 0.25 * np.eye(1), 0.9, horizon)  # fmt: skip


def test_the_vector_environment_plays_it():
    """Mean of s_T, and of rewards clipped to [−9, 0], against quadrature-free sampling bounds."""
    envs = LQRVectorEnv(example(), 20_000)
    policy, theta = gaussian_policy(1, 1), np.array([-0.8, 0.1, -1.0])
    batch = play_episodes(envs, policy, theta, np.random.default_rng(0))
    assert batch.rewards.shape == (3, 20_000)
    assert batch.terminated[-1].all()
    np.testing.assert_allclose(batch.rewards, lqr.reward(envs.lqr, batch.obs[:-1], batch.actions))
    # E cos of a Gaussian is e^{−var/2} cos(mean): bounded, so the test is rigorous
    loop, shift = 0.9 - 0.5 * 0.8, 0.5 * 0.1
    mean, var = 1.0, 0.25
    for t in range(4):
        samples = np.cos(batch.obs[t])
        truth = np.exp(-var / 2) * np.cos(mean)
        assert check_mean(samples, np.array([truth]), np.array([2.0]), 1e-6).accepted
        assert not check_mean(samples, np.array([truth + 0.1]), np.array([2.0]), 1e-6).accepted
        mean, var = loop * mean + shift, loop**2 * var + 0.04 + 0.25 * np.exp(-2.0)


@pytest.mark.filterwarnings("ignore:.*Box (action|observation) space")  # unbounded by nature
def test_the_vector_environment_passes_gymnasium_s_checks():
    check_env(OneEnv(LQRVectorEnv(example(), 1)), skip_render_check=True)


def test_a_reset_draws_from_the_start_distribution():
    """The states after an ending have the law of s_0, not of the noise; false alarm ≤ 1e-6."""
    envs = LQRVectorEnv(dataclasses.replace(example(), mean=np.full(1, 3.0)), 20_000)
    envs.reset(seed=0)
    for _ in range(3):
        envs.step(np.zeros((20_000, 1)))
    obs = envs.step(np.zeros((20_000, 1)))[0]
    for scale, accepted in ((0.25, True), (0.04, False)):
        truth = np.exp(-scale / 2) * np.cos(3.0)
        verdict = check_mean(np.cos(obs), np.array([truth]), np.full(1, 2.0), 1e-6)
        assert verdict.accepted == accepted


def test_truncation_and_resets():
    envs = LQRVectorEnv(example(None), 2, max_episode_steps=2)
    with pytest.raises(ValueError, match="expected a reset"):
        envs.step(np.zeros((2, 1)))
    envs.reset(seed=0)
    flags = [envs.step(np.zeros((2, 1)))[1:4] for _ in range(4)]
    assert [f[2].all() for f in flags] == [False, True, False, False]
    assert not any(f[1].any() for f in flags)
    assert not flags[2][0].any()  # the reset is no transition
    with pytest.raises(ValueError, match="actions: expected shape"):
        envs.step(np.zeros(2))
    for arguments in ((0,), (1, 0)):
        with pytest.raises(ValueError, match="num_envs|max_episode_steps"):
            LQRVectorEnv(example(), *arguments)


def test_bad_problems_are_named():
    e = example()
    for change, message in (
        ({"F": np.eye(2)}, "F: expected shape"),
        ({"Q": np.array([[np.nan]])}, "Q: expected finite"),
        ({"C": -np.eye(1)}, "C: expected a covariance"),
        ({"gamma": 1.0, "horizon": None}, "gamma: expected less than 1 without a horizon"),
        ({"gamma": 2.0}, "gamma: expected a number"),
        ({"horizon": 0}, "horizon: expected"),
        ({"horizon": 2.5}, "horizon: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            LQR(**{**e.__dict__, **change})
    two = {"F": np.eye(2), "G": np.eye(2), "W": np.eye(2), "C": np.eye(2), "mean": np.zeros(2)}
    with pytest.raises(ValueError, match="Q: expected a symmetric matrix"):
        LQR(**{**e.__dict__, **two, "Q": np.array([[1.0, 2.0], [0.0, 1.0]]), "R": np.eye(2)})
    with pytest.raises(ValueError, match="theta: expected shape"):
        lqr.objective(e, np.zeros(2))
    for gain, stable in ((0.305, True), (0.309, False)):  # √0.9 (0.9 + 0.5 gain) across 1
        if stable:
            assert np.isfinite(lqr.objective(example(None), np.array([gain, 0, 0])))
            continue
        with pytest.raises(ValueError, match="theta: expected a stable policy"):
            lqr.objective(example(None), np.array([gain, 0, 0]))
    listed = LQR([[0.9]], [[0.5]], [[1.0]], [[0.1]], [[0.04]], [1.0], [[0.25]], 0.9, 3)
    assert lqr.objective(listed, np.zeros(3)) == lqr.objective(e, np.zeros(3))
    for t in (-1, 4):
        with pytest.raises(ValueError, match="t: expected"):
            lqr.state_values(e, lqr.solve(e, np.zeros(3)), np.zeros(1), t)
    for problem, policy in ((example(None), gaussian_policy(1, 1)), (e, softmax_policy(1, 2))):
        with pytest.raises(ValueError, match="lqr: expected a horizon and a Gaussian policy"):
            enumeration.quadrature(problem, policy, np.zeros(policy.num_params))
    with pytest.raises(ValueError, match="at most 1000000 columns"):
        enumeration.quadrature(e, gaussian_policy(1, 1), np.zeros(3), nodes=50)


def test_computed_matrices_are_symmetric_and_positive_up_to_rounding():
    """An inverse, a rank-one covariance of 1e9; what is off by more is refused."""
    rng = np.random.default_rng(0)
    half = rng.standard_normal((3, 3))
    inverse = np.linalg.inv(half @ half.T + np.eye(3))
    column = np.array([[3e4], [1e4], [-2e4]])
    rank_one = column @ column.T
    assert not np.array_equal(inverse, inverse.T)
    assert np.linalg.eigvalsh(rank_one).min() < -1e-12
    one = np.eye(3)
    lqr_ = LQR(0.5 * one, one[:, :1], inverse, one[:1, :1], rank_one, np.zeros(3), one, 0.9, 2)
    np.testing.assert_array_equal(lqr_.Q, lqr_.Q.T)
    np.testing.assert_allclose(lqr_.Q, inverse, rtol=1e-12)
    assert np.isfinite(lqr.objective(lqr_, np.zeros(5)))
    skew, negative = inverse.copy(), np.diag([1.0, 1.0, -1e-6])
    skew[0, 1] += 1e-6 * np.abs(inverse).max()
    for name, matrix, word in (("Q", skew, "symmetric"), ("W", negative, "covariance")):
        with pytest.raises(ValueError, match=f"{name}: expected a {word}"):
            dataclasses.replace(lqr_, **{name: matrix})


@pytest.mark.parametrize("horizon", [600, 2000])
def test_values_that_overflow_are_refused_by_name(horizon):
    """F = 2: V of s grows fourfold a step, past 1e308 after 512 of them."""
    one = np.eye(1)
    growing = LQR(2 * one, one, one, one, one, np.ones(1), one, 1.0, horizon)
    for function in (lqr.objective, lqr.policy_gradient):
        with pytest.raises(ValueError, match="values 51. steps before the end that stay"):
            function(growing, np.zeros(3))
    assert np.isfinite(lqr.objective(dataclasses.replace(growing, horizon=500), np.zeros(3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, "1", None, 1j])
def test_a_step_refuses_actions_that_are_no_finite_numbers_and_stays_where_it_is(bad):
    lqr = LQR(F=np.eye(2), G=np.ones((2, 1)), Q=np.eye(2), R=np.eye(1), W=np.zeros((2, 2)),
              mean=np.ones(2), C=np.zeros((2, 2)), gamma=0.9, horizon=3)  # fmt: skip
    envs = LQRVectorEnv(lqr, 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions: expected"):
        envs.step(np.array([[0.0], [bad]], object if bad is None else None))
    obs, *_ = envs.step([[0], [0]])  # whole numbers and lists are numbers
    np.testing.assert_array_equal(obs, np.ones((2, 2)))


def scalar_lqr(**changes):
    one = np.eye(1)
    given = {"F": one / 2, "G": one, "Q": one, "R": one, "W": one / 10, "mean": np.ones(1),
             "C": one / 10, "gamma": 0.9, "horizon": None}  # fmt: skip
    return LQR(**given | changes)


@pytest.mark.equation("E05")
def test_a_gradient_of_states_that_grow_slower_than_their_discount():
    """E s² = 4^t overflows after 512 of 520 steps, γ^t E s² = 0.8^t does not; by hand −27.5, …

    With θ = 0 the mean action is 0, P = 1/(1 − 4γ) = 5, Σ γ^t X = (1.1 + γ N/(1 − γ))/(1 − 4γ) with
    N = 1.1: so ∂J/∂W = −2 (γ P F) Σ γ^t X = −4 · 6.875, ∂J/∂b = −4 · Σ γ^t E s = −4/(1 − 2γ),
    ∂J/∂log σ = −2 (1 + γ P)/(1 − γ).
    """
    grows = scalar_lqr(F=2 * np.eye(1), gamma=0.2, horizon=520)
    with np.errstate(all="raise", under="ignore"):
        got = lqr.policy_gradient(grows, np.zeros(3))
    np.testing.assert_allclose(got, [-4 * 6.875, -4 / 0.6, -2 * 2 / 0.8], rtol=1e-9)


@pytest.mark.parametrize(("changes", "log_std", "name"), [
    ({"mean": np.array([1e200]), "horizon": 3}, 0, "a J"),
    ({"Q": np.full((1, 1), 1e308)}, 0, "values"),
    ({}, 400, "values"),
    ({"horizon": 3}, 400, "values"),
])  # fmt: skip
def test_whatever_overflows_is_refused_by_name(changes, log_std, name):
    theta = np.array([0.0, 0.0, log_std])
    with np.errstate(all="raise"), pytest.raises(ValueError, match=f"expected {name}.*overflow"):
        lqr.objective(scalar_lqr(**changes), theta)
    with np.errstate(all="raise"), pytest.raises(ValueError, match="overflow"):
        lqr.policy_gradient(scalar_lqr(**changes), theta)


def test_an_eigenvalue_below_0_by_rounding_is_cleaned():
    two = np.eye(2)
    nearly = LQR(two / 2, two, two, two, two, np.zeros(2), np.diag([1, -1e-12]), 0.9)
    np.testing.assert_array_equal(nearly.C, np.diag([1, 0]))


def test_a_covariance_of_rank_one_stays_symmetric_to_the_bit():
    rng, two = np.random.default_rng(0), np.eye(2)
    for _ in range(100):
        y = 1e4 * rng.standard_normal(2)
        nearly = LQR(two / 2, two, two, two, two, np.zeros(2), np.outer(y, y), 0.9)
        np.testing.assert_array_equal(nearly.C, nearly.C.T)
