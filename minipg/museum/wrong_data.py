"""The published bugs of what is seen and made of it, as wrong versions of our own functions.

Each takes a copy of the right module and returns the names that are wrong in it. Most are the
right function, told something else: the bug is what differs.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minipg.experience.batch import Batch
from minipg.museum.bug import Module
from minipg.validate import Array

Names = dict[str, Any]


def told(name: str, change: Callable[..., tuple[Any, ...]]) -> Callable[[Module], Names]:
    """The right function of this name, given what `change` makes of its arguments."""

    def wrong(right: Module) -> Names:
        function = getattr(right, name)
        return {name: lambda *given, **more: function(*change(*given), **more)}

    return wrong


def with_method(name: str, method: str, wrong: Callable[..., Array]) -> Callable[[Module], Names]:
    """The right class of this name, one method of which is wrong(the right one, self, *given)."""

    def names(right: Module) -> Names:
        kind = getattr(right, name)
        once = getattr(kind, method)
        changed = {method: lambda self, *given, **more: wrong(once, self, *given, **more)}
        return {name: type(name, (kind,), changed)}

    return names


def ending(terminated: Callable[[Batch], Array]) -> Callable[[Module], Names]:
    """td_errors of other terminations."""
    return told("td_errors", lambda critic, phi, theta, batch, gamma: (
        critic, phi, theta, replace(batch, terminated=terminated(batch)), gamma))  # fmt: skip


truncation_as_termination = ending(lambda batch: batch.terminated | batch.truncated)
bootstrap_at_a_terminal_on_the_limit = ending(lambda batch: batch.terminated & ~batch.truncated)


def gae_into_the_next_episode(right: Module) -> Names:
    """Cut by terminations alone."""

    def advantage(critic: Any, phi: Array, theta: Array, batch: Batch, gamma: float,
                  lam: float) -> Array:  # fmt: skip
        delta, _ = right.td_errors(critic, phi, theta, batch, gamma)
        advantages: Array = right.gae(delta, batch.terminated, gamma, lam)
        return advantages

    return {"advantage": advantage}


state_before_the_last_action = told("td_error", lambda rewards, values, *given: (
    rewards, np.vstack([values[:-1], values[-2:-1]]), *given))  # fmt: skip
last_value_twice = told("td_error", lambda rewards, values, *given: (
    rewards, np.vstack([values[:-1], 2 * values[-1:]]), *given))  # fmt: skip
done_of_the_next_step = told("gae", lambda delta, ends, *given: (
    delta, np.vstack([ends[1:], ends[-1:]]), *given))  # fmt: skip


def deviation_of_one_sample(right: Module) -> Names:
    """0/0 where there is one."""
    return {"normalize": lambda psi, valid: (psi - psi[valid].mean()) / psi[valid].std()}


def normalised_in_vain(right: Module) -> Names:
    """Computed, not used."""
    return {"normalize": lambda psi, valid: psi}


def within_a_constant(error_gradient: Any, critic: Any, phi: Array, obs: Array,
                      target: Array) -> Array:  # fmt: skip
    """The critic's error clipped to ±0.2, whatever the unit of the rewards."""
    v = critic.values(phi, phi, obs)
    clipped: Array = error_gradient(critic, phi, obs, v - np.clip(v - target, -0.2, 0.2))
    return clipped


def shortened(error_gradient: Any, *given: Any) -> Array:
    """∇ of ½ (V(s) − r − γV(s))², where s stays: 1 − γ times as long, γ = 0.9."""
    gradient: Array = (1 - 0.9) * error_gradient(*given)
    return gradient


clipped_by_a_constant = with_method("VCritic", "error_gradient", within_a_constant)
target_followed = with_method("VCritic", "error_gradient", shortened)


def residual_gradient(right: Module) -> Names:
    """Weighted by φ − γφ′, the gradient of the error, in place of φ."""

    def lstd(features: Array, next_features: Array, rewards: Array, weight: Array,
             gamma: float) -> Array:  # fmt: skip
        slope = features - gamma * next_features
        weighted = (slope * weight[:, None]).T
        return np.linalg.lstsq(weighted @ slope, weighted @ rewards, rcond=1e-10)[0]

    return {"lstd": lstd}


discount_dropped = told("discounts", lambda ends, gamma: (ends, 1.0))


def weighted_twice(right: Module) -> Names:
    """The importance ratio, applied where it had been."""
    once = right.decision_weights
    return {"decision_weights": lambda *given: once(*given) ** 2}


def next_observation(right: Module) -> Names:
    """log π of the action at the observation after it."""

    def ratio(policy: Any, theta: Array, batch: Batch) -> Array:
        return np.exp(policy.log_prob(theta, batch.obs[1:], batch.actions) - batch.log_prob)

    return {"ratio": ratio}


old_log_probs_in_another_order = told(
    "clipped_surrogate", lambda policy, theta, obs, actions, log_prob, *given: (
        policy, theta, obs, actions, log_prob[::-1], *given))  # fmt: skip


def broadcast(weighted_score: Any, policy: Any, theta: Array, obs: Array, actions: Array,
              psi: Array) -> Array:  # fmt: skip
    """ψ (N, 1) against (N,): every sample gets the sum of all."""
    every = (psi + 0 * obs[:, 0]).sum(0) if psi.ndim == 2 else psi
    gradient: Array = weighted_score(policy, theta, obs, actions, every)
    return gradient


column_broadcasts = with_method("Policy", "weighted_score", broadcast)


def batch_with(change: Callable[..., Batch]) -> Callable[[Module], Names]:
    """What play_episodes and collect hand on, changed: change(batch, envs, policy, theta)."""

    def wrong(right: Module) -> Names:
        play, collect = right.play_episodes, right.collect

        def collected(envs: Any, policy: Any, theta: Array, *given: Any) -> tuple[Batch, Any]:
            batch, stream = collect(envs, policy, theta, *given)
            return change(batch, envs, policy, theta), stream

        return {"collect": collected, "play_episodes": lambda envs, policy, theta, rng: change(
            play(envs, policy, theta, rng), envs, policy, theta)}  # fmt: skip

    return wrong


def clipped(batch: Batch, envs: Any, policy: Any, theta: Array) -> Batch:
    """log π of the action as the environment got it."""
    box = envs.unwrapped.single_action_space
    actions = np.clip(batch.actions, box.low, box.high)
    return replace(batch, log_prob=policy.log_prob(theta, batch.obs[:-1], actions))


resets_as_data = batch_with(lambda batch, *_: replace(batch, valid=np.ones_like(batch.valid)))
log_prob_of_the_clipped_action = batch_with(clipped)


def the_environment_s_buffer(right: Module) -> Names:
    """Observations kept, not copied."""
    return {"_flat": lambda obs, theta: np.asarray(obs, theta.dtype)}


def unseeded(right: Module) -> Names:
    """The environments draw their own seed."""

    def start_stream(envs: Any, theta: Array, rng: np.random.Generator) -> Any:
        obs = right._flat(envs.reset(seed=None)[0], theta)
        return right.Stream(obs, np.zeros(envs.num_envs, bool))

    return {"start_stream": start_stream}


def counted_from_0(right: Module) -> Names:
    """Where the space starts elsewhere."""
    to_env = right.to_env
    return {"to_env": lambda envs, actions: (
        to_env(envs, actions) - getattr(envs.single_action_space, "start", 0))}  # fmt: skip
