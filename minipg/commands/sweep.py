"""Train many runs side by side, go on with those that were interrupted, and print their table.

minipg sweep ALGORITHM… --env ENV… --seeds N [--jobs J | --dask ADDRESS] [--out DIR]
             [--until RETURN] [-- OPTIONS OF minipg train]
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minipg.commands import cli
from minipg.commands.environments import check, check_time_limit, environments
from minipg.commands.options import ALGORITHMS, parse, run_name, settings_of
from minipg.commands.say import plus_minus, rounded
from minipg.commands.workers import executor, run_all, why

EXAMPLES = """
  minipg sweep ppo trpo --env CartPole-v1 --seeds 5
  minipg sweep ppo --env CartPole-v1 Acrobot-v1 --seeds 3 --out long -- --steps 2e5
  minipg sweep trpo --env Pendulum-v1 --seeds 10 --dask tcp://10.0.0.1:8786
Options after -- are those of minipg train, for every run. Repeated after an interruption,
the command goes on with the runs that are not finished."""


def runs_of(args: argparse.Namespace, more: list[str]) -> list[list[argparse.Namespace]]:
    """A row of minipg train's options for each algorithm and environment, a run a seed.

    Exits with 2, or ValueError, for options that it refuses and unknown environments.
    """
    rows = []
    for algorithm in dict.fromkeys(args.algorithms):
        for env in dict.fromkeys(args.env):
            run = parse([algorithm, env, *more])
            if run.seed or run.out:
                raise ValueError("--seed, --out: expected before --, where --seeds and --out stand")
            check(run)
            settings_of(run)
            envs = environments(run, 1, None)
            check_time_limit(run, envs)
            envs.close()
            rows.append([argparse.Namespace(**{**vars(run), "seed": s}) for s in range(args.seeds)])
            for run in rows[-1]:
                run.out = args.out.absolute() / run_name(run)
    return rows


def mean_return(result: dict[str, Any]) -> float:
    """The exact one where the environment has a table, else that of the fresh episodes."""
    exact = result.get("exact_return")  # earlier runs have none
    return float(result["mean_return"] if exact is None else exact)


def middle(results: list[dict[str, Any]]) -> str:
    """The interquartile mean of what was evaluated ± its standard error.

    That is the deviation of the winsorised means over (1 − 2 share cut off) √n: Tukey &
    McLaughlin 1963. Of one run it is the run's own.
    """
    evaluated = [result for result in results if result["episodes"]]
    n, cut = len(evaluated), len(evaluated) // 4
    if n < 2:
        return cell(*evaluated or results[:1])
    means = np.sort(list(map(mean_return, evaluated)))
    half = means[cut : n - cut]
    error = np.clip(means, half[0], half[-1]).std(ddof=1) / (1 - 2 * cut / n) / np.sqrt(n)
    return plus_minus(half.mean(), error)


def cell(result: Any) -> str:
    """A mean return, to the digits of its standard error; an exact one to four."""
    if not isinstance(result, dict):
        return "failed"
    if not result["episodes"]:
        return "–"
    if result.get("exact_return") is not None:
        return f"{result['exact_return']:.4g}"
    return rounded(result["mean_return"], result["stderr"])


def table(rows: list[list[Any]]) -> str:
    """Markdown: a row for each algorithm and environment, a column a seed; no dict: failed."""
    seeds = range(len(rows[0]))
    head = ["algorithm, environment (steps)", "threshold", *(f"seed {s}" for s in seeds)]
    lines = [[*head, "interquartile mean"], ["---"] * (len(head) + 1)]
    for row in rows:
        results = [result for result in row if isinstance(result, dict)]
        if results:
            first, most = results[0], max(result["env_steps"] for result in results)
            threshold = "none" if first["threshold"] is None else f"{first['threshold']:g}"
            lines.append([f"{first['algorithm']} {first['env']} ({most:,})", threshold,
                          *map(cell, row), middle(results)])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace(" --- ", "---")


def command(args: argparse.Namespace, more: list[str]) -> int:
    """Run, print the table, list what failed: 1 if anything did."""
    for name in ("seeds", "jobs"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name}: expected 1 or more, got {getattr(args, name)}")
    until = [] if args.until is None else [f"--until={args.until}"]
    rows = runs_of(args, [*until, *more])
    with executor(args) as pool:
        results = run_all(pool, [run for row in rows for run in row])
    failed: dict[str, list[str]] = {}
    for folder, result in results.items():
        if isinstance(result, Exception):
            failed.setdefault(why(result), []).append(folder.name)
    if any(isinstance(result, dict) for result in results.values()):
        print(table([[results[run.out] for run in row] for row in rows]))
        print("mean return of fresh episodes at the end, to the digits of its standard error, or "
              "exactly, by the environment's table; interquartile mean ± its standard error",
              file=sys.stderr)  # fmt: skip
    for reason, names in failed.items():
        print(f"minipg sweep: failed: {', '.join(names)}: {reason}", file=sys.stderr)
    return int(bool(failed))


def main(argv: list[str] | None = None) -> int:
    """0; 1 if a run failed; 2 for a mistake, 130 for Ctrl-C, each with its line."""
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    parser = cli.Parser("minipg sweep", "Train many runs side by side and print their table.",
                        EXAMPLES, "; options of minipg train stand after --")  # fmt: skip
    add = parser.add_argument
    add("algorithms", nargs="+", choices=ALGORITHMS, metavar="ALGORITHM",
        help=", ".join(ALGORITHMS))  # fmt: skip
    add("--env", nargs="+", required=True, help="Gymnasium environments, as in minipg train")
    add("--seeds", type=int, required=True, metavar="N", help="of each, from 0 to N - 1")
    add("--out", type=Path, default=Path("runs"), metavar="DIR",
        help="where the run folders ALGORITHM-ENV-SEED are or will be (%(default)s)")  # fmt: skip
    add("--until", type=float, metavar="RETURN", help="as in minipg train, for every run")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J",
                       help="runs side by side, a process each (%(default)s)")  # fmt: skip
    where.add_argument("--dask", metavar="ADDRESS",
                       help="of a Dask scheduler, whose workers run them")  # fmt: skip
    args = parser.parse_args(words[:cut])
    return cli.run("minipg sweep", lambda: command(args, words[cut + 1 :]))
