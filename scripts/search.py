"""Find a preset: random search with successive halving, on seeds that no table reports.

python scripts/search.py ALGORITHM ENV --space JSON [--configs N] [--steps N] [--jobs J] [--out DIR]

Each of N random choices plays a quarter of the steps; the best third, on another seed, half of
them; the best third of those all. Run folders are kept, so a repeated command goes on.
"""

import argparse
import json
import math
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from minipg.commands import cli
from minipg.commands.options import ALGORITHMS, json_object, parse, run_name, settings_of, words_of
from minipg.commands.sweep import mean_return
from minipg.commands.workers import executor, run_all, why
from minipg.files import write_whole
from minipg.validate import check_count

SHARES = (1 / 4, 1 / 2, 1)  # of the steps, a rung each
KEPT = 1 / 3  # of the configurations, the best, from a rung to the next
FIRST_SEED = 1000  # of the first rung
MOST_STEPS = 8_000_000  # of a search
OWN = "seed", "steps", "out", "env", "algorithm", "until", "evaluation_episodes"  # set by a search
EXAMPLES = """
  python scripts/search.py ppo Hopper-v5 --steps 1e6 \\
    --space '{"decay": [true, false], "num_envs,n_steps": [[2, 1024], [16, 128]]}'"""


def check(space: dict[str, Any]) -> None:
    """ValueError unless every entry is a list of values, of "a,b" of lists of two, and new."""
    taken = set(OWN)
    for names, values in space.items():
        options = [name.strip().replace("-", "_") for name in names.split(",")]
        if taken.intersection(options) or len(set(options)) < len(options):
            raise ValueError("--space: expected each option once, none that a search sets itself "
                             f"({', '.join(OWN)}), got {names}")  # fmt: skip
        taken |= set(options)
        count = names.count(",") + 1
        fits = isinstance(values, list) and values
        if fits and count > 1:
            fits = all(isinstance(value, list) and len(value) == count for value in values)
        if not fits:
            each = f"lists of {count} values" if count > 1 else "values"
            raise ValueError(f"--space: expected a list of {each} for {names}, got {values}")


def draw(space: dict[str, list[Any]], rng: np.random.Generator) -> dict[str, Any]:
    """Of each entry a value; an entry of several options, "a,b", has a list for each value."""
    found: dict[str, Any] = {}
    for names, values in space.items():
        value = values[rng.integers(len(values))]
        found |= zip(names.split(","), value if "," in names else [value], strict=True)
    return found


def configurations(space: dict[str, list[Any]], count: int) -> list[dict[str, Any]]:
    """The preset itself, {}, and different choices, at most `count` in all."""
    rng, found = np.random.default_rng(0), [dict[str, Any]()]
    for _ in range(100 * count):
        if len(found) < count and (choice := draw(space, rng)) not in found:
            found.append(choice)
    return found


def numbers(count: int) -> list[int]:
    """How many configurations play in each rung."""
    found = [count]
    for _ in SHARES[1:]:
        found.append(math.ceil(KEPT * found[-1]))
    return found


def run_of(args: argparse.Namespace, options: dict[str, Any], rung: int) -> argparse.Namespace:
    """minipg train's options of a configuration in a rung; ValueError for one out of its range."""
    words = words_of({**options, "steps": int(SHARES[rung] * args.steps)})
    run = parse([args.algorithm, args.env, *words, f"--seed={FIRST_SEED + rung}"])
    settings_of(run)
    run.out = args.out.absolute() / f"{run_name(run)}-{zlib.crc32(' '.join(words).encode()):08x}"
    return run


def line_of(run: argparse.Namespace, options: dict[str, Any], result: Any) -> dict[str, Any]:
    """What the log keeps of a run that is finished or failed."""
    line = {"algorithm": run.algorithm, "env": run.env, "seed": run.seed, "options": options}
    if not isinstance(result, dict):
        return {**line, "failed": why(result)}
    line |= {key: result[key] for key in ("env_steps", "seconds", "stderr")}
    return line | {"mean_return": mean_return(result)}  # exactly, where there is a table


def command(args: argparse.Namespace) -> int:
    """Run the rungs, a JSON line a run, then the best configuration and what it cost; 0."""
    check(args.space)
    for name, least in (("configs", 1), ("steps", 4), ("jobs", 1)):
        check_count(f"--{name}", getattr(args, name), least)
    wide = configurations(args.space, args.configs)
    left, lines = list(range(len(wide))), list[dict[str, Any]]()
    log = args.out / f"{args.algorithm}-{args.env.replace('/', '-')}.jsonl"
    before = log.read_text().splitlines() if log.exists() else []
    cost = sum(n * share * args.steps for n, share in zip(numbers(len(wide)), SHARES, strict=True))
    if cost > MOST_STEPS:
        raise ValueError(f"--configs, --steps: expected at most {MOST_STEPS:,} steps in all, got "
                         f"{cost:,.0f}")  # fmt: skip
    for index in left:
        run_of(args, wide[index], 0)
    print(f"{len(wide)} configurations, {cost:,.0f} steps in all", file=sys.stderr)
    with executor(args) as pool:
        for rung, number in enumerate(numbers(len(wide))):
            runs = {index: run_of(args, wide[index], rung) for index in left[:number]}
            results = run_all(pool, list(runs.values()))
            new = {i: line_of(run, wide[i], results[run.out]) for i, run in runs.items()}
            lines += new.values()
            every = dict.fromkeys([*before, *map(json.dumps, lines)])  # each once
            text = "".join(f"{line}\n" for line in every)
            write_whole(log, lambda file, text=text: file.write(text.encode()))
            left = [index for index in new if "failed" not in new[index]]
            if not left:
                raise ValueError(f"every run failed: {lines[-1]['failed']}")
            left.sort(key=lambda index: float(new[index]["mean_return"]), reverse=True)
    steps, seconds = (sum(line.get(key, 0) for line in lines) for key in ("env_steps", "seconds"))
    for index in left:
        words = " ".join(words_of(wide[index])) or "the preset"
        print(f"{new[index]['mean_return']:10.1f}  {words}")
    print(f"{len(lines)} runs, {steps:,} steps, {seconds:.0f} s; {log}", file=sys.stderr)
    return 0


def main(argv: list[str] | None = None) -> int:
    """0; 2 for a mistake, 130 for Ctrl-C, each with its line."""
    parser = cli.Parser("python scripts/search.py", "Random search with successive halving.",
                        EXAMPLES)  # fmt: skip
    add = parser.add_argument
    add("algorithm", choices=ALGORITHMS, metavar="ALGORITHM", help=", ".join(ALGORITHMS))
    add("env", metavar="ENV", help="a Gymnasium environment, as in minipg train")
    add(
        "--space",
        type=json_object,
        required=True,
        metavar="JSON",
        help='option: its values, as {"lam": [0.9, 0.95]}; several at once as "a,b": [[1, 2], …]',
    )
    add("--configs", type=int, default=12, metavar="N", help="drawn, with the preset (%(default)s)")
    add("--steps", type=int, default=1_000_000, metavar="N", help="of the last rung (%(default)s)")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="(%(default)s)")
    add("--out", type=Path, default=Path("runs/search"), metavar="DIR", help="(%(default)s)")
    parser.set_defaults(dask=None)
    args = parser.parse_args(argv)
    return cli.run("search", lambda: command(args))


if __name__ == "__main__":
    sys.exit(main())
