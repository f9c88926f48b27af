"""Trust-region policy optimisation (E38, E46): NPG's step, backtracked to L ≥ 0 and KL ≤ δ."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minipg.algorithms.loop import NaturalSettings, Samples, learn
from minipg.algorithms.state import State
from minipg.experience.environments import Envs
from minipg.policies.policy import Policy
from minipg.steps.linalg import backtrack
from minipg.steps.natural import natural_gradient, trust_region_step, uniform
from minipg.validate import TINY, Array, power_of_two

Settings = NaturalSettings


def update(
    policy: Policy,
    theta: Array,
    samples: Samples,
    settings: Settings,
    state: None,
    rng: np.random.Generator,
) -> tuple[Array, None, dict[str, float]]:
    """E38, E46 the first of θ + 2⁻ⁱ √(2δ/xᵀHx) x with L ≥ 0 and KL(π̃‖π_k) ≤ δ on the whole batch.

    (H + damping) x = g; θ itself, to the bit, where none is accepted or xᵀHx is 0.
    Source: Schulman et al. 2015, arXiv 1502.05477, appendix C.
    """
    obs, actions, psi = samples.obs, samples.actions, samples.psi
    g = policy.weighted_score(theta, obs, actions, psi * uniform(obs))
    unit = theta.dtype.type(power_of_two(g))  # that of the rewards, which no step depends on
    g = g / unit
    x, curvature = natural_gradient(
        policy, theta, obs, g, settings.damping, settings.solver, settings.cg_iterations
    )
    figures = {"gradient_norm": float(np.linalg.norm(g)) * float(unit), "accepted": 0, "tried": 0,
               "refused_surrogate": 0, "refused_kl": 0, "refused_not_finite": 0}  # fmt: skip
    if curvature < TINY:
        return theta, None, figures
    before = policy.eta(theta, obs)

    def measure(candidate: Array) -> tuple[float, float]:
        """L and KL of the whole batch; what overflows is refused as not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            eta = policy.eta(candidate, obs)
            ratio = np.exp(policy.head.log_prob(eta, actions) - samples.log_prob)
            kl = policy.head.kl(eta, before).mean(dtype=np.float64)
            return float(((ratio - 1) * psi).mean(dtype=np.float64)), float(kl)

    step = trust_region_step(x, curvature, settings.delta)
    search = backtrack(theta, step, measure, settings.delta)
    figures |= {"accepted": int(search.accepted), "tried": search.tried}
    figures |= {f"refused_{name}": count for name, count in search.refused.items()}
    return search.theta, None, figures


def trpo(
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
