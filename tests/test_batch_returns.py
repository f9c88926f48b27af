"""Batch refuses what is none; the returns equal their sums, written out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import GAMMAS, RNGS, endings

from minipg.estimators.returns import discounts, reward_to_go, steps_since_start, total_return
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
        ({"weight": np.array([2.0, -1.0])}, "weight: expected probabilities, got -1"),
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
