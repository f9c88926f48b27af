"""Play episodes of a trained policy: mean, standard error, quantiles, against the threshold.

minipg evaluate DIR [--episodes N] [--deterministic] [--video FILE] [--json]
"""

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from minipg.commands import cli, progress, runs
from minipg.commands.environments import check_same, environments
from minipg.commands.film import SUFFIXES, film
from minipg.commands.mode import Mode
from minipg.commands.say import four_digits, plus_minus, verdict
from minipg.experience.environments import Envs
from minipg.experience.guard import Wrapper
from minipg.experience.rollout import play_episodes
from minipg.policies.policy import Policy
from minipg.policies.policy_file import load_policy
from minipg.validate import Array

QUANTILES = (5, 25, 50, 75, 95)  # percent
EXAMPLES = """
  minipg evaluate runs/ppo-CartPole-v1-0
  minipg evaluate runs/ppo-CartPole-v1-0 --episodes 1000 --deterministic
  minipg evaluate runs/ppo-CartPole-v1-0 --video film.gif"""


class Watched(Wrapper):
    """Moves a progress bar as the first episode of each environment ends."""

    def __init__(self, env: Envs, bar: Any):
        super().__init__(env)
        self.bar, self.over = bar, np.zeros(env.num_envs, bool)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments', watched."""
        got = self.env.step(actions)
        over = self.over | got[2] | got[3]
        self.bar.update(int(over.sum()) - int(self.over.sum()))
        self.over = over
        return got


def evaluate(
    args: argparse.Namespace, policy: Policy, theta: Array, episodes: int, quiet: bool = False
) -> Array:
    """Returns (episodes,) of fresh ones, as many side by side as in training at the most.

    From a generator of their own; nothing learns.
    """
    rng, returns = np.random.default_rng([args.seed, 1]), [np.zeros(0)]
    mode = None if args.mode == "async" else args.mode
    with progress.bar(episodes, " episodes", quiet=quiet or not episodes) as bar:
        for done in range(0, episodes, args.num_envs):
            count = min(args.num_envs, episodes - done)
            with closing(Watched(environments(args, count, mode), bar)) as envs:
                check_same(args.env, getattr(args, "spaces", None), envs)
                returns.append(play_episodes(envs, policy, theta, rng).rewards.sum(0))
    return np.concatenate(returns)


def figures(returns: Array) -> dict[str, Any]:
    """How many episodes, the mean of their returns and its standard error; of none: None."""
    if not len(returns):
        return {"episodes": 0, "mean_return": None, "stderr": None}
    return {
        "episodes": len(returns),
        "mean_return": float(returns.mean()),
        "stderr": float(returns.std(ddof=1) / np.sqrt(len(returns))),
    }


def command(args: argparse.Namespace) -> int:
    """Play, print, and write the film if asked."""
    from minipg.commands.exactly import exact_return  # SciPy's sparse matrices: slow to import

    if args.episodes < 2:
        raise ValueError(f"--episodes: expected 2 or more, got {args.episodes}")
    if args.video and args.video.suffix not in SUFFIXES:
        raise ValueError(f"--video: expected a file {', '.join(SUFFIXES)}, got {args.video} "
                         "(others: ffmpeg -i FILE.gif FILE.mp4)")  # fmt: skip
    if args.video:
        cli.need("PIL.Image", "--video")
    run = runs.read_options(args.folder)
    policy, theta = load_policy(args.folder / "parameters.npz")
    if args.deterministic:
        policy = Mode(policy.network, policy.head, policy.value_head)
    if args.video:  # first: what cannot be drawn shows at once
        film(run, policy, theta, args.video)
    returns = evaluate(run, policy, theta, args.episodes)
    result = {
        "algorithm": run.algorithm, "env": run.env, "seed": run.seed,
        "deterministic": args.deterministic, **figures(returns),
        "exact_return": exact_return(run, policy, theta),
        "quantiles": {str(q): float(np.percentile(returns, q)) for q in QUANTILES},
        "threshold": run.threshold, "finished": (args.folder / "result.json").exists(),
    }  # fmt: skip
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    mean, error = result["mean_return"], result["stderr"]
    shown = "  ".join(f"{q} %: {four_digits(x)}" for q, x in result["quantiles"].items())
    so_far = ", not finished" * (not result["finished"])
    truth = result["exact_return"]
    exactly = f"exactly      {truth:.6g}, by the environment's table\n" if truth is not None else ""
    print(f"{run.algorithm} on {run.env}, seed {run.seed}{so_far}: {len(returns)} episodes, "
          f"actions {'the most likely' if args.deterministic else 'drawn'}\n"
          f"mean return  {plus_minus(mean, error)} (standard error)\n{exactly}"
          f"quantiles    {shown}\n"
          f"threshold    {verdict(run.threshold, mean if truth is None else truth)}")  # fmt: skip
    if args.video:
        print(f"video        {args.video}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    parser = cli.Parser("minipg evaluate", "Play episodes of a trained policy.", EXAMPLES)
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="a run folder of minipg train")
    add("--episodes", type=int, default=100, help="how many (%(default)s)")
    add("--deterministic", action="store_true", help="take the most likely action, draw none")
    add("--video", type=Path, metavar="FILE", help="one more episode as .gif, .png or .webp")
    add("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    return cli.run("minipg evaluate", lambda: command(args))
