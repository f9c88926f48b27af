"""Train a policy on a Gymnasium environment and leave a run folder.

minipg train ALGORITHM ENV [--seed N] [--steps N] [--num-envs N] [--out DIR]
minipg train --resume DIR [--steps N]
"""

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from minipg.algorithms.state import State, environment_state, restore_environments
from minipg.commands import cli, progress, runs, writer
from minipg.commands.afterword import remarks
from minipg.commands.environments import check_same, checked, hint, prepare, spaces, threshold_of
from minipg.commands.evaluate import evaluate, figures
from minipg.commands.failures import reason
from minipg.commands.lock import hold
from minipg.commands.options import ALGORITHMS, VERSIONS, described, parse, run_name
from minipg.commands.resume import OBSERVED, check_start, interrupted, note, without_episodes
from minipg.commands.say import summary
from minipg.commands.until import Goal, iterations
from minipg.experience.environments import Envs
from minipg.experience.scaling import deviation
from minipg.policies.build import absorb_normalization
from minipg.policies.policy import Policy
from minipg.policies.policy_file import load_policy
from minipg.problems.faults import abandon
from minipg.validate import Array

LENGTHS = "learning_rate", "delta", "std"  # what an algorithm calls how far it steps


def truth(args: argparse.Namespace, envs: Envs, policy: Policy, theta: Array) -> float | None:
    """The exact mean return, where the environment has a table."""
    if not isinstance(envs.unwrapped.single_observation_space, Discrete):
        return None
    from minipg.commands.exactly import exact_return  # SciPy's sparse matrices: slow to import

    return exact_return(args, policy, theta)


def train(
    args: argparse.Namespace, saved: dict[str, Any] | None = None, quiet: bool = False
) -> int:
    """Run the algorithm, writing the run folder as it goes; ValueError for a user's mistake.

    saved: the checkpoint of args.out to go on from. quiet: neither progress bar nor result.
    """
    out = args.out or Path("runs") / run_name(args)
    folder = out.absolute()  # an environment may change the current one
    if saved is None:
        checked(args)  # their mistakes first
        writer.check_new(folder, out)
    envs, scaler, policy, settings = prepare(args)
    threshold = threshold_of(envs)
    rng, began = np.random.default_rng(args.seed), time.perf_counter()
    log = writer.Writer(folder, policy)
    start: Any
    if saved is None:
        start = policy.init(rng, dtype=np.float32, std=args.initial_std)
    else:
        rng.bit_generator.state, began = saved["rng"], began - saved["seconds"]
        start = saved["state"]
        check_same(args.env, runs.read_config(folder).get("spaces"), envs)
        check_start(args, policy, start)
        if not restore_environments(envs, saved["envs"]):
            start = without_episodes(start, quiet)
    before = runs.read_returns(folder, saved) if saved and args.until is not None else []
    goal = Goal(args.algorithm, args.until, before)
    loop = iterations(
        ALGORITHMS[args.algorithm][0](envs, policy, start, settings, args.steps, rng), goal
    )

    def on_raw_observations(theta: Array) -> Array:
        """θ with the statistics so far, frozen, in its first layer."""
        if scaler is None:
            return theta
        std = deviation(scaler.obs_rms, scaler.epsilon)
        return absorb_normalization(policy, theta, scaler.obs_rms.mean, std)

    def observed(env_steps: int) -> None:
        """Statistics stay once their share is played: drifting, they would move a θ that rests."""
        if scaler is not None:
            scaler.update_running_mean = env_steps < OBSERVED * args.steps

    def add(state: State, record: dict[str, Any]) -> None:
        observed(state.env_steps)
        seconds = time.perf_counter() - began
        log.add({**record, "seconds": round(seconds, 3)}, on_raw_observations(state.theta),
                   state=state, rng=rng.bit_generator.state, envs=environment_state(envs),
                   seconds=seconds)  # fmt: skip
        goal.add(record)

    go_on = f"go on with: {cli.called()} train --resume {shlex.quote(str(out))}"

    def save() -> None:
        abandon(envs)
        try:
            if log.begun:
                log.write()
        except OSError as error:
            if not folder.exists():
                raise ValueError(f"{out}: expected the run's folder, it is gone") from error
            raise ValueError(f"{out}: cannot be written, {error.strerror or error}; its files "
                             f"are whole; once it can be, {go_on}") from error  # fmt: skip

    state = start
    if saved is not None:
        log.lock, log.iterations = hold(folder), saved["iterations"]
    try:
        observed(0 if saved is None else start.env_steps)
        theta = on_raw_observations(start if saved is None else start.theta)
        first = next(loop, None)  # what does not fit shows here, before anything is written
        if saved is not None:
            if first is not None and saved["csv_bytes"]:
                writer.checked_columns(folder / "progress.csv", [*first[1], "seconds"])
            log.go_on(theta, saved)
            writer.extend(folder, args)
        if first is not None:
            state, record = first
            add(state, record)
        if saved is None:
            log.create(
                {
                    **vars(args),
                    "out": str(out),
                    "threshold": threshold,
                    "spaces": spaces(envs),
                    "versions": VERSIONS,
                }
            )
        if not quiet:
            note(f"{args.algorithm} on {args.env}, seed {args.seed}: {described(args)}")
            for line in hint(args, envs):
                note(line)
        done = min(state.env_steps, args.steps)
        with progress.bar(args.steps, " steps", done, quiet) as bar:
            for state, record in loop:
                add(state, record)
                bar.set_postfix(mean_return=f"{record['mean_return']:.4g}", refresh=False)
                bar.update(min(state.env_steps, args.steps) - bar.n)
        log.write()
        seconds = time.perf_counter() - began
        envs.close()
        learned = load_policy(folder / "parameters.npz")
        returns = evaluate(args, *learned, args.evaluation_episodes, quiet)
        result = {
            "algorithm": args.algorithm, "env": args.env, "seed": args.seed,
            "env_steps": state.env_steps, "seconds": round(seconds, 3), **figures(returns),
            "exact_return": truth(args, envs, *learned) if len(returns) else None,
            "threshold": threshold,
        }  # fmt: skip
        writer.write_json(folder / "result.json", result)
    except KeyboardInterrupt:
        save()
        begun = log.begun or saved is not None
        raise KeyboardInterrupt(go_on if begun else "nothing was written") from None
    except (Exception, SystemExit) as error:  # an environment may exit
        save()
        lengths = [f"--{x.replace('_', '-')}" for x in vars(settings) if x.endswith(LENGTHS)]
        if not log.begun and saved is None:
            raise ValueError(reason(error, "", lengths)) from error
        over = state.env_steps >= args.steps or goal.reached
        where = "after training" if over else f"in iteration {log.iterations + 1}"
        raise ValueError(f"stopped {where}: {reason(error, f'; {go_on}', lengths)}") from error
    finally:
        log.release()
        if not envs.unwrapped.closed:
            envs.close()
    if not quiet:
        print(summary(args, result))
        for line in remarks(args, settings, folder / "progress.csv"):
            print(line)
        print(f"run folder: {out}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0; 2 or, for Ctrl-C, 130 with one line on standard error."""
    words = sys.argv[1:] if argv is None else argv
    if any(word.split("=")[0] == "--resume" for word in words):
        resume = cli.Parser("minipg train --resume", "Go on with a run, by its folder's options.",
                            "\n  minipg train --resume first --steps 6e5",
                            "; all other options are the folder's",
                            usage="minipg train --resume DIR [--steps N]",
                            see="minipg train --help")  # fmt: skip
        resume.add_argument("--resume", type=Path, required=True, metavar="DIR", help="run folder")
        resume.add_argument("--steps", type=int, help="in all, in place of those of the folder; so "
                            "a finished run goes on, as the longer run would if nothing falls "
                            "with --steps (else that is said)")  # fmt: skip
        more = resume.parse_args(words)
        return cli.run("minipg train", lambda: train(*interrupted(more.resume, more.steps)))
    args = parse(words)
    return cli.run("minipg train", lambda: train(args))
