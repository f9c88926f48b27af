"""Bring your own estimator: what it is given, what it must return, its exact moments and verdicts.

An estimator is any callable of a Batch of whole episodes, one a column, each weighted 1/B. It
returns one gradient (P,), or one for each episode (B, P), as NumPy array; its batch is a copy.
Rows that are not `valid` are no data; with one column there are none. P parameters in the
policy's order. What takes an environment and a generator needs no bridge: write it as
sample(n, rng), which returns n independent estimates (n, P), and give it to verdict.check_unbiased.

>>> from minipg.estimators import gradients, total_return
>>> from minipg.experience import enumerate_trajectories, play_episodes
>>> from minipg.policies import softmax_policy
>>> from minipg.problems import TabularMDP, TabularVectorEnv
>>> from minipg.truth import check_exact, check_unbiased, policy_gradient, sampler
>>> table = TabularMDP.from_arrays(
...     np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.1, 0.9]]]),
...     np.array([[1.0, 0.0], [-1.0, 2.0]]), np.array([1.0, 0.0]), gamma=0.5).unroll(2)
>>> pi = softmax_policy(2, 2)
>>> theta = pi.init(np.random.default_rng(0), output_gain=1.0)
>>> truth = policy_gradient(table, pi, theta)
>>> def reinforce(batch):  # (B, P)
...     psi = total_return(batch.rewards, batch.ends, 0.5)
...     return gradients(pi, theta, batch, psi)
>>> every, _ = enumerate_trajectories(table, pi.probs(theta, table.features))
>>> check_exact(reinforce, every, truth).unbiased
True
>>> check_exact(lambda batch: 1.1 * reinforce(batch), every, truth).unbiased
False
>>> def play(n, rng):
...     return play_episodes(TabularVectorEnv(table, n), pi, theta, rng)
>>> bias = 0.5 * np.linalg.norm(truth)
>>> check_unbiased(sampler(reinforce, play), truth, bias, np.random.default_rng(0)).unbiased
True
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from minipg.experience.batch import Batch, columns, moments
from minipg.steps.optim import norm
from minipg.truth.verdict import Sample, Verdict
from minipg.validate import (
    Array,
    check_count,
    check_finite,
    check_range,
    finite_array,
    power_of_two,
)

Estimator = Callable[[Batch], Array]


def _ask(estimator: Estimator, batch: Batch, chosen: Array) -> Array:
    """What it says of a copy of these columns (B,): finite (P,) or (B, P), P ≥ 1; or ValueError."""
    got = estimator(columns(batch, chosen))
    try:
        shape: tuple[int, ...] = np.shape(got)
    except ValueError:  # rows of unlike length
        shape = ()
    if not (len(shape) in (1, 2) and shape[-1] and shape[:-1] in ((), (len(chosen),))):
        raise ValueError(
            f"estimate: expected shape (P,) or (B, P) = ({len(chosen)}, P), "
            f"got {shape or type(got).__name__}"
        )
    return finite_array("estimate", got, shape)


def estimates(estimator: Estimator, batch: Batch) -> Array:
    """What the estimator says of the batch, one row an estimate: (1, P), or (B, P) an episode.

    ValueError for another shape, for NaN, and where the estimate of an episode depends on others:
    it is asked again of half the episodes, shuffled (up to 64), and of that of largest estimate.
    """
    each = _ask(estimator, batch, np.arange(len(batch.weight)))
    if each.ndim == 1:
        return each[None]
    size = np.abs(each).max(1)  # (B,)
    half = np.random.default_rng(0).permutation(len(each))[: min((len(each) + 1) // 2, 64)]
    for chosen in (half, size.argmax()[None]):
        again, before = _ask(estimator, batch, chosen), each[chosen]
        if again.shape != before.shape or np.abs(again - before).max() > 1e-5 * size.max():
            raise ValueError(
                "estimate: expected one a batch (P,) where episodes share something, a baseline "
                "say; of these (B, P) some change when their episode is among fewer"
            )
    return each


def _one_each(estimator: Estimator, batch: Batch, games: int) -> bool:
    """Whether it says one estimate an episode, asked of the first column `games` times."""
    return _ask(estimator, batch, np.zeros(games, int)).ndim == 2


def _of_groups(estimator: Estimator, batch: Batch, groups: Array) -> Array:
    """The estimate (P,) of each group of columns (N, games), one call each: (N, P)."""
    rows = [_ask(estimator, batch, group) for group in groups]
    return np.stack([finite_array("estimate", row, rows[0].shape) for row in rows])


def exact_moments(
    estimator: Estimator, batch: Batch, games: int = 1, most: int = 200_000
) -> tuple[Array, Array]:
    """E06 Exact mean (P,) and covariance (P, P) of an estimator that is given `games` episodes.

    batch: every trajectory once (enumeration). Called with every `games` of its columns in every
    order, B^games calls (ValueError above `most`); once, where it gives one estimate an episode.
    ValueError for what estimates refuses, for another answer when it is asked again (chance, a
    state), and for a constant: the same to the bit for every trajectory and for other rewards.
    Where there is only one trajectory nothing need vary.
    """
    unit, mean, covariance = _moments_in_a_unit(estimator, batch, games, most)
    with np.errstate(over="ignore"):
        covariance = covariance * unit * unit
    check_finite("covariance (estimates are too large: another unit of rewards)", covariance)
    return mean * unit, covariance


def _moments_in_a_unit(
    estimator: Estimator, batch: Batch, games: int, most: int = 200_000
) -> tuple[float, Array, Array]:
    """A power of two near the largest estimate, and exact_moments in it: no square overflows."""
    games, most = check_count("games", games, 1), check_count("most", most, 1)
    check_range("sum of the batch's weight", float(batch.weight.sum()), 1 - 1e-6, 1 + 1e-6)
    count = len(batch.weight)
    one_each = _one_each(estimator, batch, games)
    if not one_each and count**games > most:
        raise ValueError(
            f"games: expected at most {most} calls, got {count**games}: a shorter table"
        )
    shape = (count,) if one_each else (count,) * games
    groups = np.indices(shape).reshape(len(shape), -1).T  # (N, games), or (B, 1)

    def rows_of(some: Batch) -> Array:
        if one_each:
            return estimates(estimator, some)
        return _of_groups(estimator, some, groups)

    rows = rows_of(batch)
    few = groups[:: max(1, len(groups) // 8)]  # those of episodes that are asked again
    again = rows_of(batch) if one_each else _of_groups(estimator, batch, few)
    before = rows if one_each else rows[:: max(1, len(groups) // 8)]
    if np.abs(again - before).max() > 1e-6 * np.abs(rows).max():
        raise ValueError(
            "estimate: expected the same for the same episodes, got another when asked again: it "
            "keeps a state or draws at random; a fixed seed in each call, or check_unbiased"
        )
    if len(rows) > 1 and (rows == rows[0]).all():
        shaken = np.random.default_rng(0).random(batch.rewards.shape) * batch.valid
        if np.array_equal(rows, rows_of(replace(batch, rewards=shaken))):
            raise ValueError(
                f"estimate: expected some that differ, got the same for all {len(rows)} groups of "
                "episodes, and for other rewards: a constant"
            )
    unit = power_of_two(rows)
    mean, covariance = moments(rows / unit, batch.weight[groups].prod(1))
    return unit, mean, covariance / games if one_each else covariance


def check_exact(
    estimator: Estimator, batch: Batch, truth: Array, games: int = 1, tolerance: float = 1e-9
) -> Verdict:
    """Is its exact mean ∇J? Not by chance: alpha = beta = 0, n batches were weighed, and an
    estimator that draws at random itself is refused.

    The radius is `tolerance` (1e-9; 1e-5 for one that computes in float32) times the root mean
    square of an estimate, at least 1e-4 of the largest reward. Arguments, errors: exact_moments.
    """
    games, tolerance = check_count("games", games, 1), check_range("tolerance", tolerance, 0, 1)
    unit, mean, covariance = _moments_in_a_unit(estimator, batch, games)
    truth = finite_array("truth", truth, mean.shape)
    reward = 1e-4 * float(np.abs(batch.rewards).max())
    size = np.maximum(np.sqrt(np.trace(covariance) + mean @ mean) * unit, reward)
    distance, radius = norm(mean * unit - truth), tolerance * float(size)
    n = len(batch.weight) ** games
    return Verdict(distance <= radius, distance, radius, radius, n, 0.0, 0.0, mean * unit)


def sampler(
    estimator: Estimator, play: Callable[[int, np.random.Generator], Batch], games: int = 1
) -> Sample:
    """sample(n, rng) → n independent estimates (n, P) from `games` episodes each.

    play(n, rng) → a Batch of n whole episodes, one a column. An estimator that returns (P,) is
    called n times, with `games` columns each; one that returns (B, P) once with all.
    """
    games = check_count("games", games, 1)

    def sample(n: int, rng: np.random.Generator) -> Array:
        batch = play(n * games, rng)
        if len(batch.weight) != n * games:
            raise ValueError(f"play: expected {n * games} columns, got {len(batch.weight)}")
        if _one_each(estimator, batch, games):
            return estimates(estimator, batch).reshape(n, games, -1).mean(1)
        return _of_groups(estimator, batch, np.arange(n * games).reshape(n, games))

    return sample
