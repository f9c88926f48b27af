"""Gymnasium → Batch: environments by name, the policy that fits them, whole episodes.

Axes: T steps, B environments side by side, D observation.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minipg.experience.batch import Batch
from minipg.experience.environments import Envs, check_autoreset, to_env
from minipg.policies.policy import Policy
from minipg.validate import Array, array, check_count


def _flat(obs: Any, theta: Array) -> Array:
    """A copy of what came, as θ's dtype: an environment may overwrite its own buffer."""
    return np.array(obs, theta.dtype)


class Stream(NamedTuple):
    """Where a stream of experience stands: obs (B, D) and which episodes just ended (B,)."""

    obs: Array
    ended: Array


def start_stream(envs: Envs, theta: Array, rng: np.random.Generator) -> Stream:
    """All environments reset. Their seed is drawn from rng, so rng alone determines the run and
    no environment shares its stream (Gymnasium's seed n is NumPy's default_rng(n)).
    """
    check_autoreset(envs)
    theta = array(theta)
    obs = _flat(envs.reset(seed=int(rng.integers(2**31)))[0], theta)
    return Stream(obs, np.zeros(envs.num_envs, bool))


def play_episodes(envs: Envs, policy: Policy, theta: Array, rng: np.random.Generator) -> Batch:
    """One whole episode in each environment, one a column: B independent draws, weight 1/B.

    T is the longest episode's length; after its end a column is not `valid`. Ends only if every
    episode does. rng alone determines the batch.
    In adapted environments an observation or reward that is not finite raises ValueError.
    """
    theta = array(theta)
    return _play(envs, policy, theta, rng, start_stream(envs, theta, rng), None)[0]


def collect(
    envs: Envs, policy: Policy, theta: Array, rng: np.random.Generator, steps: int, stream: Stream
) -> tuple[Batch, Stream]:
    """E18 the next `steps` steps of every environment, and where the stream stands then.

    A row after an ending is the reset, which is no data. Raises as play_episodes.
    """
    stream = Stream(array(stream.obs), array(stream.ended))
    return _play(envs, policy, array(theta), rng, stream, check_count("steps", steps, 1))


def _play(
    envs: Envs,
    policy: Policy,
    theta: Array,
    rng: np.random.Generator,
    stream: Stream,
    steps: int | None,
) -> tuple[Batch, Stream]:
    """`steps` steps of the stream, or (None) until each environment ended its first episode."""
    obs, playing, act = stream.obs, ~stream.ended, policy.actor(theta)
    all_obs = [obs]
    rows: list[tuple[Array, ...]] = []
    while len(rows) < steps if steps is not None else playing.any():
        actions = act(obs, rng)
        received, rewards, terminated, truncated, _ = envs.step(to_env(envs, actions))
        obs = _flat(received, theta)
        all_obs.append(obs)
        rows.append((actions, np.array(rewards, np.float64), terminated.copy(), truncated.copy()))
        if steps is None:
            playing = playing & ~(terminated | truncated)
    actions, rewards, terminated, truncated = map(_stack, zip(*rows, strict=True))
    ended = terminated | truncated
    over = np.concatenate([stream.ended[None], ended[:-1]])  # what follows an ending is a reset
    valid = ~(over if steps is not None else np.logical_or.accumulate(over))
    played = _stack(all_obs)
    batch = Batch(
        played, actions, rewards * valid, terminated & valid, truncated & valid, valid,
        policy.log_prob(theta, played[:-1], actions), np.full(len(obs), 1 / len(obs)),
    )  # fmt: skip
    return batch, Stream(obs, ended[-1])


def _stack(rows: Sequence[Array]) -> Array:
    """(T, B, ...) of T arrays (B, ...); np.stack takes several times as long on many small ones."""
    return np.concatenate(rows).reshape(len(rows), *rows[0].shape)
