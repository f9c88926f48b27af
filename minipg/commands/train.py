"""Train a policy on a Gymnasium environment and leave a run folder.

python scripts/train.py ALGORITHM ENV [--seed N] [--steps N] [--num-envs N] [--out DIR]
python scripts/train.py --resume DIR
"""

import argparse
import os
import shlex
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to share

import numpy as np
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward
from tqdm import tqdm

from minipg.algorithms.state import State, environment_state, restore_environments
from minipg.commands import cli, runs
from minipg.commands.evaluate import evaluate, figures
from minipg.commands.options import ALGORITHMS, VERSIONS, interrupted, parse, run_name, settings_of
from minipg.experience.environments import Envs, make_envs, policy_for
from minipg.policies.build import absorb_normalization
from minipg.policies.policy_file import load_policy

OURS = Path(__file__).parents[1]
LENGTHS = "learning_rate", "delta", "std"  # what an algorithm calls how far it steps


def reason(error: BaseException, go_on: str, lengths: list[str]) -> str:
    """What went wrong, in one line; of an error that is not ours also its kind and place."""
    place, text = traceback.extract_tb(error.__traceback__)[-1], str(error)
    if type(error) is ValueError and Path(place.filename).is_relative_to(OURS):
        if ": expected finite numbers" in text and not text.startswith(("obs", "reward")):
            text += f"; the training diverged: a smaller {' or '.join(lengths)}?"
        return text
    kind = type(error).__name__
    if isinstance(error, EOFError | ConnectionError):
        kind = f"a worker process died, {kind}"
    return f"{kind}: {text} ({place.filename}:{place.lineno}){go_on}"


def abandon(envs: Envs) -> None:
    """End worker processes, alive or dead: Gymnasium's own close would wait for their answers."""
    workers = getattr(envs.unwrapped, "processes", [])
    for process in workers:
        process.kill()
        process.join()
    envs.unwrapped.closed = bool(workers)


def train(
    args: argparse.Namespace, saved: dict[str, Any] | None = None, quiet: bool = False
) -> int:
    """Run the algorithm, writing the run folder as it goes; ValueError for a user's mistake.

    saved: the checkpoint of args.out to go on from. quiet: neither progress bar nor result.
    """
    run, _ = ALGORITHMS[args.algorithm]
    settings = settings_of(args)
    for name, least in (("steps", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name}: expected {least} or more, got {getattr(args, name)}")
    if args.shared and args.algorithm != "actor_critic":
        raise ValueError(f"--shared: expected with actor_critic, got {args.algorithm}")
    envs = make_envs(
        args.env, args.num_envs, args.mode, args.max_episode_steps, args.rescale_actions,
        args.env_kwargs,
    )  # fmt: skip
    spec = envs.unwrapped.spec
    threshold = spec.reward_threshold if spec else None
    endless = args.max_episode_steps is None and (spec is None or spec.max_episode_steps is None)
    if endless:
        raise ValueError(f"--max-episode-steps: expected for {args.env}, which has no time limit")
    scaler = None
    if args.normalize_observations:
        envs = scaler = NormalizeObservation(envs)
    if args.normalize_rewards:
        envs = NormalizeReward(envs, getattr(settings, "gamma", 1.0))
    policy = policy_for(envs, args.hidden, args.state_dependent_std, args.shared)
    folder = args.out or Path("runs") / run_name(args)
    rng, began = np.random.default_rng(args.seed), time.perf_counter()
    writer = runs.Writer(folder, policy)
    if saved is None:
        runs.check_new(folder)
        start: Any = policy.init(rng, dtype=np.float32, std=args.initial_std)
    else:
        rng.bit_generator.state, began = saved["rng"], began - saved["seconds"]
        start = saved["state"]
        if not restore_environments(envs, saved["envs"]):
            start = start._replace(stream=None)
    loop = run(envs, policy, start, settings, args.steps, rng)

    def on_raw_observations(theta: np.ndarray) -> np.ndarray:
        """θ with the statistics so far, frozen, in its first layer."""
        if scaler is None:
            return theta
        std = np.sqrt(scaler.obs_rms.var + scaler.epsilon)
        return absorb_normalization(policy, theta, scaler.obs_rms.mean, std)

    if saved is not None:
        writer.go_on(on_raw_observations(start.theta), saved)

    def add(state: State, record: dict[str, Any]) -> None:
        seconds = time.perf_counter() - began
        writer.add({**record, "seconds": round(seconds, 3)}, on_raw_observations(state.theta),
                   state=state, rng=rng.bit_generator.state, envs=environment_state(envs),
                   seconds=seconds)  # fmt: skip

    go_on = f"go on with: python scripts/train.py --resume {shlex.quote(str(folder))}"

    def save() -> None:
        abandon(envs)
        try:
            if writer.begun:
                writer.write()
        except OSError as error:
            raise ValueError(f"{folder}: cannot be written, {error.strerror or error}; its files "
                             f"are whole; once it can be, {go_on}") from error  # fmt: skip

    state = start
    try:
        if saved is None:
            state, record = next(loop)  # what does not fit shows here, before anything is written
            add(state, record)
            writer.create(
                {**vars(args), "out": str(folder), "threshold": threshold, "versions": VERSIONS}
            )
        done = min(state.env_steps, args.steps)
        with tqdm(total=args.steps, initial=done, unit=" steps", unit_scale=True,
                  disable=quiet) as bar:  # fmt: skip
            for state, record in loop:
                add(state, record)
                bar.update(min(state.env_steps, args.steps) - bar.n)
                bar.set_postfix(mean_return=f"{record['mean_return']:.1f}", refresh=False)
        writer.write()
        seconds = time.perf_counter() - began
        envs.close()
        result = {
            "algorithm": args.algorithm, "env": args.env, "seed": args.seed,
            "env_steps": state.env_steps, "seconds": round(seconds, 3),
            **figures(evaluate(args, *load_policy(folder / "parameters.npz"))),
            "threshold": threshold,
        }  # fmt: skip
        runs.write_json(folder / "result.json", result)
    except KeyboardInterrupt:
        save()
        raise KeyboardInterrupt(go_on if writer.begun else "nothing was written") from None
    except (Exception, SystemExit) as error:  # an environment may exit
        save()
        lengths = [
            "--" + name.replace("_", "-") for name in vars(settings) if name.endswith(LENGTHS)
        ]
        if not writer.begun:
            raise ValueError(reason(error, "", lengths)) from error
        over = state.env_steps >= args.steps
        where = "after training" if over else f"in iteration {writer.iterations + 1}"
        raise ValueError(f"stopped {where}: {reason(error, f'; {go_on}', lengths)}") from error
    if quiet:
        return 0
    print("{algorithm} on {env}, seed {seed}: {env_steps} steps in {seconds:.1f} s; {episodes} "
          "episodes: mean return {mean_return:.1f} ± {stderr:.1f}, threshold {threshold}"
          .format(**result))  # fmt: skip
    print(f"run folder: {folder}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0; 2 or, for Ctrl-C, 130 with one line on standard error."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0].split("=")[0] == "--resume":
        resume = cli.Parser(prog="train", usage="train --resume DIR")
        resume.add_argument("--resume", type=Path, required=True)
        folder = resume.parse_args(words).resume
        return cli.run("train", lambda: train(*interrupted(folder)))
    args = parse(words)
    return cli.run("train", lambda: train(args))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    np.seterr(all="ignore")  # the checks name what is not finite
    sys.exit(main())
