"""Section 1, REINFORCE: E01–E06."""

from functools import partial

import numpy as np

from minipg.algorithms import cem
from minipg.claims.problem import Problem, worst
from minipg.claims.rows import ALPHA, Row, claim
from minipg.estimators.importance import importance_weight
from minipg.estimators.returns import total_return
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.experience.batch import moments
from minipg.policies.build import gaussian_policy
from minipg.policies.gaussian import Gaussian
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.truth.check import central_difference, check_mean, complex_step, gradient_error
from minipg.validate import Array


@claim("E01", "linear solve = sum over all trajectories")
def objective_enumerated(p: Problem) -> Row:
    summed = p.batch.weight @ p.total[0]
    solved = exact.objective(p.start, p.pi)
    return Row(f"{len(p.batch.weight)} trajectories of the unrolled start, J = {solved:.6g}",
               p.error(summed, solved), 1e-10)  # fmt: skip


@claim("E01", "linear solve = telescoped sum over t")
def objective_telescoped(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    chain, reward = p.mdp.chain(pi).T.tocsr(), (pi * p.mdp.expected_reward).sum(1)
    alive, total, steps = p.mdp.start, 0.0, 1000
    for _ in range(steps):
        total, alive = total + float(alive @ reward), p.mdp.gamma * (chain @ alive)
    total += float(alive @ exact.state_values(p.mdp, pi))  # the rest: γ^T E V(s_T)
    solved = exact.objective(p.mdp, pi)
    return Row(f"whole table, Σ of {steps} steps + γ^T E V(s_T), J = {solved:.6g}",
               p.error(total, solved), 1e-10)  # fmt: skip


@claim("E01", "mean of rollouts")
def objective_sampled(p: Problem) -> Row:
    returns = total_return(p.played.rewards, p.played.ends, p.start.gamma)[0]
    verdict = check_mean(
        returns[:, None], p.batch.weight @ p.total[:1].T, np.ptp(p.total[:1], axis=1), ALPHA
    )
    return Row(f"{len(returns)} episodes, false alarm ≤ {ALPHA:g}", verdict.distance,
               verdict.radius)  # fmt: skip


@claim("E02", "one decision, where the action matters most; and the same for −J")
def without_gradient(p: Problem) -> Row:
    """A table of that state alone, whose rewards are ±Q^π(s, ·); from the uniform policy."""
    pi, n = p.policy.probs(p.theta, p.mdp.features), p.mdp.num_actions
    q = exact.action_values(p.mdp, exact.state_values(p.mdp, pi))
    s, one = int(np.ptp(q, axis=1).argmax()), np.ones(n)
    settings, iterations, missed, told = cem.Settings(), 8, [], []
    for reward in (q[s], -q[s]):
        mdp = TabularMDP.from_entries(np.arange(n), np.zeros(n, int), one, reward, one > 0, one[:1],
                                      p.mdp.gamma, p.mdp.features[s : s + 1], n)  # fmt: skip
        envs, start = TabularVectorEnv(mdp, 32), np.zeros_like(p.theta)
        steps = iterations * settings.population * envs.num_envs
        *_, (state, _) = cem.cem(envs, p.policy, start, settings, steps, p.own_rng("E02"))
        before, after = (float(exact.objective(mdp, p.policy.probs(x, mdp.features)))
                         for x in (start, state.theta))  # fmt: skip
        missed.append((reward.max() - after) / max(reward.max() - before, 1e-300))
        told.append(f"{before:.4g} → {after:.4g} of at most {reward.max():.4g}")
    return Row(f"{iterations} iterations of {settings.population} candidates: {', '.join(told)}; "
               "error: the share of the gain that is missed", worst(*missed), 0.25)  # fmt: skip


@claim("E03", "softmax")
def log_derivative_softmax(p: Problem) -> Row:
    obs, n = p.mdp.features[:50], p.mdp.num_actions
    f = p.rng.standard_normal((len(obs), n))
    pi = p.policy.probs(p.theta, obs)
    every = np.tile(np.arange(n), len(obs))
    right = p.policy.weighted_score(p.theta, np.repeat(obs, n, 0), every, (pi * f).ravel())
    error = gradient_error(lambda x: (p.policy.probs(x, obs) * f).sum(), right, p.theta, p.rng,
                           difference=complex_step)  # fmt: skip
    error /= max(1.0, float(np.linalg.norm(right)))
    return Row("sum over actions vs complex step of E f", error, 1e-10)


@claim("E03", "Gaussian")
def log_derivative_gaussian(p: Problem) -> Row:
    obs = p.mdp.features[:50]
    policy = gaussian_policy(obs.shape[1], 1, p.policy.network.sizes[1:-1])
    head = Gaussian(1)
    theta = policy.init(p.rng, 1.0) + 0.3 * p.rng.standard_normal(policy.num_params)
    obs = obs / max(1.0, float(np.abs(obs).max()))  # f is cubic: keep μ within reach
    z, w = np.polynomial.hermite_e.hermegauss(8)  # exact for polynomials up to degree 15
    w = w / w.sum()
    coefficients = p.rng.standard_normal(4)

    def nodes(x: Array) -> Array:  # actions (N, 8)
        mu, log_std = head.split(policy.forward(x, obs)[0])
        return mu + np.exp(log_std) * z

    def expectation(x: Array) -> Array:  # Σ_s E f
        return (w * np.polyval(coefficients, nodes(x))).sum()

    a = nodes(theta)
    psi = (w * np.polyval(coefficients, a)).ravel()
    right = policy.weighted_score(theta, np.repeat(obs, 8, 0), a.reshape(-1, 1), psi)
    error = gradient_error(expectation, right, theta, p.rng, difference=complex_step)
    error /= max(1.0, float(np.linalg.norm(right)))
    return Row("quadrature, cubic f, vs complex step of E f", error, 1e-9)


@claim("E04", "at φ ≡ π the weight is 1")
def importance_view(p: Problem) -> Row:
    phi = p.theta + 0.5 * p.rng.standard_normal(p.theta.shape)
    batch, _ = enumeration.enumerate_trajectories(p.start, p.policy.probs(phi, p.start.features))
    ratio = importance_weight(p.policy, p.theta, batch)
    psi = total_return(batch.rewards, batch.ends, p.start.gamma) * ratio
    mean = batch.weight @ gradients(p.policy, p.theta, batch, psi)
    at_pi = np.abs(importance_weight(p.policy, p.theta, p.batch) - 1).max()
    return Row("enumeration under φ ≠ π vs exact ∇J", worst(p.error(mean, p.gradient), at_pi), 1e-9)


def _objective(p: Problem, theta: Array) -> Array:
    assert isinstance(p.policy.head, Softmax)
    return exact.objective(p.start, p.policy.probs(theta, p.start.features))


@claim("E05", "over all trajectories")
def reinforce_enumerated(p: Problem) -> Row:
    mean = p.batch.weight @ p.estimates
    h = 1e-5 / max(1.0, float(np.abs(p.start.features).max()))
    error = gradient_error(lambda x: _objective(p, x), mean, p.theta, p.rng,
                           difference=partial(central_difference, h=h))  # fmt: skip
    scale = max(float(np.linalg.norm(p.gradient)), 1e-3 * float(np.abs(p.start.reward).max()))
    return Row(f"enumeration vs finite differences of J, ‖∇J‖ = {np.linalg.norm(p.gradient):.3g}",
               error / max(scale, 1e-300), 1e-7)  # fmt: skip


@claim("E05", "mean over rollouts")
def reinforce_sampled(p: Problem) -> Row:
    psi = total_return(p.played.rewards, p.played.ends, p.start.gamma)
    samples, truth = p.along(p.played, psi), p.directions @ p.gradient
    width = np.ptp(p.along(p.batch, p.total), axis=0)
    verdict = check_mean(samples, truth, width, ALPHA)
    power = not check_mean(samples, truth / 2, width, ALPHA).accepted
    return Row(f"{len(samples)} episodes along ∇J and two more directions, false alarm ≤ "
               f"{ALPHA:g}; {'refuses' if power else 'too few to refuse'} ∇J/2",
               verdict.distance, verdict.radius)  # fmt: skip


@claim("E06", "two games halve it")
def variance_of_games(p: Problem) -> Row:
    x, w = p.along(p.batch, p.total)[:, 1], p.batch.weight
    mean, one = (float(m.item()) for m in moments(x[:, None], w))
    two = sum(w_i * (w @ ((x_i + x) / 2 - mean) ** 2) for w_i, x_i in zip(w, x, strict=True))
    total = p.variance(p.estimates).sum()
    return Row(f"all {x.size**2} pairs of games along a random direction; "
               f"summed variance {total:.3g}, ‖∇J‖² {p.gradient @ p.gradient:.2g}",
               p.error(two, one / 2), 1e-9)  # fmt: skip


@claim("E06", "M = 4, over rollouts")
def variance_sampled(p: Problem) -> Row:
    psi = total_return(p.played.rewards, p.played.ends, p.start.gamma)
    truth = float(p.directions[1] @ p.gradient)
    x = p.along(p.batch, p.total)[:, 1] - truth
    played = p.along(p.played, psi)[:, 1] - truth
    of_four = played[: len(played) // 4 * 4].reshape(-1, 4).mean(1)
    one = (p.batch.weight @ x**2)[None]
    width = 4 * np.abs(x).max(keepdims=True) ** 2
    verdict = check_mean(4 * of_four[:, None] ** 2, one, width, ALPHA)
    power = not check_mean(4 * of_four[:, None] ** 2, 4 * one, width, ALPHA).accepted
    return Row(f"{len(of_four)} means of 4, false alarm ≤ {ALPHA:g}; "
               f"{'refuses' if power else 'too few to refuse'} no division",
               verdict.distance, verdict.radius)  # fmt: skip
