"""Units and what counts for nothing: results in every unit of their data, or a refusal by name."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS

from minipg.claims import s5_trpo
from minipg.claims.problem import Problem
from minipg.estimators.action_critics import make_critic
from minipg.estimators.baselines import constant_baseline, optimal_baseline, time_baseline
from minipg.estimators.critics import VCritic
from minipg.estimators.fits import least_squares, lstd
from minipg.estimators.groups import by_group, grpo, reinforce_plus_plus, remax
from minipg.estimators.returns import discounted_sum, n_step_advantage, total_return
from minipg.estimators.score_function import gradient
from minipg.estimators.surrogate import clipped_surrogate
from minipg.experience.batch import Batch, moments
from minipg.experience.enumeration import quadrature
from minipg.policies.build import absorb_normalization, gaussian_policy, softmax_policy
from minipg.policies.network import MLP
from minipg.problems import lqr
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.kfac import factors, network_solve, solve
from minipg.steps.linalg import backtrack, conjugate_gradients
from minipg.steps.natural import fisher_product, trust_region_step
from minipg.steps.optim import adam, adam_init, rmsprop, rmsprop_init, sgd
from minipg.truth.check import check_mean
from minipg.truth.exact import action_values, logit_score
from minipg.truth.performance import beyond_rounding, improve, penalty


def two_alike(rng, gamma=1.0, reward=1.0):
    """A random chain that ends with probability 0.1 from each state; both actions do the same."""
    transition = np.zeros((6, 1, 6))
    transition[:5, 0] = np.c_[0.9 * rng.dirichlet(np.ones(5), 5), np.full(5, 0.1)]
    transition[5, 0, 5] = 1
    rewards = reward * rng.standard_normal((6, 1))
    return TabularMDP.from_arrays(
        transition.repeat(2, 1), rewards.repeat(2, 1), np.eye(6)[0], gamma, np.arange(6) == 5
    )


@given(RNGS, st.sampled_from([0.9, 1.0]), st.sampled_from([1e-15, 1.0, 1e100]))
@pytest.mark.equation("E34", "E36")
def test_rounding_is_no_advantage(rng, gamma, reward):
    mdp = two_alike(rng, gamma, reward)
    pi = rng.dirichlet(np.ones(2), 6)
    assert penalty(mdp, pi) == 0
    np.testing.assert_array_equal(improve(mdp, pi), pi)
    better = two_alike(rng, 0.9, reward)
    first = better.row == 0
    gains = TabularMDP.from_entries(
        better.row, better.next_state, better.prob,
        better.reward + 1e-9 * reward * first, better.terminated,
        better.start, 0.9, None, 2,
    )  # fmt: skip
    matters = beyond_rounding(gains, pi).any(1)
    np.testing.assert_array_equal(matters, np.eye(6, dtype=bool)[0])
    assert penalty(gains, pi) > 0


@pytest.mark.equation("E38")
def test_where_no_action_matters_the_trust_region_has_nothing_to_gain():
    mdp = two_alike(np.random.default_rng(0))
    p = Problem(mdp, mdp, softmax_policy(6, 2), np.zeros(14), 0)
    assert s5_trpo.trust_region_problem.compare(p).skipped


def three_columns(weight, columns=3):
    flags = np.zeros((2, columns), bool)
    ends = flags.copy()
    ends[1] = True
    return Batch(np.ones((3, columns, 1)), flags.astype(int), np.ones((2, columns)), ends, flags,
                 ~flags, flags.astype(float), weight)  # fmt: skip


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("unit", [1e-170, 1.0, 1e200, 1e307])
@pytest.mark.equation("E08", "E09")
def test_baselines_in_every_unit_and_without_what_has_no_weight(unit, leave_one_out):
    psi = np.array([[1.0, 2.0, 4.0, 8.0], [0.5, -1.0, 2.0, 3.0]])
    estimates, scores = psi.T, np.array([[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5], [1.0, 1.0]])
    weight = np.full(4, 0.25)
    batch = three_columns(weight, 4)
    for each in (True, False):
        plain = optimal_baseline(estimates, scores, weight, each, leave_one_out)
        other = optimal_baseline(unit * estimates, scores, weight, each, leave_one_out)
        np.testing.assert_allclose(other, unit * plain, rtol=1e-12)
        if unit < 1e307:
            other = optimal_baseline(estimates, unit * scores, weight, each, leave_one_out)
            np.testing.assert_allclose(other * unit, plain, rtol=1e-12)
    for baseline in (constant_baseline, time_baseline):
        plain = baseline(batch, psi, leave_one_out)
        np.testing.assert_allclose(baseline(batch, unit * psi, leave_one_out), unit * plain,
                                   rtol=1e-12)  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.equation("E05", "E06", "E08", "E09", "E13", "E15")
def test_a_column_of_weight_0_counts_for_nothing(bad):
    weight, fewer = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5])
    psi = np.array([[1.0, 2.0, bad], [3.0, 5.0, 1.0]])
    for baseline in (constant_baseline, time_baseline):
        got = baseline(three_columns(weight), psi)
        np.testing.assert_array_equal(got, baseline(three_columns(fewer, 2), psi[:, :2]))
    policy = softmax_policy(1, 2)
    theta = np.array([1.0, 2.0, 3.0, 4.0])
    right = gradient(policy, theta, three_columns(fewer, 2), psi[:, :2])
    np.testing.assert_array_equal(gradient(policy, theta, three_columns(weight), psi), right)
    rows, scores = psi.T, np.array([[1.0, -1.0], [2.0, 1.0], [bad, 0.5]])
    for got, right in zip(moments(rows, weight), moments(rows[:2], fewer), strict=True):
        np.testing.assert_array_equal(got, right)
    np.testing.assert_array_equal(optimal_baseline(rows, scores, weight, True),
                                  optimal_baseline(rows[:2], scores[:2], fewer, True))  # fmt: skip
    target = np.array([1.0, 2.0, bad])
    np.testing.assert_array_equal(least_squares(rows, target, weight),
                                  least_squares(rows[:2], target[:2], fewer))  # fmt: skip
    following = 0.5 * scores
    np.testing.assert_array_equal(
        lstd(rows, following, target, weight, 0.9),
        lstd(rows[:2], following[:2], target[:2], fewer, 0.9),
    )


def test_what_has_a_weight_must_be_a_number_and_no_weight_is_below_0():
    ones, two = np.ones((2, 1)), np.ones(2)
    for weight in (np.array([1.0, -0.5]), np.array([1.0, np.nan])):
        for call in (lambda w: least_squares(ones, two, w), lambda w: moments(ones, w),
                     lambda w: lstd(ones, ones, two, w, 0.9),
                     lambda w: optimal_baseline(ones, ones, w, True)):  # fmt: skip
            with pytest.raises(ValueError, match="^weight: expected"):
                call(weight)
    bad = np.array([1.0, np.nan])
    with pytest.raises(ValueError, match="^target: expected finite"):
        least_squares(ones, bad, two)
    with pytest.raises(ValueError, match="^rewards: expected finite"):
        lstd(ones, ones, bad, two, 0.9)
    with pytest.raises(ValueError, match="^next_features: expected shape"):
        lstd(ones, np.ones((2, 2)), two, two, 0.9)
    with pytest.raises(ValueError, match="^scores: expected finite"):
        optimal_baseline(ones, bad[:, None], two, True)
    with pytest.raises(ValueError, match="^estimates: expected shape"):
        optimal_baseline(two, ones, two, True)
    with pytest.raises(ValueError, match=r"^b \(the estimates are too large"):
        optimal_baseline(1e300 * ones, 1e-300 * ones, two, True)
    with pytest.raises(ValueError, match="^psi: expected finite"):
        constant_baseline(three_columns(np.array([0.5, 0.5, 0])), np.full((2, 3), np.inf))


@pytest.mark.parametrize("step", [sgd, adam, rmsprop])
def test_a_gradient_of_another_shape_or_that_is_no_number_is_no_step(step):
    theta = np.zeros(3)
    state = {sgd: None, adam: adam_init(theta), rmsprop: rmsprop_init(theta)}[step]
    for shape in ((3, 1), (1,), ()):
        with pytest.raises(ValueError, match=r"^gradient: expected shape \(3,\)"):
            step(theta, np.ones(shape), state, 0.1)
    with pytest.raises(ValueError, match="^gradient: expected finite"):
        step(theta, np.array([1, np.nan, 1]), state, 0.1)


@pytest.mark.equation("E39", "E43", "E47", "E03")
def test_what_overflows_in_float32_is_refused_by_name():
    policy = gaussian_policy(1, 1)
    theta = np.array([0, 0, -20], "f4")
    obs = np.ones((1, 1), "f4")
    with pytest.raises(ValueError, match="^weight, in the dtype of θ: expected finite"):
        fisher_product(policy, theta, obs, np.array([1e39]))
    with pytest.raises(ValueError, match="^gradient, in float32 .actions too far"):
        policy.weighted_score(theta, obs, np.array([[1e12]], "f4"), np.ones(1))
    small = trust_region_step(np.array([1e-38], "f4"), 1e-90, 0.01)
    np.testing.assert_allclose(small, [np.sqrt(0.02) * 1e7], rtol=1e-6)
    with pytest.raises(ValueError, match="^step .the curvature is too small"):
        trust_region_step(np.array([1.0], "f4"), 1e-90, 0.01)
    softmax, large = softmax_policy(1, 2), np.array([1e308, 1e308, 1.0])
    n = np.zeros(3)
    with pytest.raises(ValueError, match="^mean of min.*got inf"):
        clipped_surrogate(softmax, np.zeros(4), np.zeros((3, 1)), n.astype(int),
                          np.log([0.5] * 3), large, 0.2)  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.equation("E44")
def test_cg_in_every_unit_of_the_matrix_and_of_the_preconditioner(dtype):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((5, 5))
    h = (root @ root.T + np.eye(5)).astype(dtype)
    b, m = rng.standard_normal(5).astype(dtype), (1 / np.diag(h)).astype(dtype)
    right = conjugate_gradients(lambda v: h @ v, b, 5, 0, lambda r: m * r)
    most = 100 if dtype == "f4" else 1010  # powers of two: the same to the bit
    for exponent in (-most, most):
        unit = np.ldexp(np.ones((), dtype), exponent)
        got = conjugate_gradients(lambda v, u=unit: (u * h) @ v, b, 5, 0, lambda r: m * r)
        assert got.reason == right.reason
        np.testing.assert_array_equal(got.x * unit, right.x)
        got = conjugate_gradients(lambda v: h @ v, b, 5, 0, lambda r, u=unit: u * (m * r))
        assert got.reason == right.reason
        np.testing.assert_array_equal(got.x, right.x)


def test_covariances_of_single_precision():
    rng = np.random.default_rng(0)
    for _ in range(50):
        root = rng.standard_normal((6, 2)).astype("f4")
        c = root @ np.diag(rng.uniform(0.1, 9, 2).astype("f4")) @ root.T
        eye = np.eye(6)
        problem = lqr.LQR(
            0.1 * eye, eye, c, eye, c, np.zeros(6), np.linalg.inv((eye + c).astype("f4")), 0.9
        )
        assert np.linalg.eigvalsh(problem.W).min() > -1e-12
    one = np.ones((1, 1))
    with pytest.raises(ValueError, match="W: expected a covariance"):
        lqr.LQR(one, one, one, one, np.float32(-1e-3) * one, np.ones(1), one, 0.9)


def test_a_linear_quadratic_problem_of_any_size():
    one = np.ones((1, 1))
    theta = np.array([0.5, 0, -1])
    ends = lqr.LQR(1e200 * one, one, one, one, one, np.ones(1), one, 0.0, 3)
    first = -(1 + 1 + 0.25 * 2 + np.exp(-2))  # γ = 0: −E (s² + a²), s ∼ N(1, 1)
    assert lqr.objective(ends, theta) == pytest.approx(first, rel=1e-12)
    assert lqr.policy_gradient(ends, theta)[0] == pytest.approx(-2 * 0.5 * 2, rel=1e-12)
    far, solution = np.array([1e200]), lqr.solve(ends, theta)
    for call in (lambda: lqr.reward(ends, far, far), lambda: lqr.state_values(ends, solution, far),
                 lambda: lqr.action_values(ends, solution, far, far)):  # fmt: skip
        with pytest.raises(ValueError, match="too large.: expected finite"):
            call()


@pytest.mark.equation("E01", "E08", "E22")
def test_sums_and_differences_that_are_no_numbers_are_refused():
    x, ends = np.full((2, 1), 1e308), np.zeros((2, 1), bool)
    for call in (lambda: total_return(x, ends, 1.0), lambda: discounted_sum(x, ends, 1.0),
                 lambda: n_step_advantage(x, ends, 1.0, 2)):  # fmt: skip
        with pytest.raises(ValueError, match="^sum .smaller rewards.*: expected finite"):
            call()
    with pytest.raises(ValueError, match="^psi .the returns are too large"):
        remax(np.array([1e308]), np.array(-1e308))


@pytest.mark.equation("E08")
def test_groups_that_are_none():
    returns, group = np.array([1.0, 0.0, 2.0]), np.array([0, 1, 0])
    greedy = np.array([0.5, 0.25])
    got = remax(returns[:, None], greedy[group])[:, 0]
    np.testing.assert_array_equal(got, [0.5, -0.25, 1.5])
    with pytest.raises(ValueError, match="^group: expected finite"):
        by_group(lambda r: r, np.array([0, np.nan, 0]), returns)
    with pytest.raises(ValueError, match=r"^lengths: expected whole numbers, got 1\.5"):
        grpo(returns, np.array([1, 1.5, 2]))


def test_a_table_is_not_asked_for_what_cannot_happen():
    transition = np.array([[[0.5, 0.5, -1e-17]], [[np.nan] * 3], [[0.0, 0, 1]]])
    reward = np.array([[[1.0, 2.0, np.inf]], [[np.nan] * 3], [[-np.inf, 5.0, 3.0]]])
    terminal = np.array([False, True, False])
    mdp = TabularMDP.from_arrays(transition, reward, np.eye(3)[0], 0.9, terminal)
    np.testing.assert_array_equal(mdp.expected_reward, [[1.5], [0], [3]])
    for name, table, rewards in (
        ("transition", transition, np.zeros((3, 1))),
        ("reward", np.where(terminal[:, None, None], np.eye(3)[:, None], transition), reward),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected finite"):
            TabularMDP.from_arrays(table, rewards, np.eye(3)[0], 0.9)


@pytest.mark.equation("E15")
def test_a_critic_that_has_grown_too_large_is_named():
    large, obs = np.full(21, 1e168), np.ones((2, 1))
    critic = VCritic(MLP((1, 4, 1)))
    with pytest.raises(ValueError, match="^gradient of the critic .*: expected finite"):
        critic.error_gradient(large[: critic.network.num_params], obs, np.zeros(2))
    batch = three_columns(np.full(3, 1 / 3))
    q = make_critic("q", softmax_policy(1, 2, (4,)))
    phi = large[: q.network.num_params]
    with pytest.raises(ValueError, match="^gradient of the critic"):
        q.gradient(phi, np.zeros(0), batch, np.zeros((2, 3)), np.zeros((2, 3)))


def test_borders_of_what_is_taken():
    one = np.ones((1, 1))
    edge = lqr.LQR(2 * one, one, one, one, one, np.ones(1), one, 0.25)  # √γ·2 = 1, to the bit
    with pytest.raises(ValueError, match="stable policy, got .* = 1$"):
        lqr.solve(edge, np.array([0.0, 0, -1]))
    short = lqr.LQR(one, one, one, one, one, np.ones(1), one, 0.9, 1)
    batch = quadrature(short, gaussian_policy(1, 1), np.zeros(3))
    assert len(batch.weight) == 4**2  # of s_0 and a_0
    samples = np.random.default_rng(0).random((10, 1))
    assert check_mean(samples, np.array([0.5]), np.ones(1), 1e-300).accepted
    policy = softmax_policy(2, 2)
    theta = policy.init(np.random.default_rng(0), 1.0)
    np.testing.assert_array_equal(
        absorb_normalization(policy, theta, [1.0, 2.0], [2.0, 4.0]),
        absorb_normalization(policy, theta, np.array([1.0, 2.0]), np.array([2.0, 4.0])),
    )
    with pytest.raises(TypeError):
        TabularVectorEnv(two_alike(np.random.default_rng(0)), 2).reset(0)
    deep = softmax_policy(2, 2, (2,))  # a layer more
    found = factors(deep, deep.init(np.random.default_rng(0), 1.0), np.ones((1, 2)))
    with pytest.raises(ValueError, match="zip"):
        network_solve(policy.network, found, theta, 0.1)


@pytest.mark.parametrize(("offset", "gap", "gamma"), [(100, 1e-8, 0.999), (1e6, 1e-4, 0.999),
                                                      (1, 1e-9, 0.9999)])  # fmt: skip
@pytest.mark.equation("E34")
def test_small_advantages_beside_large_values_are_no_rounding(offset, gap, gamma):
    """A reward that is the same everywhere changes no advantage."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        transition, reward = rng.dirichlet(np.ones(4), (4, 3)), rng.standard_normal((4, 3))
        pi = rng.dirichlet(np.ones(3), 4)
        alike, bare = (TabularMDP.from_arrays(transition, x, np.eye(4)[0], gamma)
                       for x in (offset + gap * reward, gap * reward))  # fmt: skip
        assert penalty(alike, pi) == pytest.approx(penalty(bare, pi), rel=0.02)


def test_a_weight_below_0_by_rounding_is_0():
    weight, column = np.array([0.9, 0.1, 1 - 0.9 - 0.1]), np.array([[1.0], [2], [3]])
    mean, _ = moments(column, weight)
    assert mean.item() == pytest.approx(1.1)
    assert three_columns(weight).weight.min() == 0
    with pytest.raises(ValueError, match="^weight: expected"):
        moments(column, np.array([0.9, 0.1, -1e-9]))


@pytest.mark.equation("E13", "E15")
def test_a_fit_of_many_samples_in_single_precision_keeps_its_intercept():
    x = np.random.default_rng(0).uniform(0, 1000, 100_000).astype("f4")
    features = np.c_[np.ones_like(x), x]
    weight = np.full(len(x), 1 / len(x))
    got = least_squares(features, 5 + x / 1000, weight)
    np.testing.assert_allclose(got, [5, 1e-3], rtol=1e-3)
    got = lstd(features[:, :], 0 * features, 5 + x / 1000, weight, 0.9)
    np.testing.assert_allclose(got, [5, 1e-3], rtol=1e-2)
    for call in (lambda: least_squares(x, x, weight), lambda: lstd(x, x, x, weight, 0.9)):
        with pytest.raises(ValueError, match=r"^features: expected shape \(100000, any\)"):
            call()


@pytest.mark.equation("E09")
def test_the_optimal_baseline_of_parameters_of_unlike_size():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((6, 2))
    estimates, size = scores * rng.standard_normal((6, 1)), np.array([1, 1e-24])
    weight = np.full(6, 1 / 6)
    right = optimal_baseline(estimates, scores, weight, True)
    got = optimal_baseline(
        (estimates * size).astype("f4"), (scores * size).astype("f4"), weight, True
    )
    np.testing.assert_allclose(got, right, rtol=1e-5)


@pytest.mark.equation("E44")
def test_cg_with_both_in_extreme_units():
    rng = np.random.default_rng(1)
    for dtype, most in (("f4", 60), ("f8", 500)):
        root = rng.standard_normal((5, 5))
        h = (root @ root.T + np.eye(5)).astype(dtype)
        b, m = rng.standard_normal(5).astype(dtype), (1 / np.diag(h)).astype(dtype)
        right = conjugate_gradients(lambda v, h=h: h @ v, b, 5, 0, lambda r, m=m: m * r)
        for i, j in ((-most, -most), (most, most), (-most, most), (most, -most)):
            u, w = (np.ldexp(np.ones((), dtype), k) for k in (i, j))
            got = conjugate_gradients(
                lambda v, h=h, u=u: (u * h) @ v, b, 5, 0, lambda r, m=m, w=w: w * (m * r)
            )
            np.testing.assert_array_equal(got.x * u, right.x)


def test_states_and_steps_of_another_shape_and_names_of_what_is_no_number():
    theta, g = np.zeros(3), np.ones(3)
    for call, name in (
        (lambda: adam(theta, g, adam_init(np.zeros((3, 1))), 0.1), "state.mean"),
        (lambda: rmsprop(theta, g, np.zeros((3, 1)), 0.1), "square"),
        (lambda: backtrack(theta, np.ones((3, 1)), lambda _: (1.0, 0.0), 0.1), "step"),
        (lambda: backtrack(theta, np.full(3, np.nan), lambda _: (1.0, 0.0), 0.1), "step"),
        (lambda: trust_region_step(np.array([np.nan, 1]), 1.0, 0.1), "direction"),
        (lambda: VCritic(MLP((1, 1))).error_gradient(np.ones(2), np.ones((2, 1)),
                                                     np.array([1, np.nan])), "target"),
        (lambda: TabularMDP.from_arrays([[[1.0]]], [["a"]], [1.0], 0.9), "reward"),
        (lambda: TabularMDP.from_arrays([[[1.0]], [[1], [1]]], [[1.0]], [1.0], 0.9), "transition"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            call()
    ends = np.array([[0.0], [1.0], [0.0]])  # dones as a framework keeps them
    np.testing.assert_array_equal(total_return(np.ones((3, 1)), ends, 0.5),
                                  total_return(np.ones((3, 1)), ends > 0, 0.5))  # fmt: skip
    half = np.random.default_rng(0).standard_normal(200).astype("f2")
    assert np.isfinite(reinforce_plus_plus(half, np.full(200, 1000))).all()
    with pytest.raises(ValueError, match="W: expected a covariance"):
        lqr.LQR(np.eye(2), np.eye(2), np.eye(2), np.eye(2), np.diag([1, -0.05]).astype("f2"),
                np.zeros(2), np.eye(2), 0.9)  # fmt: skip


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e5, 1e10])
@pytest.mark.equation("E13", "E15")
def test_a_fit_does_not_depend_on_the_unit_of_one_column(unit):
    x = np.arange(4.0)
    features, y = np.c_[np.ones(4), unit * x], 3 + x
    right = [3, 1 / unit]
    np.testing.assert_allclose(least_squares(features, y, np.ones(4)), right, rtol=1e-9)
    got = lstd(features, np.zeros((4, 2)), y, np.ones(4), 0.9)
    np.testing.assert_allclose(got, right, rtol=1e-6)


def test_what_is_no_number_or_no_entry_has_its_name():
    mdp = two_alike(np.random.default_rng(0), 0.9)
    deep = softmax_policy(2, 2, (3,))
    theta = deep.init(np.random.default_rng(0), 1.0)
    pi, nan = np.full((6, 2), 0.5), np.full((6, 2), np.nan)
    once, made = factors(deep, theta, np.ones((1, 2))), TabularMDP.from_entries
    rest = [1.0], [True], [1.0], 0.9, None, 1
    for call, name in (
        (lambda: logit_score(mdp, pi, nan), "psi"),
        (lambda: action_values(mdp, nan[:, 0]), "values"),
        (lambda: solve(deep, once, theta * np.nan, 0.1), "gradient"),
        (lambda: made([0], [0], [0.5, 0.5], *rest), "prob"),
        (lambda: made([0], [0], ["x"], *rest), "prob"),
        (lambda: made([0.0], [0], [1.0], *rest), "row"),
    ):
        with pytest.raises(ValueError, match=f"^{name}.*: expected"):
            call()
    unvisited = np.where(np.arange(6)[:, None] == 5, np.nan, 1.0) + 0 * pi  # after the end
    assert np.isfinite(logit_score(mdp, pi, unvisited)).all()


@pytest.mark.parametrize(("off", "taken"), [(5e-6, True), (1e-4, False)])
def test_how_far_a_matrix_of_single_precision_may_be_from_symmetric(off, taken):
    q = np.array([[1, off], [0, 1]], "f4")
    eye, zero = np.eye(2), np.zeros(2)
    if taken:
        np.testing.assert_array_equal(
            lqr.LQR(eye, eye, q, eye, eye, zero, eye, 0.9).Q[0, 1], q[0, 1] / 2
        )
    else:
        with pytest.raises(ValueError, match="Q: expected a symmetric matrix"):
            lqr.LQR(eye, eye, q, eye, eye, zero, eye, 0.9)


def test_lstd_knows_the_value_of_a_state_that_is_seldom_seen():
    """A chain of twenty states, each seen a tenth as often as the one before, all rewards 1."""
    n, stay = 20, 0.1
    weight = np.ravel([stay ** np.arange(n) * (1 - stay), stay ** np.arange(1, n + 1)], "F")
    features = np.repeat(np.eye(n), 2, axis=0)  # it ends, or goes on
    after = np.zeros((2 * n, n))
    after[1:-1:2] = np.eye(n)[1:]
    values = 1 + 0 * np.arange(n, dtype=float)
    for s in range(n - 2, -1, -1):
        values[s] = 1 + 0.9 * stay * values[s + 1]
    found = lstd(features, after, np.ones(2 * n), weight, 0.9)
    assert np.abs(found / values - 1).max() < 1e-12
