"""Estimators of ∇J from a Batch and a ψ: E Σ_t ∇log π(a_t|s_t) ψ_t.

Axes: T steps, B columns, P parameters. One episode a column where a column is one estimate.
Write γ^t into ψ (returns.discounts) where the gradient of the discounted J is meant.
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.policy import Policy
from minipg.validate import Array, array, check_shape, product


def gradient(policy: Policy, theta: Array, batch: Batch, psi: Array) -> Array:
    """E05, E10, E11 Σ_b weight_b Σ_t ∇log π(a_t|s_t) ψ_t (P,), in one vjp; ψ (T, B)."""
    psi = array(psi)
    check_shape("psi", psi, batch.rewards.shape)
    weighted = product(batch.weight, psi)[batch.valid]
    return policy.weighted_score(
        theta, batch.obs[:-1][batch.valid], batch.actions[batch.valid], weighted
    )


def gradients(policy: Policy, theta: Array, batch: Batch, psi: Array) -> Array:
    """E05, E10, E11 Σ_t ∇log π(a_t|s_t) ψ_t of each column (B, P); ψ (T, B)."""
    psi = array(psi)
    check_shape("psi", psi, batch.rewards.shape)
    obs, actions = batch.obs[:-1].swapaxes(0, 1), batch.actions.swapaxes(0, 1)
    return policy.weighted_score(theta, obs, actions, np.where(batch.valid, psi, 0.0).T)
