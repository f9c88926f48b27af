"""Advantage actor-critic (A2C, E16): N steps of B games, a critic, an advantage."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minipg.algorithms.settings import Checked, option
from minipg.algorithms.state import State
from minipg.estimators.action_critics import make_critic
from minipg.estimators.critics import td_errors
from minipg.estimators.returns import gae, normalize
from minipg.experience.batch import Batch
from minipg.experience.environments import Envs, recent_returns
from minipg.experience.rollout import collect, start_stream
from minipg.policies.policy import Policy
from minipg.steps.optim import OPTIMISERS, clip_norm
from minipg.validate import Array, arrays, check_count, check_finite, check_parameters

TARGETS = {"td": 0.0, "mc": 1.0}  # the λ of the critic's target


@dataclass(frozen=True)
class Settings(Checked):
    """The algorithm's options; ValueError for one out of its range."""

    gamma: float = option(0.99, "discount γ of the rewards, in [0, 1]", 0, 1)
    lam: float = option(0.95, "λ of GAE, in [0, 1]; q has none", 0, 1)
    n_steps: int = option(16, "steps of each game an iteration", 1)
    critic: str = option("v", "what is learned", choices=("v", "q", "compatible"))
    target: str = option(
        "td",
        "the critic's: td is r + γV(s′), mc the rewards to the end of the window or episode, then "
        "V",
        choices=tuple(TARGETS),
    )
    learning_rate: float = option(0.001, "policy's step, falls to 0", 0)
    critic_learning_rate: float = option(0.003, "critic's, unless shared", 0)
    optimiser: str = option("adam", "of both", choices=tuple(OPTIMISERS))
    entropy: float = option(0.0, "weight of the entropy bonus", 0)
    value_weight: float = option(0.5, "weight of the value loss in a shared network", 0)
    max_norm: float = option(0.5, "gradients are shortened to this", 0)
    normalize: bool = option(False, "scale ψ to mean 0 and deviation 1: biased")


def ascent_direction(
    policy: Policy, theta: Array, batch: Batch, psi: Array, target: Array, settings: Settings
) -> tuple[Array, float]:
    """E16, E17 the gradient in θ (P,) of mean [log π(a|s) ψ + β H(π) − c ½ (V − y)²], and mean H.

    The last term is there only where the network is shared; ψ and y (T, B) are constants.
    """
    psi, target = arrays(psi, target)
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
        theta = check_parameters("start", start, policy.num_params)
        phi = critic.init(rng, theta.dtype)
        start = State(theta, init(theta), phi, init(phi))
    theta, theta_state = start.theta, start.theta_state
    phi, phi_state, env_steps = start.phi, start.phi_state, start.env_steps
    stream, steps = start.stream or start_stream(envs, theta, rng), check_count("steps", steps)
    while env_steps < steps:
        left = 1 - env_steps / steps  # of both step sizes
        # get (s, a, r, s′)
        batch, stream = collect(envs, policy, theta, rng, settings.n_steps, stream)
        env_steps += batch.rewards.size
        if not batch.num_steps:  # one step, and it was a reset
            continue
        # update critic using target r + V(s′)
        delta, values = td_errors(critic, phi, theta, batch, settings.gamma)
        target = values + gae(delta, batch.ends, settings.gamma, TARGETS[settings.target])
        adv = gae(delta, batch.ends, settings.gamma, settings.lam)
        d_phi = critic.gradient(phi, theta, batch, target, adv)
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
