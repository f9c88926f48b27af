"""A run's environments, as its options say, and what is said where they do not fit."""

import argparse
import os
import sys
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from minipg.commands.options import as_option, settings_of
from minipg.commands.presets import PRESETS
from minipg.experience.environments import Envs, make_envs, policy_for
from minipg.experience.scaling import NormalizeObservation, NormalizeReward
from minipg.policies.policy import Policy
from minipg.validate import check_range


def environments(args: argparse.Namespace, num_envs: int, mode: str | None, **more: Any) -> Envs:
    """Those the run is trained on, without normalisation: the saved θ acts on what they give.

    more: keyword arguments of the environment beside those it is trained with.
    ValueError for what make_envs refuses, with what helps.
    """
    try:
        return make_envs(args.env, num_envs, mode, args.max_episode_steps, args.rescale_actions,
                         {**args.env_kwargs, **more})  # fmt: skip
    except ValueError as error:
        text, then = str(as_option(error, args)), advice(args.env, str(error))
        raise ValueError(text.rstrip(".") + then if then else text) from error


def advice(env: str, error: str) -> str:
    """What to do about an environment that is not found, or nothing."""
    module, colon, name = env.rpartition(":")
    if not colon and "NameNotFound" in error:
        return "; one of your own, in my_module.py of this folder, is named my_module:ID"
    if module.endswith(".py"):
        return f"; a module is named without .py: {module[:-3]}:{name}"
    path = os.path.join(os.getcwd(), *module.split(".")) + ".py"
    found = getattr(sys.modules.get(module), "__file__", None)
    if f"No module named '{module}'" in error and not os.path.exists(path):
        return f"; there is no {path}"
    if found and os.path.exists(path) and not os.path.samefile(found, path):
        return f"; {path} is hidden by {found}: give it another name"
    if "NameNotFound" in error:
        return f"; does {module} call gymnasium.register({name!r}, …)?"
    return ""


def check(args: argparse.Namespace) -> None:
    """ValueError for an option that is out of its range."""
    for name, least in (("steps", 1), ("seed", 0), ("num_envs", 1), ("evaluation_episodes", 0)):
        if getattr(args, name) < least:
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{option}: expected {least} or more, got {getattr(args, name)}")
    if args.evaluation_episodes == 1:
        raise ValueError("--evaluation-episodes: expected 2 or more, or 0 for none, got 1")
    if args.shared and args.algorithm != "actor_critic":
        raise ValueError(f"--shared: expected with actor_critic, got {args.algorithm}")


def check_use(args: argparse.Namespace, settings: Any) -> None:
    """ValueError for an option of the algorithm that was set and would not be used."""
    for name, used, by in (
        ("value_weight", args.shared, "--shared"),
        ("cg_iterations", getattr(settings, "solver", "cg") == "cg", "--solver cg"),
    ):
        value, preset = getattr(settings, name, None), PRESETS.get((args.algorithm, args.env), {})
        if not used and value not in (getattr(type(settings), name, None), preset.get(name)):
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{option}: expected with {by} only, got {value}")


def checked(args: argparse.Namespace) -> Any:
    """The algorithm's settings; ValueError for an option out of its range or without use."""
    check(args)
    settings = settings_of(args)
    check_use(args, settings)
    return settings


def prepare(args: argparse.Namespace) -> tuple[Envs, Any, Policy, Any]:
    """Environments to train on, their NormalizeObservation or None, the policy, the settings."""
    settings = checked(args)
    envs = environments(args, args.num_envs, args.mode)
    check_time_limit(args, envs)
    scaler = None
    if args.normalize_observations:
        envs = scaler = NormalizeObservation(envs)
    if args.normalize_rewards:
        envs = NormalizeReward(envs, getattr(settings, "gamma", 1.0))
    try:
        policy = policy_for(envs, args.hidden, args.state_dependent_std, args.shared)
    except ValueError as error:
        raise as_option(error, args) from error
    if not policy.head.num_log_std and args.initial_std != 1:
        raise ValueError("--initial-std: expected with a Box of actions, whose Gaussian has σ, got "
                         f"{envs.single_action_space}")  # fmt: skip
    follows = getattr(settings, "final_std", 0)
    if follows and not policy.num_log_std:
        got = "--state-dependent-std" if policy.head.num_log_std else envs.single_action_space
        raise ValueError("--final-std: expected with a Box of actions, whose Gaussian has σ in θ, "
                         f"got {got}")  # fmt: skip
    return envs, scaler, policy, settings


def check_time_limit(args: argparse.Namespace, envs: Envs) -> None:
    """ValueError where no episode need ever end."""
    spec, space = envs.unwrapped.spec, envs.unwrapped.single_observation_space
    if args.max_episode_steps is None and (spec is None or spec.max_episode_steps is None):
        steps = 200 if isinstance(space, Discrete) else 1000
        raise ValueError(f"--max-episode-steps: expected for {args.env}, which has no time limit: "
                         f"--max-episode-steps {steps}, say")  # fmt: skip


def spaces(envs: Envs) -> list[str]:
    """What the environment declares, in words: observations, actions."""
    raw = envs.unwrapped
    return [str(raw.single_observation_space), str(raw.single_action_space)]


def check_same(env: str, then: Any, envs: Envs) -> None:
    """ValueError where these declare others than `then`, if that is known (not of early runs)."""
    if then is not None and then != spaces(envs):
        raise ValueError(f"{env}: expected observations and actions {then}, as the run was trained "
                         f"on, got {spaces(envs)}: the environment has changed; train anew"
                         )  # fmt: skip


def threshold_of(envs: Envs) -> float | None:
    """The return at which the environment counts as solved; ValueError where it is no number."""
    spec = envs.unwrapped.spec
    if spec is None or spec.reward_threshold is None:
        return None
    return check_range(f"reward_threshold of {spec.id}", spec.reward_threshold)


def hint(args: argparse.Namespace, envs: Envs) -> list[str]:
    """A line where a Box is far from what a Gaussian does first, 0 ± σ."""
    space = envs.single_action_space
    if args.rescale_actions or not (isinstance(space, Box) and space.is_bounded()):
        return []
    low, high = (x.astype(float).ravel() for x in (space.low, space.high))
    half, middle, std = high / 2 - low / 2, high / 2 + low / 2, args.initial_std
    far = (half > 3 * std) | (half < std / 3) | (abs(middle) > half / 2)
    return [
        f"actions lie between {low[i]:g} and {high[i]:g}, the policy begins at 0 ± {std:g}: "
        "--rescale-actions maps [-1, 1] onto the bounds"
        for i in np.flatnonzero(far)[:1]
    ]
