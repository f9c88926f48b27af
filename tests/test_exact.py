"""Exact truth against dense linear algebra, brute force and finite differences."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS, mdps, problems

from minipg.experience import enumeration
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.check import complex_step
from minipg.truth.optimal import optimal_action_values


def draw_pi(mdp, rng):
    return rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)


@given(mdps(), RNGS)
@pytest.mark.equation("E01", "E11", "E12", "E28", "E30")
def test_values_and_visits_against_dense_inverses(mdp, rng):
    pi = draw_pi(mdp, rng)
    n, a = mdp.num_states, mdp.num_actions
    p = np.zeros((n, a, n))  # written out from the entries, not with their sparse sums
    r = np.zeros((n, a))
    for k, row in enumerate(mdp.row):
        p[row // a, row % a, mdp.next_state[k]] += mdp.prob[k] * (not mdp.terminated[k])
        r[row // a, row % a] += mdp.prob[k] * mdp.reward[k]
    inverse = np.linalg.inv(np.eye(n) - mdp.gamma * np.einsum("sa,sat->st", pi, p))
    values = inverse @ (pi * r).sum(1)
    close = {"rtol": 1e-8, "atol": 1e-8}
    np.testing.assert_allclose(exact.state_values(mdp, pi), values, **close)
    np.testing.assert_allclose(
        exact.action_values(mdp, values), r + mdp.gamma * p @ values, **close
    )
    expected = r + mdp.gamma * p @ values - values[:, None]
    np.testing.assert_allclose(exact.advantages(mdp, pi), expected, **close)
    np.testing.assert_allclose(exact.visits(mdp, pi, mdp.gamma), mdp.start @ inverse, **close)
    assert exact.objective(mdp, pi) == pytest.approx(mdp.start @ values, rel=1e-8)
    d = exact.visitation(mdp, pi)
    np.testing.assert_allclose(d[:-1], (1 - mdp.gamma) * mdp.start @ inverse, **close)
    assert d.sum() == pytest.approx(1)
    assert d.min() >= -1e-12


@given(problems())
@pytest.mark.equation("E05", "E11")
def test_policy_gradient_is_the_gradient_of_j_in_every_parameter(problem):
    mdp, policy, theta = problem.mdp, problem.policy, problem.theta

    def objective(x):
        return exact.objective(mdp, policy.probs(x, mdp.features))

    numeric = np.array([complex_step(objective, theta, e) for e in np.eye(len(theta))])
    got = exact.policy_gradient(mdp, policy, theta)
    np.testing.assert_allclose(got, numeric, rtol=1e-7, atol=1e-9 * np.abs(mdp.reward).max())


@given(problems())
@pytest.mark.equation("E26")
def test_enumeration_is_every_trajectory_once(problem):
    """Against itertools: all sequences of table entries, weighed one factor at a time."""
    mdp, pi = problem.start, problem.pi
    of_state = {
        s: np.flatnonzero(mdp.row // mdp.num_actions == s).tolist() for s in range(mdp.num_states)
    }

    def walk(state, path, weight):
        for k in of_state[state]:
            w = weight * pi[state, mdp.row[k] % mdp.num_actions] * mdp.prob[k]
            if mdp.terminated[k]:
                yield (*path, k), w
            else:
                yield from walk(mdp.next_state[k], (*path, k), w)

    starts = [walk(s, (), mdp.start[s]) for s in np.flatnonzero(mdp.start)]
    expected = dict(itertools.chain(*starts))
    batch, states = problem.enumerated
    assert len(batch.weight) == len(expected)
    assert sorted(batch.weight) == pytest.approx(sorted(expected.values()), rel=1e-10)
    assert batch.weight.sum() == pytest.approx(1, rel=1e-12)
    lengths = sorted(len(path) for path in expected)
    assert sorted(batch.valid.sum(0)) == lengths
    np.testing.assert_array_equal(batch.obs, mdp.features[states])
    last = batch.valid.sum(0) - 1
    assert batch.terminated[last, np.arange(len(last))].all()
    assert batch.terminated.sum() == len(last)
    likelihood = np.exp(batch.log_prob.sum(0))  # Π π; the rest of the weight is the table's
    assert (batch.weight <= likelihood * (1 + 1e-12)).all()
    by_return = sum(w * sum(mdp.gamma**t * mdp.reward[k] for t, k in enumerate(path))
                    for path, w in expected.items())  # fmt: skip
    assert batch.weight @ problem.total[0] == pytest.approx(by_return, rel=1e-9, abs=1e-9)


def test_enumeration_skips_what_has_probability_zero_and_says_when_it_is_too_long():
    mdp = TabularMDP.from_env("FrozenLake-v1", 0.99)
    always_right = np.tile([0.0, 0, 1, 0], (mdp.num_states, 1))
    unrolled = mdp.unroll(2)
    batch, _ = enumeration.enumerate_trajectories(unrolled, np.tile(always_right, (3, 1)))
    assert set(batch.actions[batch.valid].tolist()) == {2}
    assert batch.weight.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="at most 1000 trajectories, .* shorter horizon"):
        enumeration.enumerate_trajectories(mdp, np.full((16, 4), 0.25), most=1000)
    only = TabularMDP.from_arrays([[[1.0]]], [[2.0]], [1.0], 0.5).unroll(2)
    batch, _ = enumeration.enumerate_trajectories(only, np.ones((3, 1)), most=1)
    assert batch.rewards.tolist() == [[2.0], [2.0]]


def test_a_policy_that_never_ends_is_refused_where_gamma_is_1():
    """FrozenLake can end, so γ = 1 is allowed; always walking left from the start does not end."""
    deterministic = {"is_slippery": False}
    import gymnasium as gym

    mdp = TabularMDP.from_env(gym.make("FrozenLake-v1", **deterministic), 1.0)
    left = np.tile([1.0, 0, 0, 0], (mdp.num_states, 1))
    with pytest.raises(ValueError, match="must reach an end"):
        exact.state_values(mdp, left)
    uniform = np.full((mdp.num_states, 4), 0.25)
    assert 0 < exact.objective(mdp, uniform) < 1


def test_undiscounted_visits_need_an_end():
    transition = np.full((2, 2, 2), 0.5)
    mdp = TabularMDP.from_arrays(transition, np.ones((2, 2)), np.array([1.0, 0.0]), 0.9)
    policy = softmax_policy(2, 2)
    with pytest.raises(ValueError, match="must reach an end"):
        exact.policy_gradient(mdp, policy, np.zeros(6), discounted_visits=False)
    np.testing.assert_allclose(exact.policy_gradient(mdp, policy, np.zeros(6)), 0, atol=1e-12)


def test_optimal_values_that_grow_are_refused():
    """γ = 1 and a state that can stay for a reward for ever."""
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 0] = transition[0, 1, 1] = transition[1, :, 1] = 1
    mdp = TabularMDP.from_arrays(transition, np.ones((2, 2)), np.eye(2)[0], 1.0,
                                 np.array([False, True]))  # fmt: skip
    with pytest.raises(ValueError, match="goes round for ever, through state 0: take γ < 1"):
        optimal_action_values(mdp)


@pytest.mark.equation("E13")
@pytest.mark.parametrize("gamma", [0.9999, 1 - 1e-9])
def test_optimal_values_near_no_discount_are_exact(gamma):
    """One state that stays: Q* = r/(1 − γ) for its best action, whatever many sweeps that takes."""
    transition = np.ones((1, 2, 1))
    mdp = TabularMDP.from_arrays(transition, np.array([[1.0, 3.0]]), np.ones(1), gamma)
    got = optimal_action_values(mdp)
    np.testing.assert_allclose(got, [[1 + 3 * gamma / (1 - gamma), 3 / (1 - gamma)]], rtol=1e-12)


@pytest.mark.equation("E13")
def test_optimal_values_of_a_fair_walk_without_discount():
    """200 states, a coin moves it whatever one does; reaching the right end pays 1: Q* = s/201."""
    inside = np.arange(1, 201)
    transition, reward = np.zeros((202, 2, 202)), np.zeros((202, 2, 202))
    transition[inside, :, inside - 1] = transition[inside, :, inside + 1] = 0.5
    transition[[0, 201], :, [0, 201]] = 1
    reward[200, :, 201] = 1
    mdp = TabularMDP.from_arrays(transition, reward, np.eye(202)[100], 1.0,
                                 np.isin(np.arange(202), [0, 201]))  # fmt: skip
    got = optimal_action_values(mdp)
    np.testing.assert_allclose(got[inside, 0], inside / 201, rtol=1e-10)


@pytest.mark.equation("E13")
@pytest.mark.parametrize(("ending", "best"), [(-1.0, 0.0), (2.0, 2.0)])
def test_optimal_values_where_one_may_rest_for_ever_without_discount(ending, best):
    """Two states that lead to each other for nothing, or end: resting is worth 0, not less."""
    row, next_state = np.array([0, 1, 2, 3]), np.array([1, 0, 0, 0])
    mdp = TabularMDP.from_entries(row, next_state, np.ones(4), np.array([0, ending, 0, ending]),
                                  row % 2 == 1, np.eye(2)[0], 1.0, None, 2)  # fmt: skip
    np.testing.assert_array_equal(optimal_action_values(mdp), [[best, ending]] * 2)


@given(mdps())
@pytest.mark.equation("E13")
def test_optimal_values_are_those_of_the_best_deterministic_policy(mdp):
    choices = itertools.product(range(mdp.num_actions), repeat=mdp.num_states)
    best = np.full(mdp.num_states, -np.inf)
    for choice in choices:
        best = np.maximum(best, exact.state_values(mdp, np.eye(mdp.num_actions)[list(choice)]))
    got = optimal_action_values(mdp).max(1)
    np.testing.assert_allclose(got, best, rtol=1e-9, atol=1e-9)


def test_bad_input_is_named():
    mdp = TabularMDP.from_env("FrozenLake-v1", 0.9)
    for pi in (np.full((4, 16), 0.25), np.full(16, 0.25)):
        with pytest.raises(ValueError, match="pi: expected shape"):
            exact.objective(mdp, pi)
        with pytest.raises(ValueError, match="pi: expected shape"):
            enumeration.enumerate_trajectories(mdp, pi)
    uniform = np.full((16, 4), 0.25)
    for pi in (uniform * 2, uniform - [[1, -1, 0, 0]], uniform * np.nan):
        for function in (exact.objective, enumeration.enumerate_trajectories, exact.visitation):
            with pytest.raises(ValueError, match="pi: expected"):
                function(mdp, pi)
    with pytest.raises(ValueError, match="values: expected shape"):
        exact.action_values(mdp, np.zeros(15))
    for policy in (gaussian_policy(16, 1), softmax_policy(16, 3)):
        with pytest.raises(ValueError, match=r"policy: expected Softmax\(4\)"):
            exact.policy_gradient(mdp, policy, np.zeros(policy.num_params))


def table(rows, num_states=1, gamma=1.0):
    """Two actions a state; rows of (row, s′, p, r, the end)."""
    columns = map(np.array, zip(*rows, strict=True))
    start = np.full(num_states, 1 / num_states)
    return TabularMDP.from_entries(*columns, start, gamma, None, 2)


@pytest.mark.equation("E13")
def test_optimal_values_of_states_in_other_units_beside_each_other():
    """Two states that stay apart: a reward of 1e-12 is no rounding of one of 1."""
    stay = np.eye(2)[:, None].repeat(2, 1)
    mdp = TabularMDP.from_arrays(stay, np.array([[1, 1], [0, 1e-12]]), np.full(2, 0.5), 0.5)
    np.testing.assert_allclose(optimal_action_values(mdp), [[2, 2], [1e-12, 2e-12]], rtol=1e-12)


@pytest.mark.equation("E13")
def test_optimal_values_that_take_a_round_of_improvement_a_state():
    """Ending pays 0.9 + 0.001 k in state k, the way down to state 0, which pays 1, nothing: each
    round of improvement reaches one state more.
    """
    n = 40
    rows = [(0, 0, 1.0, 1.0, True), (1, 0, 1.0, 1.0, True)]
    for k in range(1, n):
        rows += [(2 * k, k, 1.0, 0.9 + 0.001 * k, True), (2 * k + 1, k - 1, 1.0, 0.0, False)]
    np.testing.assert_allclose(optimal_action_values(table(rows, n))[:, 1], 1)


@pytest.mark.equation("E13")
def test_going_round_for_ever_without_discount():
    """±1 at even odds is 0 as 0 is; a round of mean 0 whose rewards are not is no sum; one that
    costs is not taken; with γ < 1 the best goes round.
    """
    coin = [(0, 0, 0.5, 1.0, False), (0, 0, 0.5, -1.0, False), (1, 0, 1.0, -1.0, True)]
    np.testing.assert_array_equal(optimal_action_values(table(coin)), [[0, -1]])

    def round_trip(back, gamma=1.0):
        return table([(0, 1, 1.0, 1.0, False), (1, 1, 1.0, 1.0, False),
                      (2, 0, 1.0, back, False), (3, 1, 1.0, -10.0, True)], 2, gamma)  # fmt: skip

    for back in (-1.0, -0.9, 0.0):
        with pytest.raises(ValueError, match="goes round for ever, through state"):
            optimal_action_values(round_trip(back))
    np.testing.assert_allclose(optimal_action_values(round_trip(-1.1)), [[-9, -9], [-10.1, -10]])
    gamma = 0.99
    there = (1 - gamma) / (1 - gamma**2)
    got = optimal_action_values(round_trip(-1.0, gamma))
    np.testing.assert_allclose(got[0], there, rtol=1e-9)


@pytest.mark.equation("E13")
def test_optimal_values_of_random_tables_a_billionth_below_no_discount():
    """(1 − γ) V is the mean reward of the best of the four policies, to 1 − γ."""
    rng = np.random.default_rng(0)
    transition, reward = rng.dirichlet(np.ones(2), (2, 2)), rng.standard_normal((2, 2))
    mdp = TabularMDP.from_arrays(transition, reward, np.full(2, 0.5), 1 - 1e-9)
    means = []
    for choice in itertools.product(range(2), repeat=2):
        chain = transition[[0, 1], choice]
        weight = np.array([chain[1, 0], chain[0, 1]])  # of a chain of two states
        means.append(weight @ reward[[0, 1], choice] / weight.sum())
    np.testing.assert_allclose(optimal_action_values(mdp) * 1e-9, max(means), rtol=1e-6)


def test_psi_counts_where_it_is_reached_only():
    """NaN in a state that is never visited and −∞ where π = 0: not 0 · ∞."""
    stay = np.eye(2)[:, None].repeat(2, 1)
    mdp = TabularMDP.from_arrays(stay, np.ones((2, 2)), np.eye(2)[0], 0.5)
    pi = np.array([[1.0, 0.0], [0.5, 0.5]])
    with np.errstate(all="raise"):
        got = exact.logit_score(mdp, pi, np.array([[3.0, -np.inf], [np.nan, np.nan]]))
    np.testing.assert_array_equal(got, 0)


def test_a_start_and_a_policy_that_were_computed_are_cleaned():
    """float32 thirds sum to 1 + 3e-8; 1 − 0.9 − 0.1 is −2.8e-17."""
    stay = np.eye(3)[:, None].repeat(2, 1)
    mdp = TabularMDP.from_arrays(stay, np.ones((3, 2)), np.full(3, 1 / 3, "f4"), 0.9)
    pi = np.array([[1.1 - 0.1, 1 - 0.9 - 0.1]] * 3)
    assert exact.objective(mdp, pi) == pytest.approx(10, rel=1e-12)
    assert exact.visitation(mdp, pi).min() >= 0
    assert exact.visitation(mdp, pi).sum() == pytest.approx(1, rel=1e-12)
    policy_never = exact.logit_gradient(mdp, pi)
    assert (policy_never[:, 1] == 0).all()


@pytest.mark.equation("E30")
def test_the_visits_of_games_that_never_end_are_a_distribution():
    """What is left for the end is 0, never −1e-16."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        transition = rng.dirichlet(np.ones(3), (3, 2))
        mdp = TabularMDP.from_arrays(transition, np.ones((3, 2)), rng.dirichlet(np.ones(3)), 0.9)
        visited = exact.visitation(mdp, draw_pi(mdp, rng))
        assert visited.min() >= 0
        assert visited.sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.equation("E13")
def test_a_round_that_costs_a_billionth_is_no_round_that_pays():
    """And back for −1.000001, or an end: the values are finite, and as they are added up."""
    for loss in (1e-6, 1e-9, 1.0):
        rows = [(0, 1, 1.0, 1.0, False), (1, 2, 1.0, 0.0, True), (2, 0, 1.0, -1 - loss, False),
                (3, 2, 1.0, 0.0, True), (4, 2, 1.0, 0.0, True), (5, 2, 1.0, 0.0, True)]  # fmt: skip
        got = optimal_action_values(table(rows, 3))
        np.testing.assert_allclose(got[:2], [[1, 0], [-loss, 0]], rtol=1e-6, atol=0)


def test_a_policy_in_single_precision_sums_to_1():
    """Thirds in float32 are 1e-8 too large, a hundred thousand times."""
    mdp = TabularMDP.from_arrays(np.ones((1, 3, 1)), np.ones((1, 3)), np.ones(1), 0.99999)
    pi = np.full((1, 3), 1 / 3, "f4")
    np.testing.assert_allclose(exact.state_values(mdp, pi), 1e5, rtol=1e-9)
    assert exact.visitation(mdp, pi).sum() == pytest.approx(1, rel=1e-9)


@given(mdps(), RNGS, st.integers(1, 4))
def test_the_mean_return_under_a_time_limit_is_that_of_the_unrolled_table(mdp, rng, steps):
    pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
    whole = dataclasses.replace(mdp.unroll(steps), gamma=1.0)
    wanted = exact.objective(whole, np.tile(pi, (steps + 1, 1)))
    np.testing.assert_allclose(exact.mean_return(mdp, pi, steps), wanted, atol=1e-10)
