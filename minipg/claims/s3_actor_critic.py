"""Section 3, actor-critic: E11–E19, footnotes 4 and 6."""

import numpy as np

from minipg.algorithms import actor_critic
from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.estimators.action_critics import compatible_advantage
from minipg.estimators.critics import value_critic
from minipg.estimators.fits import least_squares, lstd
from minipg.estimators.score_function import gradient, gradients
from minipg.experience.batch import columns
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.truth.check import complex_step, gradient_error
from minipg.truth.optimal import optimal_action_values
from minipg.validate import Array


@claim("E11", "E[G_t | s_t, a_t] = Q^π(s_t, a_t)")
def reward_to_go_estimates_q(p: Problem) -> Row:
    error, pairs = p.given_pairs(p.to_go, p.action_values)
    return Row(f"conditional means of {pairs} (t, s, a) vs the solve", error, 1e-9)


@claim("E11", "over all trajectories")
def gradient_with_q(p: Problem) -> Row:
    return Row("enumeration vs exact ∇J", p.unbiased(p.q), 1e-9)


@claim("E11", "the policy-gradient theorem, whole table")
def policy_gradient_theorem(p: Problem) -> Row:
    gradient = exact.policy_gradient(p.mdp, p.policy, p.theta)

    def objective(theta: Array) -> Array:
        return exact.objective(p.mdp, p.policy.probs(theta, p.mdp.features))

    error = gradient_error(objective, gradient, p.theta, p.rng, difference=complex_step)
    values = exact.state_values(p.mdp, p.policy.probs(p.theta, p.mdp.features))
    scale = max(float(np.linalg.norm(gradient)), 1e-3 * float(np.abs(values).max()))
    return Row(f"sparse solves vs complex step of J, ‖∇J‖ = {np.linalg.norm(gradient):.3g}",
               error / max(scale, 1e-300), 1e-9)  # fmt: skip


@claim("E12", "the last three, whole table")
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


@claim("E13", "compatible A_w = wᵀ∇log π, w = H⁻¹∇J by least squares, gives the exact ∇J")
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


@claim("E13", "Q-learning's Q* biases the gradient, expected SARSA's Q^π does not (footnote 4)")
def q_learning_is_no_critic(p: Problem) -> Row:
    best = optimal_action_values(p.start)
    mean = p.mean(p.gamma_t * best[p.states[:-1], p.batch.actions])
    expected = exact.expected_score(p.start, p.policy, p.theta, best)
    bias = np.linalg.norm(expected - p.gradient)
    sarsa = p.start.expected_reward + p.start.gamma * (
        p.start.continuing @ (p.pi * p.action_values).sum(1)
    ).reshape(p.pi.shape)  # the target's mean: Q^π is its fixed point
    error = worst(p.error(mean, expected), p.error(sarsa, p.action_values))
    return Row(f"bias {bias:.3g} of ‖∇J‖ {np.linalg.norm(p.gradient):.3g}, enumerated and solved",
               error, 1e-9)  # fmt: skip


@claim("E14")
def td_error_is_an_advantage(p: Problem) -> Row:
    delta = p.delta(p.v)
    error, pairs = p.given_pairs(delta, p.action_values - p.values[:, None])
    return Row(f"conditional means of {pairs} (t, s, a), and ∇J",
               worst(error, p.unbiased(delta)), 1e-9)  # fmt: skip


@claim("E15", "and V^π is their mean")
def targets_of_the_critic(p: Problem) -> Row:
    batch, valid = p.batch, p.batch.valid
    weight = np.broadcast_to(batch.weight, valid.shape)[valid]
    state, following = p.states[:-1][valid], p.states[1:][valid]
    over, reward = batch.terminated[valid], batch.rewards[valid]
    seen = np.flatnonzero(np.bincount(state, weight, p.start.num_states))
    index = np.full(p.start.num_states, -1)
    index[seen] = np.arange(len(seen))
    one_hot = np.vstack([np.eye(len(seen)), np.zeros(len(seen))])
    phi, after = one_hot[index[state]], one_hot[np.where(over, -1, index[following])]
    truth = p.values[seen]
    boot = reward + p.start.gamma * np.where(over, 0, p.v[1:][valid])
    means = (phi.T @ (weight * boot)) / (phi.T @ weight)
    error = worst(
        p.error(means, truth),
        p.error(least_squares(phi, p.to_go[valid], weight), truth),
        p.error(lstd(phi, after, reward, weight, p.start.gamma), truth),
    )
    return Row(f"{len(seen)} states: mean target, least squares, LSTD", error, 1e-6)


@claim("E16", "an iteration of the loop, written out")
def iteration_of_a2c(p: Problem) -> Row:
    """One step of each of 16 games, target r + γV(s′), λ = 0, plain steps of size 0.1."""
    envs, gamma = TabularVectorEnv(p.start, 16), p.start.gamma
    settings = actor_critic.Settings(gamma, lam=0.0, n_steps=1, optimiser="sgd", max_norm=1e300,
                                     learning_rate=0.1, critic_learning_rate=0.1)  # fmt: skip
    loop = actor_critic.actor_critic(envs, p.policy, p.theta, settings, 16, p.own_rng("E16"))
    new, _ = next(loop)
    critic, rng = value_critic(p.policy), p.own_rng("E16")  # once more, from the same seed
    phi = critic.init(rng, p.theta.dtype)
    s, _ = envs.reset(seed=int(rng.integers(2**31)))
    a, _ = p.policy.sample(p.theta, s, rng)
    s2, r, terminated, _, _ = envs.step(a)

    def values(x: Array, obs: Array) -> Array:
        return critic.values(x, p.theta, obs)

    y = r + gamma * np.where(terminated, 0, values(phi, s2))
    error = gradient_error(lambda x: 0.5 * ((values(x, s) - y) ** 2).mean(),
                           (phi - new.phi) / 0.1, phi, rng, difference=complex_step)  # fmt: skip
    error /= max(1e-4 * float(np.abs(p.start.reward).max()), float(np.linalg.norm(phi - new.phi)))
    psi = r + gamma * np.where(terminated, 0, values(new.phi, s2)) - values(new.phi, s)
    step = (p.policy.score(p.theta, s, a) * psi[:, None]).mean(0)
    return Row(f"16 games: ‖V − y‖ {np.linalg.norm(values(phi, s) - y):.3g} → "
               f"{np.linalg.norm(values(new.phi, s) - y):.3g}, then θ moves by Â of the new V",
               worst(error, p.error((new.theta - p.theta) / 0.1, step)), 1e-9)  # fmt: skip


@claim("E17", "both losses' gradients")
def one_network_or_two(p: Problem) -> Row:
    """Of mean [log π ψ − ½ c (V − y)²]; ψ and y (T, B) are drawn, and constants."""
    rng, batch = p.own_rng("E17"), columns(p.batch, np.arange(min(50, len(p.batch.weight))))
    obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
    psi, y = rng.standard_normal((2, *batch.valid.shape))
    settings, sizes, errors = actor_critic.Settings(), [], []
    for shared in (True, False):
        policy = softmax_policy(obs.shape[1], p.start.num_actions,
                                p.policy.network.sizes[1:-1] or (8,), shared)  # fmt: skip
        theta = policy.init(rng, 1.0)

        def gain(x: Array, policy: Policy = policy) -> Array:
            both = policy.log_prob(x, obs, actions) * psi[batch.valid]
            if policy.value_head:
                both -= 0.5 * settings.value_weight * (policy.values(x, obs) - y[batch.valid]) ** 2
            return both.mean()

        g, _ = actor_critic.ascent_direction(policy, theta, batch, psi, y, settings)
        errors.append(gradient_error(gain, g, theta, rng, difference=complex_step)
                      / float(np.linalg.norm(g)))  # fmt: skip
        sizes.append(len(theta))
    critic = value_critic(policy)
    phi = critic.init(rng, theta.dtype)
    g = critic.error_gradient(phi, obs, y[batch.valid])
    errors.append(gradient_error(
        lambda x: 0.5 * ((critic.values(x, theta, obs) - y[batch.valid]) ** 2).mean(), g, phi, rng,
        difference=complex_step) / float(np.linalg.norm(g)))  # fmt: skip
    return Row(f"vs complex step: {sizes[0]} parameters shared, {sizes[1]} + {len(phi)} apart",
               worst(*errors), 1e-9)  # fmt: skip


@claim("E18")
def batch_is_the_mean_of_its_parts(p: Problem) -> Row:
    batch, psi = p.batch, p.gamma_t * p.to_go
    parts = gradients(p.policy, p.theta, batch, psi)
    whole = gradient(p.policy, p.theta, batch, psi)
    return Row(f"{len(parts)} parts", p.error(batch.weight @ parts, whole), 1e-9)


@claim("E19", "of a critic off at random in every state, λ = 0 (footnote 6)")
def critic_error_biases(p: Problem) -> Row:
    mean = p.mean(p.gamma_t * p.delta(p.v + p.critic_error[p.states]))
    bias = exact.bootstrap_bias(p.start, p.policy, p.theta, p.critic_error, lam=0.0)
    return Row(f"bias {np.linalg.norm(bias):.3g} of ‖∇J‖ {np.linalg.norm(p.gradient):.3g}, "
               "enumerated and solved", p.error(mean - p.gradient, bias), 1e-9)  # fmt: skip
