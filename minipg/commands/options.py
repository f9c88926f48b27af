"""The options of minipg train: from the command line, to words, and the settings they make."""

import argparse
import dataclasses
import json
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import scipy
from gymnasium.envs.registration import find_highest_version, parse_env_id

from minipg.algorithms import acktr, actor_critic, cem, npg, ppo, reinforce, trpo
from minipg.commands import cli
from minipg.commands.presets import PRESETS

ALGORITHMS: dict[str, tuple[Any, Any]] = {
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

NOT_OPTIONS = ("out", "threshold", "spaces", "versions")  # what else config.json holds
USAGE = "minipg train ALGORITHM ENV [options]\n       minipg train --resume DIR [--steps N]"
EXAMPLES = """
  minipg train ppo CartPole-v1                    its preset; ALGORITHM --help shows the options
  minipg train trpo Pendulum-v1 --seed 1 --out first
  minipg train reinforce CartPole-v1 --steps 1e5 --until 475
  minipg train ppo my_module:MyEnv-v0 --env-kwargs '{"size": 8}' --max-episode-steps 200
  minipg train --resume first                     goes on where it was interrupted
  minipg train --resume first --steps 6e5         goes on where it was finished"""


def sizes(text: str) -> tuple[int, ...]:
    """From "64,64" to (64, 64), from "" to ()."""
    words = [word for word in text.split(",") if word]
    if not all(word.isdecimal() and int(word) for word in words):
        raise argparse.ArgumentTypeError(
            f"expected the units of each hidden layer, as 64,64 (none: ''), got {text!r}"
        )
    return tuple(map(int, words))


def json_object(text: str) -> dict[str, Any]:
    """From '{"size": 8}' to a dictionary; refuses anything else, NaN and infinity too."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # raises
        if isinstance(value, dict):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"expected a JSON object, as '{{\"is_slippery\": false}}' in quotes, got {text}"
    )


def parser(env: str | None = None, algorithm: str | None = None) -> cli.Parser:
    """One subcommand an algorithm; its own options are the fields of its Settings.

    env: whose presets are the defaults. algorithm: which alone is to have its options (None: all).
    """
    top = cli.Parser("minipg train", "Train a policy on a Gymnasium environment, into a run folder."
                     "\nThe options of each algorithm: minipg train ALGORITHM --help",
                     EXAMPLES, usage=USAGE)  # fmt: skip
    commands = top.add_subparsers(dest="algorithm", required=True, prog="minipg train",
                                  metavar="ALGORITHM", help=", ".join(ALGORITHMS),
                                  parser_class=cli.Parser)  # fmt: skip
    for name, (_, kind) in ALGORITHMS.items():
        example = f"\n  minipg train {name} CartPole-v1 --seed 1 --out first"
        sub = commands.add_parser(name, description=f"Train with {name}.", examples=example)
        if algorithm not in (None, name):
            continue
        add = sub.add_argument
        add("env", metavar="ENV", help="a Gymnasium environment: CartPole-v1, or of your own "
            "module in this folder, which registers it: module:ID")  # fmt: skip
        add("--env-kwargs", type=json_object, default={}, metavar="JSON",
            help='its keyword arguments: {"is_slippery": false} (%(default)s)')  # fmt: skip
        add("--seed", type=int, default=0, help="determines all but the seconds (%(default)s)")
        add("--steps", type=int, default=400_000, help="environment steps (%(default)s)")
        add("--until", type=float, metavar="RETURN",
            help="stop once the mean of the last 100 training episodes is there")  # fmt: skip
        add("--evaluation-episodes", type=int, default=100, metavar="N",
            help="at the end, in at most --num-envs copies; 0: none (%(default)s)")  # fmt: skip
        add("--num-envs", type=int, default=16, help="environments side by side (%(default)s)")
        add("--mode", choices=["sync", "async"], help="else the environment's own vectorised form")
        add("--max-episode-steps", type=int, help="time limit in place of the environment's own")
        add("--hidden", type=sizes, default="32", metavar="N,N", help="tanh layers (%(default)s)")
        add("--initial-std", type=float, default=1.0, help="σ of a Gaussian at first (%(default)s)")
        add("--out", type=Path, metavar="DIR", help="new run folder; else runs/ALGORITHM-ENV-SEED")
        for option, text in (
            ("--state-dependent-std", "log σ of a Gaussian from the network, else parameters"),
            ("--rescale-actions", "map [-1, 1] onto the bounds of a Box"),
            ("--normalize-observations", "by mean and deviation over the first quarter of --steps"),
            ("--normalize-rewards", "by the running deviation of the discounted return"),
            ("--shared", "one network for policy and value (actor_critic)"),
        ):
            add(option, action=argparse.BooleanOptionalAction, default=False,
                help=text + " (%(default)s)")  # fmt: skip
        for field in dataclasses.fields(kind):
            add_field(sub, field)
        preset = PRESETS.get((name, env or ""), {})
        sub.set_defaults(**{option: ",".join(map(str, value)) if option == "hidden" else value
                            for option, value in preset.items()})  # fmt: skip
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


def with_version(env: str) -> str:
    """CartPole → CartPole-v1, as Gymnasium chooses: one name for presets and folders.

    module:ID is as it was.
    """
    try:
        namespace, name, version = parse_env_id(env)
    except gym.error.Error:  # of a module; none of Gymnasium's
        return env
    known = version is not None or env in gym.registry
    latest = None if known else find_highest_version(namespace, name)
    return env if latest is None else f"{env}-v{latest}"


def parse(words: list[str]) -> argparse.Namespace:
    """A command line with the presets of its algorithm and environment."""
    ids = [word.split(":")[-1] for word in words]
    guess = next((id for id in ids if words and (words[0], id) in PRESETS), None)  # for --help
    algorithm = next((word for word in words if word in ALGORITHMS), "")
    args = parser(guess, algorithm).parse_args(words)
    env = with_version(args.env)
    if (env.split(":")[-1] != guess) if guess else env != args.env:  # --out CartPole-v1; CartPole
        args = parser(env.split(":")[-1], algorithm).parse_args(words)
    args.env = env
    return args


def words_of(options: Mapping[str, Any]) -> list[str]:
    """The command line's words for options, algorithm and env excepted."""
    words = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None and name not in ("algorithm", "env", *NOT_OPTIONS):
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
            text = json.dumps(value) if isinstance(value, dict) else text
            words.append(f"--{option}={text}")
    return words


def described(args: argparse.Namespace) -> str:
    """Whether a preset runs or the defaults, and which options are others."""
    env = args.env.split(":")[-1]
    plain = vars(parser(env, args.algorithm).parse_args([args.algorithm, args.env]))
    other = {name: value for name, value in vars(args).items() if value != plain[name]}
    text = "the preset of" if (args.algorithm, env) in PRESETS else "the defaults, no preset of"
    words = (word.partition("=") for word in words_of({**other, "seed": None}))
    shown = [f"{option} {shlex.quote(value)}" if sign else option for option, sign, value in words]
    return f"{text} {args.algorithm} for {env}" + f", but {' '.join(shown)}" * bool(shown)


def as_option(error: ValueError, args: argparse.Namespace) -> ValueError:
    """An error about an option's value, under the option's name."""
    name, _, rest = str(error).partition(":")
    return ValueError(f"--{name.replace('_', '-')}:{rest}") if name in vars(args) else error


def settings_of(args: argparse.Namespace) -> Any:
    """The algorithm's own options; ValueError for one out of its range."""
    _, kind = ALGORITHMS[args.algorithm]
    try:
        return kind(**{field.name: getattr(args, field.name) for field in dataclasses.fields(kind)})
    except ValueError as error:
        raise as_option(error, args) from None


def run_name(args: argparse.Namespace) -> str:
    """Of a run's folder, unless the user names it."""
    return f"{args.algorithm}-{args.env.replace('/', '-')}-{args.seed}"
