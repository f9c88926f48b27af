"""Section 5, TRPO: E26–E44, E47; errata 1, 2, 6 and 8, footnotes."""

import numpy as np

from claims.problem import Problem, Row, claim, worst
from minipg import enumeration, exact, surrogate
from minipg.check import central_difference, complex_step, gradient_error
from minipg.estimators import gradients, importance_weight
from minipg.linalg import conjugate_gradients
from minipg.natural import fisher_product, trust_region_step
from minipg.surrogate import batch_surrogate, batch_surrogate_gradient, clipped_surrogate


@claim("E26", "P(T|π) = p(s_0) Π π p sums to 1, with the marginals of the chain")
def trajectory_probabilities(p: Problem) -> Row:
    alive, chain = p.start.start, p.start.chain(p.pi).T.tocsr()
    error = abs(p.batch.weight.sum() - 1)
    for t, states in enumerate(p.states[:-1]):
        weight = p.batch.weight * p.batch.valid[t]
        marginal = np.bincount(states, weight, p.start.num_states)
        error = worst(error, np.abs(marginal - alive).max())
        alive = chain @ alive
    return Row(f"{len(p.batch.weight)} trajectories, each step's states", float(error), 1e-12)


@claim("E28", "J = E_{s_0} V^π(s_0): E[R | s_0] = V^π(s_0)")
def objective_from_start_values(p: Problem) -> Row:
    by_start = np.bincount(p.states[0], p.batch.weight * p.total[0], p.start.num_states)
    starts = p.start.start > 0
    error = p.error(by_start[starts] / p.start.start[starts], p.values[starts])
    return Row(f"{starts.sum()} start states", error, 1e-10)


@claim("E30", "d_π = (1−γ) Σ γ^t P(s_t = s) is a distribution, whole table")
def visitation_is_a_distribution(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    d = exact.visitation(p.mdp, pi)
    chain, steps = p.mdp.chain(pi).T.tocsr(), 1000
    rest, alive, summed = d[:-1], p.mdp.start, np.zeros(p.mdp.num_states)
    for t in range(steps):
        summed += (1 - p.mdp.gamma) * p.mdp.gamma**t * alive
        rest, alive = p.mdp.gamma * (chain @ rest), chain @ alive
    ended = 1.0  # with γ = 1 all of it lies after the end
    if p.mdp.gamma < 1:
        ends = 1 - p.mdp.chain(pi).sum(1)  # P(end | s)
        ended = p.mdp.gamma * (d[:-1] @ ends) / (1 - p.mdp.gamma)
    error = worst(np.abs(d[:-1] - summed - rest).max(), -d.min(), abs(d[-1] - ended))
    return Row(f"solve vs Σ of {steps} steps + the rest, and the mass that ended", error, 1e-10)


def _other(p: Problem, size: float = 0.5) -> np.ndarray:
    """θ of another policy π̃ (P,)."""
    return p.theta + size * p.rng.standard_normal(p.theta.shape)


def _pair(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    """π̃ and π on the whole table (S, A)."""
    return tuple(p.policy.probs(x, p.mdp.features) for x in (_other(p), p.theta))


@claim("E27", "off-policy actor-critic: the weight P(T|π)/P(T|π̃) makes it unbiased, and collapses")
def off_policy(p: Problem) -> Row:
    theta = _other(p)
    batch, states = enumeration.enumerate_trajectories(
        p.start, p.policy.probs(theta, p.start.features)
    )
    weight = importance_weight(p.policy, p.theta, batch)
    steps = len(batch.rewards)
    psi = (
        p.start.gamma ** np.arange(steps)[:, None]
        * ((p.action_values - p.values[:, None])[states[:-1], batch.actions])
    )
    mean = batch.weight @ gradients(p.policy, p.theta, batch, psi * weight)
    log_ratio = p.policy.log_prob(p.theta, batch.obs[:-1], batch.actions) - batch.log_prob
    so_far = np.exp(np.cumsum(log_ratio * batch.valid, 0))  # (T, B), to each length
    sizes = [1 / float(batch.weight @ w**2) for w in so_far]  # (E w)²/E w² with E w = 1
    told = ", ".join(f"{x:.3g}" for x in sizes)
    return Row(f"effective share of the sample at lengths 1 … {steps}: {told}",
               p.error(mean, p.gradient), 1e-9)  # fmt: skip


@claim("E29", "J(π̃) − J(π) = E_{T∼π̃} Σ γ^t A^π, whole table and by enumeration")
def performance_identity(p: Problem) -> Row:
    new, pi = _pair(p)
    solved = exact.objective(p.mdp, new) - exact.objective(p.mdp, pi)
    got = surrogate.performance_difference(p.mdp, new, pi)
    theta = _other(p)
    new = p.policy.probs(theta, p.start.features)
    batch, states = enumeration.enumerate_trajectories(p.start, new)
    gamma_t = p.start.gamma ** np.arange(len(batch.rewards))[:, None] * batch.valid
    advantage = p.action_values - p.values[:, None]
    enumerated = batch.weight @ (gamma_t * advantage[states[:-1], batch.actions]).sum(0)
    difference = exact.objective(p.start, new) - exact.objective(p.start, p.pi)
    scale = max(abs(exact.objective(p.mdp, pi)), abs(solved), 1e-300)
    error = worst(abs(got - solved) / scale, p.error(enumerated, difference))
    return Row(f"difference {solved:.4g}", error, 1e-9)


@claim("E31", "… = 1/(1−γ) E_{d_π̃} E_{a∼π̃} A^π")
def over_visits(p: Problem) -> Row:
    return _over_visits(p, weighted=False)


@claim("E32", "… = 1/(1−γ) E_{d_π̃} E_{a∼π} (π̃/π) A^π")
def over_visits_weighted(p: Problem) -> Row:
    return _over_visits(p, weighted=True)


def _over_visits(p: Problem, weighted: bool) -> Row:
    new, pi = _pair(p)
    if p.mdp.gamma == 1:
        return Row("γ = 1: d_π is not defined", 0.0, 1e-9)
    d = exact.visitation(p.mdp, new)[:-1]
    weight = pi * (new / pi) if weighted else new
    got = d @ (weight * exact.advantages(p.mdp, pi)).sum(1) / (1 - p.mdp.gamma)
    truth = exact.objective(p.mdp, new) - exact.objective(p.mdp, pi)
    scale = max(abs(exact.objective(p.mdp, pi)), abs(truth), 1e-300)
    return Row("whole table", abs(got - truth) / scale, 1e-9)


@claim("E33", "L(π̃): the same with d_π; from a batch of π, with its Σ γ^t (errata 6)")
def surrogate_of_a_batch(p: Problem) -> Row:
    theta = _other(p)
    got = batch_surrogate(p.policy, theta, p.batch, p.gamma_t * (p.q - p.v[:-1]))
    new = p.policy.probs(theta, p.start.features)
    solved = surrogate.surrogate(p.start, new, p.pi)
    return Row(f"enumeration vs solve, L = {solved:.4g}", p.error(got, solved), 1e-9)


@claim("E34", "|J(π̃) − J(π) − L(π̃)| ≤ C max KL, KL(π̃‖π) and KL(π‖π̃) alike (errata 8)")
def error_bound(p: Problem) -> Row:
    new, pi = _pair(p)
    if p.mdp.gamma == 1:
        return Row("γ = 1: C is infinite", 0.0, 1.0)
    error = abs(surrogate.performance_difference(p.mdp, new, pi)
                - surrogate.surrogate(p.mdp, new, pi))  # fmt: skip
    error = max(0.0, error - 1e-12 * float(np.abs(exact.state_values(p.mdp, pi)).max()))  # rounding
    largest = min(surrogate.kl(new, pi).max(), surrogate.kl(pi, new).max())
    bound = surrogate.penalty(p.mdp, pi) * float(largest)
    return Row(f"whole table: error {error:.3g}, bound {bound:.3g}",
               error / max(bound, 1e-300), 1.0)  # fmt: skip


@claim("E35", "∇L at θ_k is the policy gradient")
def surrogate_gradient(p: Problem) -> Row:
    got = batch_surrogate_gradient(p.policy, p.theta, p.batch, p.gamma_t * (p.q - p.v[:-1]))
    return Row("enumeration vs exact ∇J", p.error(got, p.gradient), 1e-9)


@claim("E36", "maximising L − C max KL(π̃‖π) never lowers J; its steps are tiny (footnote)")
def monotone(p: Problem) -> Row:
    pi = p.policy.probs(p.theta, p.mdp.features)
    if p.mdp.gamma == 1:
        return Row("γ = 1: C is infinite, no step", 0.0, 1e-9)
    objectives, moved = [exact.objective(p.mdp, pi)], 0.0
    for _ in range(3):
        new = surrogate.improve(p.mdp, pi)
        moved = max(moved, float(np.abs(new - pi).max()))
        objectives.append(exact.objective(p.mdp, new))
        pi = new
    fall = max(0.0, -float(np.diff(objectives).min())) / max(abs(objectives[0]), 1e-300)
    return Row(f"three steps, J {objectives[0]:.6g} → {objectives[-1]:.6g}, largest change of a "
               f"probability {moved:.2g}", fall, 1e-12)  # fmt: skip


@claim("E37", "E_{s∼d_π} KL ≤ max_s KL")
def mean_below_max(p: Problem) -> Row:
    new, pi = _pair(p)
    mean, largest = surrogate.mean_kl(p.mdp, new, pi, pi), surrogate.kl(new, pi).max()
    return Row(f"mean {mean:.3g}, maximum {largest:.3g}, whole table", mean / largest, 1.0)


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
