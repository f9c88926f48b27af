"""REINFORCE (E05) with reward-to-go (E10) and a baseline (E08, E09)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minipg.algorithms.settings import Checked, option
from minipg.algorithms.state import State
from minipg.estimators.baselines import constant_baseline, optimal_baseline, time_baseline
from minipg.estimators.returns import discounts, reward_to_go
from minipg.estimators.score_function import gradient, gradients
from minipg.experience.batch import Batch
from minipg.experience.environments import Envs
from minipg.experience.rollout import play_episodes
from minipg.policies.policy import Policy
from minipg.steps.optim import adam, adam_init
from minipg.validate import Array, check_count, check_finite, check_parameters

BASELINES = ("none", "constant", "time", "optimal", "optimal-per-parameter")


@dataclass(frozen=True)
class Settings(Checked):
    """The algorithm's options; ValueError for one out of its range."""

    gamma: float = option(0.99, "discount γ of the rewards, in [0, 1]", 0, 1)
    gamma_t: bool = option(
        True, "keep γ^t before ∇log π: the gradient of the discounted J (errata 7)"
    )
    baseline: str = option("time", "what is subtracted from the reward-to-go", choices=BASELINES)
    learning_rate: float = option(0.02, "Adam's step size, falls to 0", 0)


def estimate(policy: Policy, theta: Array, batch: Batch, settings: Settings) -> Array:
    """E10 ∇J ≈ mean of Σ_t γ^t ∇log π(a_t|s_t) (Σ_{t'≥t} γ^{t'−t} r_{t'} − b) (P,).

    Every b comes from the other episodes of the batch, so it adds no bias (E08).
    """
    to_go = reward_to_go(batch.rewards, batch.ends, settings.gamma)
    gamma_t = discounts(batch.ends, settings.gamma if settings.gamma_t else 1.0)
    if settings.baseline.startswith("optimal"):
        estimates = gradients(policy, theta, batch, gamma_t * to_go)
        scores = gradients(policy, theta, batch, gamma_t)
        one_each = settings.baseline == "optimal-per-parameter"
        b = optimal_baseline(estimates, scores, batch.weight, one_each, leave_one_out=True)
        return (batch.weight @ (estimates - b * scores)).astype(theta.dtype)
    if settings.baseline != "none":
        baseline = {"constant": constant_baseline, "time": time_baseline}[settings.baseline]
        to_go = to_go - baseline(batch, to_go, leave_one_out=True)
    return gradient(policy, theta, batch, gamma_t * to_go)


def reinforce(
    envs: Envs,
    policy: Policy,
    start: Array | State,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[State, dict[str, float]]]:
    """Yield the state and a record of named figures after each iteration, until `steps` are played.

    start: θ, or a state that was yielded, to go on from.
    Source: Williams 1992, doi 10.1007/BF00992696.
    """
    if not isinstance(start, State):
        theta = check_parameters("start", start, policy.num_params)
        start = State(theta, adam_init(theta))
    theta, optimiser = start.theta, start.theta_state
    env_steps, episodes, steps = start.env_steps, start.episodes, check_count("steps", steps)
    while env_steps < steps:
        batch = play_episodes(envs, policy, theta, rng)
        g = estimate(policy, theta, batch, settings)
        learning_rate = settings.learning_rate * (1 - env_steps / steps)
        theta, optimiser = adam(theta, g, optimiser, learning_rate)
        check_finite("parameters after the step (a smaller learning rate?)", theta)
        env_steps += batch.rewards.size
        episodes += len(batch.weight)
        yield (
            State(theta, optimiser, env_steps=env_steps, episodes=episodes),
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": float(batch.rewards.sum(0).mean()),
                "mean_length": float(batch.valid.sum(0).mean()),
                "entropy": float(policy.entropy(theta, batch.obs[:-1][batch.valid]).mean()),
                "gradient_norm": float(np.linalg.norm(g)),
            },
        )
