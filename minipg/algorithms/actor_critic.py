"""Advantage actor-critic (A2C, E16): N steps of B games, a critic, an advantage."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from minipg.algorithms.state import State
from minipg.estimators.critics import make_critic, td_errors
from minipg.estimators.returns import gae, normalize
from minipg.experience.batch import Batch
from minipg.experience.environments import Envs, recent_returns
from minipg.experience.rollout import collect, start_stream
from minipg.policies.policy import Policy
from minipg.steps.optim import OPTIMISERS, clip_norm
from minipg.validate import Array, check_finite, check_range

TARGETS = {"td": 0.0, "mc": 1.0}  # the λ of the critic's target


@dataclass(frozen=True)
class Settings:
    """The algorithm's options; ValueError for one out of its range."""

    gamma: float = field(default=0.99, metadata={"help": "discount γ of the rewards, in [0, 1]"})
    lam: float = field(default=0.95, metadata={"help": "λ of GAE, in [0, 1]; q has none"})
    n_steps: int = field(default=16, metadata={"help": "steps of each game an iteration"})
    critic: str = field(
        default="v", metadata={"help": "what is learned", "choices": ("v", "q", "compatible")}
    )
    target: str = field(
        default="td",
        metadata={
            "help": "the critic's: td is r + γV(s′), mc the rewards to the end of the window or "
            "episode, then V",
            "choices": tuple(TARGETS),
        },
    )
    learning_rate: float = field(default=0.001, metadata={"help": "policy's step, falls to 0"})
    critic_learning_rate: float = field(default=0.003, metadata={"help": "critic's, unless shared"})
    optimiser: str = field(
        default="adam", metadata={"help": "of both", "choices": tuple(OPTIMISERS)}
    )
    entropy: float = field(default=0.0, metadata={"help": "weight of the entropy bonus"})
    value_weight: float = field(
        default=0.5, metadata={"help": "weight of the value loss in a shared network"}
    )
    max_norm: float = field(default=0.5, metadata={"help": "gradients are shortened to this"})
    normalize: bool = field(
        default=False, metadata={"help": "scale ψ to mean 0 and deviation 1: biased"}
    )

    def __post_init__(self) -> None:
        check_range("gamma", self.gamma, 0, 1)
        check_range("lam", self.lam, 0, 1)
        check_range("n_steps", self.n_steps, 1)
        for name in (
            "learning_rate",
            "critic_learning_rate",
            "entropy",
            "value_weight",
            "max_norm",
        ):
            check_range(name, getattr(self, name), 0)
        kinds = ("v", "q", "compatible")
        for name, known in (("target", TARGETS), ("optimiser", OPTIMISERS), ("critic", kinds)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: expected one of {tuple(known)}, got {getattr(self, name)!r}"
                )


def ascent_direction(
    policy: Policy, theta: Array, batch: Batch, psi: Array, target: Array, settings: Settings
) -> tuple[Array, float]:
    """E16, E17 the gradient in θ (P,) of mean [log π(a|s) ψ + β H(π) − c ½ (V − y)²], and mean H.

    The last term is there only where the network is shared; ψ and y (T, B) are constants.
    """
    obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
    eta, tape = policy.forward(theta, obs)
    deta = psi[batch.valid, None] * policy.head.score(eta, actions)
    if settings.entropy:
        deta += settings.entropy * policy.head.entropy_gradient(eta)
    dvalue = None
    if policy.value_head:
        error = target[batch.valid] - policy.values(theta, obs)
        dvalue = (settings.value_weight * error / len(obs)).astype(theta.dtype)
    g = policy.vjp(theta, tape, (deta / len(obs)).astype(theta.dtype), dvalue)
    return g, float(policy.head.entropy(eta).mean())


def actor_critic(
    envs: Envs,
    policy: Policy,
    start: Array | State,
    settings: Settings,
    steps: int,
    rng: np.random.Generator,
) -> Iterator[tuple[State, dict[str, float]]]:
    """Yield the state and a record of named figures after each iteration, until `steps` are played.

    start: θ, or a state that was yielded, to go on from.
    With n_steps = 1, one environment, λ = 0 and target td this is the slide's algorithm. γ^t is
    dropped, as the slides do (errata 7). Source: Mnih et al. 2016, arXiv 1602.01783.
    """
    critic = make_critic(settings.critic, policy)
    init, step = OPTIMISERS[settings.optimiser]
    if not isinstance(start, State):
        phi = critic.init(rng, start.dtype)
        start = State(start, init(start), phi, init(phi))
    theta, theta_state, phi, phi_state, stream, env_steps, _ = start
    stream = stream or start_stream(envs, theta, rng)
    while env_steps < steps:
        left = 1 - env_steps / steps  # of both step sizes
        # get (s, a, r, s′)
        batch, stream = collect(envs, policy, theta, rng, settings.n_steps, stream)
        env_steps += batch.rewards.size
        if not batch.num_steps:  # one step, and it was a reset
            continue
        obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
        # update critic using target r + V(s′)
        delta, values = td_errors(critic, phi, theta, batch, settings.gamma)
        target = values + gae(delta, batch.ends, settings.gamma, TARGETS[settings.target])
        adv = gae(delta, batch.ends, settings.gamma, settings.lam)
        d_phi = critic.gradient(phi, theta, obs, actions, target[batch.valid], adv[batch.valid])
        rate = settings.critic_learning_rate * left
        phi, phi_state = step(phi, -clip_norm(d_phi, settings.max_norm), phi_state, rate)
        # evaluate Â
        psi = critic.psi(phi, theta, batch, settings.gamma, settings.lam)
        psi = normalize(psi, batch.valid) if settings.normalize else psi
        # update policy using ∇log π(a|s) Â
        g, entropy = ascent_direction(policy, theta, batch, psi, target, settings)
        rate = settings.learning_rate * left
        theta, theta_state = step(theta, clip_norm(g, settings.max_norm), theta_state, rate)
        check_finite("parameters after the step (a smaller learning rate?)", theta)
        check_finite("critic after the step (a smaller critic learning rate?)", phi)
        episodes, mean_return, mean_length = recent_returns(envs)
        yield (
            State(theta, theta_state, phi, phi_state, stream, env_steps, episodes),
            {
                "env_steps": env_steps,
                "episodes": episodes,
                "mean_return": mean_return,
                "mean_length": mean_length,
                "entropy": entropy,
                "gradient_norm": float(np.linalg.norm(g)),
                "critic_error": float(np.sqrt(np.mean((target - values)[batch.valid] ** 2))),
            },
        )
