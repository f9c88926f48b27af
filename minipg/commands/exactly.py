"""The mean return of a learned policy, where the environment has a table."""

import argparse
from contextlib import closing
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from minipg.commands.environments import environments
from minipg.commands.mode import Mode
from minipg.experience.guard import Guard
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array

HARMLESS = Guard, OrderEnforcing, PassiveEnvChecker, TimeLimit  # layers that change no reward


def is_its_table(env: Any) -> bool:
    """Whether the table of the innermost environment says what this one does."""
    while env is not env.unwrapped:
        if not isinstance(env, HARMLESS):
            return False
        env = env.env
    return not getattr(env, "fickle_passenger", False)  # Taxi's, who changes his mind beside it


def exact_return(args: argparse.Namespace, policy: Policy, theta: Array) -> float | None:
    """The mean return itself, time limit included; None without a table of its observations."""
    mode = None if args.mode == "async" else args.mode
    with closing(environments(args, 1, mode)) as envs:
        raw: Any = envs.unwrapped
        space, spec = raw.single_observation_space, raw.spec
        steps = args.max_episode_steps or (spec and spec.max_episode_steps)
        try:
            mdp = TabularMDP.from_env(raw.envs[0].unwrapped, 1.0)
            if not is_its_table(raw.envs[0]):
                return None
        except (AttributeError, ValueError):  # environments that step themselves; without a table
            return None
    if not isinstance(space, Discrete) or space.n != mdp.num_states or steps is None:
        return None
    if isinstance(policy, Mode):
        pi = np.eye(mdp.num_actions)[policy.head.mode(policy.eta(theta, mdp.features))]
    else:
        pi = policy.probs(theta, mdp.features)
    return exact.mean_return(mdp, pi, steps)
