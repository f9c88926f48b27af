"""Estimators: the mean is the mean of its columns; baselines of finite batches add no bias."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from strategies import RNGS, mdps, problems

from minipg.claims import s5_importance
from minipg.estimators.baselines import constant_baseline, optimal_baseline, time_baseline
from minipg.estimators.fits import least_squares, lstd
from minipg.estimators.importance import (
    decision_weights,
    importance_weight,
    self_normalized,
    self_normalized_weight,
)
from minipg.estimators.returns import discounts, reward_to_go
from minipg.estimators.score_function import gradient, gradients
from minipg.estimators.surrogate import clipped_surrogate
from minipg.experience import enumeration
from minipg.experience.batch import Batch, columns, moments
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.truth.contract import exact_moments


@given(problems(), RNGS)
@pytest.mark.equation("E05", "E10", "E11")
def test_gradient_is_the_weighted_mean_of_the_columns_gradients(problem, rng):
    psi = rng.standard_normal(problem.total.shape)
    batch, policy, theta = problem.batch, problem.policy, problem.theta
    columns = gradients(policy, theta, batch, psi)
    np.testing.assert_allclose(gradient(policy, theta, batch, psi), batch.weight @ columns,
                               rtol=1e-9, atol=1e-10)  # fmt: skip
    for b in rng.integers(len(columns), size=3):
        steps = batch.valid[:, b]
        scores = policy.score(theta, batch.obs[:-1, b][steps], batch.actions[:, b][steps])
        np.testing.assert_allclose(columns[b], psi[steps, b] @ scores, rtol=1e-9, atol=1e-10)
    for function in (gradient, gradients):
        with pytest.raises(ValueError, match="psi: expected shape"):
            function(policy, theta, batch, psi[0])


@given(problems())
@pytest.mark.equation("E08")
def test_baselines_are_the_exact_means_under_enumeration(problem):
    batch, to_go = problem.batch, problem.to_go
    weight = batch.weight * batch.valid
    constant = (weight * to_go).sum() / weight.sum()
    assert constant_baseline(batch, to_go).ravel() == pytest.approx([constant], rel=1e-10)
    by_time = time_baseline(batch, to_go)
    assert by_time.shape == (len(to_go), 1)
    for t in range(len(to_go)):
        assert by_time[t, 0] * weight[t].sum() == pytest.approx((weight[t] * to_go[t]).sum())


@given(problems())
@pytest.mark.equation("E09")
def test_optimal_baseline_is_the_slides_formula(problem):
    """b = E Y²R / E Y² per parameter, E‖Y‖²R / E‖Y‖² as one number, R the return of the game."""
    w, y, r = problem.batch.weight, problem.scores, problem.total[0]
    each = optimal_baseline(problem.estimates, y, w, per_parameter=True)[0]
    for j in range(y.shape[1]):
        below = w @ y[:, j] ** 2
        if below > 1e-12:
            assert each[j] == pytest.approx(w @ (y[:, j] ** 2 * r) / below, rel=1e-8, abs=1e-9)
    scalar = optimal_baseline(problem.estimates, y, w, per_parameter=False)
    norm = (y**2).sum(1)
    assert scalar.shape == (1, 1)
    assert scalar[0, 0] == pytest.approx(w @ (norm * r) / (w @ norm), rel=1e-8, abs=1e-9)


@given(problems(), RNGS)
@pytest.mark.equation("E04")
def test_importance_weight_is_the_ratio_of_trajectory_probabilities(problem, rng):
    phi = rng.dirichlet(np.ones(problem.start.num_actions), problem.start.num_states)
    batch, states = enumeration.enumerate_trajectories(problem.start, phi)
    expected = np.ones(len(batch.weight))
    for t, b in np.argwhere(batch.valid):
        s, a = states[t, b], batch.actions[t, b]
        expected[b] *= problem.pi[s, a] / phi[s, a]
    got = importance_weight(problem.policy, problem.theta, batch)
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    assert batch.weight @ got == pytest.approx(1, rel=1e-8)


@given(problems(), RNGS)
@pytest.mark.equation("E27")
@pytest.mark.pitfall(28)
def test_a_weight_for_each_decision_keeps_the_mean(problem, rng):
    """Later factors have mean 1; the weight applied twice has another mean."""
    p, start = problem, problem.start
    phi = rng.dirichlet(np.ones(start.num_actions), start.num_states)
    batch, states = enumeration.enumerate_trajectories(start, phi)
    got = decision_weights(p.policy, p.theta, batch)
    expected = np.ones_like(batch.rewards)
    for t in range(len(expected)):
        chosen = (p.pi / phi)[states[t], batch.actions[t]]
        expected[t] = (expected[t - 1] if t else 1.0) * np.where(batch.valid[t], chosen, 1.0)
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    gamma_t = discounts(batch.ends, start.gamma)
    close = {"rtol": 1e-7, "atol": 1e-8 * np.abs(start.reward).max()}
    for psi in (reward_to_go(got * batch.rewards, batch.ends, start.gamma),
                got[-1] * reward_to_go(batch.rewards, batch.ends, start.gamma)):  # fmt: skip
        mean = gradient(p.policy, p.theta, batch, gamma_t * psi)
        np.testing.assert_allclose(mean, p.gradient, **close)


@given(mdps(), RNGS)
@pytest.mark.equation("E27")
def test_self_normalized_weights_of_two_games_against_every_pair(mdp, rng):
    """The bias and variance that verify prints, by brute force; the weights of B games sum to B."""
    policy = softmax_policy(mdp.features.shape[1], mdp.num_actions)
    theta, start = rng.standard_normal(policy.num_params), mdp.unroll(1)
    phi = rng.dirichlet(np.ones(mdp.num_actions), start.num_states)
    batch, _ = enumeration.enumerate_trajectories(start, phi)
    batch = columns_with_weights(batch, rng.choice(len(batch.weight), 6))

    def estimate(games):
        w = self_normalized(importance_weight(policy, theta, games))
        assert w.sum() == pytest.approx(len(w))
        assert w.max() <= len(w) * (1 + 1e-12)
        return gradient(policy, theta, games, w * games.rewards)

    mean, covariance = exact_moments(estimate, batch, games=2)
    w, x = importance_weight(policy, theta, batch), gradients(policy, theta, batch, batch.rewards)
    bias, variance = s5_importance._self_normalized_pair(batch.weight, w, x, np.zeros(len(theta)))
    close = {"rtol": 1e-8, "atol": 1e-9 * (1 + np.abs(x).max() ** 2)}
    np.testing.assert_allclose(bias, mean, **close)
    np.testing.assert_allclose(variance, np.trace(covariance), **close)


def columns_with_weights(batch, chosen):
    """Some trajectories with the probabilities they have among themselves."""
    weight = batch.weight[chosen] / batch.weight[chosen].sum()
    return dataclasses.replace(columns(batch, chosen), weight=weight)


@given(problems())
@pytest.mark.equation("E06")
def test_moments_of_reinforce_add_up(problem):
    mean, covariance = moments(problem.estimates, problem.batch.weight)
    np.testing.assert_allclose(mean, problem.gradient, rtol=1e-7,
                               atol=1e-9 * np.abs(problem.start.reward).max())  # fmt: skip
    np.testing.assert_allclose(np.diag(covariance), problem.variance(problem.estimates), rtol=1e-9,
                               atol=1e-12)  # fmt: skip


@pytest.mark.equation("E27")
@pytest.mark.pitfall(37)
def test_self_normalised_weights_whose_logarithms_are_far_from_0():
    """Games of 3,000 steps: every weight is e^±800 and more; their ratios are numbers."""
    policy, steps = softmax_policy(1, 2), 3_000
    theta = np.zeros(4)
    for sign in (-1, 1):
        log_prob = np.full((steps, 3), np.log(0.5) - sign * 0.5)
        log_prob[0] -= np.log([1.0, 2.0, 5.0])
        no = np.zeros((steps, 3), bool)
        batch = Batch(np.zeros((steps + 1, 3, 1)), np.zeros((steps, 3), int), np.zeros((steps, 3)),
                      no, no, ~no, log_prob, np.full(3, 1 / 3))  # fmt: skip
        got = self_normalized_weight(policy, theta, batch)
        np.testing.assert_allclose(got, 3 * np.array([1, 2, 5]) / 8, rtol=1e-9)
        if sign == 1:
            with pytest.raises(ValueError, match="importance weight .self_normalized_weight"):
                importance_weight(policy, theta, batch)
        else:
            assert not importance_weight(policy, theta, batch).any()
    apart = log_prob - np.array([0.0, 1.0, 1.0])  # ratios of e^3000 between games
    np.testing.assert_allclose(
        self_normalized_weight(policy, theta, dataclasses.replace(batch, log_prob=apart)),
        [0, 6 / 7, 15 / 7],
    )
    for wrong in ([0.0, 0.0], [1.0, np.inf], [1.0, -1.0], [np.nan, 1.0], []):
        with pytest.raises(ValueError, match="weight"):
            self_normalized(np.array(wrong))
    for unit in (1e-300, 1.0, 1e308):
        np.testing.assert_allclose(self_normalized(unit * np.array([1.0, 0.5, 0.0])), [2, 1, 0])


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160])
@pytest.mark.equation("E15")
def test_fits_do_not_depend_on_the_unit_of_the_features(unit):
    rng = np.random.default_rng(0)
    features, following, y, weight = (rng.random(n) for n in ((9, 2), (9, 2), 9, 9))
    for fit in (lambda u: lstd(features * u, following * u, y, weight, 0.9),
                lambda u: least_squares(features * u, y, weight)):  # fmt: skip
        np.testing.assert_allclose(fit(unit) * unit, fit(1.0), rtol=1e-9)


def test_weights_whose_sum_overflows_are_normalised():
    np.testing.assert_array_equal(self_normalized(np.full(3, 1e308)), np.ones(3))


def test_psi_of_0_counts_for_nothing_and_one_that_is_no_number_in_single_precision_is_refused():
    """The score of an action of 1e200 is infinite: 0 · ∞."""
    policy, theta, obs = gaussian_policy(1, 1), np.zeros(3), np.ones((2, 1))
    actions, psi = np.array([[1.0], [1e200]]), np.array([2.0, 0.0])
    expected = policy.weighted_score(theta, obs[:1], actions[:1], psi[:1])
    with np.errstate(over="ignore"):  # log π of such an action is −∞
        np.testing.assert_array_equal(policy.weighted_score(theta, obs, actions, psi), expected)
        log_prob = policy.log_prob(theta, obs, actions)
        _, gradient, _ = clipped_surrogate(policy, theta, obs, actions, log_prob, psi, 0.2)
    np.testing.assert_allclose(gradient, expected / 2)
    with pytest.raises(ValueError, match="psi, in the float32 of θ: expected finite"):
        policy.weighted_score(theta.astype("f4"), obs, np.ones((2, 1)), np.array([1e39, 0]))
    single, action = theta.astype("f4"), np.ones((2, 1))
    log_prob = policy.log_prob(single, obs, action)
    with np.errstate(all="raise"), pytest.raises(ValueError, match="where no clip bounds it"):
        clipped_surrogate(policy, single, obs, action, log_prob, np.array([3e39, 0]), 0.2)


def test_the_optimal_baseline_of_small_whole_numbers():
    """100 · 50 is no int8."""
    estimates, scores = np.array([[100], [-100]], np.int8), np.array([[50], [-50]], np.int8)
    b = optimal_baseline(estimates, scores, np.full(2, 0.5), True)
    np.testing.assert_array_equal(b, [[2.0]])


@pytest.mark.equation("E13")
def test_fits_in_single_precision_know_its_rounding():
    """A column that is the sum of two others: the shortest weights, not ±1e6."""
    rng = np.random.default_rng(0)
    free, y, weight = rng.standard_normal((50, 3)), rng.standard_normal(50), np.ones(50)
    features = np.column_stack([free, free[:, 0] + free[:, 1]])
    right = least_squares(features, y, weight)
    got = least_squares(features.astype("f4"), y, weight)
    np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"target: expected shape \(50,\), got \(50, 1\)"):
        least_squares(features, y[:, None], weight)
