"""Gymnasium → Batch: environments by name, the policy that fits them, whole episodes.

Axes: T steps, B environments side by side, D observation.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers.vector import ClipAction, FlattenObservation

from minipg.batch import Batch
from minipg.borders import Array, check_range
from minipg.policy import Policy, gaussian_policy, softmax_policy

Envs = gym.vector.VectorEnv[Any, Any, Any]


def make_envs(
    env_id: str, num_envs: int, mode: str | None = None, max_episode_steps: int | None = None
) -> Envs:
    """B copies of a registered environment; observations flat, Box actions clipped by Gymnasium.

    mode: None (the environment's own vectorised form, else sync), "sync" or "async".
    Raises ValueError for an unknown environment, mode or number.
    """
    check_range("num_envs", num_envs, 1)
    limit: dict[str, Any] = {}
    if max_episode_steps is not None:
        check_range("max_episode_steps", max_episode_steps, 1)
        limit = {"max_episode_steps": max_episode_steps}
    try:
        envs = gym.make_vec(env_id, num_envs, mode, **limit)
    except (gym.error.Error, ImportError, ValueError) as error:
        raise ValueError(f"env {env_id!r}: {error}") from error
    return adapt(envs)


def adapt(envs: Envs) -> Envs:
    """Gymnasium's own wrappers, so that observations are flat and Box actions clipped."""
    if envs.metadata.get("autoreset_mode") != gym.vector.AutoresetMode.NEXT_STEP:
        raise ValueError(
            f"envs: expected next-step autoreset, got {envs.metadata.get('autoreset_mode')}"
        )
    space = envs.single_observation_space
    if not (isinstance(space, Box) and len(space.shape) == 1):
        if not space.is_np_flattenable:
            raise ValueError(f"observation space: expected one that flattens, got {space}")
        envs = FlattenObservation(envs)
    if isinstance(envs.single_action_space, Box):
        envs = ClipAction(envs)
    return envs


def policy_for(envs: Envs, hidden: tuple[int, ...], state_dependent_std: bool = False) -> Policy:
    """Softmax for Discrete actions (any start), diagonal Gaussian for Box; else ValueError."""
    space = envs.single_action_space
    obs_size = int(np.prod(envs.single_observation_space.shape or (1,)))
    if isinstance(space, Discrete):
        return softmax_policy(obs_size, int(space.n), hidden)
    if isinstance(space, Box):
        return gaussian_policy(obs_size, int(np.prod(space.shape)), hidden, state_dependent_std)
    raise ValueError(f"action space: expected Discrete or Box, got {space}")


def to_env(envs: Envs, actions: Array) -> Array:
    """The policy's actions, 0 … n−1 or (B, d), as the environment's: from start, in its shape."""
    space = envs.single_action_space
    if isinstance(space, Discrete):
        return actions + space.start
    return actions.reshape(-1, *(space.shape or ())).astype(space.dtype)


def play_episodes(envs: Envs, policy: Policy, theta: Array, rng: np.random.Generator) -> Batch:
    """One whole episode in each environment, one a column: B independent draws, weight 1/B.

    T is the longest episode's length; after its end a column is not `valid`. Ends only if every
    episode does. The environments' seed is drawn from rng, so rng alone determines the batch and
    no environment shares its stream (Gymnasium's seed n is NumPy's default_rng(n)).
    Raises ValueError, naming step and environment, where an observation or reward is not finite.
    """
    obs = _received("observation", envs.reset(seed=int(rng.integers(2**31)))[0], theta.dtype, 0)
    running = np.ones(envs.num_envs, bool)
    all_obs, steps = [obs], []
    while running.any():
        actions, log_prob = policy.sample(theta, obs, rng)
        received, rewards, terminated, truncated, _ = envs.step(to_env(envs, actions))
        obs = _received("observation", received, theta.dtype, len(all_obs))
        rewards = _received("reward", rewards, np.float64, len(all_obs))
        all_obs.append(obs)
        steps.append(
            (
                actions,
                rewards * running,
                terminated & running,
                truncated & running,
                running,
                log_prob,
            )
        )
        running = running & ~(terminated | truncated)
    actions, rewards, terminated, truncated, valid, log_prob = map(
        np.stack, zip(*steps, strict=True)
    )
    weight = np.full(envs.num_envs, 1 / envs.num_envs)
    return Batch(
        np.stack(all_obs), actions, rewards, terminated, truncated, valid, log_prob, weight
    )


def _received(name: str, value: Any, dtype: Any, step: int) -> Array:
    """A copy (an environment may overwrite its buffer) of what came; ValueError if not finite."""
    array = np.array(value, dtype)
    bad = ~np.isfinite(array).reshape(len(array), -1).all(1)
    if bad.any():
        env = int(bad.argmax())
        raise ValueError(f"{name}: expected finite numbers, got {array[env]} in environment {env} "
                         f"at step {step}")  # fmt: skip
    return array
