"""The loop that NPG, TRPO and PPO share: play, GAE, the method's own update, refit the critic."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minipg.borders import Array, check_finite, check_range
from minipg.critic import fit_values, td_errors, value_critic
from minipg.optim import adam_init
from minipg.policy import Policy
from minipg.returns import gae, normalize
from minipg.rollout import Envs, collect, recent_returns, start_stream


@dataclass(frozen=True)
class LoopSettings:
    """Options of every such method; ValueError for one out of its range."""

    gamma: float = field(default=0.99, metadata={"help": "discount γ of the rewards, in [0, 1]"})
    lam: float = field(default=0.95, metadata={"help": "λ of GAE, in [0, 1]"})
    n_steps: int = field(default=64, metadata={"help": "steps of each game an iteration"})
    critic_learning_rate: float = field(default=0.003, metadata={"help": "of the critic's Adam"})
    critic_epochs: int = field(default=10, metadata={"help": "passes of the critic over a batch"})

    def __post_init__(self) -> None:
        check_range("gamma", self.gamma, 0, 1)
        check_range("lam", self.lam, 0, 1)
        check_range("n_steps", self.n_steps, 1)
        check_range("critic_epochs", self.critic_epochs, 1)
        check_range("critic_learning_rate", self.critic_learning_rate, 0)


class Samples(NamedTuple):
    """What an update sees: obs (N, D), actions (N, …), log π_θk(a|s) (N,), ψ (N,) scaled GAE."""

    obs: Array
    actions: Array
    log_prob: Array
    psi: Array


Update = Callable[
    [Policy, Array, Samples, Any, Any, np.random.Generator], tuple[Array, Any, dict[str, float]]
]


def learn(
    envs: Envs,
    policy: Policy,
    theta: Array,
    settings: LoopSettings,
    steps: int,
    rng: np.random.Generator,
    update: Update,
    state: Any = None,
) -> Iterator[tuple[Array, dict[str, float]]]:
    """Yield θ and a record of named figures after each iteration, until `steps` are played.

    update: (policy, θ, samples, settings, state, rng) ↦ (θ, state, figures). The critic is
    refitted after it: fitted before, V would have seen this batch's returns, and ψ with it.
    γ^t is dropped, as the slides do (errata 7).
    """
    critic = value_critic(policy)
    phi = critic.init(rng, theta.dtype)
    phi_state, stream, env_steps = adam_init(phi), start_stream(envs, theta, rng), 0
    while env_steps < steps:
        batch, stream = collect(envs, policy, theta, rng, settings.n_steps, stream)
        env_steps += batch.rewards.size
        if not batch.num_steps:  # nothing but resets
            continue
        delta, values = td_errors(critic, phi, theta, batch, settings.gamma)
        adv = gae(delta, batch.ends, settings.gamma, settings.lam)
        samples = Samples(
            batch.obs[:-1][batch.valid], batch.actions[batch.valid], batch.log_prob[batch.valid],
            normalize(adv, batch.valid)[batch.valid],
        )  # fmt: skip
        before = theta
        theta, state, figures = update(policy, theta, samples, settings, state, rng)
        check_finite("parameters after the step", theta)
        phi, phi_state = fit_values(
            critic, phi, phi_state, batch, values + adv, settings.critic_epochs,
            settings.critic_learning_rate, rng,
        )  # fmt: skip
        episodes, mean_return, mean_length = recent_returns(envs)
        yield (
            theta,
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": mean_return,
                "mean_length": mean_length,
                "entropy": float(policy.entropy(theta, samples.obs).mean()),
                "kl": float(policy.kl(theta, before, samples.obs).mean()),
                **figures,
            },
        )
