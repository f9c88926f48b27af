"""Section 2, baselines: E07–E10, errata 7 and 9."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.estimators.baselines import constant_baseline, optimal_baseline, time_baseline
from minipg.estimators.score_function import gradients
from minipg.truth import exact


@claim("E07", "in each state and over trajectories")
def score_has_mean_zero(p: Problem) -> Row:
    n = p.start.num_actions
    pi = p.pi[:50]
    obs = np.repeat(p.start.features[: len(pi)], n, 0).reshape(len(pi), n, -1)
    every = np.tile(np.arange(n), (len(pi), 1))
    in_states = p.policy.weighted_score(p.theta, obs, every, pi)  # (S, P)
    over_trajectories = p.batch.weight @ p.scores
    error = worst(np.abs(in_states).max(), np.abs(over_trajectories).max())
    return Row("sum over actions and over trajectories vs 0", float(error), 1e-12)


@claim("E08", "constant, of time, of state: no bias")
def baseline_is_unbiased(p: Problem) -> Row:
    constant = float(p.rng.standard_normal() * np.abs(p.total).max())
    of_state = p.rng.standard_normal(p.start.num_states)[p.states[:-1]] * np.abs(p.total).max()
    error = worst(
        p.error(p.mean(p.total - constant), p.gradient),
        p.error(p.mean(p.gamma_t * (p.to_go - time_baseline(p.batch, p.to_go))), p.gradient),
        p.error(p.mean(p.gamma_t * (p.to_go - of_state)), p.gradient),
    )
    return Row("three baselines under enumeration vs exact ∇J", error, 1e-9)


@claim("E08", "Var(X − bY) = Var X − 2b E XY + b² E Y²")
def baseline_changes_variance(p: Problem) -> Row:
    b = constant_baseline(p.batch, p.total)[0, 0]
    got = p.variance(gradients(p.policy, p.theta, p.batch, p.total - b))
    w, x, y = p.batch.weight, p.estimates, p.scores
    expected = p.variance(x) - 2 * b * (w @ (x * y)) + b**2 * (w @ y**2)
    scale = max(float((w @ (x**2 + b**2 * y**2)).max()), 1e-300)
    return Row(f"summed variance {p.variance(x).sum():.3g} without b, {got.sum():.3g} with "
               f"b = mean of R", np.abs(got - expected).max() / scale, 1e-9)  # fmt: skip


@claim("E09", "per parameter")
def optimal_per_parameter(p: Problem) -> Row:
    w, x, y = p.batch.weight, p.estimates, p.scores
    best = optimal_baseline(x, y, w, per_parameter=True)
    other = best + p.rng.standard_normal(best.shape) * np.abs(p.total).max()
    excess = p.variance(x - other * y) - p.variance(x - best * y)
    expected = (other - best)[0] ** 2 * (w @ y**2)  # > 0 wherever b matters at all
    return Row("excess variance of another b vs (b − b*)² E(∇log π)²",
               p.error(excess, expected), 1e-8)  # fmt: skip


@claim("E09", "one number, b = E‖∇log π‖²R / E‖∇log π‖², for the summed one")
def optimal_scalar(p: Problem) -> Row:
    w, x, y = p.batch.weight, p.estimates, p.scores
    best = optimal_baseline(x, y, w, per_parameter=False)
    other = best + (1 + p.rng.random()) * np.abs(p.total).max()
    excess = p.variance(x - other * y).sum() - p.variance(x - best * y).sum()
    expected = (other - best)[0, 0] ** 2 * (w @ (y**2).sum(1))
    return Row(f"b* = {best[0, 0]:.4g}, mean of R = {w @ p.total[0]:.4g}",
               p.error(excess, expected), 1e-8)  # fmt: skip


@claim("errata 9", "neither is biased, one for each parameter varies less")
def two_readings(p: Problem) -> Row:
    w, x, y = p.batch.weight, p.estimates, p.scores
    scalar = x - optimal_baseline(x, y, w, per_parameter=False) * y
    each = x - optimal_baseline(x, y, w, per_parameter=True) * y
    variances = [p.variance(e).sum() for e in (each, scalar, x)]
    rounding = 1e-12 * variances[2]
    ordered = variances[0] <= variances[1] + rounding <= variances[2] + 2 * rounding
    error = worst(p.error(w @ scalar, p.gradient), p.error(w @ each, p.gradient))
    return Row("summed variance {:.4g} ≤ {:.4g} ≤ {:.4g} without b".format(*variances),
               error if ordered else np.inf, 1e-9)  # fmt: skip


@claim("E10")
def reward_to_go_is_unbiased(p: Problem) -> Row:
    careful = gradients(p.policy, p.theta, p.batch, p.gamma_t * p.to_go)
    mean = p.batch.weight @ careful
    error = worst(p.error(mean, p.gradient), p.error(p.batch.weight @ p.estimates, p.gradient))
    return Row(f"summed variance {p.variance(p.estimates).sum():.4g} with R, "
               f"{p.variance(careful).sum():.4g} with the reward-to-go", error, 1e-9)  # fmt: skip


@claim("errata 7", "what is left is the solve with undiscounted visits, not ∇J")
def dropped_discount(p: Problem) -> Row:
    mean = p.mean(p.to_go)
    undiscounted = exact.policy_gradient(p.start, p.policy, p.theta, discounted_visits=False)
    bias = np.linalg.norm(mean - p.gradient)
    return Row(f"unrolled start, γ = {p.start.gamma:g}: off by {bias:.3g} of ‖∇J‖ "
               f"{np.linalg.norm(p.gradient):.3g}",
               p.error(mean, undiscounted), 1e-9)  # fmt: skip
