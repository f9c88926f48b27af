"""ACKTR (E48): NPG's step with a Kronecker-factored Fisher matrix in place of CG."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minipg.borders import Array, check_range
from minipg.kfac import Factors, average, factors, solve
from minipg.loop import LoopSettings, Samples, learn
from minipg.natural import fisher_product
from minipg.policy import Policy
from minipg.rollout import Envs


@dataclass(frozen=True)
class Settings(LoopSettings):
    """The algorithm's options; ValueError for one out of its range."""

    delta: float = field(default=0.01, metadata={"help": "mean KL of a step, in nats"})
    damping: float = field(default=0.01, metadata={"help": "added to the factored H, split in two"})
    learning_rate: float = field(default=0.3, metadata={"help": "largest factor of the step"})
    decay: float = field(default=0.95, metadata={"help": "of the factors' running mean"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("delta", self.delta, np.finfo(float).tiny)
        check_range("damping", self.damping, np.finfo(float).tiny)
        check_range("decay", self.decay, 0, 1)
        check_range("learning_rate", self.learning_rate, 0)


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: Factors | None,
    rng: np.random.Generator,
) -> tuple[Array, Factors, dict[str, float]]:
    """E48 θ + min(α, √(2δ/xᵀHx)) x with (A ⊗ G + damping) x = g, H the exact Fisher matrix.

    Source: Wu et al. 2017, arXiv 1708.05144; the critic here is fitted by Adam.
    """
    obs, actions, _, psi = samples
    uniform = np.full(len(obs), 1 / len(obs))
    g = policy.weighted_score(theta, obs, actions, psi * uniform)
    product = fisher_product(policy, theta, obs, uniform)
    state = average(state, factors(policy, theta, obs), settings.decay)
    x = solve(policy, state, g, settings.damping)
    curvature = float(x @ product(x))
    figures = {"gradient_norm": float(np.linalg.norm(g))}
    if curvature <= 0:
        return theta, state, figures
    rate = min(settings.learning_rate, float(np.sqrt(2 * settings.delta / curvature)))
    return theta + theta.dtype.type(rate) * x, state, figures


def acktr(
    envs: Envs,
    policy: Policy,
    theta: Array,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Yield θ and a record of named figures after each iteration, until `steps` are played."""
    return learn(envs, policy, theta, settings, steps, rng, update)
