"""Play episodes of a trained policy: mean, standard error, quantiles, against the threshold.

python scripts/evaluate.py DIR [--episodes N] [--deterministic] [--video FILE] [--json]
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are too small to share

import gymnasium as gym
import numpy as np

from minipg.commands import cli, runs
from minipg.experience.environments import Envs, make_envs
from minipg.experience.rollout import play_episodes
from minipg.files import write_whole
from minipg.policies.policy import Policy
from minipg.policies.policy_file import load_policy

SIDE_BY_SIDE = 100
QUANTILES = (5, 25, 50, 75, 95)  # percent
VIDEOS = (".gif", ".png", ".webp")


class Mode(Policy):
    """The policy that always takes the most likely action."""

    def actor(self, theta: np.ndarray) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
        """(obs, rng) ↦ that action (...) or (..., d) at each observation."""
        eta = self.at(theta)
        return lambda obs, rng: self.head.mode(eta(obs))


def environments(args: argparse.Namespace, num_envs: int, mode: str | None, **more: Any) -> Envs:
    """Those the run was trained on, without normalisation: the saved θ acts on what they give.

    more: keyword arguments of the environment beside those it was trained with.
    """
    return make_envs(args.env, num_envs, mode, args.max_episode_steps, args.rescale_actions,
                     {**args.env_kwargs, **more})  # fmt: skip


def evaluate(
    args: argparse.Namespace, policy: Policy, theta: np.ndarray, episodes: int = SIDE_BY_SIDE
) -> np.ndarray:
    """Returns (episodes,) of fresh ones from a generator of their own; nothing learns."""
    rng, returns = np.random.default_rng([args.seed, 1]), []
    mode = None if args.mode == "async" else args.mode
    for done in range(0, episodes, SIDE_BY_SIDE):
        envs = environments(args, min(SIDE_BY_SIDE, episodes - done), mode)
        returns.append(play_episodes(envs, policy, theta, rng).rewards.sum(0))
        envs.close()
    return np.concatenate(returns)


def figures(returns: np.ndarray) -> dict[str, Any]:
    """How many episodes, the mean of their returns and its standard error."""
    return {
        "episodes": len(returns),
        "mean_return": float(returns.mean()),
        "stderr": float(returns.std(ddof=1) / np.sqrt(len(returns))),
    }


class Film(gym.vector.VectorWrapper[Any, Any, Any, Any, Any]):
    """Keeps a picture of each step of the first environment."""

    def __init__(self, env: Envs):
        super().__init__(env)
        self.frames: list[Any] = []

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environments'; the picture is of before it."""
        from PIL import Image  # comes with matplotlib

        picture = Image.fromarray(np.asarray(self.env.render()[0], np.uint8))
        self.frames.append(picture.quantize(256))  # a byte a pixel
        return self.env.step(actions)


def film(args: argparse.Namespace, policy: Policy, theta: np.ndarray, path: Path) -> None:
    """Write one episode as a moving picture; ValueError where the environment draws none."""
    modes = environments(args, 1, "sync").metadata.get("render_modes", [])
    if "rgb_array" not in modes:
        raise ValueError(f"--video: expected an environment that draws rgb_array, got {modes}")
    try:
        envs = Film(environments(args, 1, "sync", render_mode="rgb_array"))
        play_episodes(envs, policy, theta, np.random.default_rng([args.seed, 2]))
    except (gym.error.Error, ImportError) as error:  # they say what to install
        raise ValueError(f"--video: {error}") from error
    rate = envs.metadata.get("render_fps", 30)
    first, *others = envs.frames
    envs.close()
    write_whole(path, lambda file: first.save(file, path.suffix[1:], save_all=True, loop=0,
                                              append_images=others, duration=1000 / rate),
                )  # fmt: skip


def command(args: argparse.Namespace) -> int:
    """Play, print, and write the film if asked."""
    if args.episodes < 2:
        raise ValueError(f"--episodes: expected 2 or more, got {args.episodes}")
    if args.video and args.video.suffix not in VIDEOS:
        raise ValueError(f"--video: expected a file {', '.join(VIDEOS)}, got {args.video} "
                         "(others: ffmpeg -i FILE.gif FILE.mp4)")  # fmt: skip
    run = runs.read_options(args.folder)
    policy, theta = load_policy(args.folder / "parameters.npz")
    if args.deterministic:
        policy = Mode(policy.network, policy.head, policy.value_head)
    returns = evaluate(run, policy, theta, args.episodes)
    result = {
        "algorithm": run.algorithm, "env": run.env, "seed": run.seed,
        "deterministic": args.deterministic, **figures(returns),
        "quantiles": {str(q): float(np.percentile(returns, q)) for q in QUANTILES},
        "threshold": run.threshold,
    }  # fmt: skip
    if args.video:
        film(run, policy, theta, args.video)
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    shown = "  ".join(f"{q} %: {x:.1f}" for q, x in result["quantiles"].items())
    verdict = "none"
    if run.threshold is not None:
        verdict = f"{run.threshold:g}, " + (
            "reached" if result["mean_return"] >= run.threshold else "not reached"
        )
    print(f"{run.algorithm} on {run.env}, seed {run.seed}: {len(returns)} episodes, actions "
          f"{'the most likely' if args.deterministic else 'drawn'}\n"
          f"mean return  {result['mean_return']:.2f} ± {result['stderr']:.2f}\n"
          f"quantiles    {shown}\n"
          f"threshold    {verdict}")  # fmt: skip
    if args.video:
        print(f"video        {args.video}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    parser = cli.Parser(prog="evaluate", description="Play episodes of a trained policy.")
    add = parser.add_argument
    add("folder", type=Path, help="a run folder of train.py")
    add("--episodes", type=int, default=SIDE_BY_SIDE, help="how many (%(default)s)")
    add("--deterministic", action="store_true", help="take the most likely action, draw none")
    add("--video", type=Path, metavar="FILE", help="one more episode as .gif, .png or .webp")
    add("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    return cli.run("evaluate", lambda: command(args))


if __name__ == "__main__":
    sys.exit(main())
