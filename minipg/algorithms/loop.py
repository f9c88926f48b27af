"""The loop of NPG, TRPO, PPO and ACKTR: play, GAE, the method's own update, refit the critic."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from minipg.algorithms.settings import Checked, option
from minipg.algorithms.state import State
from minipg.estimators.critics import VCritic, td_errors, value_critic
from minipg.estimators.fits import fit_values
from minipg.estimators.returns import gae, normalize
from minipg.experience.environments import Envs, recent_returns
from minipg.experience.rollout import collect, start_stream
from minipg.policies.held import held, nearer_std
from minipg.policies.policy import Policy
from minipg.steps.natural import SOLVERS
from minipg.steps.optim import AdamState, adam_init, sgd_init
from minipg.validate import TINY, Array, check_count, check_finite, check_parameters

HELD = 1 / 2  # of the steps, the last: σ is no longer learned but nears --final-std
FALLING = "learning_rate", "delta", "critic_learning_rate", "critic_delta"  # with --decay


@dataclass(frozen=True)
class LoopSettings(Checked):
    """Options of every such method; ValueError for one out of its range."""

    gamma: float = option(0.99, "discount γ of the rewards, in [0, 1]", 0, 1)
    lam: float = option(0.95, "λ of GAE, in [0, 1]", 0, 1)
    n_steps: int = option(64, "steps of each game an iteration", 1)
    final_std: float = option(0.0, "σ at the end, learned for half the steps; 0: for all", 0, 1e8)
    decay: bool = option(False, "learning rates and every δ fall to 0, linearly in the steps")

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.final_std < 1e-8:
            raise ValueError(f"final_std: expected 0 or 1e-8 to 1e8, got {self.final_std}")

    def at(self, left: float) -> "LoopSettings":
        """If so asked, rates and every δ times `left`, the share of the steps before the iteration.

        A step of mean KL δ is proportional to √δ (E43): it shortens more slowly than those.
        """
        now = {name: getattr(self, name) for name in FALLING if self.decay and hasattr(self, name)}
        least = {name: min(value, TINY) for name, value in now.items()}  # 0 stays 0, δ above it
        return replace(self, **{name: max(left * now[name], least[name]) for name in now})


@dataclass(frozen=True)
class AdamSettings(LoopSettings):
    """What NPG, TRPO and PPO add: their critic's Adam."""

    critic_learning_rate: float = option(0.003, "of the critic's Adam", 0)
    critic_epochs: int = option(10, "passes of the critic over a batch", 1)
    critic_minibatch: int = option(64, "samples of a step of the critic", 1)


@dataclass(frozen=True)
class NaturalSettings(AdamSettings):
    """What NPG and TRPO add."""

    delta: float = option(0.01, "mean KL of a step, in nats", TINY)
    solver: str = option(
        "cg", "of H x = g: conjugate gradients, or cholesky of a dense H (few parameters)",
        choices=SOLVERS,
    )  # fmt: skip
    cg_iterations: int = option(10, "of conjugate gradients", 1)
    damping: float = option(0.1, "added to H's diagonal, to solve only", 0)


class Samples(NamedTuple):
    """What an update sees: obs (N, D), actions (N, …), log π_θk(a|s) (N,), ψ (N,) scaled GAE."""

    obs: Array
    actions: Array
    log_prob: Array
    psi: Array


Update = Callable[
    [Policy, Array, Samples, Any, Any, np.random.Generator], tuple[Array, Any, dict[str, float]]
]
Refit = Callable[[VCritic, Array, Any, Array, Array, Any, np.random.Generator], tuple[Array, Any]]


def adam_refit(
    critic: VCritic, phi: Array, state: AdamState | None, obs: Array, target: Array,
    settings: AdamSettings, rng: np.random.Generator,
) -> tuple[Array, AdamState]:  # fmt: skip
    """E15 φ and its state after the epochs of Adam; state None: the first."""
    state = adam_init(phi) if state is None else state
    return fit_values(critic, phi, state, obs, target, settings.critic_epochs,
                      settings.critic_minibatch, settings.critic_learning_rate, rng)  # fmt: skip


def learn(
    envs: Envs,
    policy: Policy,
    start: Array | State,
    settings: LoopSettings,
    steps: int,
    rng: np.random.Generator,
    update: Update,
    init: Callable[[Array], Any] = sgd_init,
    refit: Refit = adam_refit,
) -> Iterator[tuple[State, dict[str, float]]]:
    """Yield the state and a record of named figures after each iteration, until `steps` are played.

    start: θ, or a state that was yielded, to go on from. init: θ ↦ the update's first state.
    update: (policy, θ, samples, settings, state, rng) ↦ (θ, state, figures).
    refit: (critic, φ, state, obs (N, D), target (N,), settings, rng) ↦ (φ, state), after the
    update: fitted before, V would have seen this batch's returns, and ψ with it.
    γ^t is dropped, as the slides do (errata 7).
    """
    critic = value_critic(policy)
    if not isinstance(start, State):
        theta = check_parameters("start", start, policy.num_params)
        start = State(theta, init(theta), critic.init(rng, theta.dtype))
    theta, state = start.theta, start.theta_state
    phi, phi_state, env_steps = start.phi, start.phi_state, start.env_steps
    still = held(policy) if settings.final_std else policy
    stream, steps = start.stream or start_stream(envs, theta, rng), check_count("steps", steps)
    while env_steps < steps:
        left = 1 - env_steps / steps
        now = settings.at(left)
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
        before = policy.eta(theta, samples.obs)
        late, log_std = settings.final_std and left <= HELD, policy.split(theta)[1]
        theta, state, figures = update(still if late else policy, theta, samples, now, state, rng)
        check_finite("parameters after the step", theta)
        target = (values + adv)[batch.valid]
        phi, phi_state = refit(critic, phi, phi_state, samples.obs, target, now, rng)
        eta = policy.eta(theta, samples.obs)
        kl = float(policy.head.kl(eta, before).mean())
        if late:
            share = min(1, batch.rewards.size / (left * steps))
            theta = nearer_std(policy, theta, log_std, settings.final_std, share)
            eta = policy.eta(theta, samples.obs)
        episodes, mean_return, mean_length = recent_returns(envs)
        yield (
            State(theta, state, phi, phi_state, stream, env_steps, episodes),
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": mean_return,
                "mean_length": mean_length,
                "entropy": float(policy.head.entropy(eta).mean()),
                "kl": kl,
                **figures,
            },
        )
