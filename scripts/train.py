"""Train a policy on a Gymnasium environment and leave a run folder.

python scripts/train.py reinforce CartPole-v1 [--seed N] [--steps N] [--num-envs N] [--out DIR]
"""

import argparse
import dataclasses
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to share

import gymnasium as gym
import numpy as np
import runs
import scipy
from tqdm import tqdm

from minipg.algorithms import reinforce
from minipg.policy import Policy
from minipg.rollout import make_envs, play_episodes, policy_for

ALGORITHMS = {"reinforce": (reinforce.reinforce, reinforce.Settings)}
EVALUATION_EPISODES = 100
SECONDS_BETWEEN_WRITES = 1.0


def parser() -> argparse.ArgumentParser:
    """One subcommand an algorithm; its own options are the fields of its Settings."""
    top = argparse.ArgumentParser(description="Train a policy on a Gymnasium environment.")
    commands = top.add_subparsers(dest="algorithm", required=True)
    for name, (_, settings) in ALGORITHMS.items():
        sub = commands.add_parser(name)
        add = sub.add_argument
        add("env", help="a registered Gymnasium environment with Discrete or Box actions")
        add("--seed", type=int, default=0, help="determines the run to the byte (%(default)s)")
        add("--steps", type=int, default=400_000, help="environment steps (%(default)s)")
        add("--num-envs", type=int, default=16, help="environments side by side (%(default)s)")
        add("--mode", choices=["sync", "async"], help="else the environment's own vectorised form")
        add("--max-episode-steps", type=int, help="time limit in place of the environment's own")
        add(
            "--hidden",
            type=int,
            nargs="*",
            default=[32],
            help="sizes of the tanh layers (%(default)s)",
        )
        add("--out", type=Path, help="new run folder; else runs/ALGORITHM-ENV-SEED")
        for field in dataclasses.fields(settings):
            _add_field(sub, field)
    return top


def _add_field(sub: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    option, text = "--" + field.name.replace("_", "-"), field.metadata["help"] + " (%(default)s)"
    if isinstance(field.default, bool):
        sub.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default,
                         help=text)  # fmt: skip
    else:
        sub.add_argument(option, type=type(field.default), default=field.default, help=text,
                         choices=field.metadata.get("choices"))  # fmt: skip


def evaluate(args: argparse.Namespace, policy: Policy, theta: np.ndarray) -> dict[str, Any]:
    """Fresh episodes of the policy as it is, actions drawn, from seeds that training never used."""
    envs = make_envs(args.env, EVALUATION_EPISODES, args.mode, args.max_episode_steps)
    batch = play_episodes(envs, policy, theta, np.random.default_rng([args.seed, 1]))
    envs.close()
    returns = batch.rewards.sum(0)
    return {
        "episodes": len(returns),
        "mean_return": float(returns.mean()),
        "stderr": float(returns.std(ddof=1) / np.sqrt(len(returns))),
        "threshold": gym.spec(args.env).reward_threshold,
    }


def train(args: argparse.Namespace) -> None:
    """Run the algorithm, writing the run folder as it goes; ValueError for a user's mistake."""
    run, settings_class = ALGORITHMS[args.algorithm]
    names = [field.name for field in dataclasses.fields(settings_class)]
    settings = settings_class(**{name: getattr(args, name) for name in names})
    if args.steps < 1:
        raise ValueError(f"--steps: expected 1 or more, got {args.steps}")
    if args.seed < 0:
        raise ValueError(f"--seed: expected 0 or more, got {args.seed}")
    envs = make_envs(args.env, args.num_envs, args.mode, args.max_episode_steps)
    if args.max_episode_steps is None and gym.spec(args.env).max_episode_steps is None:
        raise ValueError(f"--max-episode-steps: expected for {args.env}, which has no time limit")
    policy = policy_for(envs, tuple(args.hidden))
    rng = np.random.default_rng(args.seed)
    initial = policy.init(rng, dtype=np.float32)
    folder = args.out or Path("runs") / f"{args.algorithm}-{args.env.replace('/', '-')}-{args.seed}"
    versions = {"python": platform.python_version(), "numpy": np.__version__,
                "scipy": scipy.__version__, "gymnasium": gym.__version__}  # fmt: skip
    runs.create(folder, {**vars(args), "out": str(folder), "versions": versions})
    began = written = time.perf_counter()
    records: list[dict[str, Any]] = []
    with tqdm(total=args.steps, unit=" steps", unit_scale=True) as bar:
        for theta, record in run(envs, policy, initial, settings, args.steps, rng):
            now = time.perf_counter()
            records.append({**record, "seconds": round(now - began, 3)})
            bar.update(min(record["env_steps"], args.steps) - bar.n)
            bar.set_postfix(mean_return=f"{record['mean_return']:.1f}")
            if now - written > SECONDS_BETWEEN_WRITES:
                runs.write_progress(folder, policy, theta, records)
                written = now
    seconds = time.perf_counter() - began
    runs.write_progress(folder, policy, theta, records)
    envs.close()
    result = {
        "algorithm": args.algorithm, "env": args.env, "seed": args.seed,
        "env_steps": records[-1]["env_steps"], "seconds": round(seconds, 3),
        **evaluate(args, policy, theta),
    }  # fmt: skip
    runs.write_json(folder / "result.json", result)
    print("{algorithm} on {env}, seed {seed}: {env_steps} steps in {seconds:.1f} s; {episodes} "
          "episodes: mean return {mean_return:.1f} ± {stderr:.1f}, threshold {threshold}"
          .format(**result))  # fmt: skip
    print(f"run folder: {folder}")


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    try:
        train(parser().parse_args(argv))
    except (ValueError, OSError) as error:
        print(f"train: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
