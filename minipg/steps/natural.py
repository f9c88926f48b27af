"""The Fisher matrix of a policy and the natural gradient (section 5).

Axes: N observations, K head parameters, P parameters. weight (N,) is the probability of each
observation, d_π in the slides; H(θ) = Σ_n weight_n E_{a∼π} ∇log π ∇log πᵀ.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np

from minipg.policies.policy import Policy
from minipg.steps.linalg import conjugate_gradients
from minipg.validate import (
    TINY,
    Array,
    array,
    arrays,
    check_finite,
    check_range,
    check_shape,
    floats,
    power_of_two,
)

SOLVERS = ("cg", "cholesky")


def fisher_product(
    policy: Policy, theta: Array, obs: Array, weight: Array
) -> Callable[[Array], Array]:
    """E39, E42, E44 v ↦ H v (P,) = Jᵀ M J v, M the head's own Fisher matrix: exact, never P×P.

    H = E ∇log π ∇log πᵀ; the slides' second factor lacks its ∇ (errata 1). E41: near θ the mean
    KL, of either direction, is ½ dᵀHd without a linear term (footnote 7). The forward pass is
    done once, each product costs one jvp and one vjp.
    """
    theta, obs = arrays(theta, obs)
    with np.errstate(over="ignore"):
        weight = array(weight).astype(floats(theta).dtype)
    check_shape("weight", weight, (len(obs),))
    check_finite("weight, in the dtype of θ", weight)
    parts = [
        _product_of_block(policy, theta, obs[i], weight[i])
        for i in policy.network.blocks(len(obs), theta.dtype)
    ]
    return lambda v: reduce(np.add, (part(v) for part in parts))


def _product_of_block(
    policy: Policy, theta: Array, obs: Array, weight: Array
) -> Callable[[Array], Array]:
    """fisher_product of few samples, whose slopes and η are kept from one product to the next."""
    eta, tape = policy.forward(theta, obs)
    of_head, tape = policy.head.fisher_product(eta), tape.kept()
    return lambda v: policy.vjp(theta, tape, weight[:, None] * of_head(policy.jvp(theta, tape, v)))


def fisher_matrix(policy: Policy, theta: Array, obs: Array, weight: Array) -> Array:
    """E39 H (P, P), for few parameters: the product with each unit vector."""
    theta = array(theta)
    product = fisher_product(policy, theta, obs, weight)
    return np.stack([product(e) for e in np.eye(len(theta), dtype=theta.dtype)], 1)


def natural_gradient(
    policy: Policy, theta: Array, obs: Array, gradient: Array, damping: float, solver: str,
    cg_iterations: int,
) -> tuple[Array, float]:  # fmt: skip
    """x ≈ (H + damping)⁻¹ g (P,), obs (N, D) weighted alike, and the undamped xᵀHx.

    solver: "cg" never forms H; "cholesky" does, ValueError where H + damping is not positive
    definite.
    """
    theta, obs, gradient = arrays(theta, obs, gradient)
    product = fisher_product(policy, theta, obs, uniform(obs))
    scale = theta.dtype.type(check_range("damping", damping, 0))
    if solver == "cg":
        x = conjugate_gradients(lambda v: product(v) + scale * v, gradient, cg_iterations).x
    elif solver == "cholesky":
        x = cholesky_solve(fisher_matrix(policy, theta, obs, uniform(obs)), scale, gradient)
    else:
        raise ValueError(f"solver: expected one of {', '.join(SOLVERS)}, got {solver!r}")
    return x, quadratic_form(product, x)


def quadratic_form(product: Callable[[Array], Array], x: Array) -> float:
    """xᵀHx, in a unit of x in which no square over- or underflows; product: v ↦ Hv."""
    unit = x.dtype.type(power_of_two(x))
    return float(x / unit @ product(x / unit)) * float(unit) * float(unit)


def cholesky_solve(h: Array, damping: float, g: Array) -> Array:
    """x (P,) of (H + damping) x = g, exactly; ValueError where that is not positive definite."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    damped = h + damping * np.eye(len(h), dtype=h.dtype)
    try:
        return cho_solve(cho_factor(damped), g)
    except LinAlgError as error:
        raise ValueError(f"damping: expected more than {damping}, H is singular") from error


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
    direction, delta = floats(direction), check_range("delta", delta, TINY)
    curvature = check_range("curvature", curvature, TINY)
    check_finite("direction", direction)
    return _times(direction, np.sqrt(2 * delta / curvature))


def _times(direction: Array, length: float) -> Array:
    """direction · length, which may be a number in its dtype where the length is none."""
    unit = power_of_two(direction)
    with np.errstate(over="ignore", invalid="ignore"):
        step = direction / direction.dtype.type(unit) * direction.dtype.type(length * unit)
    check_finite("step (the curvature is too small for δ)", step)
    return step
