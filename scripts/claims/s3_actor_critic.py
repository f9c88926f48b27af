"""Section 3, actor-critic: E11, E12."""

import numpy as np

from claims.problem import Problem, Row, claim, worst
from minipg import exact
from minipg.check import complex_step, gradient_error


@claim("E11", "reward-to-go estimates Q: E[G_t | s_t, a_t] = Q^π(s_t, a_t)")
def reward_to_go_estimates_q(p: Problem) -> Row:
    weight = (p.batch.weight * p.batch.valid)[p.batch.valid]
    pair = (p.states[:-1] * p.start.num_actions + p.batch.actions)[p.batch.valid]
    size = p.start.num_states * p.start.num_actions
    total = np.bincount(pair, weight, size)
    seen = total > 1e-12  # rarer pairs lose their digits to rounding
    got = np.bincount(pair, weight * p.to_go[p.batch.valid], size)[seen] / total[seen]
    return Row(f"conditional means of {seen.sum()} (t, s, a) vs the solve",
               p.error(got, p.action_values.ravel()[seen]), 1e-9)  # fmt: skip


@claim("E11", "∇J = E Σ γ^t ∇log π Q^π")
def gradient_with_q(p: Problem) -> Row:
    q = p.action_values[p.states[:-1], p.batch.actions]
    error = p.error(p.mean(p.gamma_t * q), p.gradient)
    return Row("enumeration vs exact ∇J", error, 1e-9)


@claim("E11", "∇J by the policy-gradient theorem, whole table")
def policy_gradient_theorem(p: Problem) -> Row:
    gradient = exact.policy_gradient(p.mdp, p.policy, p.theta)

    def objective(theta: np.ndarray) -> np.ndarray:
        return exact.objective(p.mdp, p.policy.probs(theta, p.mdp.features))

    error = gradient_error(objective, gradient, p.theta, p.rng, difference=complex_step)
    scale = max(float(np.linalg.norm(gradient)), 1e-3 * float(np.abs(p.mdp.reward).max()))
    return Row(f"sparse solves vs complex step of J, ‖∇J‖ = {np.linalg.norm(gradient):.3g}",
               error / max(scale, 1e-300), 1e-9)  # fmt: skip


@claim("E12", "E_a Q = V; A = Q − V; E_a A = 0, whole table")
def advantage_has_mean_zero(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    values = exact.state_values(p.mdp, pi)
    q, advantages = exact.action_values(p.mdp, values), exact.advantages(p.mdp, pi)
    error = worst(
        p.error((pi * q).sum(1), values),
        p.error(q - values[:, None], advantages),
        p.error((pi * advantages).sum(1) + values, values),
    )
    return Row(f"all {len(values)} states", error, 1e-9)


@claim("E12", "∇J = E Σ γ^t ∇log π (Q^π − b) = E Σ γ^t ∇log π A^π")
def gradient_with_advantage(p: Problem) -> Row:
    q = p.action_values[p.states[:-1], p.batch.actions]
    b = float(p.rng.standard_normal() * np.abs(q).max())
    error = worst(
        p.error(p.mean(p.gamma_t * (q - b)), p.gradient),
        p.error(p.mean(p.gamma_t * (q - p.values[p.states[:-1]])), p.gradient),
    )
    return Row("enumeration vs exact ∇J", error, 1e-9)
