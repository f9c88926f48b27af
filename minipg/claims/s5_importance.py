"""Section 5, importance sampling of trajectories: E27."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.estimators.importance import decision_weights
from minipg.estimators.returns import discounts, reward_to_go
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.experience.batch import Batch
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array


@claim("E27", "unbiased; the weight collapses")
def off_policy(p: Problem) -> Row:
    theta = p.other(p.rng)
    batch, states = enumeration.enumerate_trajectories(
        p.start, p.policy.probs(theta, p.start.features)
    )
    so_far = decision_weights(p.policy, p.theta, batch)  # (T, B), to each length
    advantage = (p.action_values - p.values[:, None])[states[:-1], batch.actions]
    psi = discounts(batch.ends, p.start.gamma) * advantage * so_far[-1]
    mean = batch.weight @ gradients(p.policy, p.theta, batch, psi)
    error = p.error(mean, p.gradient)
    new = p.policy.probs(theta, p.start.features)
    for w, second in zip(so_far, second_moments(p.start, p.pi, new), strict=False):
        error = worst(error, abs(float(batch.weight @ w**2) / second - 1))
    pi, new = (p.policy.probs(x, p.mdp.features) for x in (p.theta, theta))
    shares = [1 / second for second in islice(second_moments(p.mdp, pi, new), 30)]
    told = ", ".join(f"{shares[t - 1]:.2g} ({t})" for t in (1, 3, 10, 30))
    return Row(f"effective share of a sample (at length), whole table: {told}", error, 1e-9)


def second_moments(mdp: TabularMDP, pi: Array, new: Array) -> Iterator[float]:
    """E w² of the weights w of π over t = 1, 2, … steps of π̃; as E w = 1, n games of π̃ are worth
    n / E w² of π."""
    square = pi**2 / new
    going, ended = mdp.chain(square).T, square * (1 - mdp.continuing.sum(1).reshape(pi.shape))
    alive, over = mdp.start, 0.0  # E w² of the games in each state, and of those that ended
    while True:
        over += float(alive @ ended.sum(1))
        alive = going @ alive
        yield over + float(alive.sum())


@claim("E27", "of a trajectory or of each decision: no bias; self-normalised: bias")
def off_policy_weights(p: Problem) -> Row:
    """Σ r to go from two games of π̃, every pair of them."""
    short, batch = _few_columns(p, p.other(p.rng))
    gamma_t, w = discounts(batch.ends, short.gamma), decision_weights(p.policy, p.theta, batch)
    psis = [
        gamma_t * reward_to_go(r, batch.ends, short.gamma)
        for r in (batch.rewards, w * batch.rewards)
    ]
    x, by_decision = (gradients(p.policy, p.theta, batch, psi) for psi in psis)
    truth = exact.policy_gradient(short, p.policy, p.theta)
    each = [w[-1][:, None] * x, by_decision]
    moments = [(batch.weight @ y - truth, (batch.weight @ (y - batch.weight @ y) ** 2).sum() / 2)
               for y in each]  # fmt: skip
    moments.append(_self_normalized_pair(batch.weight, w[-1], x, truth))
    told = ", ".join(
        f"{name} {np.linalg.norm(bias):.2g} and {variance:.3g}"
        for name, (bias, variance) in zip(
            ("trajectory", "decision", "self-normalised"), moments, strict=True
        )
    )
    error = worst(*(p.error(bias + truth, truth) for bias, _ in moments[:2]))
    return Row(
        f"‖bias‖ and variance of two games, {short.num_states // p.mdp.num_states - 1} steps: "
        f"{told}",
        error,
        1e-9,
    )


def _few_columns(p: Problem, theta: Array) -> tuple[TabularMDP, Batch]:
    """`start` unrolled so far that π̃ has at most 2000 trajectories, or one step; and these."""
    n = p.mdp.num_states
    for horizon in reversed(range(1, p.start.num_states // n)):
        short = p.mdp.with_start(p.start.start[:n]).unroll(horizon)
        pi = p.policy.probs(theta, short.features)
        try:
            return short, enumeration.enumerate_trajectories(short, pi, 2000)[0]
        except ValueError:
            if horizon == 1:
                raise
    raise AssertionError


def _self_normalized_pair(prob: Array, w: Array, x: Array, truth: Array) -> tuple[Array, float]:
    """Bias (P,) and summed variance of (w_i x_i + w_j x_j)/(w_i + w_j), i and j drawn alike."""
    pair = prob[:, None] * prob / (w[:, None] + w)
    mean = 2 * (pair.sum(1) * w) @ x
    wx = w[:, None] * x
    square = np.diag(wx @ wx.T)
    second = (pair / (w[:, None] + w) * (square[:, None] + 2 * wx @ wx.T + square)).sum()
    return mean - truth, float(second - mean @ mean)
