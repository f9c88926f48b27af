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
    """E33 L(π̃) = 1/(1−γ) E_{s∼d_π} Σ_a π̃(a|s) A^π(s, a): E31 with d_π for d_π̃; L(π) = 0.

    Where π > 0 the sum is E_{a∼π} (π̃/π) A^π, as E32 writes it; it counts what π never does too.
    """
    pi_new, pi = check_pi(mdp, pi_new), check_pi(mdp, pi)
    visited = exact.visits(mdp, pi, mdp.gamma)
    change = pi_new - pi  # for π̃, as E_{a∼π} A^π = 0: so L(π) is 0 to the bit
    return float(visited @ (change * exact.advantages(mdp, pi)).sum(1))


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
    """E37 E_{s∼d_π} KL(p‖q)[s], over the states before the end; never above the maximum.

    A state that π never visits does not count, whatever its KL.
    """
    visited = exact.visitation(mdp, pi)[:-1]
    return float(visited @ np.where(visited > 0, kl(p, q), 0.0))


def penalty(mdp: TabularMDP, pi: Array) -> float:
    """E34 C = 4 ε γ/(1−γ)², ε = max |A^π|: |J(π̃) − J(π) − L(π̃)| ≤ C max_s KL, in either direction.

    Infinite where γ = 1, unless no action matters. The slides have KL(π̃‖π), the paper KL(π‖π̃):
    two trust regions, one bound (errata 8).
    Source: Schulman et al. 2015, arXiv 1502.05477, theorem 1, and Pinsker's inequality.
    """
    epsilon = float(np.abs(exact.advantages(mdp, pi)).max())
    if mdp.gamma == 1:
        return np.inf if epsilon else 0.0
    return 4 * epsilon * mdp.gamma / (1 - mdp.gamma) ** 2


def lower_bound(mdp: TabularMDP, pi_new: Array, pi: Array) -> float:
    """E36 L(π̃) − C max_s KL(π̃‖π)[s] ≤ J(π̃) − J(π); it is 0 at π̃ = π.

    Where C = 0 (γ = 0) L is the difference itself, whatever the KL; where KL = 0 no C counts.
    """
    c, largest = penalty(mdp, pi), float(kl(pi_new, pi).max())
    return surrogate(mdp, pi_new, pi) - (c * largest if c and largest else 0.0)


def improve(mdp: TabularMDP, pi: Array) -> Array:
    """E36 argmax_π̃ of the lower bound (S, A), over all tables of probabilities.

    For a radius κ the best table with KL(π̃‖π)[s] ≤ κ tilts each state: π̃ ∝ π e^{βA} with KL = κ
    (or is greedy); what is left is the maximum over κ of L − Cκ, which is concave, near
    κ₀ = ℓ²/2C², that of L ≈ √(2κ) ℓ with ℓ = Σ_s Σ_t γ^t P(s_t = s) std_{a∼π} A^π(s, a).
    """
    from scipy.optimize import minimize_scalar

    pi = check_pi(mdp, pi)
    advantage, c = exact.advantages(mdp, pi), penalty(mdp, pi)
    visited = exact.visits(mdp, pi, mdp.gamma)
    if c == 0:  # L is the difference itself
        new = np.eye(mdp.num_actions)[advantage.argmax(1)]
        return new if lower_bound(mdp, new, pi) > 0 else pi
    unit = float(np.abs(advantage).max())
    slope = float(visited @ np.sqrt((pi * (advantage / unit) ** 2).sum(1)))  # ℓ, its mean is 0
    if not (slope > 0 and np.isfinite(c)):
        return pi
    middle = 2 * np.log(slope / (c / unit)) - np.log(2)  # log κ₀

    def bound(log_radius: float) -> float:
        radius = float(np.exp(log_radius))
        tilted = within(pi, advantage, radius)
        return c / unit * radius - float(visited @ (tilted * (advantage / unit)).sum(1))

    best = minimize_scalar(
        bound, bounds=(middle - 12, middle + 12), method="bounded", options={"xatol": 1e-3}
    )
    new = within(pi, advantage, float(np.exp(best.x)))
    return new if lower_bound(mdp, new, pi) > 0 else pi


def tilted(pi: Array, advantage: Array, log_beta: Array | float) -> Array:
    """π e^{βA} / Σ (S, A), β in units of 1/(max A − min A) of the actions that π takes.

    log_beta: a number, or one a state (S, 1). Where no action matters it is π.
    """
    taken = pi > 0
    best = np.where(taken, advantage, -np.inf).max(1, keepdims=True)
    below = np.where(taken, advantage - best, 0.0)
    unit = -below.min(1, keepdims=True)
    below = np.divide(below, unit, out=np.zeros(pi.shape), where=unit > 0)
    weight = pi * np.exp(np.exp(log_beta) * below)
    return weight / weight.sum(1, keepdims=True)


LOG_BETA = 60.0  # from e⁻⁶⁰, where nothing moves, to e⁶⁰, where only the best action is left


def within(pi: Array, advantage: Array, radius: float) -> Array:
    """π tilted with the largest β_s for which KL(·‖π)[s] ≤ radius, by bisection."""
    low, high = np.full((len(pi), 1), -LOG_BETA), np.full((len(pi), 1), LOG_BETA)
    for _ in range(80):
        middle = (low + high) / 2
        inside = kl(tilted(pi, advantage, middle), pi)[:, None] <= radius
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return tilted(pi, advantage, low)
