"""Section 5, the algorithms: E38, E45–E48."""

import numpy as np
from scipy.optimize import brentq

from minipg.algorithms import npg, trpo
from minipg.algorithms.loop import Samples
from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim, skip
from minipg.claims.s5_quadratic import some
from minipg.estimators.surrogate import clipped_surrogate
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.steps.kfac import factors
from minipg.steps.linalg import backtrack, conjugate_gradients
from minipg.steps.natural import fisher_matrix, fisher_product, trust_region_step
from minipg.truth import exact, performance
from minipg.truth.check import central_difference, gradient_error
from minipg.validate import Array


@claim("E38", "TRPO's step against the best table, π̃ ∝ π e^{βA}")
def trust_region_problem(p: Problem) -> Row:
    pi, features = p.policy.probs(p.theta, p.mdp.features), p.mdp.features
    advantage = performance.beyond_rounding(p.mdp, pi)
    if not advantage.any():
        return skip("no action matters")
    visits = exact.visits(p.mdp, pi, p.mdp.gamma)
    weight, delta = visits / visits.sum(), 0.01

    def measure(new: Array) -> tuple[float, float]:
        return float(visits @ (new * advantage).sum(1)), float(weight @ performance.kl(new, pi))

    h = fisher_product(p.policy, p.theta, features, weight)
    g = exact.policy_gradient(p.mdp, p.policy, p.theta)
    x = conjugate_gradients(h, g, 200).x
    step = trust_region_step(x, float(x @ h(x)), delta)
    search = backtrack(p.theta, step, lambda x: measure(p.policy.probs(x, features)), delta)
    gain, kl = measure(p.policy.probs(search.theta, features))
    unit = performance.spread(pi, advantage)
    matters = unit > 0  # elsewhere π stays, whatever β
    log_unit = np.log(unit, out=np.zeros(unit.shape), where=matters)
    most_beta = performance.LOG_BETA  # in units of 1/spread: there only the best action is left

    def best(log_beta: float) -> tuple[float, float]:  # one β for all states, in units of 1/A
        own = np.minimum(log_beta + log_unit, most_beta)
        return measure(performance.tilted(pi, advantage, own))

    low, high = -most_beta - log_unit[matters].max(), most_beta - log_unit[matters].min()
    if best(high)[1] > delta:
        high = brentq(lambda b: best(b)[1] - delta, low, high)
    most = best(high)[0]
    return Row(f"KL / δ = {kl / delta:.4f}, gain {gain / most:.4f} of the most possible",
               worst(0, kl / delta - 1, gain / most - 1, -gain), 1e-9)  # fmt: skip


def _samples(p: Problem) -> Samples:
    """Actions at at most 300 of the observations played, of size 1 at most, with a random ψ."""
    obs = p.played.obs[:-1][p.played.valid][:300]
    obs = obs / max(1.0, float(np.abs(obs).max()))
    actions, log_prob = p.policy.sample(p.theta, obs, p.rng)
    return Samples(obs, actions, log_prob, p.rng.standard_normal(len(obs)))


@claim("E45", "KL δ to second order, whatever the damping")
def natural_step(p: Problem) -> Row:
    samples, ratios = _samples(p), []
    for delta in (0.01, 1e-8):
        settings = npg.Settings(delta=delta, damping=0.01, cg_iterations=20)
        new = npg.update(p.policy, p.theta, samples, settings, None, p.rng)[0]
        ratios.append(p.policy.kl(new, p.theta, samples.obs).mean() / delta)
    return Row(f"KL / δ = {ratios[0]:.4f} at δ = 0.01, {ratios[1]:.6f} at 1e-8",
               abs(ratios[1] - 1), 1e-2)  # fmt: skip


@claim("E46", "both on the whole batch, or θ to the bit")
def line_search(p: Problem) -> Row:
    samples, errors, told = _samples(p), [], []
    for delta in (0.01, 1.0):
        settings = trpo.Settings(delta=delta, damping=1e-3)
        new, _, figures = trpo.update(p.policy, p.theta, samples, settings, None, p.rng)
        rho = np.exp(p.policy.log_prob(new, samples.obs, samples.actions) - samples.log_prob)
        kl = p.policy.kl(new, p.theta, samples.obs).mean()
        stays = figures["accepted"] or new.tobytes() == p.theta.tobytes()
        errors += [kl - delta, -((rho - 1) * samples.psi).mean(), float(not stays)]
        end = "accepted" if figures["accepted"] else "all refused"
        told.append(f"δ = {delta:g}: {end}, step lengths tried: {figures['tried']}")
    return Row("; ".join(told), worst(0, *errors), 1e-12)


@claim("E46", "KL(π̃‖π_k) of the whole batch; where all is refused θ stays")
def line_search_of_gaussians(p: Problem) -> Row:
    """In every other batch rare actions are best, so that σ grows and the directions differ."""
    policy, rng, errors, accepted = gaussian_policy(2, 2), p.own_rng("E46"), [0.0], 0
    settings = trpo.Settings(delta=0.1)
    for i in range(40):
        theta, obs = rng.standard_normal(policy.num_params), rng.standard_normal((16, 2))
        actions, log_prob = policy.sample(theta, obs, rng)
        psi = rng.standard_normal(16) - i % 2 * log_prob
        samples = Samples(obs, actions, log_prob, psi - psi.mean())
        new, _, figures = trpo.update(policy, theta, samples, settings, None, rng)
        accepted += int(figures["accepted"])
        errors.append(float(policy.kl(new, theta, obs).mean()) / 0.1 - 1)
    largest = 1 + max(errors[1:])
    stays = backtrack(theta, theta + 1, lambda _: (-1.0, 0.0), 0.1).theta
    errors.append(float((stays != theta).any()))
    return Row(f"{accepted} of 40 updates of a Gaussian policy accepted, KL / δ at most "
               f"{largest:.4f}", worst(*errors), 1e-9)  # fmt: skip


@claim("E47", "its gradient at θ_k is ∇L, and is 0 where clipped")
def clipped(p: Problem) -> Row:
    obs, n = p.mdp.features[:30], p.mdp.num_actions
    obs, actions = np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs))
    log_prob, psi = p.policy.log_prob(p.theta, obs, actions), p.rng.standard_normal(len(obs))
    _, at_k, _ = clipped_surrogate(p.policy, p.theta, obs, actions, log_prob, psi, 0.2)
    plain = p.policy.weighted_score(p.theta, obs, actions, psi / len(obs))
    shifted = log_prob - np.where(psi > 0, 1.0, -1.0)  # every ratio beyond its clip
    _, none, outside = clipped_surrogate(p.policy, p.theta, obs, actions, shifted, psi, 0.2)

    def value(x: Array) -> Array:
        return np.array(clipped_surrogate(p.policy, x, obs, actions, log_prob - 0.1, psi, 0.2)[0])

    _, inside, _ = clipped_surrogate(p.policy, p.theta, obs, actions, log_prob - 0.1, psi, 0.2)
    step = 1e-6 / max(1.0, float(np.abs(obs).max()))
    error = worst(
        np.abs(at_k - plain).max(), np.abs(none).max(), 1 - outside,
        gradient_error(value, inside, p.theta, p.rng,
                       difference=lambda f, x, v: central_difference(f, x, v, step)),
    )  # fmt: skip
    return Row("all actions of 30 states; differences between the kinks", error, 1e-6)


@claim("E48", "exact for one observation, over many an approximation")
def kronecker(p: Problem) -> Row:
    """The linear policy at one observation; then a 4-8-8 network over 30 random ones."""
    obs = some(p)[0][:1]
    ((a, g),) = factors(p.policy, p.theta, obs).layers[-1:]
    v = p.rng.standard_normal(len(p.theta))
    last = p.policy.network.slices[-1][0]
    only = np.zeros_like(v)
    only[last] = v[last]
    exactly = fisher_product(p.policy, p.theta, obs, np.ones(1))(only)[last]
    got = (a @ v[last].reshape(len(a), len(g)) @ g).ravel()
    rng = np.random.default_rng(p.seed)  # of its own: the README quotes the figures
    deep, many = softmax_policy(4, p.mdp.num_actions, (8, 8)), rng.standard_normal((30, 4))
    theta = deep.init(rng, 1.0)
    whole = fisher_matrix(deep, theta, many, np.full(30, 1 / 30))
    off = []
    kronecker = factors(deep, theta, many).layers
    for (at, _), (a, g) in zip(deep.network.slices, kronecker, strict=True):
        block = whole[at, at]
        off.append(np.linalg.norm(np.kron(a, g) - block) / np.linalg.norm(block))
    told = ", ".join(f"{x:.0%}" for x in off)
    return Row(f"one observation; a 4-8-8 network's blocks over 30 are off by {told} (Frobenius)",
               float(np.abs(got - exactly).max()), 1e-10)  # fmt: skip
