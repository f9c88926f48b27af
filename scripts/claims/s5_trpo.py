"""Section 5, the algorithms: E38–E48, errata 1 and 2, a footnote."""

import numpy as np
from scipy.optimize import brentq

from claims.problem import Problem, Row, claim, worst
from minipg import exact, surrogate
from minipg.algorithms import npg, trpo
from minipg.check import central_difference, complex_step, gradient_error
from minipg.kfac import factors
from minipg.linalg import backtrack, conjugate_gradients
from minipg.loop import Samples
from minipg.natural import fisher_matrix, fisher_product, trust_region_step
from minipg.policy import softmax_policy
from minipg.surrogate import clipped_surrogate


@claim("E38", "max L with mean KL ≤ δ: TRPO's step against the best table, π̃ ∝ π e^{βA}")
def trust_region_problem(p: Problem) -> Row:
    pi, features = p.policy.probs(p.theta, p.mdp.features), p.mdp.features
    visits, advantage = exact.visits(p.mdp, pi, p.mdp.gamma), exact.advantages(p.mdp, pi)
    weight, delta = visits / visits.sum(), 0.01

    def measure(new: np.ndarray) -> tuple[float, float]:
        return float(visits @ (new * advantage).sum(1)), float(weight @ surrogate.kl(new, pi))

    def tilted(log_beta: float) -> np.ndarray:
        new = pi * np.exp(np.exp(log_beta) * (advantage - advantage.max(1, keepdims=True)))
        return new / new.sum(1, keepdims=True)

    h = fisher_product(p.policy, p.theta, features, weight)
    g = exact.policy_gradient(p.mdp, p.policy, p.theta)
    x = conjugate_gradients(h, g, 200).x
    step = trust_region_step(g, x, float(x @ h(x)), delta)
    search = backtrack(p.theta, step, lambda x: measure(p.policy.probs(x, features)), delta)
    gain, kl = measure(p.policy.probs(search.theta, features))
    greedy = measure(tilted(30.0))
    beta = 30.0 if greedy[1] <= delta else brentq(lambda b: measure(tilted(b))[1] - delta, -60, 30)
    most = measure(tilted(beta))[0]
    return Row(f"KL / δ = {kl / delta:.4f}, gain {gain / most:.4f} of the most possible",
               worst(0, kl / delta - 1, gain / most - 1, -gain), 1e-9)  # fmt: skip


@claim("E40", "natural gradient: the same change of π in every parametrisation, the plain one not")
def invariance(p: Problem) -> Row:
    """θ = (D + uvᵀ) φ, a random one."""
    obs, weight = _some(p)
    diagonal = np.exp(p.rng.standard_normal(len(p.theta)))
    u, v = p.rng.standard_normal((2, len(p.theta))) / len(p.theta)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))
    eta, tape = p.policy.forward(p.theta, obs)

    def to_theta(d: np.ndarray) -> np.ndarray:
        return diagonal * d + u * (v @ d)

    def transposed(d: np.ndarray) -> np.ndarray:
        return diagonal * d + v * (u @ d)

    def change(d: np.ndarray) -> np.ndarray:  # of log π (N, A), to first order
        deta = p.policy.jvp(p.theta, tape, d)
        return deta - (p.policy.head.probs(eta) * deta).sum(1, keepdims=True)

    x = conjugate_gradients(h, g, 1000, 1e-14).x
    phi = conjugate_gradients(lambda d: transposed(h(to_theta(d))), transposed(g), 1000, 1e-14).x
    scale = np.abs(change(x)).max()
    plain = np.abs(change(to_theta(transposed(g))) - change(g)).max() / np.abs(change(g)).max()
    error = float(np.abs(change(to_theta(phi)) - change(x)).max() / scale)
    return Row(f"a random linear one; the plain gradient's change is off by {plain:.2g}",
               error, 1e-6)  # fmt: skip


def _some(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    """At most 30 observations (N, D), of size 1 at most, and their probabilities."""
    obs = p.mdp.features[:30] / max(1.0, float(np.abs(p.mdp.features).max()))
    return obs, np.full(len(obs), 1 / len(obs))


@claim("E39", "Fisher matrix E ∇log π ∇log πᵀ (errata 1) = JᵀMJ, M the head's own")
def fisher_two_ways(p: Problem) -> Row:
    obs, weight = _some(p)
    v, n = p.rng.standard_normal(len(p.theta)), p.mdp.num_actions
    score = p.policy.score(p.theta, np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs)))
    prob = (weight[:, None] * p.policy.probs(p.theta, obs)).ravel()
    definition = score.T @ (prob * (score @ v))
    got = fisher_product(p.policy, p.theta, obs, weight)(v)
    return Row("along a random direction", float(np.abs(got - definition).max()), 1e-10)


@claim("E41", "KL ≈ ½ dᵀHd (errata 2) without a linear term (footnote 7)")
def kl_is_quadratic(p: Problem) -> Row:
    obs, weight = _some(p)
    d = p.rng.standard_normal(len(p.theta))
    h = fisher_product(p.policy, p.theta, obs, weight)
    linear = float(complex_step(lambda x: _mean_kl(p, x, obs, weight), p.theta, d))
    ratios = [_mean_kl(p, p.theta + s * d, obs, weight) / (0.5 * s**2 * (d @ h(d)))
              for s in (1e-3, 1e-4)]  # fmt: skip
    return Row(f"KL / ½dᵀHd = {ratios[0]:.6f}, {ratios[1]:.6f} as d shrinks; linear term "
               f"{linear:.1e}", worst(abs(linear), abs(ratios[1] - 1)), 1e-2)  # fmt: skip


def _mean_kl(p: Problem, theta: np.ndarray, obs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    eta, eta_k = p.policy.forward(theta, obs)[0], p.policy.forward(p.theta, obs)[0]
    return weight @ p.policy.head.kl(eta, eta_k)


@claim("E42", "∇² KL at θ_k is the Fisher matrix")
def hessian_of_kl(p: Problem) -> Row:
    obs, weight = _some(p)
    u, v = p.rng.standard_normal((2, len(p.theta)))

    def slope(x: np.ndarray) -> np.ndarray:
        return complex_step(lambda y: _mean_kl(p, y, obs, weight), x, v)

    h = fisher_product(p.policy, p.theta, obs, weight)
    scale = np.sqrt((u @ h(u)) * (v @ h(v)))
    step = 1e-5 / max(1.0, float(np.abs(obs).max()))
    got = central_difference(slope, p.theta, u, step)
    return Row("differences of an exact slope", float(abs(got - u @ h(v)) / scale), 1e-6)


@claim("E43", "θ + √(2δ/gᵀH⁻¹g) H⁻¹g: ½ dᵀHd = δ, and no other step of that size gains more")
def trust_region(p: Problem) -> Row:
    obs, weight = _some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))  # within the range of H
    x = conjugate_gradients(h, g, 200, 1e-12).x
    d = trust_region_step(g, x, float(x @ h(x)), 0.01)
    others = p.rng.standard_normal((50, len(p.theta)))
    gains = [g @ o * np.sqrt(0.02 / (o @ h(o))) for o in others]
    best = max(gains) / (g @ d)
    return Row(f"best of 50 others gains {best:.3g} of it",
               worst(abs(0.5 * d @ h(d) / 0.01 - 1), best - 1), 1e-6)  # fmt: skip


@claim("E44", "conjugate gradients need only v ↦ Hv and end at H⁻¹g")
def conjugate(p: Problem) -> Row:
    obs, weight = _some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))
    result = conjugate_gradients(h, g, 500, 1e-10)
    residual = np.linalg.norm(h(result.x) - g) / np.linalg.norm(g)
    return Row(f"{result.iterations} iterations for {len(g)} parameters, {result.reason}",
               float(residual), 1e-7)  # fmt: skip


def _samples(p: Problem) -> Samples:
    """Actions at at most 300 of the observations played, of size 1 at most, with a random ψ."""
    obs = p.played.obs[:-1][p.played.valid][:300]
    obs = obs / max(1.0, float(np.abs(obs).max()))
    actions, log_prob = p.policy.sample(p.theta, obs, p.rng)
    return Samples(obs, actions, log_prob, p.rng.standard_normal(len(obs)))


@claim("E45", "NPG: the step along H⁻¹g has KL δ to second order, whatever the damping")
def natural_step(p: Problem) -> Row:
    samples, ratios = _samples(p), []
    for delta in (0.01, 1e-8):
        settings = npg.Settings(delta=delta, damping=0.01, cg_iterations=20)
        new = npg.update(p.policy, p.theta, samples, settings, None, p.rng)[0]
        ratios.append(p.policy.kl(new, p.theta, samples.obs).mean() / delta)
    return Row(f"KL / δ = {ratios[0]:.4f} at δ = 0.01, {ratios[1]:.6f} at 1e-8",
               abs(ratios[1] - 1), 1e-2)  # fmt: skip


@claim("E46", "TRPO's line search: L ≥ 0 and KL ≤ δ on the whole batch, or θ to the bit")
def line_search(p: Problem) -> Row:
    samples, errors, told = _samples(p), [], []
    for delta in (0.01, 1.0):
        settings = trpo.Settings(delta=delta, damping=1e-3)
        new, _, figures = trpo.update(p.policy, p.theta, samples, settings, None, p.rng)
        rho = np.exp(p.policy.log_prob(new, samples.obs, samples.actions) - samples.log_prob)
        kl = p.policy.kl(new, p.theta, samples.obs).mean()
        stays = figures["accepted"] or new.tobytes() == p.theta.tobytes()
        errors += [kl - delta, -((rho - 1) * samples.psi).mean(), float(not stays)]
        told.append(f"δ = {delta:g}: accepted {figures['accepted']} after {figures['tried']}")
    return Row("; ".join(told), worst(0, *errors), 1e-12)


@claim("E47", "PPO's clipped surrogate: its gradient at θ_k is ∇L, and is 0 where clipped")
def clipped(p: Problem) -> Row:
    obs, n = p.mdp.features[:30], p.mdp.num_actions
    obs, actions = np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs))
    log_prob, psi = p.policy.log_prob(p.theta, obs, actions), p.rng.standard_normal(len(obs))
    _, at_k, _ = clipped_surrogate(p.policy, p.theta, obs, actions, log_prob, psi, 0.2)
    plain = p.policy.weighted_score(p.theta, obs, actions, psi / len(obs))
    shifted = log_prob - np.where(psi > 0, 1.0, -1.0)  # every ratio beyond its clip
    _, none, outside = clipped_surrogate(p.policy, p.theta, obs, actions, shifted, psi, 0.2)

    def value(x: np.ndarray) -> float:
        return clipped_surrogate(p.policy, x, obs, actions, log_prob - 0.1, psi, 0.2)[0]

    _, inside, _ = clipped_surrogate(p.policy, p.theta, obs, actions, log_prob - 0.1, psi, 0.2)
    step = 1e-6 / max(1.0, float(np.abs(obs).max()))
    error = worst(
        np.abs(at_k - plain).max(), np.abs(none).max(), 1 - outside,
        gradient_error(value, inside, p.theta, p.rng,
                       difference=lambda f, x, v: central_difference(f, x, v, step)),
    )  # fmt: skip
    return Row("all actions of 30 states; differences between the kinks", error, 1e-6)


@claim("E48", "K-FAC: A ⊗ G is the Fisher block for one observation; over many, an approximation")
def kronecker(p: Problem) -> Row:
    """The linear policy at one observation; then a 4-8-8 network over 30 random ones."""
    obs = _some(p)[0][:1]
    ((a, g),) = factors(p.policy, p.theta, obs).layers[-1:]
    v = p.rng.standard_normal(len(p.theta))
    last = p.policy.network.slices[-1][0]
    only = np.zeros_like(v)
    only[last] = v[last]
    exactly = fisher_product(p.policy, p.theta, obs, np.ones(1))(only)[last]
    got = (a @ v[last].reshape(len(a), len(g)) @ g).ravel()
    deep, many = softmax_policy(4, p.mdp.num_actions, (8, 8)), p.rng.standard_normal((30, 4))
    theta = deep.init(p.rng, 1.0)
    whole = fisher_matrix(deep, theta, many, np.full(30, 1 / 30))
    off = []
    kronecker = factors(deep, theta, many).layers
    for (at, _), (a, g) in zip(deep.network.slices, kronecker, strict=True):
        block = whole[at, at]
        off.append(np.linalg.norm(np.kron(a, g) - block) / np.linalg.norm(block))
    told = ", ".join(f"{x:.0%}" for x in off)
    return Row(f"one observation; a 4-8-8 network's blocks over 30 are off by {told} (Frobenius)",
               float(np.abs(got - exactly).max()), 1e-10)  # fmt: skip
