"""A linear-quadratic problem: the exact oracle for continuous actions.

s′ = F s + G a + w, w ∼ N(0, W); reward −(sᵀQs + aᵀRa); s_0 ∼ N(m, C). The policy is linear:
a ∼ N(μ, diag σ²), μ = s·W0 + b0, so θ is W0 (n, d), b0 (d,), log σ (d,), the layout of
gaussian_policy(n, d). Axes: n state, d action, `...` any leading axes. With x = (s, 1):
V_t(s) = −(xᵀ P_t x + c_t), exactly, by a recursion (horizon) or its fixed point (horizon None).
"""

from typing import NamedTuple

import numpy as np

from minipg.problems.lqr_problem import LQR as LQR
from minipg.validate import (
    LARGEST,
    Array,
    array,
    arrays,
    check_count,
    check_finite,
    finite_array,
    product,
)

overflow_refused = np.errstate(over="ignore", invalid="ignore")  # by _check_finite, not in passing


class ClosedLoop(NamedTuple):
    """With x = (s, 1): x′ = F x + G a + w, cost xᵀQx + aᵀRa, a ∼ N(M x, sigma), the x′ of noise N.

    N = W + G sigma Gᵀ is all noise of x′, that of the action too; F, G, Q are those of x.
    """

    F: Array
    G: Array
    Q: Array
    M: Array
    sigma: Array
    N: Array


class Solution(NamedTuple):
    """V_t(s) = −(xᵀ P[t] x + c[t]); one t for all without a horizon, else t = 0 … horizon."""

    P: list[Array]
    c: list[float]


def _closed_loop(lqr: LQR, theta: Array) -> ClosedLoop:
    n, d = lqr.G.shape
    theta = finite_array("theta", theta, (n * d + 2 * d,))
    big_f = np.block([[lqr.F, np.zeros((n, 1))], [np.zeros((1, n)), np.ones((1, 1))]])
    big_g = np.vstack([lqr.G, np.zeros((1, d))])
    pad = ((0, 1), (0, 1))
    mean_map = theta[: n * d + d].reshape(n + 1, d).T
    sigma = np.diag(np.exp(2 * theta[n * d + d :]))
    noise = np.pad(lqr.W, pad) + big_g @ sigma @ big_g.T
    return ClosedLoop(big_f, big_g, np.pad(lqr.Q, pad), mean_map, sigma, noise)


@overflow_refused
def solve(lqr: LQR, theta: Array) -> Solution:
    """P_t = Q + MᵀRM + LᵀP_{t+1}L with L = √γ (F + GM); c_t = tr RΣ + γ (c_{t+1} + tr P_{t+1}N).

    F, G, Q, M, Σ and N are those of x (ClosedLoop). ValueError where, without a horizon, L is
    not stable, and where V overflows.
    """
    x = _closed_loop(lqr, theta)
    loop, cost = np.sqrt(lqr.gamma) * (x.F + x.G @ x.M), x.Q + x.M.T @ lqr.R @ x.M
    if lqr.horizon is None:
        from scipy.linalg import solve_discrete_lyapunov

        radius = np.abs(np.linalg.eigvals(loop)).max()
        if radius >= 1:
            raise ValueError(f"theta: expected a stable policy, got √γ·|eigenvalue| = {radius:.6g}")
        p = solve_discrete_lyapunov(loop.T, cost)
        c = (np.trace(lqr.R @ x.sigma) + lqr.gamma * np.trace(p @ x.N)) / (1 - lqr.gamma)
        _check_finite("values", p, c)
        return Solution([p], [float(c)])
    ps, cs = [np.zeros_like(cost)], [0.0]
    for left in range(lqr.horizon):
        following = float(product(lqr.gamma, cs[0] + np.trace(ps[0] @ x.N)))
        c = np.trace(lqr.R @ x.sigma) + following
        ps.insert(0, cost + loop.T @ ps[0] @ loop)
        cs.insert(0, float(c))
        _check_finite(f"values {left + 1} steps before the end", ps[0], c)
    return Solution(ps, cs)


def _check_finite(name: str, *results: Array | float) -> None:
    """Raise ValueError where one of them has overflowed."""
    if not all(np.isfinite(x).all() for x in results):
        raise ValueError(
            f"theta: expected {name} that stay finite, they overflow: a shorter horizon, smaller "
            "costs, or a policy under which s does not grow"
        )


def _time(lqr: LQR, t: int) -> int:
    """Which of the solution's t; ValueError beyond the horizon."""
    t = check_count("t", t, 0, LARGEST if lqr.horizon is None else lqr.horizon)
    return 0 if lqr.horizon is None else t


def _quadratic(p: Array, s: Array) -> Array:
    """xᵀPx (...) with x = (s, 1)."""
    x = np.concatenate([s, np.ones((*s.shape[:-1], 1))], -1)
    return np.einsum("...i,ij,...j->...", x, p, x)


@overflow_refused
def state_values(lqr: LQR, solution: Solution, s: Array, t: int = 0) -> Array:
    """V^π_t(s) (...) at s (..., n); t counts only where there is a horizon."""
    s, t = array(s), _time(lqr, t)
    check_finite("s", s)
    return _sized("V", -(_quadratic(solution.P[t], s) + solution.c[t]))


@overflow_refused
def action_values(lqr: LQR, solution: Solution, s: Array, a: Array, t: int = 0) -> Array:
    """E11, E12 Q^π_t(s, a) = −(sᵀQs + aᵀRa) + γ E_w V_{t+1}(Fs + Ga + w) (...)."""
    (s, a), t = arrays(s, a), _time(lqr, check_count("t", t) + 1)
    n = len(lqr.F)
    expected = -(_quadratic(solution.P[t], s @ lqr.F.T + a @ lqr.G.T)
                 + np.trace(solution.P[t][:n, :n] @ lqr.W) + solution.c[t])  # fmt: skip
    return _sized("Q", reward(lqr, s, a) + product(lqr.gamma, expected))


@overflow_refused
def reward(lqr: LQR, s: Array, a: Array) -> Array:
    """−(sᵀQs + aᵀRa) (...)."""
    s, a = arrays(s, a)
    check_finite("s", s)
    check_finite("a", a)
    costs = (np.einsum("...i,ij,...j->...", x, m, x) for x, m in ((s, lqr.Q), (a, lqr.R)))
    return _sized("reward", -next(costs) - next(costs))


def _sized(name: str, values: Array) -> Array:
    """`values`; ValueError where one has overflowed."""
    check_finite(f"{name} (s or a is too large)", np.asarray(values))
    return values


@overflow_refused
def objective(lqr: LQR, theta: Array) -> float:
    """E01, E28 J(θ) = E_{s_0} V^π(s_0) = −(tr P_0 E x_0x_0ᵀ + c_0)."""
    solution = solve(lqr, theta)
    value = -(np.trace(solution.P[0] @ _second_moment(lqr)) + solution.c[0])
    _check_finite("a J", value)
    return float(value)


def _second_moment(lqr: LQR) -> Array:
    x = np.append(lqr.mean, 1.0)
    return np.outer(x, x) + np.pad(lqr.C, ((0, 1), (0, 1)))


@overflow_refused
def policy_gradient(lqr: LQR, theta: Array) -> Array:
    """E05 ∇J (P,): −2 Σ_t γ^t [(R + γG̃ᵀP_{t+1}G̃) M + γG̃ᵀP_{t+1}F̃] X_t for M, X_t = E x_t x_tᵀ.

    For log σ_i: −2 Σ_t γ^t σ_i² (R + γG̃ᵀP_{t+1}G̃)_ii.
    Source: Fazel et al. 2018, arXiv 1801.05039, lemma 1, with noise, γ and a horizon.
    """
    own, solution = _closed_loop(lqr, theta), solve(lqr, theta)
    loop, x = np.sqrt(lqr.gamma) * (own.F + own.G @ own.M), _second_moment(lqr)
    if lqr.horizon is None:  # Σ_t γ^t X_t at once
        from scipy.linalg import solve_discrete_lyapunov

        right = x + lqr.gamma / (1 - lqr.gamma) * own.N
        x = solve_discrete_lyapunov(loop, right)
        terms = [(solution.P[0], x, 1 / (1 - lqr.gamma))]
    else:
        terms, weight = [], 1.0
        for p in solution.P[1:]:
            terms.append((p, x, weight))  # γ^t X_t: X_t alone may overflow where γ^t X_t does not
            weight *= lqr.gamma
            x = loop @ x @ loop.T + weight * own.N
    d_mean, d_log_std = np.zeros_like(own.M), np.zeros(len(own.sigma))
    for p, weighted_x, weight in terms:
        curvature = lqr.R + lqr.gamma * own.G.T @ p @ own.G
        d_mean -= 2 * (curvature @ own.M + lqr.gamma * own.G.T @ p @ own.F) @ weighted_x
        d_log_std -= 2 * weight * np.diag(own.sigma) * np.diag(curvature)
    _check_finite("a ∇J", d_mean, d_log_std)
    return np.concatenate([d_mean.T.ravel(), d_log_std])
