"""Train a policy on a Gymnasium environment and leave a run folder.

python scripts/train.py ALGORITHM ENV [--seed N] [--steps N] [--num-envs N] [--out DIR]
"""

import argparse
import dataclasses
import itertools
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to share

import cli
import gymnasium as gym
import numpy as np
import runs
import scipy
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward
from presets import PRESETS
from tqdm import tqdm

from minipg.algorithms import acktr, actor_critic, cem, npg, ppo, reinforce, trpo
from minipg.policy import Policy, absorb_normalization
from minipg.rollout import make_envs, play_episodes, policy_for

ALGORITHMS = {
    "reinforce": (reinforce.reinforce, reinforce.Settings),
    "actor_critic": (actor_critic.actor_critic, actor_critic.Settings),
    "npg": (npg.npg, npg.Settings),
    "trpo": (trpo.trpo, trpo.Settings),
    "ppo": (ppo.ppo, ppo.Settings),
    "acktr": (acktr.acktr, acktr.Settings),
    "cem": (cem.cem, cem.Settings),
}
EVALUATION_EPISODES = 100
SECONDS_BETWEEN_WRITES = 1.0


def sizes(text: str) -> tuple[int, ...]:
    """From "64,64" to (64, 64), from "" to ()."""
    return tuple(int(size) for size in text.split(",") if size)


def parser(env: str | None = None) -> argparse.ArgumentParser:
    """One subcommand an algorithm; its own options are the fields of its Settings.

    env: whose presets are the defaults.
    """
    top = cli.Parser(prog="train", description="Train a policy on a Gymnasium environment.")
    commands = top.add_subparsers(dest="algorithm", required=True)
    for name, (_, settings) in ALGORITHMS.items():
        sub = commands.add_parser(name)
        add = sub.add_argument
        add("env", help="a Gymnasium environment, ID or module:ID, Discrete or Box actions")
        add("--seed", type=int, default=0, help="determines all but the seconds (%(default)s)")
        add("--steps", type=int, default=400_000, help="environment steps (%(default)s)")
        add("--num-envs", type=int, default=16, help="environments side by side (%(default)s)")
        add("--mode", choices=["sync", "async"], help="else the environment's own vectorised form")
        add("--max-episode-steps", type=int, help="time limit in place of the environment's own")
        add("--hidden", type=sizes, default=(32,), metavar="N,N", help="tanh layers (%(default)s)")
        add("--out", type=Path, help="new run folder; else runs/ALGORITHM-ENV-SEED")
        add("--initial-std", type=float, default=1.0, help="σ of a Gaussian at first (%(default)s)")
        for option, text in (
            ("--state-dependent-std", "log σ of a Gaussian from the network, else parameters"),
            ("--rescale-actions", "map [-1, 1] onto the bounds of a Box"),
            ("--normalize-observations", "by their running mean and deviation"),
            ("--normalize-rewards", "by the running deviation of the discounted return"),
            ("--shared", "one network for policy and value (actor_critic)"),
        ):
            add(option, action=argparse.BooleanOptionalAction, default=False,
                help=text + " (%(default)s)")  # fmt: skip
        for field in dataclasses.fields(settings):
            add_field(sub, field)
        sub.set_defaults(**PRESETS.get((name, env or ""), {}))
    return top


def add_field(sub: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    option, text = "--" + field.name.replace("_", "-"), field.metadata["help"] + " (%(default)s)"
    if isinstance(field.default, bool):
        sub.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default,
                         help=text)  # fmt: skip
    else:
        sub.add_argument(option, type=type(field.default), default=field.default, help=text,
                         choices=field.metadata.get("choices"))  # fmt: skip


def evaluate(args: argparse.Namespace, policy: Policy, theta: np.ndarray) -> dict[str, Any]:
    """Fresh episodes of the policy as it is, actions drawn, from a generator of their own."""
    mode = None if args.mode == "async" else args.mode
    envs = make_envs(
        args.env, EVALUATION_EPISODES, mode, args.max_episode_steps, args.rescale_actions
    )
    batch = play_episodes(envs, policy, theta, np.random.default_rng([args.seed, 1]))
    envs.close()
    returns = batch.rewards.sum(0)
    return {
        "episodes": len(returns),
        "mean_return": float(returns.mean()),
        "stderr": float(returns.std(ddof=1) / np.sqrt(len(returns))),
    }


def train(args: argparse.Namespace) -> int:
    """Run the algorithm, writing the run folder as it goes; ValueError for a user's mistake."""
    run, settings_class = ALGORITHMS[args.algorithm]
    names = [field.name for field in dataclasses.fields(settings_class)]
    settings = settings_class(**{name: getattr(args, name) for name in names})
    for name, least in (("steps", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name}: expected {least} or more, got {getattr(args, name)}")
    if args.shared and args.algorithm != "actor_critic":
        raise ValueError(f"--shared: expected with actor_critic, got {args.algorithm}")
    envs = make_envs(
        args.env, args.num_envs, args.mode, args.max_episode_steps, args.rescale_actions
    )
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
    rng = np.random.default_rng(args.seed)
    initial = policy.init(rng, dtype=np.float32, std=args.initial_std)
    began = written = time.perf_counter()
    folder = args.out or Path("runs") / f"{args.algorithm}-{args.env.replace('/', '-')}-{args.seed}"
    runs.check_new(folder)
    loop = run(envs, policy, initial, settings, args.steps, rng)
    first = next(loop)  # what does not fit shows here, before anything is written
    versions = {"python": platform.python_version(), "numpy": np.__version__,
                "scipy": scipy.__version__, "gymnasium": gym.__version__}  # fmt: skip
    runs.create(
        folder,
        {**vars(args), "out": str(folder), "threshold": threshold, "versions": versions},
    )

    def on_raw_observations(theta: np.ndarray) -> np.ndarray:
        """θ with the statistics so far, frozen, in its first layer."""
        if scaler is None:
            return theta
        std = np.sqrt(scaler.obs_rms.var + scaler.epsilon)
        return absorb_normalization(policy, theta, scaler.obs_rms.mean, std)

    records: list[dict[str, Any]] = []
    try:
        with tqdm(total=args.steps, unit=" steps", unit_scale=True) as bar:
            for theta, record in itertools.chain([first], loop):
                now = time.perf_counter()
                records.append({**record, "seconds": round(now - began, 3)})
                trained = on_raw_observations(theta)
                bar.update(min(record["env_steps"], args.steps) - bar.n)
                bar.set_postfix(mean_return=f"{record['mean_return']:.1f}", refresh=False)
                if now - written > SECONDS_BETWEEN_WRITES:
                    runs.write_progress(folder, policy, trained, records)
                    written = now
    except ValueError as error:
        runs.write_progress(folder, policy, trained, records)
        raise ValueError(f"stopped in iteration {len(records) + 1}: {error}") from error
    seconds = time.perf_counter() - began
    runs.write_progress(folder, policy, trained, records)
    envs.close()
    result = {
        "algorithm": args.algorithm, "env": args.env, "seed": args.seed,
        "env_steps": records[-1]["env_steps"], "seconds": round(seconds, 3),
        **evaluate(args, policy, trained), "threshold": threshold,
    }  # fmt: skip
    runs.write_json(folder / "result.json", result)
    print("{algorithm} on {env}, seed {seed}: {env_steps} steps in {seconds:.1f} s; {episodes} "
          "episodes: mean return {mean_return:.1f} ± {stderr:.1f}, threshold {threshold}"
          .format(**result))  # fmt: skip
    print(f"run folder: {folder}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    words = sys.argv[1:] if argv is None else argv
    ids = [word.split(":")[-1] for word in words]
    env = next((id for id in ids if words and (words[0], id) in PRESETS), None)
    args = parser(env).parse_args(words)
    return cli.run("train", lambda: train(args))


if __name__ == "__main__":
    sys.exit(main())
