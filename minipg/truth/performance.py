"""Section 5 on a table: performance difference, surrogate L, its bound, the monotone loop.

Axes: S states, A actions; pi and pi_new (S, A) are π and π̃.
KL(p‖q) = E_p log p/q, in nats, its direction in the arguments.
"""

import numpy as np

from minipg.problems.mdp import TabularMDP, check_pi
from minipg.truth import exact
from minipg.validate import Array, arrays


def performance_difference(mdp: TabularMDP, pi_new: Array, pi: Array) -> float:
    """E29, E31 E_{T∼π̃} Σ_t γ^t A^π = 1/(1−γ) E_{s∼d_π̃} E_{a∼π̃} A^π(s, a), which is J(π̃) − J(π).

    With d_π in place of d_π̃ it is L (errata 3). Source: Kakade & Langford 2002, lemma 6.1.
    """
    pi_new = check_pi(mdp, pi_new)
    visited = exact.visits(mdp, pi_new, mdp.gamma)
    return float(visited @ (pi_new * exact.advantages(mdp, pi)).sum(1))


def surrogate(mdp: TabularMDP, pi_new: Array, pi: Array) -> float:
    """E33 L(π̃) = 1/(1−γ) E_{s∼d_π} E_{a∼π} (π̃/π) A^π(s, a): E32 with d_π for d_π̃; L(π) = 0."""
    pi_new, pi = check_pi(mdp, pi_new), check_pi(mdp, pi)
    visited = exact.visits(mdp, pi, mdp.gamma)
    ratio = np.divide(pi_new, pi, out=np.zeros(pi.shape), where=pi > 0)
    return float(visited @ (pi * ratio * exact.advantages(mdp, pi)).sum(1))


def kl(p: Array, q: Array) -> Array:
    """KL(p‖q)[s] (S,) of two tables (S, A); infinite where p has mass that q has not.

    As Σ p (x − log q/p), x = q/p − 1: no term is negative, and those of E36's tiny steps, which
    Σ p log p/q loses to rounding, keep their digits.
    """
    p, q = arrays(p, q)
    some = p >= np.finfo(float).tiny
    x = np.divide(q - p, p, out=np.zeros(p.shape), where=some)
    ratio = np.divide(q, p, out=np.ones(p.shape), where=some)
    with np.errstate(divide="ignore"):
        log_ratio = np.where(np.abs(x) < 0.5, np.log1p(x), np.log(ratio))
    return np.where(some, p * (x - log_ratio), q).sum(1)


def mean_kl(mdp: TabularMDP, p: Array, q: Array, pi: Array) -> float:
    """E37 E_{s∼d_π} KL(p‖q)[s], over the states before the end; never above the maximum."""
    return float(exact.visitation(mdp, pi)[:-1] @ kl(p, q))


def penalty(mdp: TabularMDP, pi: Array) -> float:
    """E34 C = 4 ε γ/(1−γ)², ε = max |A^π|: |J(π̃) − J(π) − L(π̃)| ≤ C max_s KL, in either direction.

    The slides have KL(π̃‖π), the paper KL(π‖π̃): two trust regions, one bound (errata 8).
    Source: Schulman et al. 2015, arXiv 1502.05477, theorem 1, and Pinsker's inequality.
    """
    epsilon = float(np.abs(exact.advantages(mdp, pi)).max())
    return 4 * epsilon * mdp.gamma / (1 - mdp.gamma) ** 2


def lower_bound(mdp: TabularMDP, pi_new: Array, pi: Array) -> float:
    """E36 L(π̃) − C max_s KL(π̃‖π)[s] ≤ J(π̃) − J(π); it is 0 at π̃ = π."""
    return surrogate(mdp, pi_new, pi) - penalty(mdp, pi) * float(kl(pi_new, pi).max())


def improve(mdp: TabularMDP, pi: Array) -> Array:
    """E36 argmax_π̃ of the lower bound (S, A), over all tables of probabilities.

    For a radius κ the best table with KL(π̃‖π)[s] ≤ κ tilts each state: π̃ ∝ π e^{βA} with KL = κ
    (or is greedy); what is left is the maximum over κ of L − Cκ, which is concave.
    """
    from scipy.optimize import minimize_scalar

    pi = check_pi(mdp, pi)
    advantage, c = exact.advantages(mdp, pi), penalty(mdp, pi)
    visited = exact.visits(mdp, pi, mdp.gamma)

    def bound(log_radius: float) -> float:
        radius = float(np.exp(log_radius))
        return c * radius - float(visited @ (_tilt(pi, advantage, radius) * advantage).sum(1))

    best = minimize_scalar(bound, bounds=(-60.0, 5.0), method="bounded", options={"xatol": 1e-3})
    new = _tilt(pi, advantage, float(np.exp(best.x)))
    return new if lower_bound(mdp, new, pi) > 0 else pi


def _tilt(pi: Array, advantage: Array, radius: float) -> Array:
    """π e^{β_s A} / Σ with the largest β_s for which KL(·‖π)[s] ≤ radius, by bisection."""
    low, high = np.full((len(pi), 1), -60.0), np.full((len(pi), 1), 30.0)
    centred = advantage - advantage.max(1, keepdims=True)

    def table(log_beta: Array) -> Array:
        weight = pi * np.exp(np.exp(log_beta) * centred)
        return weight / weight.sum(1, keepdims=True)

    for _ in range(80):
        middle = (low + high) / 2
        inside = kl(table(middle), pi)[:, None] <= radius
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return table(low)
