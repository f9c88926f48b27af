"""Section 3, actor-critic: E11–E15, E18, E19, footnotes 4 and 6."""

import numpy as np

from minipg.claims.problem import Problem, Row, claim, worst
from minipg.estimators.action_critics import compatible_advantage
from minipg.estimators.fits import least_squares, lstd
from minipg.estimators.score_function import gradient, gradients
from minipg.truth import exact
from minipg.truth.check import complex_step, gradient_error


@claim("E11", "reward-to-go estimates Q: E[G_t | s_t, a_t] = Q^π(s_t, a_t)")
def reward_to_go_estimates_q(p: Problem) -> Row:
    error, pairs = p.given_pairs(p.to_go, p.action_values)
    return Row(f"conditional means of {pairs} (t, s, a) vs the solve", error, 1e-9)


@claim("E11", "∇J = E Σ γ^t ∇log π Q^π")
def gradient_with_q(p: Problem) -> Row:
    return Row("enumeration vs exact ∇J", p.unbiased(p.q), 1e-9)


@claim("E11", "∇J by the policy-gradient theorem, whole table")
def policy_gradient_theorem(p: Problem) -> Row:
    gradient = exact.policy_gradient(p.mdp, p.policy, p.theta)

    def objective(theta: np.ndarray) -> np.ndarray:
        return exact.objective(p.mdp, p.policy.probs(theta, p.mdp.features))

    error = gradient_error(objective, gradient, p.theta, p.rng, difference=complex_step)
    values = exact.state_values(p.mdp, p.policy.probs(p.theta, p.mdp.features))
    scale = max(float(np.linalg.norm(gradient)), 1e-3 * float(np.abs(values).max()))
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
    b = float(p.rng.standard_normal() * np.abs(p.q).max())
    return Row("enumeration vs exact ∇J", p.unbiased(p.q - b, p.q - p.v[:-1]), 1e-9)


@claim("E13", "compatible A_w = wᵀ∇log π: least squares gives w = H⁻¹∇J, and A_w the exact ∇J")
def compatible_features(p: Problem) -> Row:
    visited = exact.visits(p.start, p.pi, p.start.gamma)
    s, a = np.nonzero(visited[:, None] * p.pi)
    weight = visited[s] * p.pi[s, a]
    score = p.policy.score(p.theta, p.start.features[s], a)
    advantage = (p.action_values - p.values[:, None])[s, a]
    w = least_squares(score, advantage, weight)
    fisher_w = score.T @ (weight * (score @ w))  # H w with the Fisher matrix H = E ∇log π ∇log πᵀ
    psi = compatible_advantage(p.policy, p.theta, w, p.batch.obs[:-1], p.batch.actions)
    error = worst(p.error(fisher_w, p.gradient), p.unbiased(psi))
    return Row(f"{len(s)} pairs, {len(w)} parameters", error, 1e-9)


@claim("E13", "footnote 4: Q-learning's Q* biases the gradient, expected SARSA's Q^π does not")
def q_learning_is_no_critic(p: Problem) -> Row:
    best = exact.optimal_action_values(p.start)
    mean = p.mean(p.gamma_t * best[p.states[:-1], p.batch.actions])
    expected = exact.expected_score(p.start, p.policy, p.theta, best)
    bias = np.linalg.norm(expected - p.gradient)
    sarsa = p.start.expected_reward + p.start.gamma * (
        p.start.continuing @ (p.pi * p.action_values).sum(1)
    ).reshape(p.pi.shape)  # the target's mean: Q^π is its fixed point
    error = worst(p.error(mean, expected), p.error(sarsa, p.action_values))
    return Row(f"bias {bias:.3g} of ‖∇J‖ {np.linalg.norm(p.gradient):.3g}, enumerated and solved",
               error, 1e-9)  # fmt: skip


@claim("E14", "A ≈ r + γV(s′) − V(s): unbiased for A where V = V^π")
def td_error_is_an_advantage(p: Problem) -> Row:
    delta = p.delta(p.v)
    error, pairs = p.given_pairs(delta, p.action_values - p.values[:, None])
    return Row(f"conditional means of {pairs} (t, s, a), and ∇J",
               worst(error, p.unbiased(delta)), 1e-9)  # fmt: skip


@claim("E15", "targets Σ r and r + γV(s′): in the mean V^π, which is the fixed point of both")
def targets_of_the_critic(p: Problem) -> Row:
    batch, valid = p.batch, p.batch.valid
    weight = np.broadcast_to(batch.weight, valid.shape)[valid]
    state, following = p.states[:-1][valid], p.states[1:][valid]
    seen = np.flatnonzero(np.bincount(state, weight, p.start.num_states) > 1e-9)
    index = np.full(p.start.num_states, -1)
    index[seen] = np.arange(len(seen))
    keep = index[state] >= 0
    one_hot = np.vstack([np.eye(len(seen)), np.zeros(len(seen))])
    phi = one_hot[index[state][keep]]
    after = one_hot[np.where(batch.terminated[valid], -1, index[following])[keep]]
    weight, reward, to_go = weight[keep], batch.rewards[valid][keep], p.to_go[valid][keep]
    truth = p.values[seen]
    boot = reward + p.start.gamma * np.where(batch.terminated[valid], 0, p.v[1:][valid])[keep]
    means = (phi.T @ (weight * boot)) / (phi.T @ weight)
    error = worst(
        p.error(means, truth),
        p.error(least_squares(phi, to_go, weight), truth),
        p.error(lstd(phi, after, reward, weight, p.start.gamma), truth),
    )
    return Row(f"{len(seen)} states: mean target, least squares, LSTD", error, 1e-6)


@claim("E18", "N steps of several games: the gradient of a batch is the mean of its parts'")
def batch_is_the_mean_of_its_parts(p: Problem) -> Row:
    batch, psi = p.batch, p.gamma_t * p.to_go
    parts = gradients(p.policy, p.theta, batch, psi)
    whole = gradient(p.policy, p.theta, batch, psi)
    return Row(f"{len(parts)} parts", p.error(batch.weight @ parts, whole), 1e-9)


@claim("E19", "footnote 6: a critic with error e biases δ by E Σ γ^t ∇log π γ e(s′)")
def critic_error_biases(p: Problem) -> Row:
    mean = p.mean(p.gamma_t * p.delta(p.v + p.critic_error[p.states]))
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, p.critic_error, lam=0.0)
    return Row(f"bias {np.linalg.norm(bias):.3g} of ‖∇J‖ {np.linalg.norm(p.gradient):.3g}, "
               "enumerated and solved", p.error(mean - p.gradient, bias), 1e-9)  # fmt: skip
