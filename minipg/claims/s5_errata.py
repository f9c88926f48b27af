"""Section 5, what the slides write otherwise: errata 1, 2, 3, 6 and 8."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.claims.s5_quadratic import mean_kl, some
from minipg.estimators.action_critics import compatible_advantage
from minipg.estimators.surrogate import batch_surrogate
from minipg.steps.linalg import conjugate_gradients
from minipg.steps.natural import fisher_product, trust_region_step
from minipg.truth import exact, performance
from minipg.truth.check import complex_step, gradient_error


@claim("errata 1", "E ∇log π log π is −∇H(π), and vᵀHv = E (v·∇log π)²")
def fisher_without_its_nabla(p: Problem) -> Row:
    obs, weight = some(p)
    n, rng = p.mdp.num_actions, p.own_rng("errata 1")
    every, actions = np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs))
    prob = (weight[:, None] * p.policy.probs(p.theta, obs)).ravel()
    log_prob = p.policy.log_prob(p.theta, every, actions)
    slide = p.policy.weighted_score(p.theta, every, actions, prob * log_prob)
    error = gradient_error(lambda x: weight @ p.policy.entropy(x, obs), -slide, p.theta, rng,
                           difference=complex_step)  # fmt: skip
    v = rng.standard_normal(len(p.theta))
    got = float(v @ fisher_product(p.policy, p.theta, obs, weight)(v))
    along = compatible_advantage(p.policy, p.theta, v, every, actions)
    return Row(f"the slide's is a vector of length {np.linalg.norm(slide):.3g}, not {len(v)} × "
               f"{len(v)}", worst(error, abs(got - prob @ along**2) / got), 1e-9)  # fmt: skip


@claim("errata 2", "only so has the step KL δ")
def half_of_the_curvature(p: Problem) -> Row:
    obs, weight = some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.own_rng("errata 2").standard_normal(len(p.theta)))  # within the range of H
    x = conjugate_gradients(h, g, 200, 1e-12).x
    d = trust_region_step(x, float(x @ h(x)), 1e-8)
    right, slide = (float(mean_kl(p, p.theta + step, obs, weight)) / 1e-8
                    for step in (d, d / np.sqrt(2)))  # fmt: skip
    return Row(f"KL / δ = {right:.6f} at δ = 1e-8; where dᵀHd = δ, {slide:.6f}", abs(right - 1),
               1e-2)  # fmt: skip


@claim("errata 3", "over d_π the difference is L already")
def visits_of_which_policy(p: Problem) -> Row:
    theta = p.other(p.own_rng("errata 3"))
    new, pi = (p.policy.probs(x, p.mdp.features) for x in (theta, p.theta))
    gain = (new * exact.advantages(p.mdp, pi)).sum(1)
    right, slide = (float(exact.visits(p.mdp, x, p.mdp.gamma) @ gain) for x in (new, pi))
    before, after = (float(exact.objective(p.mdp, x)) for x in (pi, new))
    error = worst(abs(right - (after - before)), abs(slide - performance.surrogate(p.mdp, new, pi)))
    return Row(f"whole table: {right:.4g} over d_π̃, {slide:.4g} over d_π",
               error / max(abs(before), abs(after), 1e-300), 1e-9)  # fmt: skip


@claim("errata 6", "the first step alone, or no γ^t, is another number")
def surrogate_without_its_sum(p: Problem) -> Row:
    """Each from the batch and from the table."""
    theta, psi = p.other(p.own_rng("errata 6")), p.q - p.v[:-1]
    first = np.arange(len(psi))[:, None] == 0
    from_batch = [batch_surrogate(p.policy, theta, p.batch, x * psi) for x in (p.gamma_t, first, 1)]
    new = p.policy.probs(theta, p.start.features)
    gain = (new * (p.action_values - p.values[:, None])).sum(1)
    solved = [performance.surrogate(p.start, new, p.pi), float(p.start.start @ gain),
              float(exact.visits(p.start, p.pi, 1.0) @ gain)]  # fmt: skip
    told = "L = {:.4g}, its first step {:.4g}, without γ^t {:.4g}".format(*solved)
    error = worst(*(p.error(x, y) for x, y in zip(from_batch, solved, strict=True)))
    return Row(f"enumeration vs solve: {told}", error, 1e-9)


@claim("errata 8", "either bounds, both being above 2 TV² (Pinsker); they differ")
def either_direction(p: Problem) -> Row:
    """KL of the tables against that of the heads; the bound on the whole table where γ < 1."""
    theta = p.other(p.own_rng("errata 8"))
    new, pi = (p.policy.probs(x, p.mdp.features) for x in (theta, p.theta))
    forth, back = performance.kl(new, pi), performance.kl(pi, new)
    squared = (np.abs(new - pi).sum(1) / 2) ** 2  # total variation, in each state
    rounding = 1 + 1e-9
    holds = (2 * squared <= rounding * np.minimum(forth, back)).all()
    if p.mdp.gamma < 1:
        off = abs(performance.performance_difference(p.mdp, new, pi)
                  - performance.surrogate(p.mdp, new, pi))  # fmt: skip
        off -= 1e-12 * float(np.abs(exact.state_values(p.mdp, pi)).max())
        holds &= off <= rounding * performance.penalty(p.mdp, pi) * squared.max()
    pairs = ((forth, theta, p.theta), (back, p.theta, theta))
    error = worst(
        *(float(np.abs(x - p.policy.kl(a, b, p.mdp.features)).max()) for x, a, b in pairs)
    )
    return Row(f"whole table: max KL(π̃‖π) {forth.max():.3g}, max KL(π‖π̃) {back.max():.3g}, "
               f"2 max TV² {2 * squared.max():.3g}", error if holds else np.inf, 1e-10)  # fmt: skip
