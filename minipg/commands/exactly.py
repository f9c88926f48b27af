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


def limit_of_its_table(env: Any) -> int | None:
    """The steps after which it cuts an episode; None where its table need not say what it does."""
    limits = []
    while env is not env.unwrapped:
        if type(env) not in HARMLESS:
            return None
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    players = [kind for kind in type(env).__mro__ if {"step", "reset"} & vars(kind).keys()]
    if len(players) != 2:  # beside gym.Env: an heir plays otherwise than the table it inherits
        return None
    if getattr(env, "fickle_passenger", False):  # Taxi's, who changes his mind beside it
        return None
    return min(limits, default=None)


def exact_return(args: argparse.Namespace, policy: Policy, theta: Array) -> float | None:
    """The mean return itself, time limit included; None without a table of its observations."""
    mode = None if args.mode == "async" else args.mode
    with closing(environments(args, 1, mode)) as envs:
        raw: Any = envs.unwrapped
        space = raw.single_observation_space
        copies: Any = getattr(raw, "envs", None)  # of environments that step themselves: none
        steps = limit_of_its_table(copies[0]) if copies else None
        if steps is None:
            return None
        try:
            mdp = TabularMDP.from_env(copies[0].unwrapped, 1.0)
        except (AttributeError, ValueError):  # without a table
            return None
    if not isinstance(space, Discrete) or space.n != mdp.num_states:
        return None
    if isinstance(policy, Mode):
        pi = np.eye(mdp.num_actions)[policy.head.mode(policy.eta(theta, mdp.features))]
    else:
        pi = policy.probs(theta, mdp.features)
    return exact.mean_return(mdp, pi, steps)
