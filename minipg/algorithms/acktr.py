"""ACKTR (E48): NPG's step with a Kronecker-factored Fisher matrix in place of CG."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minipg.algorithms.loop import LoopSettings, Samples, learn
from minipg.algorithms.settings import option
from minipg.algorithms.state import State
from minipg.estimators.critics import VCritic
from minipg.experience.environments import Envs
from minipg.policies.policy import Policy
from minipg.steps.kfac import Factors, average, factors, network_factors, network_solve, solve
from minipg.steps.natural import fisher_product, quadratic_form, uniform
from minipg.validate import TINY, Array


@dataclass(frozen=True)
class Settings(LoopSettings):
    """The algorithm's options; ValueError for one out of its range."""

    delta: float = option(0.01, "mean KL of a step, in nats", TINY)
    damping: float = option(0.01, "added to the factored H, split in two", TINY)
    learning_rate: float = option(0.3, "largest factor of the step", 0)
    factor_decay: float = option(0.95, "of the factors' running mean", 0, 1)
    critic_delta: float = option(0.1, "mean square change of V a step, ½ of its error's", TINY)
    critic_learning_rate: float = option(1.0, "largest factor of the critic's step", 0)
    critic_epochs: int = option(10, "steps of the critic an iteration", 1)


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: Factors | None,
    rng: np.random.Generator,
) -> tuple[Array, Factors, dict[str, float]]:
    """E48 θ + min(α, √(2δ/xᵀHx)) x with (A ⊗ G + damping) x = g, H the exact Fisher matrix.

    Source: Wu et al. 2017, arXiv 1708.05144.
    """
    obs, actions, psi = samples.obs, samples.actions, samples.psi
    g = policy.weighted_score(theta, obs, actions, psi * uniform(obs))
    product = fisher_product(policy, theta, obs, uniform(obs))
    state = average(state, factors(policy, theta, obs), settings.factor_decay)
    x = solve(policy, state, g, settings.damping)
    curvature = quadratic_form(product, x)
    figures = {"gradient_norm": float(np.linalg.norm(g))}
    if curvature <= 0:
        return theta, state, figures
    rate = min(settings.learning_rate, float(np.sqrt(2 * settings.delta / curvature)))
    return theta + theta.dtype.type(rate) * x, state, figures


def refit(
    critic: VCritic,
    phi: Array,
    state: Factors | None,
    obs: Array,
    target: Array,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Array, Factors | None]:
    """E48 for V as the mean of a Gaussian: φ + min(α, √(2δσ²/xᵀFx)) x with (A ⊗ G + damping) x = g.

    F = E ∇V ∇Vᵀ, g = E (y − V) ∇V, σ² = E (y − V)², so that δ bounds the KL and no unit of the
    rewards matters; y (N,) constant. Source: Wu et al. 2017; σ² as Schulman et al. 2015,
    arXiv 1506.02438, section 5.
    """
    network, one = critic.network, np.ones((1, len(obs), 1), phi.dtype)
    for _ in range(settings.critic_epochs):
        v, tape = network.forward(phi, obs)
        tape = tape.kept()
        error = (target - v[:, 0]).astype(phi.dtype)
        state = average(state, network_factors(network, phi, tape, one), settings.factor_decay)
        g = network.vjp(phi, tape, error[:, None] / len(obs))
        x = network_solve(network, state, g, settings.damping)
        curvature = float((network.jvp(phi, tape, x) ** 2).mean())
        if curvature <= 0:
            break
        largest = np.sqrt(2 * settings.critic_delta * float((error**2).mean()) / curvature)
        phi = phi + phi.dtype.type(min(settings.critic_learning_rate, largest)) * x
    return phi, state


def acktr(
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
    return learn(envs, policy, start, settings, steps, rng, update, refit=refit)
