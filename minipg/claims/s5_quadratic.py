"""Section 5, the quadratic model and its step: E39–E44, errata 1 and 2, a footnote."""

import numpy as np

from minipg.claims.problem import Problem, worst
from minipg.claims.rows import Row, claim
from minipg.steps.linalg import conjugate_gradients
from minipg.steps.natural import fisher_product, trust_region_step
from minipg.truth.check import central_difference, complex_step
from minipg.validate import Array


@claim("E40", "θ = (D + uvᵀ)φ at random; the plain gradient changes π otherwise")
def invariance(p: Problem) -> Row:
    """θ = (D + uvᵀ) φ, a random one."""
    obs, weight = some(p)
    diagonal = np.exp(p.rng.standard_normal(len(p.theta)))
    u, v = p.rng.standard_normal((2, len(p.theta))) / len(p.theta)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))
    pi, tape = p.policy.probs(p.theta, obs), p.policy.forward(p.theta, obs)[1]

    def to_theta(d: Array) -> Array:
        return diagonal * d + u * (v @ d)

    def transposed(d: Array) -> Array:
        return diagonal * d + v * (u @ d)

    def change(d: Array) -> Array:  # of log π (N, A), to first order
        deta = p.policy.jvp(p.theta, tape, d)
        return deta - (pi * deta).sum(1, keepdims=True)

    x = conjugate_gradients(h, g, 1000, 1e-14).x
    phi = conjugate_gradients(lambda d: transposed(h(to_theta(d))), transposed(g), 1000, 1e-14).x
    scale = np.abs(change(x)).max()
    plain = np.abs(change(to_theta(transposed(g))) - change(g)).max() / np.abs(change(g)).max()
    error = float(np.abs(change(to_theta(phi)) - change(x)).max() / scale)
    return Row(f"change of log π; that by the plain gradient is off by {plain:.2g} of itself",
               error, 1e-6)  # fmt: skip


def some(p: Problem) -> tuple[Array, Array]:
    """At most 30 observations (N, D), of size 1 at most, and their probabilities."""
    obs = p.mdp.features[:30] / max(1.0, float(np.abs(p.mdp.features).max()))
    return obs, np.full(len(obs), 1 / len(obs))


@claim("E39", "equal to JᵀMJ, M the head's own")
def fisher_two_ways(p: Problem) -> Row:
    obs, weight = some(p)
    v, n = p.rng.standard_normal(len(p.theta)), p.mdp.num_actions
    score = p.policy.score(p.theta, np.repeat(obs, n, 0), np.tile(np.arange(n), len(obs)))
    prob = (weight[:, None] * p.policy.probs(p.theta, obs)).ravel()
    definition = score.T @ (prob * (score @ v))
    got = fisher_product(p.policy, p.theta, obs, weight)(v)
    return Row("along a random direction", float(np.abs(got - definition).max()), 1e-10)


@claim("E41", "footnote 7")
def kl_is_quadratic(p: Problem) -> Row:
    obs, weight = some(p)
    d = p.rng.standard_normal(len(p.theta))
    h = fisher_product(p.policy, p.theta, obs, weight)
    linear = float(complex_step(lambda x: mean_kl(p, x, obs, weight), p.theta, d))
    ratios = [mean_kl(p, p.theta + s * d, obs, weight) / (0.5 * s**2 * (d @ h(d)))
              for s in (1e-3, 1e-4)]  # fmt: skip
    return Row(f"KL / ½dᵀHd = {ratios[0]:.6f}, {ratios[1]:.6f} as d shrinks; linear term "
               f"{linear:.1e}", worst(abs(linear), abs(float(ratios[1]) - 1)), 1e-2)  # fmt: skip


def mean_kl(p: Problem, theta: Array, obs: Array, weight: Array) -> Array:
    eta, eta_k = p.policy.forward(theta, obs)[0], p.policy.forward(p.theta, obs)[0]
    return weight @ p.policy.head.kl(eta, eta_k)


@claim("E42")
def hessian_of_kl(p: Problem) -> Row:
    obs, weight = some(p)
    u, v = p.rng.standard_normal((2, len(p.theta)))

    def slope(x: Array) -> Array:
        return complex_step(lambda y: mean_kl(p, y, obs, weight), x, v)

    h = fisher_product(p.policy, p.theta, obs, weight)
    scale = np.sqrt((u @ h(u)) * (v @ h(v)))
    step = 1e-5 / max(1.0, float(np.abs(obs).max()))
    got = central_difference(slope, p.theta, u, step)
    return Row("differences of an exact slope", float(abs(got - u @ h(v)) / scale), 1e-6)


@claim("E43", "no other step of that size gains more")
def trust_region(p: Problem) -> Row:
    obs, weight = some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))  # within the range of H
    x = conjugate_gradients(h, g, 200, 1e-12).x
    d = trust_region_step(x, float(x @ h(x)), 0.01)
    others = p.rng.standard_normal((50, len(p.theta)))
    gains = [g @ o * np.sqrt(0.02 / (o @ h(o))) for o in others]
    best = max(gains) / (g @ d)
    return Row(f"best of 50 others gains {best:.3g} of it",
               worst(abs(0.5 * float(d @ h(d)) / 0.01 - 1), best - 1), 1e-6)  # fmt: skip


@claim("E44", "they need only v ↦ Hv and end at H⁻¹g")
def conjugate(p: Problem) -> Row:
    obs, weight = some(p)
    h = fisher_product(p.policy, p.theta, obs, weight)
    g = h(p.rng.standard_normal(len(p.theta)))
    result = conjugate_gradients(h, g, 500, 1e-10)
    residual = np.linalg.norm(h(result.x) - g) / np.linalg.norm(g)
    return Row(f"{result.iterations} iterations for {len(g)} parameters, {result.reason}",
               float(residual), 1e-7)  # fmt: skip


@claim("E44", "they stop before a negative or undefined curvature and say so")
def stops(p: Problem) -> Row:
    b = 1 + p.own_rng("E44").random(2)
    with np.errstate(invalid="ignore"):
        found = [conjugate_gradients(np.diag(d).dot, b) for d in ([1.0, -9.0], [np.nan, 1.0])]
    told = [result.reason for result in found]
    wrong = told != ["negative curvature", "not finite"] or any(x.x.any() for x in found)
    return Row(f"diag(1, −9) and NaN: {' and '.join(told)}; error: 1 if not", float(wrong), 0.0)
