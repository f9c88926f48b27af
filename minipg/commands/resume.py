"""A run folder taken up again: where it was interrupted, or beyond its end."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from minipg.algorithms.loop import FALLING
from minipg.algorithms.state import State
from minipg.commands import cli, runs
from minipg.commands.options import ALGORITHMS, VERSIONS, parser, words_of
from minipg.policies.policy import Policy
from minipg.validate import check_choice

ANNEALED = {  # what falls to 0 as --steps are played
    "reinforce": ("learning_rate",),
    "actor_critic": ("learning_rate", "critic_learning_rate"),
    **{
        name: tuple(x for x in FALLING if hasattr(kind, x))
        for name, (_, kind) in ALGORITHMS.items()
        if hasattr(kind, "decay")
    },  # with --decay
    "cem": ("extra_std",),
}
OBSERVED = 1 / 4  # of --steps: what they show is what --normalize-observations normalises by


def note(text: str) -> None:
    """A line on standard error."""
    print(f"minipg train: {text}", file=sys.stderr)


def check_start(args: argparse.Namespace, policy: Policy, start: State) -> None:
    """ValueError where the saved state is of another policy or of other environments."""
    if start.theta.shape != (policy.num_params,):
        raise ValueError(
            f"{args.out}: expected {start.theta.size} parameters as in state.npz, of {args.env} "
            f"and --hidden as they are now it has {policy.num_params}: the environment or "
            "config.json has changed; train anew"
        )
    if start.stream is not None:
        wanted = args.num_envs, policy.network.sizes[0]
        if start.stream.obs.shape != wanted:
            raise ValueError(f"{args.out}: expected observations {start.stream.obs.shape} as in "
                             f"state.npz, got {wanted}: the environment or config.json has "
                             "changed; train anew")  # fmt: skip


def without_episodes(start: State, quiet: bool) -> State:
    """The state whose episodes in progress begin anew; said where there are any."""
    if start.stream is not None and not quiet:
        note("the state of these environments cannot be put back: episodes in progress begin anew, "
             "so what follows is not what the uninterrupted run would have done")  # fmt: skip
    return start._replace(stream=None)


def interrupted(
    folder: Path, steps: int | None = None
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Options and checkpoint of a run to go on with, to other `steps`; ValueError without one."""
    config = runs.read_config(folder)
    finished = (folder / "result.json").exists()
    if finished and steps is None:
        more = 2 * config["steps"] if isinstance(config.get("steps"), int) else "N"
        raise ValueError(f"{folder}: it is finished; to train it further: {cli.called()} train "
                         f"--resume {shlex.quote(str(folder))} --steps {more}")  # fmt: skip
    check_choice(f"{folder}/config.json: algorithm", config.get("algorithm"), ALGORITHMS)
    options, env = parser(algorithm=config["algorithm"]), ["--", str(config.get("env"))]
    if missing := sorted(set(vars(options.parse_args([config["algorithm"], *env]))) - set(config)):
        raise ValueError(f"{folder}: expected a run of this version, config.json lacks {missing}: "
                         "train anew")  # fmt: skip
    words = [config["algorithm"], *words_of(config), f"--out={folder}"]
    args = options.parse_args([*words, *env])
    saved = runs.read_checkpoint(folder)
    if saved["csv_bytes"]:  # what is not whole shows here, before anything is written
        runs.read_table(folder, saved["csv_bytes"])
    if steps is not None:
        done = saved["state"].env_steps
        if steps <= done:
            raise ValueError(f"--steps: expected more than the {done} that are done, got {steps}")
        names = ANNEALED.get(args.algorithm, ()) if getattr(args, "decay", True) else ()
        unused = "delta" if getattr(args, "learning_rate", 0) else "learning_rate"  # of NPG's two
        names = tuple(x for x in names if (args.algorithm, x) != ("npg", unused))
        several = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
        told = [f"{several} {'fall' if names[1:] else 'falls'} to 0 over"] * bool(names)
        if getattr(args, "final_std", 0):
            told += ["σ nears --final-std over"]
        if args.normalize_observations:
            told += ["observations are normalised by the first quarter of"]
        if told and steps != args.steps:
            note(f"not the run that --steps {steps} would have been from its begin: "
                 f"{', '.join(told)} --steps, till here {args.steps}")  # fmt: skip
        args.steps = steps
        if finished and args.until is not None:
            note(f"--until {args.until:g} was reached; from here without it")
            args.until = None
    if config.get("versions") != VERSIONS:
        note(f"begun with {config.get('versions')}, goes on with {VERSIONS}: the last digits may "
             "differ")  # fmt: skip
    return args, saved
