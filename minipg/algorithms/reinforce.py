"""REINFORCE (E05) with reward-to-go (E10) and a baseline (E08, E09)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minipg.borders import Array, check_range
from minipg.estimators import (
    constant_baseline,
    gradient,
    gradients,
    optimal_baseline,
    time_baseline,
)
from minipg.optim import adam, adam_init
from minipg.policy import Policy
from minipg.returns import discounts, reward_to_go, total_return
from minipg.rollout import Envs, play_episodes

BASELINES = ("none", "constant", "time", "optimal", "optimal-per-parameter")


@dataclass(frozen=True)
class Settings:
    """The algorithm's options; ValueError for one out of its range."""

    gamma: float = field(default=0.99, metadata={"help": "discount γ of the rewards, in [0, 1]"})
    gamma_t: bool = field(
        default=False,
        metadata={"help": "keep γ^t before ∇log π: the gradient of the discounted J (errata 7)"},
    )
    baseline: str = field(
        default="time",
        metadata={"help": "what is subtracted from the reward-to-go", "choices": BASELINES},
    )
    learning_rate: float = field(default=0.01, metadata={"help": "Adam's step size, falls to 0"})

    def __post_init__(self) -> None:
        check_range("gamma", self.gamma, 0, 1)
        check_range("learning_rate", self.learning_rate, 0)
        if self.baseline not in BASELINES:
            raise ValueError(f"baseline: expected one of {BASELINES}, got {self.baseline!r}")


def reinforce(
    envs: Envs,
    policy: Policy,
    theta: Array,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Yield θ and a record of named figures after each iteration, until `steps` are played.

    ∇ = E Σ_t ∇log π(a_t|s_t) (Σ_{t'≥t} γ^{t'−t} r_{t'} − b), one episode of each environment
    an iteration. Every baseline comes from the other episodes, so it adds no bias.
    Source: Williams 1992.
    """
    optimiser, env_steps, episodes = adam_init(theta), 0, 0
    while env_steps < steps:
        batch = play_episodes(envs, policy, theta, rng)
        to_go = reward_to_go(batch.rewards, batch.ends, settings.gamma)
        weight = discounts(batch.ends, settings.gamma if settings.gamma_t else 1.0)
        match settings.baseline:
            case "none":
                g = gradient(policy, theta, batch, weight * to_go)
            case "constant":
                b = constant_baseline(batch, to_go, leave_one_out=True)
                g = gradient(policy, theta, batch, weight * (to_go - b))
            case "time":
                b = time_baseline(batch, to_go, leave_one_out=True)
                g = gradient(policy, theta, batch, weight * (to_go - b))
            case _:
                estimates = gradients(policy, theta, batch, weight * to_go)
                scores = gradients(policy, theta, batch, weight)
                one_each = settings.baseline == "optimal-per-parameter"
                b = optimal_baseline(estimates, scores, batch.weight, one_each, leave_one_out=True)
                g = batch.weight.astype(theta.dtype) @ (estimates - b * scores)
        rate = settings.learning_rate * (1 - env_steps / steps)
        theta, optimiser = adam(theta, g, optimiser, rate)
        env_steps += batch.rewards.size
        episodes += len(batch.weight)
        yield (
            theta,
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": float(total_return(batch.rewards, batch.ends, 1.0)[0].mean()),
                "mean_length": float(batch.valid.sum(0).mean()),
                "entropy": float(policy.entropy(theta, batch.obs[:-1][batch.valid]).mean()),
                "gradient_norm": float(np.linalg.norm(g)),
            },
        )
