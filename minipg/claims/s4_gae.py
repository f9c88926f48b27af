"""Section 4, generalized advantage estimation: E20–E25, errata 4, 5 and 10."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.estimators.returns import discounted_sum, gae, gae_ensemble, n_step_advantage
from minipg.estimators.score_function import gradients
from minipg.truth import exact

LAMBDA = 0.7


@claim("E20", "with exact critics")
def table_of_psi(p: Problem) -> Row:
    psis = {"R": p.total, "Q": p.gamma_t * p.q, "A": p.gamma_t * (p.q - p.v[:-1]),
            "ΣR − V": p.gamma_t * (p.to_go - p.v[:-1])}  # fmt: skip
    each = {k: gradients(p.policy, p.theta, p.batch, psi) for k, psi in psis.items()}
    error = worst(*(p.error(p.batch.weight @ g, p.gradient) for g in each.values()))
    told = ", ".join(f"{k} {p.variance(g).sum():.3g}" for k, g in each.items())
    return Row(f"all four unbiased with exact critics; summed variances: {told}", error, 1e-9)


@claim("errata 10", "the error of a learned critic biases those, never a baseline")
def bias_of_the_table(p: Problem) -> Row:
    wrong = p.critic_error[p.states]
    as_baseline = p.unbiased(p.to_go - p.v[:-1] - wrong[:-1])
    q_error = p.rng.standard_normal(p.pi.shape) * np.abs(p.action_values).max()
    biased = p.mean(p.gamma_t * (p.q + q_error[p.states[:-1], p.batch.actions])) - p.gradient
    solved = exact.expected_score(p.start, p.policy, p.theta, q_error)
    return Row(f"ΣR − V with a wrong V: unbiased; a wrong Q: {np.linalg.norm(solved):.3g} of "
               f"‖∇J‖ {np.linalg.norm(p.gradient):.3g}",
               worst(as_baseline, p.error(biased, solved)), 1e-9)  # fmt: skip


@claim("E21")
def critic_as_baseline(p: Problem) -> Row:
    right, wrong = p.delta(p.v), p.delta(p.v + p.critic_error[p.states])
    trace = gae(wrong, p.batch.ends, p.start.gamma, 1.0)
    variances = [p.variance(gradients(p.policy, p.theta, p.batch, p.gamma_t * x)).sum()
                 for x in (gae(right, p.batch.ends, p.start.gamma, 1.0), right)]  # fmt: skip
    return Row("exact V: summed variance {:.3g}, of δ {:.3g}".format(*variances),
               p.unbiased(trace), 1e-9)  # fmt: skip


@claim("E22", "unbiased with V^π")
def n_step(p: Problem) -> Row:
    batch, gamma, errors = p.batch, p.start.gamma, []
    values = p.v + p.critic_error[p.states]
    steps = len(batch.rewards)
    for n in range(1, steps + 1):
        summed = -values[:-1] * batch.valid
        for t, b in np.argwhere(batch.valid[:, :200]):  # from rewards and values, written out
            weight = 1.0
            for i in range(t, min(t + n, steps)):
                summed[t, b] += weight * batch.rewards[i, b]
                weight *= gamma * (not batch.ends[i, b])
            if t + n <= steps:
                summed[t, b] += weight * values[t + n, b]
        got = n_step_advantage(p.delta(values), batch.ends, gamma, n)
        errors.append(p.error(got[:, :200], summed[:, :200]))
        errors.append(p.unbiased(n_step_advantage(p.delta(p.v), batch.ends, gamma, n)))
    return Row(f"N = 1 … {steps}, written out and in the mean", worst(*errors), 1e-9)


@claim("E23")
def ensemble(p: Problem) -> Row:
    delta = p.delta(p.v + p.critic_error[p.states])
    got = gae(delta, p.batch.ends, p.start.gamma, LAMBDA)
    expected = gae_ensemble(delta, p.batch.ends, p.start.gamma, LAMBDA)
    return Row(f"λ = {LAMBDA}, each step of each trajectory", p.error(got, expected), 1e-12)


@claim("E24", "unbiased with V^π, biased as solved with an error")
def gae_bias(p: Problem) -> Row:
    ends, gamma = p.batch.ends, p.start.gamma
    wrong = gae(p.delta(p.v + p.critic_error[p.states]), ends, gamma, LAMBDA)
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, p.critic_error, LAMBDA)
    error = p.error(p.mean(p.gamma_t * wrong) - p.gradient, bias)
    return Row(f"λ = {LAMBDA}: bias {np.linalg.norm(bias):.3g}, at λ = 0 "
               f"{_bias_of_delta(p):.3g}, enumerated and solved",
               worst(error, p.unbiased(gae(p.delta(p.v), ends, gamma, LAMBDA))), 1e-9)  # fmt: skip


def _bias_of_delta(p: Problem) -> float:
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, p.critic_error, 0.0)
    return float(np.linalg.norm(bias))


@claim("E25")
def ends_of_lambda(p: Problem) -> Row:
    values, ends, gamma = p.v + p.critic_error[p.states], p.batch.ends, p.start.gamma
    delta = p.delta(values)
    trace = (p.to_go - values[:-1]) * p.batch.valid
    error = worst(p.error(gae(delta, ends, gamma, 0.0), delta),
                  p.error(gae(delta, ends, gamma, 1.0), trace))  # fmt: skip
    return Row("each step of each trajectory, any critic", error, 1e-12)


@claim("errata 4", "only with r(s_{t+i+1}) is it the ensemble")
def index_of_the_reward(p: Problem) -> Row:
    batch, gamma = p.batch, p.start.gamma
    delta = p.delta(p.v)
    earlier = np.vstack([np.zeros_like(batch.rewards[:1]), batch.rewards[:-1]])
    slide = discounted_sum(delta - batch.rewards + earlier * batch.valid, batch.ends,
                           gamma * LAMBDA)  # fmt: skip
    expected = gae_ensemble(delta, batch.ends, gamma, LAMBDA)
    bias = np.linalg.norm(p.mean(p.gamma_t * slide) - p.gradient)
    return Row(f"the slide's index biases by {bias:.3g} of ‖∇J‖ {np.linalg.norm(p.gradient):.3g}",
               p.error(gae(delta, batch.ends, gamma, LAMBDA), expected), 1e-12)  # fmt: skip


@claim("errata 5", "over T steps the weights sum to 1 − λ^T, the last A_(N) takes the rest")
def weights_of_the_ensemble(p: Problem) -> Row:
    delta, ends, gamma = p.delta(p.v), p.batch.ends, p.start.gamma
    steps = len(delta)
    last = n_step_advantage(delta, ends, gamma, steps)
    cut = gae_ensemble(delta, ends, gamma, LAMBDA) - LAMBDA**steps * last
    short = p.error(p.mean(p.gamma_t * cut), p.gradient)
    weights = (1 - LAMBDA) * LAMBDA ** np.arange(steps)
    return Row(f"T = {steps}: without the rest ∇J is off by {short:.3g} of itself",
               abs(weights.sum() + LAMBDA**steps - 1), 1e-14)  # fmt: skip
