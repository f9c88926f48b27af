"""Natural policy gradient (E45): the step along H⁻¹g of length √(2δ/gᵀH⁻¹g)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minipg.algorithms.loop import NaturalSettings, Samples, learn
from minipg.algorithms.settings import option
from minipg.algorithms.state import State
from minipg.experience.environments import Envs
from minipg.policies.policy import Policy
from minipg.steps.natural import natural_gradient, trust_region_step, uniform
from minipg.validate import TINY, Array, power_of_two


@dataclass(frozen=True)
class Settings(NaturalSettings):
    """The algorithm's options; ValueError for one out of its range."""

    learning_rate: float = option(
        0.0, "α of the plain step α H⁻¹g; 0: the step whose KL is delta", 0
    )


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: None,
    rng: np.random.Generator,
) -> tuple[Array, None, dict[str, float]]:
    """E45 θ + √(2δ/xᵀHx) x, or θ + α x, with (H + damping) x = g; θ itself where xᵀHx is 0.

    Source: Kakade 2001; the step's length: E43.
    """
    obs, actions, psi = samples.obs, samples.actions, samples.psi
    g = policy.weighted_score(theta, obs, actions, psi * uniform(obs))
    unit = theta.dtype.type(power_of_two(g))  # that of the rewards, which no step to a KL knows
    g = g / unit
    x, curvature = natural_gradient(
        policy, theta, obs, g, settings.damping, settings.solver, settings.cg_iterations
    )
    figures = {"gradient_norm": float(np.linalg.norm(g)) * float(unit)}
    if curvature < TINY:
        return theta, None, figures
    step = trust_region_step(x, curvature, settings.delta)
    if settings.learning_rate:
        step = theta.dtype.type(settings.learning_rate) * x * unit
    return theta + step, None, figures


def npg(
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
    return learn(envs, policy, start, settings, steps, rng, update)
