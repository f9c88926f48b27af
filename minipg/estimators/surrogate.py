"""The surrogate L of section 5 from a Batch, its gradient, and PPO's clip.

Axes: T steps, B columns, N samples, P parameters. Exact on a table: truth/performance.py.
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.policy import Policy
from minipg.validate import Array, array, arrays, check_finite, check_range, check_shape, product


def batch_surrogate(policy: Policy, theta: Array, batch: Batch, psi: Array) -> float:
    """E33 L(θ) = E Σ_t (π_θ/π_θk)(a_t|s_t) ψ_t from a batch of π_θk; ψ (T, B) with its γ^t.

    The slides leave Σ_t γ^t out (errata 6).
    """
    psi = array(psi)
    check_shape("psi", psi, batch.rewards.shape)
    return float(_weighted(policy, theta, batch, psi).sum())


def batch_surrogate_gradient(policy: Policy, theta: Array, batch: Batch, psi: Array) -> Array:
    """E35 ∇L(θ) = E Σ_t (π_θ/π_θk) ∇log π_θ ψ_t (P,); at θ_k the policy gradient."""
    psi = array(psi)
    check_shape("psi", psi, batch.rewards.shape)
    obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
    return policy.weighted_score(theta, obs, actions, _weighted(policy, theta, batch, psi))


def _weighted(policy: Policy, theta: Array, batch: Batch, psi: Array) -> Array:
    """weight · π_θ/π_θk · ψ of the transitions that are data (N,)."""
    weight = np.broadcast_to(batch.weight, psi.shape)[batch.valid]
    each = product(product(weight, ratio(policy, theta, batch)[batch.valid]), psi[batch.valid])
    check_finite("ratio π/π_k times ψ (a smaller step from θ_k?)", each)
    return each


def ratio(policy: Policy, theta: Array, batch: Batch) -> Array:
    """π_θ(a_t|s_t)/π_θk(a_t|s_t) (T, B), θ_k that of the batch: 1 to the bit at θ_k."""
    with np.errstate(over="ignore"):  # refused where it meets a ψ that is not 0
        return np.exp(policy.log_prob(theta, batch.obs[:-1], batch.actions) - batch.log_prob)


def clipped_surrogate(
    policy: Policy,
    theta: Array,
    obs: Array,
    actions: Array,
    log_prob: Array,
    psi: Array,
    clip: float,
) -> tuple[float, Array, float]:
    """E47 mean of min(ρψ, clip(ρ, 1 ± ε)ψ), its gradient (P,), and the share of samples outside.

    ρ = π_θ(a|s)/π_θk(a|s), log_prob (N,) that of θ_k. The gradient is mean ρ ψ ∇log π of the
    samples inside, exactly 0 of those that the minimum clips; at θ_k it is the policy gradient.
    """
    theta, obs, actions, log_prob, psi = arrays(theta, obs, actions, log_prob, psi)
    check_range("number of samples", len(obs), 1)
    clip = check_range("clip", clip, 0)
    policy.head.check_actions(actions, obs.shape[:-1])
    check_shape("log_prob", log_prob, obs.shape[:-1])
    check_shape("psi", psi, obs.shape[:-1])
    check_finite("psi", psi)
    eta, tape = policy.forward(theta, obs)
    up = psi > 0
    bound = np.where(up, 1 + clip, 1 - clip)  # that of the two which the minimum may take
    with np.errstate(over="ignore", invalid="ignore"):  # such a ρ is clipped, or refused below
        rho = np.exp(policy.head.log_prob(eta, actions) - log_prob)
        outside = np.where(up, rho > bound, rho < bound)
        each = product(np.where(outside, bound, rho), psi)
        value = each.mean()
        inside = np.where(outside, 0, each / len(obs)).astype(theta.dtype)
    check_finite("ratio π/π_k times ψ, where no clip bounds it (a smaller learning rate?)", inside)
    check_range("mean of min(ρψ, clip(ρ, 1 ± ε)ψ)", value)
    deta = product(inside[:, None], policy.head.score(eta, actions))
    return float(value), policy.vjp(theta, tape, deta), np.count_nonzero(outside) / len(obs)
