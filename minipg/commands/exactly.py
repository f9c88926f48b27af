"""The mean return of a learned policy, where the environment has a table."""

import argparse
from contextlib import closing
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from minipg.commands.environments import environments
from minipg.commands.mode import Mode
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array


def exact_return(args: argparse.Namespace, policy: Policy, theta: Array) -> float | None:
    """The mean return itself, time limit included; None without a table of its observations."""
    with closing(environments(args, 1, "sync")) as envs:
        raw: Any = envs.unwrapped
        env, space = raw.envs[0], raw.single_observation_space
        steps = args.max_episode_steps or env.spec.max_episode_steps
        try:
            mdp = TabularMDP.from_env(env.unwrapped, 1.0)
        except ValueError:
            return None
    if not isinstance(space, Discrete) or space.n != mdp.num_states or steps is None:
        return None
    if isinstance(policy, Mode):
        pi = np.eye(mdp.num_actions)[policy.head.mode(policy.eta(theta, mdp.features))]
    else:
        pi = policy.probs(theta, mdp.features)
    return exact.mean_return(mdp, pi, steps)
