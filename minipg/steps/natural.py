"""The Fisher matrix of a policy and the natural gradient (section 5).

Axes: N observations, K head parameters, P parameters. weight (N,) is the probability of each
observation, d_π in the slides; H(θ) = Σ_n weight_n E_{a∼π} ∇log π ∇log πᵀ.
"""

from collections.abc import Callable

import numpy as np

from minipg.policies.policy import Policy
from minipg.steps.linalg import conjugate_gradients
from minipg.validate import Array, check_range, check_shape

SOLVERS = ("cg", "cholesky")


def fisher_product(
    policy: Policy, theta: Array, obs: Array, weight: Array
) -> Callable[[Array], Array]:
    """E39, E42, E44 v ↦ H v (P,) = Jᵀ M J v, M the head's own Fisher matrix: exact, never P×P.

    H = E ∇log π ∇log πᵀ; the slides' second factor lacks its ∇ (errata 1). E41: near θ the mean
    KL, of either direction, is ½ dᵀHd without a linear term (footnote 7). The forward pass is
    done once, each product costs one jvp and one vjp.
    """
    check_shape("weight", weight, (len(obs),))
    parts = []
    for i in policy.network.blocks(len(obs), theta.dtype):
        eta, tape = policy.forward(theta, obs[i])
        parts.append((tape, policy.head.fisher_product(eta), weight[i, None].astype(theta.dtype)))

    def product(v: Array) -> Array:
        total = np.zeros_like(v)
        for tape, of_head, scale in parts:
            total += policy.vjp(theta, tape, scale * of_head(policy.jvp(theta, tape, v)))
        return total

    return product


def fisher_matrix(policy: Policy, theta: Array, obs: Array, weight: Array) -> Array:
    """E39 H (P, P), for few parameters: the product with each unit vector."""
    product = fisher_product(policy, theta, obs, weight)
    return np.stack([product(e) for e in np.eye(len(theta), dtype=theta.dtype)], 1)


def natural_gradient(
    policy: Policy, theta: Array, obs: Array, gradient: Array, damping: float, solver: str,
    cg_iterations: int,
) -> tuple[Array, float]:  # fmt: skip
    """x ≈ (H + damping)⁻¹ g (P,), obs (N, D) weighted alike, and the undamped xᵀHx.

    "cholesky" factors the dense H + damping; where that is not positive definite, ValueError.
    """
    product = fisher_product(policy, theta, obs, uniform(obs))
    scale = theta.dtype.type(damping)
    if solver == "cg":
        x = conjugate_gradients(lambda v: product(v) + scale * v, gradient, cg_iterations).x
    else:
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        h = fisher_matrix(policy, theta, obs, uniform(obs))
        h[np.diag_indices_from(h)] += scale
        try:
            x = cho_solve(cho_factor(h), gradient)
        except LinAlgError as error:
            raise ValueError(f"damping: expected more than {damping}, H is singular") from error
    return x, float(x @ product(x))


def uniform(obs: Array) -> Array:
    """1/N for each of N samples (N,); ValueError without any."""
    check_range("number of samples", len(obs), 1)
    return np.full(len(obs), 1 / len(obs))


def trust_region_step(direction: Array, curvature: float, delta: float) -> Array:
    """E40, E43 √(2δ/gᵀH⁻¹g) H⁻¹g (P,): maximises gᵀd subject to ½ dᵀHd ≤ δ.

    The same change of π in every parametrisation. direction x ≈ H⁻¹g; curvature = xᵀHx, which is
    gᵀH⁻¹g where x solves the system; undamped, so that the predicted KL is δ whatever damping x
    was solved with (pitfall 14). The factor ½ is what the slides' KL ≈ dᵀHd lacks (errata 2).
    ValueError if curvature ≤ 0.
    """
    check_range("delta", delta, np.finfo(float).tiny)
    check_range("curvature", curvature, np.finfo(float).tiny)
    return direction * direction.dtype.type(np.sqrt(2 * delta / curvature))
