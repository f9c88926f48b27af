"""Natural policy gradient (E45): the step along H⁻¹g of length √(2δ/gᵀH⁻¹g)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minipg.borders import Array, check_range
from minipg.linalg import conjugate_gradients
from minipg.loop import LoopSettings, Samples, learn
from minipg.natural import fisher_product, trust_region_step
from minipg.policy import Policy
from minipg.rollout import Envs


@dataclass(frozen=True)
class Settings(LoopSettings):
    """The algorithm's options; ValueError for one out of its range."""

    delta: float = field(default=0.01, metadata={"help": "mean KL of a step, in nats"})
    cg_iterations: int = field(default=10, metadata={"help": "of conjugate gradients"})
    damping: float = field(default=0.1, metadata={"help": "added to H's diagonal, in CG only"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("delta", self.delta, np.finfo(float).tiny)
        check_range("cg_iterations", self.cg_iterations, 1)
        check_range("damping", self.damping, 0)


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: None,
    rng: np.random.Generator,
) -> tuple[Array, None, dict[str, float]]:
    """E45 θ + √(2δ/xᵀHx) x with (H + damping) x = g; θ itself where g = 0.

    Source: Kakade 2001; the step's length: E43.
    """
    obs, actions, _, psi = samples
    uniform = np.full(len(obs), 1 / len(obs))
    g = policy.weighted_score(theta, obs, actions, psi * uniform)
    product = fisher_product(policy, theta, obs, uniform)
    damping = theta.dtype.type(settings.damping)
    x = conjugate_gradients(lambda v: product(v) + damping * v, g, settings.cg_iterations).x
    curvature = float(x @ product(x))
    figures = {"gradient_norm": float(np.linalg.norm(g))}
    if curvature <= 0:
        return theta, None, figures
    step = trust_region_step(g, x, curvature, settings.delta)
    return theta + step, None, figures


def npg(
    envs: Envs,
    policy: Policy,
    theta: Array,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Yield θ and a record of named figures after each iteration, until `steps` are played."""
    return learn(envs, policy, theta, settings, steps, rng, update)
