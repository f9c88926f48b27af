"""Batch refuses what is none; the returns equal their sums, written out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import GAMMAS, RNGS, endings, problems

from minipg.estimators.baselines import constant_baseline, time_baseline
from minipg.estimators.returns import (
    discounted_sum,
    discounts,
    first_step,
    gae,
    gae_ensemble,
    n_step_advantage,
    normalize,
    reward_to_go,
    steps_since_start,
    td_error,
    total_return,
)
from minipg.estimators.surrogate import batch_surrogate, batch_surrogate_gradient
from minipg.experience.batch import Batch, columns, moments


def episode_bounds(ends):
    """[(first, last), …] of one column (T,), by looking."""
    bounds, first = [], 0
    for t, end in enumerate(ends):
        if end or t == len(ends) - 1:
            bounds.append((first, t))
            first = t + 1
    return bounds


@given(endings(), GAMMAS)
@pytest.mark.equation("E01", "E10")
@pytest.mark.pitfall(2, 5)
def test_returns_are_their_sums_within_the_episode(drawn, gamma):
    rewards, ends = drawn
    to_go, total = reward_to_go(rewards, ends, gamma), total_return(rewards, ends, gamma)
    steps, weight = steps_since_start(ends), discounts(ends, gamma)
    for b in range(rewards.shape[1]):
        for first, last in episode_bounds(ends[:, b]):
            r = rewards[first : last + 1, b]
            for t in range(first, last + 1):
                later = sum(gamma**i * x for i, x in enumerate(r[t - first :]))
                assert to_go[t, b] == pytest.approx(later, rel=1e-12, abs=1e-12)
                whole = sum(gamma**i * x for i, x in enumerate(r))
                assert total[t, b] == pytest.approx(whole, rel=1e-12, abs=1e-12)
                assert steps[t, b] == t - first
                assert weight[t, b] == pytest.approx(gamma ** (t - first), rel=1e-12)


def test_whole_number_rewards_and_flags_are_no_trap():
    ones, flags = np.ones((3, 1), int), np.array([[0], [1], [0]])
    assert reward_to_go(ones, flags, 0.5).ravel().tolist() == [1.5, 1.0, 1.0]
    assert total_return(ones, flags, 0.5).ravel().tolist() == [1.5, 1.5, 1.0]
    assert reward_to_go(np.ones((2, 1), np.float32), flags[:2], 0.5).dtype == np.float32


@given(endings(), GAMMAS, RNGS)
def test_returns_change_no_argument(drawn, gamma, rng):
    rewards, ends = drawn
    before = rewards.copy(), ends.copy()
    total_return(rewards, ends, gamma)
    np.testing.assert_array_equal(rewards, before[0])
    np.testing.assert_array_equal(ends, before[1])


def batch(**changes):
    fields = {
        "obs": np.zeros((3, 2, 4)), "actions": np.zeros((2, 2), int), "rewards": np.ones((2, 2)),
        "terminated": np.zeros((2, 2), bool), "truncated": np.zeros((2, 2), bool),
        "valid": np.ones((2, 2), bool), "log_prob": np.zeros((2, 2)), "weight": np.full(2, 0.5),
    }  # fmt: skip
    return Batch(**{**fields, **changes})


def test_ends_are_terminations_truncations_and_rows_that_are_no_data():
    flag = np.array([[True, False], [False, False]])
    assert batch(terminated=flag).ends.tolist() == flag.tolist()
    assert batch(truncated=flag).ends.tolist() == flag.tolist()
    no_data = batch(valid=~flag, rewards=1.0 - flag)
    assert no_data.ends.tolist() == flag.tolist()
    assert no_data.num_steps == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"obs": np.zeros((2, 2, 4))}, r"obs: expected shape \(3, 2, any\), got \(2, 2, 4\)"),
        ({"rewards": np.ones(2)}, "rewards: expected shape"),
        ({"rewards": np.ones((0, 2)), "obs": np.zeros((1, 2, 4))}, "rewards: expected a step"),
        ({"weight": np.array([2.0, -1.0])}, "weight: expected a number of 0 or more, got -1"),
        ({"weight": np.array([np.nan, 1.0])}, "weight: expected finite"),
        ({"log_prob": np.full((2, 2), np.nan)}, "log_prob: expected finite"),
        ({"actions": np.full((2, 2, 1), np.inf)}, "actions: expected finite"),
        ({"actions": np.full((2, 2), "left")}, "actions: expected numbers"),
        ({"actions": np.zeros((2, 3), int)}, "actions: expected shape"),
        ({"log_prob": np.zeros((2, 2, 1))}, "log_prob: expected shape"),
        ({"weight": np.ones((2, 1))}, "weight: expected shape"),
        ({"valid": np.ones((2, 1), bool)}, "valid: expected shape"),
        ({"terminated": np.zeros((2, 2))}, "terminated: expected booleans"),
        ({"obs": np.full((3, 2, 4), np.nan)}, "obs: expected finite numbers, got 24 of 24"),
        ({"rewards": np.array([[1, np.inf], [0, 0]])}, r"rewards: .* first inf at index \(0, 1\)"),
        ({"valid": np.zeros((2, 2), bool)}, "valid: expected no flags and rewards 0"),
        ({"valid": np.array([[True, True], [True, False]])}, "valid: expected no flags"),
        (
            {
                "valid": np.array([[True, True], [True, False]]),
                "rewards": np.zeros((2, 2)),
                "truncated": np.ones((2, 2), bool),
            },
            "valid: expected no flags",
        ),
    ],
)
def test_a_batch_that_is_none_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        batch(**changes)


def test_a_batch_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch().weight = np.ones(2)


@given(st.integers(1, 5), st.integers(1, 3), RNGS)
def test_moments_are_the_weighted_mean_and_covariance(b, p, rng):
    samples, weight = rng.standard_normal((b, p)), rng.dirichlet(np.ones(b))
    mean, covariance = moments(samples, weight)
    np.testing.assert_allclose(mean, sum(w * x for w, x in zip(weight, samples, strict=True)))
    second = sum(w * np.outer(x, x) for w, x in zip(weight, samples, strict=True))
    np.testing.assert_allclose(covariance, second - np.outer(mean, mean), atol=1e-12)
    with pytest.raises(ValueError, match="samples: expected shape"):
        moments(samples[:-1], weight)


def test_chosen_columns_keep_their_last_row_of_data_and_none_after_it():
    """Three columns of 3, 1 and 2 rows of data; twice the same one, and one of none."""
    valid = np.arange(4)[:, None] < np.array([3, 1, 2, 0])
    rows = np.arange(16.0).reshape(4, 4)
    never = np.zeros_like(valid)
    batch = Batch(np.arange(20.0).reshape(5, 4, 1), rows.astype(int), rows * valid,
                  np.roll(valid, -1, 0) < valid, never, valid, -rows, np.full(4, 0.25))  # fmt: skip
    for chosen, steps in (([1], 1), ([2, 1], 2), ([1, 1], 1), ([0, 1, 2], 3), ([3], 1)):
        part = columns(batch, np.array(chosen))
        assert part.rewards.shape == (steps, len(chosen))
        for name in ("actions", "rewards", "terminated", "truncated", "valid", "log_prob"):
            np.testing.assert_array_equal(getattr(part, name), getattr(batch, name)[:steps, chosen])
        np.testing.assert_array_equal(part.obs, batch.obs[: steps + 1, chosen])
        assert part.weight.tolist() == [1 / len(chosen)] * len(chosen)


@pytest.mark.equation("E22")
@pytest.mark.parametrize("huge", [1e17, 1e300, np.inf, np.nan])
def test_what_lies_beyond_the_n_steps_costs_no_digit(huge):
    """δ = (1, 1e17), γ = 1, N = 1: the first is 1, not 1e17 − 1e17."""
    delta, ends = np.array([[1.0], [huge], [2.0]]), np.zeros((3, 1), bool)
    assert n_step_advantage(delta, ends, 1.0, 1).ravel().tolist()[::2] == [1.0, 2.0]
    assert n_step_advantage(delta[::-1], ends, 1.0, 2)[2] == 1.0
    cut = np.array([[True], [False], [False]])
    for n in (1, 2, 3):
        assert n_step_advantage(delta, cut, 1.0, n)[0] == 1.0


@given(RNGS, st.integers(1, 70), st.sampled_from([0.0, 0.9, 1.0]))
@pytest.mark.equation("E22")
def test_n_steps_are_the_sum_written_out_for_every_n(rng, n, gamma):
    """Of whatever binary digits n is, in float32 as exact as its terms."""
    steps = 33
    delta, ends = rng.standard_normal((steps, 2)), rng.random((steps, 2)) < 0.1
    got = n_step_advantage(delta.astype("f4"), ends, gamma, n)
    assert got.dtype == np.float32
    exact = n_step_advantage(delta, ends, gamma, n)
    for b in range(2):
        for t in range(steps):
            total, weight = 0.0, 1.0
            for i in range(t, min(t + n, steps)):
                total += weight * delta[i, b]
                weight *= gamma * (not ends[i, b])
            assert exact[t, b] == pytest.approx(total, rel=1e-12, abs=1e-12)
            assert got[t, b] == pytest.approx(total, rel=1e-4, abs=1e-4)


def test_a_long_window_in_single_precision_keeps_its_digits():
    """T = 4,096, γ = 1, N = 3 of a trace of 4,096 steps: no difference of two long sums."""
    delta, ends = np.random.default_rng(0).random((4096, 1)), np.zeros((4096, 1), bool)
    exact = n_step_advantage(delta, ends, 1.0, 3)
    got = n_step_advantage(delta.astype("f4"), ends, 1.0, 3)
    np.testing.assert_allclose(got, exact, rtol=1e-6)


@given(endings(), RNGS, st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
@pytest.mark.pitfall(2, 36)
def test_nothing_leaks_from_rows_that_are_no_data_whatever_they_hold(drawn, rng, wrong):
    """Rewards, V and ψ there, and V after a termination: the rest is the same to the bit."""
    rewards, ends = drawn
    valid = ~(rng.random(rewards.shape) < 0.4)
    ends = ends | ~valid
    ends[:-1] |= ~valid[1:]  # what goes before such a row has ended
    terminated = ends & valid & (rng.random(rewards.shape) < 0.5)
    values, psi = (
        rng.standard_normal((len(rewards) + 1, rewards.shape[1])),
        rng.random(rewards.shape),
    )
    clean = np.where(valid, rewards, 0.0)
    dirty, dirty_psi = (np.where(valid, x, wrong) for x in (rewards, psi))
    unseen = np.ones(values.shape, bool)  # V that no valid row asks for
    unseen[:-1] &= ~valid
    unseen[1:] &= ~valid | terminated
    dirty_values = np.where(unseen, wrong, values)

    def same(function, right, *given, clean_elsewhere=True):
        got, expected = function(*given), function(*right)
        assert got[valid].tobytes() == expected[valid].tobytes()
        assert not clean_elsewhere or not got[~valid].any()

    with np.errstate(all="ignore"):
        for gamma in (0.0, 0.9, 1.0):
            sums = (reward_to_go, lambda r, e, g: gae(r, e, g, 0.5),
                    lambda r, e, g: n_step_advantage(r, e, g, 2))  # fmt: skip
            for function in (*sums, total_return):
                same(function, (clean, ends, gamma), dirty, ends, gamma, clean_elsewhere=False)
            same(td_error, (clean, values, terminated, valid, gamma),
                 dirty, dirty_values, terminated, valid, gamma)  # fmt: skip
        same(normalize, (np.where(valid, psi, 0), valid), dirty_psi, valid)


@given(problems(), RNGS)
@pytest.mark.pitfall(36)
def test_estimators_of_a_batch_do_not_see_psi_where_there_is_no_data(p, rng):
    psi = rng.standard_normal(p.batch.rewards.shape)
    dirty = np.where(p.batch.valid, psi, np.nan)
    clean = np.where(p.batch.valid, psi, 0.0)
    for baseline in (constant_baseline, time_baseline):
        for leave_one_out in (False, True):
            got, expected = (baseline(p.batch, x, leave_one_out) for x in (dirty, clean))
            assert got.tobytes() == expected.tobytes()
    for function in (batch_surrogate, batch_surrogate_gradient):
        got, expected = (function(p.policy, p.theta, p.batch, x) for x in (dirty, clean))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0.1, "f4"),
        (1000.1, "f4"),
        (1e10 / 3, "f8"),
        (1e10 / 3, "f4"),
        (-1e-30, "f8"),
        (1e300, "f8"),
    ],
)
@pytest.mark.pitfall(34)
def test_a_constant_normalises_to_0_at_every_dtype(value, dtype):
    """Mean and deviation of equal numbers are rounding; one digit more is none either."""
    valid = np.arange(28).reshape(7, 4) < 25
    psi = np.full((7, 4), value, dtype)
    nearly = psi.copy()
    nearly[2, 1] = np.nextafter(nearly[2, 1], nearly.dtype.type(np.inf))
    assert not normalize(np.zeros_like(psi), valid).any()
    for equal in (psi, nearly):
        assert not normalize(equal, valid).any()
    other = psi.copy()
    other[0] = psi[0] + max(abs(value), 1.0) * 1e-3
    assert np.abs(normalize(other, valid)).max() > 1


@given(endings())
def test_normalised_is_of_mean_0_and_deviation_1_over_n_or_n_minus_1(drawn):
    psi, ends = drawn
    valid = ~ends
    for ddof in (0, 1):
        got = normalize(psi, valid, ddof)
        assert not got[~valid].any()
        chosen = psi[valid]
        if valid.sum() > 1:
            expected = (chosen - chosen.mean()) / (chosen.std(ddof=ddof) + 1e-8)
            np.testing.assert_allclose(got[valid], expected, rtol=1e-9, atol=1e-12)
        else:
            assert not got.any()
    for unit in (1e200, 1e-150):
        many = normalize(np.arange(6.0).reshape(3, 2) * unit, np.ones((3, 2), bool))
        if unit > 1:
            np.testing.assert_allclose(many.std(), 1)
        assert np.isfinite(many).all()
    with pytest.raises(ValueError, match="psi: expected finite numbers"):
        normalize(np.array([[1.0], [np.nan]]), np.ones((2, 1), bool))


@given(endings(), RNGS)
def test_a_discount_for_each_step(drawn, rng):
    """γ (T, B): the same as the number where it is constant, and written out where it is not."""
    rewards, ends = drawn
    gamma = rng.random(rewards.shape)
    values = rng.standard_normal((len(rewards) + 1, rewards.shape[1]))
    none = np.zeros_like(ends)
    every = {
        "to go": lambda g: reward_to_go(rewards, ends, g),
        "R": lambda g: total_return(rewards, ends, g),
        "N": lambda g: n_step_advantage(rewards, ends, g, 3),
        "GAE": lambda g: gae(rewards, ends, g, 0.5),
        "γ^t": lambda g: discounts(ends, g),
        "δ": lambda g: td_error(rewards, values, none, ~none, g),
    }  # fmt: skip
    for function in every.values():
        np.testing.assert_allclose(function(np.full(rewards.shape, 0.7)), function(0.7), rtol=1e-12,
                                   atol=1e-12)  # fmt: skip
    to_go, product = every["to go"](gamma), every["γ^t"](gamma)
    for b in range(rewards.shape[1]):
        for first, last in episode_bounds(ends[:, b]):
            later = 0.0
            for t in range(last, first - 1, -1):
                later = rewards[t, b] + gamma[t, b] * later
                assert to_go[t, b] == pytest.approx(later, rel=1e-9, abs=1e-9)
                assert product[t, b] == pytest.approx(gamma[first:t, b].prod())
    wrong = gamma.copy()
    wrong[0, 0] = 1.5
    for name, function in every.items():
        for bad in (wrong, -gamma - 0.1, gamma[:, :0], np.nan, -0.1, 1.1):
            with pytest.raises(ValueError, match="gamma: expected"):
                function(bad)
            assert name


@given(endings())
def test_one_column_may_be_one_axis_and_shapes_that_differ_are_refused(drawn):
    """(T,) gives what (T, 1) gives, and never (T, T)."""
    rewards, ends = (x[:, 0] for x in drawn)
    values, flags = np.arange(len(rewards) + 1.0), np.ones(len(rewards), bool)
    column = [x[:, None] for x in (rewards, ends, values, flags)]
    for one, two in (
        (reward_to_go(rewards, ends, 0.5), reward_to_go(*column[:2], 0.5)),
        (total_return(rewards, ends, 0.5), total_return(*column[:2], 0.5)),
        (n_step_advantage(rewards, ends, 0.5, 2), n_step_advantage(*column[:2], 0.5, 2)),
        (discounts(ends, 0.5), discounts(column[1], 0.5)),
        (steps_since_start(ends), steps_since_start(column[1])),
        (first_step(ends), first_step(column[1])),
        (normalize(rewards, flags), normalize(column[0], column[3])),
        (td_error(rewards, values, ends, flags, 0.5),
         td_error(column[0], column[2], column[1], column[3], 0.5)),
    ):  # fmt: skip
        assert one.shape == rewards.shape
        np.testing.assert_array_equal(one, two[:, 0])
    more = np.append(rewards, 1.0)
    for wrong in (
        lambda: reward_to_go(rewards, column[1], 0.5), lambda: discounted_sum(column[0], ends, 0.5),
        lambda: reward_to_go(more, ends, 0.5), lambda: n_step_advantage(column[0], ends, 0.5, 1),
        lambda: normalize(rewards, column[3]), lambda: gae(rewards, column[1], 0.5, 0.5),
        lambda: td_error(rewards, values, column[1], flags, 0.5),
        lambda: td_error(rewards, values[:-1], ends, flags, 0.5),
        lambda: td_error(rewards, values, ends, column[3], 0.5),
        lambda: total_return(column[0], ends, 0.5),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected shape"):
            wrong()


def test_nothing_times_anything_is_nothing_and_says_nothing():
    """γ = 0 and V(s′) = ∞; powers of 2 that overflow before rewards of 0; ±∞ where no data is."""
    one = np.ones((1, 1))
    with np.errstate(all="raise"):
        assert td_error(one, [[1], [np.inf]], one == 0, one == 1, 0.0) == 0
        assert not discounted_sum(np.zeros(2501), np.zeros(2501, bool), 2.0).any()
        impulse = np.arange(8) == 4  # behind an end, which no power of the rate reaches across
        np.testing.assert_array_equal(
            discounted_sum(impulse * 1.0, np.arange(8) == 3, 1e200), impulse * 1.0
        )
        rewards = np.array([[1.0], [np.inf], [-np.inf]])
        ends, valid = np.ones((3, 1), bool), np.array([[True], [False], [False]])
        for got in (
            reward_to_go(rewards, ends, 1.0),
            gae(rewards, ends, 1.0, 1.0),
            total_return(rewards, ends, 0.5),
            td_error(rewards, [[0], [np.inf], [-np.inf], [0]], valid, valid, 1.0),
        ):
            assert got[0] == 1
    assert gae_ensemble(np.zeros((0, 2)), np.zeros((0, 2), bool), 0.9, 0.5).shape == (0, 2)


def test_values_alike_to_their_fourth_digit_are_normalised():
    """1,000 of 1e5 + U(0, 0.1) in float32: mean 0 and deviation 1, as in float64 from their sum."""
    rng = np.random.default_rng(0)
    for low, width, dtype in ((1e5, 0.1, "f4"), (1e5, 0.1, "f8"), (1e9, 1e-4, "f8")):
        psi = (low + rng.uniform(0, width, 1000)).astype(dtype)
        got = normalize(psi, np.ones(1000, bool))
        assert got.dtype == psi.dtype
        assert got.mean(dtype=float) == pytest.approx(0, abs=1e-5)
        assert got.std(dtype=float) == pytest.approx(1, rel=1e-3)


def test_moments_that_are_no_numbers_are_refused():
    with np.errstate(all="raise"), pytest.raises(ValueError, match="covariance .*expected finite"):
        moments(np.array([[1e200], [0.0]]), np.full(2, 0.5))
