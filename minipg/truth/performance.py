"""Section 5 on a table: performance difference, surrogate L, its bound, the monotone loop.

Axes: S states, A actions; pi and pi_new (S, A) are π and π̃.
KL(p‖q) = E_p log p/q, in nats, its direction in the arguments.
"""

from dataclasses import replace

import numpy as np

from minipg.policies.heads import kl_terms
from minipg.problems.mdp import TabularMDP, check_pi, check_rows
from minipg.truth import exact
from minipg.validate import TINY, Array, check_shape, product


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

    No term is negative, and those of E36's tiny steps, which Σ p log p/q loses to rounding, keep
    their digits. ValueError unless all rows are probabilities.
    """
    p, q = (check_rows(name, table) for name, table in (("p", p), ("q", q)))
    check_shape("q", q, p.shape)
    return _kl(p, q)


def _kl(p: Array, q: Array) -> Array:
    """KL(p‖q)[s] (S,) of checked tables."""
    some = p >= TINY
    x = np.divide(q - p, p, out=np.zeros(p.shape), where=some)
    ratio = np.divide(q, p, out=np.ones(p.shape), where=some)
    with np.errstate(divide="ignore"):
        log_ratio = np.where(np.abs(x) < 0.5, np.log1p(x), np.log(ratio))
    return kl_terms(np.where(some, p, 0), q, log_ratio).sum(1)


def mean_kl(mdp: TabularMDP, p: Array, q: Array, pi: Array) -> float:
    """E37 E_{s∼d_π} KL(p‖q)[s], over the states before the end; never above the maximum.

    A state that π never visits does not count, whatever its KL.
    """
    visited = exact.visitation(mdp, pi)[:-1]
    return float(product(visited, kl(p, q)).sum())


def beyond_rounding(mdp: TabularMDP, pi: Array) -> Array:
    """A^π (S, A), 0 where it is no more than the rounding of what it is the difference of.

    That is a few units in the last place of E|r| + γ E|V(s′)| + |V(s)|, whatever the solve's own
    error in V, which all actions share.
    """
    values = exact.state_values(mdp, pi)
    sizes = replace(mdp, reward=np.abs(mdp.reward))
    size = exact.action_values(sizes, np.abs(values)) + np.abs(values)[:, None]
    advantage = exact.action_values(mdp, values) - values[:, None]
    return np.where(np.abs(advantage) > 16 * np.finfo(float).eps * size, advantage, 0)


def penalty(mdp: TabularMDP, pi: Array) -> float:
    """E34 C = 4 ε γ/(1−γ)², ε = max |A^π|: |J(π̃) − J(π) − L(π̃)| ≤ C max_s KL, in either direction.

    Infinite where γ = 1, unless no action matters. The slides have KL(π̃‖π), the paper KL(π‖π̃):
    two trust regions, one bound (errata 8).
    Source: Schulman et al. 2015, arXiv 1502.05477, theorem 1, and Pinsker's inequality.
    """
    epsilon = float(np.abs(beyond_rounding(mdp, pi)).max())
    if mdp.gamma == 1:
        return np.inf if epsilon else 0.0
    return 4 * epsilon * mdp.gamma / (1 - mdp.gamma) ** 2


def lower_bound(mdp: TabularMDP, pi_new: Array, pi: Array) -> float:
    """E36 L(π̃) − C max_s KL(π̃‖π)[s] ≤ J(π̃) − J(π); it is 0 at π̃ = π.

    Where C = 0 (γ = 0) L is the difference itself, whatever the KL; where KL = 0 no C counts.
    """
    largest = kl(pi_new, pi).max()
    return surrogate(mdp, pi_new, pi) - float(product(penalty(mdp, pi), largest))


def improve(mdp: TabularMDP, pi: Array) -> Array:
    """E36 argmax_π̃ of the lower bound (S, A), over all tables of probabilities.

    For a radius κ the best table with KL(π̃‖π)[s] ≤ κ tilts each state, π̃ ∝ π e^{β_s A} with KL = κ
    (or is greedy). What is left is the maximum over κ of L − Cκ, which is concave: there C is
    dL/dκ = Σ_s Σ_t γ^t P(s_t = s) / β_s, as 1/β_s is the multiplier of state s.
    """
    from scipy.optimize import brentq

    pi = check_pi(mdp, pi)
    advantage, c = beyond_rounding(mdp, pi), penalty(mdp, pi)
    if not advantage.any():
        return pi
    visited = exact.visits(mdp, pi, mdp.gamma)
    if c == 0:  # L is the difference itself
        new = np.eye(mdp.num_actions)[advantage.argmax(1)]
        return new if lower_bound(mdp, new, pi) > 0 else pi
    unit = spread(pi, advantage)
    matters = visited[:, None] * unit > 0
    if not (matters.any() and np.isfinite(c)):
        return pi

    def log_slope(log_radius: float) -> float:
        """log dL/dκ − log C, which falls from the smallest radius to that of the greedy table."""
        log_beta = within(pi, advantage, float(np.exp(log_radius)))
        terms = np.log(visited[:, None] * unit, where=matters, out=np.full(unit.shape, -np.inf))
        return float(np.logaddexp.reduce(terms - log_beta, axis=None) - np.log(c))

    low, high = np.log(TINY), np.log(kl(tilted(pi, advantage, LOG_BETA), pi).max())
    if log_slope(low) > 0:
        low = high if log_slope(high) >= 0 else brentq(log_slope, low, high, xtol=1e-9)
    new = tilted(pi, advantage, within(pi, advantage, float(np.exp(low))))
    return new if lower_bound(mdp, new, pi) > 0 else pi


def spread(pi: Array, advantage: Array) -> Array:
    """max A − min A of the actions that π takes (S, 1)."""
    taken = pi > 0
    best = np.where(taken, advantage, -np.inf).max(1, keepdims=True)
    return best - np.where(taken, advantage, np.inf).min(1, keepdims=True)


def tilted(pi: Array, advantage: Array, log_beta: Array | float) -> Array:
    """π e^{βA} / Σ (S, A), β in units of 1/spread. Where no action matters it is π.

    log_beta: a number, or one a state (S, 1).
    """
    taken, unit = pi > 0, spread(pi, advantage)
    below = np.where(
        taken, advantage - np.where(taken, advantage, -np.inf).max(1, keepdims=True), 0
    )
    below = np.divide(below, unit, out=np.zeros(pi.shape), where=unit > 0)
    weight = pi * np.exp(np.exp(log_beta) * below)
    return weight / weight.sum(1, keepdims=True)


LOG_BETA = 60.0  # from e⁻⁶⁰, where nothing moves, to e⁶⁰, where only the best action is left


def within(pi: Array, advantage: Array, radius: float) -> Array:
    """log β (S, 1) of the largest tilt of each state for which KL(·‖π)[s] ≤ radius, bisected."""
    low, high = np.full((len(pi), 1), -LOG_BETA), np.full((len(pi), 1), LOG_BETA)
    for _ in range(60):  # to the last digit
        middle = (low + high) / 2
        inside = _kl(tilted(pi, advantage, middle), pi)[:, None] <= radius
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low
