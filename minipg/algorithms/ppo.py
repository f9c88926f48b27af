"""Proximal policy optimisation (E47): epochs of ascent on the clipped surrogate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minipg.algorithms.loop import AdamSettings, Samples, learn
from minipg.algorithms.settings import option
from minipg.algorithms.state import State
from minipg.estimators.surrogate import clipped_surrogate
from minipg.experience.environments import Envs
from minipg.policies.policy import Policy
from minipg.steps.optim import AdamState, adam, adam_init, clip_norm
from minipg.validate import TINY, Array


@dataclass(frozen=True)
class Settings(AdamSettings):
    """The algorithm's options; ValueError for one out of its range."""

    clip: float = option(0.2, "ε: the ratio counts within 1 ± ε", TINY, 1)
    learning_rate: float = option(0.001, "of the policy's Adam", 0)
    epochs: int = option(10, "passes of the policy over a batch", 1)
    minibatch: int = option(64, "samples of a step", 1)
    max_norm: float = option(0.5, "gradients are shortened to this", 0)
    target_kl: float = option(0.0, "stop the epochs where the mean KL is above; 0: never", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clip == 1:
            raise ValueError("clip: expected less than 1, where no ratio is too small, got 1")


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: AdamState,
    rng: np.random.Generator,
) -> tuple[Array, AdamState, dict[str, float]]:
    """E47 Adam on the clipped surrogate, in minibatches drawn anew each epoch.

    Where every gradient is 0 only Adam's momentum, if it has any, moves θ.
    Source: Schulman et al. 2017, arXiv 1707.06347, algorithm 1.
    """
    count, before, epochs, norm = len(samples.obs), theta, 0, 0.0
    clipped: list[float] = []
    while epochs < settings.epochs:
        epochs += 1
        for chosen in np.array_split(rng.permutation(count), max(1, count // settings.minibatch)):
            part = Samples(*(x[chosen] for x in samples))
            _, g, outside = clipped_surrogate(
                policy, theta, part.obs, part.actions, part.log_prob, part.psi, settings.clip
            )
            theta, state = adam(theta, clip_norm(g, settings.max_norm), state,
                                settings.learning_rate)  # fmt: skip
            if not clipped:
                norm = float(np.linalg.norm(g))
            clipped.append(outside)
        if settings.target_kl and policy.kl(theta, before, samples.obs).mean() > settings.target_kl:
            break
    figures = {"gradient_norm": norm, "clipped": float(np.mean(clipped)), "epochs": epochs}
    return theta, state, figures


def ppo(
    envs: Envs,
    policy: Policy,
    start: Array | State,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[State, dict[str, Any]]]:
    """Yield the state and a record of named figures after each iteration, until `steps` are played.

    start: θ, or a state that was yielded, to go on from.
    """
    return learn(envs, policy, start, settings, steps, rng, update, adam_init)
