"""train.py's options: from the command line, and back from a run folder's config.json."""

import argparse
import dataclasses
import json
import platform
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import scipy

from minipg.algorithms import acktr, actor_critic, cem, npg, ppo, reinforce, trpo
from minipg.commands import cli, runs
from minipg.commands.presets import PRESETS

ALGORITHMS = {
    "reinforce": (reinforce.reinforce, reinforce.Settings),
    "actor_critic": (actor_critic.actor_critic, actor_critic.Settings),
    "npg": (npg.npg, npg.Settings),
    "trpo": (trpo.trpo, trpo.Settings),
    "ppo": (ppo.ppo, ppo.Settings),
    "acktr": (acktr.acktr, acktr.Settings),
    "cem": (cem.cem, cem.Settings),
}
VERSIONS = {"python": platform.python_version(), "numpy": np.__version__,
            "scipy": scipy.__version__, "gymnasium": gym.__version__}  # fmt: skip

NOT_OPTIONS = ("out", "threshold", "versions")  # what else config.json holds


def sizes(text: str) -> tuple[int, ...]:
    """From "64,64" to (64, 64), from "" to ()."""
    return tuple(int(size) for size in text.split(",") if size)


def json_object(text: str) -> dict[str, Any]:
    """From '{"size": 8}' to a dictionary; ValueError for anything else, NaN and infinity too."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    json.dumps(value, allow_nan=False)  # raises
    return value


def parser(env: str | None = None) -> argparse.ArgumentParser:
    """One subcommand an algorithm; its own options are the fields of its Settings.

    env: whose presets are the defaults.
    """
    top = cli.Parser(prog="train", description="Train a policy on a Gymnasium environment.",
                     epilog="train --resume DIR goes on with an interrupted run")  # fmt: skip
    commands = top.add_subparsers(dest="algorithm", required=True)
    for name, (_, kind) in ALGORITHMS.items():
        sub = commands.add_parser(name)
        add = sub.add_argument
        add("env", help="a Gymnasium environment, ID or module:ID")
        add("--env-kwargs", type=json_object, default={}, metavar="JSON",
            help='its keyword arguments: {"is_slippery": false} (%(default)s)')  # fmt: skip
        add("--seed", type=int, default=0, help="determines all but the seconds (%(default)s)")
        add("--steps", type=int, default=400_000, help="environment steps (%(default)s)")
        add("--num-envs", type=int, default=16, help="environments side by side (%(default)s)")
        add("--mode", choices=["sync", "async"], help="else the environment's own vectorised form")
        add("--max-episode-steps", type=int, help="time limit in place of the environment's own")
        add("--hidden", type=sizes, default=(32,), metavar="N,N", help="tanh layers (%(default)s)")
        add("--initial-std", type=float, default=1.0, help="σ of a Gaussian at first (%(default)s)")
        add("--out", type=Path, help="new run folder; else runs/ALGORITHM-ENV-SEED")
        for option, text in (
            ("--state-dependent-std", "log σ of a Gaussian from the network, else parameters"),
            ("--rescale-actions", "map [-1, 1] onto the bounds of a Box"),
            ("--normalize-observations", "by their running mean and deviation"),
            ("--normalize-rewards", "by the running deviation of the discounted return"),
            ("--shared", "one network for policy and value (actor_critic)"),
        ):
            add(option, action=argparse.BooleanOptionalAction, default=False,
                help=text + " (%(default)s)")  # fmt: skip
        for field in dataclasses.fields(kind):
            add_field(sub, field)
        sub.set_defaults(**PRESETS.get((name, env or ""), {}))
    return top


def add_field(sub: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    """The option of a field of Settings: its name, type, default and help."""
    option, text = "--" + field.name.replace("_", "-"), field.metadata["help"] + " (%(default)s)"
    if isinstance(field.default, bool):
        sub.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default,
                         help=text)  # fmt: skip
    else:
        sub.add_argument(option, type=type(field.default), default=field.default, help=text,
                         choices=field.metadata.get("choices"))  # fmt: skip


def parse(words: list[str]) -> argparse.Namespace:
    """A command line with the presets of its algorithm and environment."""
    ids = [word.split(":")[-1] for word in words]
    guess = next((id for id in ids if words and (words[0], id) in PRESETS), None)  # for --help
    args = parser(guess).parse_args(words)
    env = args.env.split(":")[-1]
    return args if guess in (None, env) else parser(env).parse_args(words)  # --out CartPole-v1


def settings_of(args: argparse.Namespace) -> Any:
    """The algorithm's own options; ValueError for one out of its range."""
    _, kind = ALGORITHMS[args.algorithm]
    return kind(**{field.name: getattr(args, field.name) for field in dataclasses.fields(kind)})


def run_name(args: argparse.Namespace) -> str:
    """Of a run's folder, unless the user names it."""
    return f"{args.algorithm}-{args.env.replace('/', '-')}-{args.seed}"


def interrupted(folder: Path) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Options and checkpoint of a run to go on with; ValueError where there is none."""
    config = runs.read_config(folder)
    if (folder / "result.json").exists():
        raise ValueError(f"{folder}: expected an interrupted run, it is finished")
    words = [str(config.get("algorithm")), str(config.get("env"))]
    for name, value in config.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif name not in ("algorithm", "env", *NOT_OPTIONS) and value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            text = json.dumps(value) if isinstance(value, dict) else text
            words.append(f"--{option}={text}")
    args = parser().parse_args([*words, f"--out={folder}"])
    if missing := sorted(set(vars(args)) - set(config)):
        raise ValueError(f"{folder}: expected a run of this version, config.json lacks {missing}")
    if config.get("versions") != VERSIONS:
        print(f"train: begun with {config.get('versions')}, goes on with {VERSIONS}: the last "
              "digits may differ", file=sys.stderr)  # fmt: skip
    return args, runs.read_checkpoint(folder)
