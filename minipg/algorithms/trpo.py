"""Trust-region policy optimisation (E38, E46): NPG's step, backtracked to L ≥ 0 and KL ≤ δ."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minipg.borders import Array, check_range
from minipg.linalg import backtrack, conjugate_gradients
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
    """E38, E46 the first of θ + 2⁻ⁱ √(2δ/xᵀHx) x with L ≥ 0 and KL(π̃‖π_k) ≤ δ on the whole batch.

    (H + damping) x = g; θ itself, to the bit, where none is accepted or g = 0.
    Source: Schulman et al. 2015, arXiv 1502.05477, appendix C.
    """
    obs, actions, log_prob, psi = samples
    uniform = np.full(len(obs), 1 / len(obs))
    g = policy.weighted_score(theta, obs, actions, psi * uniform)
    product = fisher_product(policy, theta, obs, uniform)
    damping = theta.dtype.type(settings.damping)
    x = conjugate_gradients(lambda v: product(v) + damping * v, g, settings.cg_iterations).x
    curvature = float(x @ product(x))
    figures = {"gradient_norm": float(np.linalg.norm(g)), "accepted": 0, "tried": 0,
               "refused_surrogate": 0, "refused_kl": 0, "refused_not finite": 0}  # fmt: skip
    if curvature <= 0:
        return theta, None, figures

    def measure(candidate: Array) -> tuple[float, float]:
        """L and KL of the whole batch; what overflows is refused as not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            ratio = np.exp(policy.log_prob(candidate, obs, actions) - log_prob)
            kl = policy.kl(candidate, theta, obs).mean(dtype=np.float64)
            return float(((ratio - 1) * psi).mean(dtype=np.float64)), float(kl)

    step = trust_region_step(g, x, curvature, settings.delta)
    search = backtrack(theta, step, measure, settings.delta)
    figures |= {"accepted": int(search.accepted), "tried": search.tried}
    figures |= {f"refused_{name}": count for name, count in search.refused.items()}
    return search.theta, None, figures


def trpo(
    envs: Envs,
    policy: Policy,
    theta: Array,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Yield θ and a record of named figures after each iteration, until `steps` are played."""
    return learn(envs, policy, theta, settings, steps, rng, update)
