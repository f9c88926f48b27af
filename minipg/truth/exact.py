"""Exact truth about a TabularMDP: values, visits, ∇J by sparse solves.

Axes: S states, A actions, P parameters; pi (S, A) is π(a|s).
No function forms an S×S dense matrix. Each takes complex π too, so complex-step holds.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lgmres, splu

from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP, check_pi
from minipg.validate import (
    Array,
    array,
    arrays,
    check_count,
    check_finite,
    check_range,
    check_shape,
    power_of_two,
    product,
)

DIRECT = 2_000  # states; 10⁴ of a random table take splu about a minute, LGMRES 0.04 s
RESIDUAL, BACKWARD = 1e-8, 1e-14


def _solve(mdp: TabularMDP, pi: Array, gamma: float, right: Array, transposed: bool) -> Array:
    """x of (I − γ P_π) x = right, or of the transposed system; ValueError if π never ends.

    Above DIRECT states by LGMRES to 1e-12, as fill-in is near S² on tables without geometry;
    direct where that stalls (chains, γ near 1). ValueError where ‖right − A x‖, A = I − γ P_π, is
    above 1e-8 ‖right‖ and no rounding, 1e-14 ‖|A| |x|‖, or above 1e-6 ‖right‖.
    Source: Baker, Jessup & Manteuffel 2005.
    """
    if gamma == 1:
        mdp.check_ends(pi)
    system = sp.eye_array(mdp.num_states) - gamma * mdp.chain(pi)
    matrix = system.T if transposed else system
    unit = power_of_two(right)  # its square must not overflow
    right = right / unit
    size, left = float(np.linalg.norm(right)), np.inf
    if mdp.num_states > DIRECT and not np.iscomplexobj(pi):
        x, _ = lgmres(matrix, right, rtol=1e-12, atol=0, maxiter=30)
        left = float(np.linalg.norm(right - matrix @ x))
    if not left <= RESIDUAL * size:
        factor = splu(sp.csc_array(system))  # its transposed loses more digits where γ = 1
        x = factor.solve(right.astype(system.dtype), "T" if transposed else "N")
        left = float(np.linalg.norm(right - matrix @ x))
    rounding = BACKWARD * float(np.linalg.norm(abs(matrix) @ np.abs(x)))
    if not left <= min(max(RESIDUAL * size, rounding), 1e-6 * size):
        raise ValueError(
            f"mdp: expected a relative residual ≤ {RESIDUAL}, or 1e-6 where that is rounding, got "
            f"{left / size:.1e}: episodes are too long for 16 digits, take a smaller γ"
        )
    with np.errstate(over="ignore"):
        x = x * unit
    check_finite("value of a state (rewards are too large)", x)
    return x


def state_values(mdp: TabularMDP, pi: Array) -> Array:
    """V^π (S,) = r_π + γ P_π V^π, solved."""
    pi = check_pi(mdp, pi)
    return _solve(mdp, pi, mdp.gamma, (pi * mdp.expected_reward).sum(1), transposed=False)


def action_values(mdp: TabularMDP, values: Array) -> Array:
    """E11, E12 Q(s, a) = r(s, a) + γ E_{s′} V(s′) (S, A), V = 0 after an end; values (S,)."""
    values = array(values)
    check_shape("values", values, (mdp.num_states,))
    check_finite("values", values)
    return mdp.expected_reward + mdp.gamma * (mdp.continuing @ values).reshape(
        mdp.num_states, mdp.num_actions
    )


def advantages(mdp: TabularMDP, pi: Array) -> Array:
    """E12 A^π = Q^π − V^π (S, A)."""
    values = state_values(mdp, pi)
    return action_values(mdp, values) - values[:, None]


def objective(mdp: TabularMDP, pi: Array) -> Array:
    """E01, E28 J(π) = E_π E_T R = E_{s_0} V^π(s_0), a scalar."""
    return mdp.start @ state_values(mdp, pi)


def mean_return(mdp: TabularMDP, pi: Array, steps: int) -> float:
    """E Σ_{t<steps} r_t, undiscounted: what episodes return that a time limit cuts, a scalar."""
    pi, steps = check_pi(mdp, pi), check_count("steps", steps, 1)
    alive, total, goes_on = mdp.start, 0.0, mdp.chain(pi).T
    reward = (pi * mdp.expected_reward).sum(1)
    for _ in range(steps):
        total, alive = total + float(alive @ reward), goes_on @ alive
    return total


def visits(mdp: TabularMDP, pi: Array, gamma: float) -> Array:
    """Σ_t γ^t P(s_t = s, not ended) (S,), solved."""
    pi, gamma = check_pi(mdp, pi), check_range("gamma", gamma, 0, 1)
    return _solve(mdp, pi, gamma, mdp.start, transposed=True)


def visitation(mdp: TabularMDP, pi: Array) -> Array:
    """E30 d_π(s) = (1−γ) Σ_t γ^t P(s_t = s), a distribution (S + 1,).

    Its last entry is the episode being over, from then on for ever; there every advantage is 0.
    """
    alive = (1 - mdp.gamma) * visits(mdp, pi, mdp.gamma)
    over = 1 - alive.sum()
    return np.append(alive, over if over.real > 0 else 0)  # not below it by rounding


def _softmax(mdp: TabularMDP, policy: Policy) -> Softmax:
    if not isinstance(policy.head, Softmax) or policy.head.n != mdp.num_actions:
        raise ValueError(f"policy: expected Softmax({mdp.num_actions}), got {policy.head}")
    return policy.head


def logit_score(mdp: TabularMDP, pi: Array, psi: Array, discounted_visits: bool = True) -> Array:
    """E20 E Σ_t γ^t ∇_η log π(a_t|s_t) ψ(s_t, a_t) (S, A), η(s, a) the logits of π.

    = Σ_t γ^t P(s_t = s) π(a|s) (ψ(s, a) − Σ_b π(b|s) ψ(s, b)). discounted_visits=False drops γ^t.
    """
    pi, psi = arrays(pi, psi)
    check_shape("psi", psi, (mdp.num_states, mdp.num_actions))
    visited = visits(mdp, pi, mdp.gamma if discounted_visits else 1.0)
    score = product(visited[:, None] * pi, psi - product(pi, psi).sum(1, keepdims=True))
    check_finite("psi, where it is visited", score)
    return score


def logit_gradient(mdp: TabularMDP, pi: Array) -> Array:
    """E05, E11, E12 ∂J/∂η(s, a) = Σ_t γ^t P(s_t = s) π(a|s) A^π(s, a) (S, A), η the logits of π.

    That is ∇J of a table of logits, without a network. Source: Agarwal et al. 2021, arXiv
    1908.00261.
    """
    return logit_score(mdp, pi, advantages(mdp, pi))


def expected_score(
    mdp: TabularMDP, policy: Policy, theta: Array, psi: Array, discounted_visits: bool = True
) -> Array:
    """E20 E Σ_t γ^t ∇log π(a_t|s_t) ψ(s_t, a_t) (P,) for any table ψ (S, A): logit_score's vjp.

    With ψ = Q^π or A^π + any b(s) it is ∇J, with another critic ∇J and its bias (errata 10).
    """
    head = _softmax(mdp, policy)
    eta, tape = policy.forward(theta, mdp.features)
    return policy.vjp(theta, tape, logit_score(mdp, head.probs(eta), psi, discounted_visits))


def policy_gradient(
    mdp: TabularMDP, policy: Policy, theta: Array, discounted_visits: bool = True
) -> Array:
    """E05, E11, E12 ∇J = Σ_s Σ_t γ^t P(s_t = s) Σ_a π(a|s) A^π(s, a) ∇log π(a|s) (P,).

    discounted_visits=False drops the γ^t, as sections 1–4 of the slides do: what REINFORCE
    then estimates, no gradient of J where γ < 1 (errata 7).
    Source: Sutton et al. 2000, theorem 1.
    """
    _softmax(mdp, policy)
    psi = advantages(mdp, policy.probs(theta, mdp.features))
    return expected_score(mdp, policy, theta, psi, discounted_visits)


def bootstrap_bias(
    mdp: TabularMDP, policy: Policy, theta: Array, error: Array, lam: float
) -> Array:
    """E19 bias (P,) of GAE with the critic V^π + error, error (S,); λ = 0: A2C's δ.

    GAE changes by −e(s_t) + γ(1−λ) Σ_i (γλ)^i e(s_{t+1+i}); the first is a baseline. So the bias
    is E Σ γ^t ∇log π ψ with ψ(s, a) = γ(1−λ) E[y(s′)], y = (I − γλ P_π)⁻¹ error (footnote 6).
    """
    error, lam = array(error), check_range("lam", lam, 0, 1)
    check_shape("error", error, (mdp.num_states,))
    pi = policy.probs(theta, mdp.features)
    y = _solve(mdp, pi, mdp.gamma * lam, error, transposed=False)
    psi = mdp.gamma * (1 - lam) * (mdp.continuing @ y).reshape(pi.shape)
    return expected_score(mdp, policy, theta, psi)
