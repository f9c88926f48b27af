"""Bugs between environment and batch: rows 7, 10, 23, 25, 26."""

from functools import lru_cache

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete

from minipg.experience import environments, rollout
from minipg.experience.batch import Batch
from minipg.experience.environments import Envs
from minipg.museum import wrong_data
from minipg.museum.bug import Bug, Module, rebuilt
from minipg.museum.problems import GAMMA, lake, plant
from minipg.museum.toy import vector
from minipg.policies.policy import Policy
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.validate import Array


def play(rollout: Module, envs: Envs, seed: int) -> tuple[Policy, Array, Batch]:
    """A random policy for the environments, and one episode in each."""
    policy = environments.policy_for(envs, ())
    theta = policy.init(np.random.default_rng(seed), 1.0)
    return policy, theta, rollout.play_episodes(envs, policy, theta, np.random.default_rng(seed))


def reset_rows_are_no_data(rollout: Module, seed: int) -> None:
    batch = play(rollout, vector(8), seed)[2]
    np.testing.assert_array_equal(batch.valid.sum(0), batch.obs[0, :, 1])  # each one's length


@lru_cache(maxsize=1)
def firm_lake() -> TabularMDP:
    return TabularMDP.from_env(gym.make("FrozenLake-v1", is_slippery=False), GAMMA)


def target_error(rollout: Module, seed: int) -> tuple[float, str]:
    """Of the critic's targets r + γV^π(s′) that are Q^π(s, a): on ice that does not slip, all."""
    mdp, p = firm_lake(), lake(seed)
    pi = p.policy.probs(p.theta, mdp.features)
    values = exact.state_values(mdp, pi)
    q, rng = exact.action_values(mdp, values), np.random.default_rng(seed)
    envs = TabularVectorEnv(mdp, 64, max_episode_steps=10)
    stream = rollout.start_stream(envs, p.theta, rng)
    batch, _ = rollout.collect(envs, p.policy, p.theta, rng, 64, stream)
    s = batch.obs.argmax(-1)
    target = batch.rewards + GAMMA * values[s[1:]] * ~batch.terminated
    truth = q[s[:-1], batch.actions]
    error, size = (np.sqrt((x[batch.valid] ** 2).mean()) for x in (target - truth, truth))
    return float(error / size), "error of the critic's targets, root mean square over Q's"


def log_prob_is_of_the_raw_action(rollout: Module, seed: int) -> None:
    envs = environments.adapt(vector(4, action_space=Box(-0.1, 0.1, (2,), np.float32)))
    policy, theta, batch = play(rollout, envs, seed)
    again = policy.log_prob(theta, batch.obs[:-1], batch.actions)
    np.testing.assert_array_equal(again, batch.log_prob)


def ratio_error(rollout: Module, seed: int) -> tuple[float, str]:
    """Mean |ratio − 1| at θ_k on the plant, its actions clipped to ±1."""
    lqr, policy, theta = plant(seed)
    envs = LQRVectorEnv(lqr, 200)
    envs.single_action_space = Box(-1, 1, (2,), np.float64)
    envs.action_space = gym.vector.utils.batch_space(envs.single_action_space, 200)
    batch = rollout.play_episodes(
        environments.adapt(envs), policy, theta, np.random.default_rng(seed)
    )
    log_ratio = policy.log_prob(theta, batch.obs[:-1], batch.actions) - batch.log_prob
    return float(np.abs(np.exp(log_ratio) - 1).mean()), "mean |ratio − 1| at θ_k"


def wrong_observations(rollout: Module, seed: int) -> tuple[float, str]:
    """Row t of the toy says t, though it writes into one buffer."""
    batch = play(rollout, vector(copy=False), seed)[2]
    t = np.arange(len(batch.rewards))[:, None]
    return float((batch.obs[:-1, :, 0] != t)[batch.valid].mean()), "share of observations wrong"


def observations_are_copies(rollout: Module, seed: int) -> None:
    assert wrong_observations(rollout, seed)[0] == 0


def the_seed_determines_the_run(rollout: Module, seed: int) -> None:
    one, two = (play(rollout, vector(16), seed)[2] for _ in range(2))
    assert one.obs.tobytes() == two.obs.tobytes()


def actions_start_where_the_space_does(environments: Module, seed: int) -> None:
    told = rebuilt(rollout, to_env=environments.to_env)
    play(told, vector(8, action_space=Discrete(2, start=5)), seed)  # the toy asserts


def wrong_actions(environments: Module, seed: int) -> tuple[float, str]:
    """Of a space that starts at −1."""
    envs = vector(3, action_space=Discrete(3, start=-1))
    told = environments.to_env(envs, np.arange(3))
    return float((told != np.array([-1, 0, 1])).mean()), "share of actions wrong"


BUGS = [
    Bug(7, rollout, wrong_data.resets_as_data, reset_rows_are_no_data, target_error),
    Bug(10, rollout, wrong_data.log_prob_of_the_clipped_action,
        log_prob_is_of_the_raw_action, ratio_error),
    Bug(23, rollout, wrong_data.the_environment_s_buffer,
        observations_are_copies, wrong_observations),
    Bug(25, rollout, wrong_data.unseeded,
        the_seed_determines_the_run, "no size: it is another run"),
    Bug(26, environments, wrong_data.counted_from_0,
        actions_start_where_the_space_does, wrong_actions),
]  # fmt: skip
