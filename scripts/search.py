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
from pathlib import Path
from typing import Any

import numpy as np

from minipg.commands import cli
from minipg.commands.options import ALGORITHMS, json_object, parse, settings_of, words_of
from minipg.commands.workers import executor, run_all, why
from minipg.files import write_whole

SHARES = (1 / 4, 1 / 2, 1)  # of the steps, a rung each
KEPT = 1 / 3  # of the configurations, the best, from a rung to the next
FIRST_SEED = 1000  # of the first rung
MOST_STEPS = 8_000_000  # of a search
EXAMPLES = """
  python scripts/search.py ppo Hopper-v5 --steps 1e6 \\
    --space '{"decay": [true, false], "num_envs,n_steps": [[2, 1024], [16, 128]]}'"""


def draw(space: dict[str, list[Any]], rng: np.random.Generator) -> dict[str, Any]:
    """Of each entry a value; an entry of several options, "a,b", has a list for each value."""
    found: dict[str, Any] = {}
    for names, values in space.items():
        value = values[rng.integers(len(values))]
        several = "," in names
        found |= zip(names.split(","), value if several else [value], strict=True)
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


def command(args: argparse.Namespace) -> int:
    """Run the rungs, a JSON line a run, then the best configuration and what it cost; 0."""
    for names, values in args.space.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"--space: expected a list of values of {names}, got {values}")
    wide = configurations(args.space, args.configs)
    cost = sum(n * share * args.steps for n, share in zip(numbers(len(wide)), SHARES, strict=True))
    print(f"{len(wide)} configurations, {cost:,.0f} steps in all", file=sys.stderr)
    if cost > MOST_STEPS:
        raise ValueError(f"--configs, --steps: expected at most {MOST_STEPS:,} steps in all, got "
                         f"{cost:,.0f}")  # fmt: skip
    lines: list[dict[str, Any]] = []
    left = list(enumerate(wide))
    with executor(args) as pool:
        for rung, share in enumerate(SHARES):
            runs = {}
            for index, options in left:
                words = words_of({**options, "steps": int(share * args.steps)})
                run = parse([args.algorithm, args.env, *words, f"--seed={FIRST_SEED + rung}"])
                settings_of(run)
                env = args.env.replace("/", "-")
                run.out = args.out.absolute() / f"{args.algorithm}-{env}-{rung}-{index}"
                runs[index] = run
            results = run_all(pool, list(runs.values()))
            scores = {}
            for index, run in runs.items():
                result = results[run.out]
                line = {"algorithm": args.algorithm, "env": args.env, "rung": rung,
                        "seed": run.seed, "options": wide[index]}  # fmt: skip
                if isinstance(result, dict):
                    line |= {k: result[k] for k in ("env_steps", "seconds", "mean_return",
                                                    "stderr")}  # fmt: skip
                else:
                    line["failed"] = why(result)
                lines.append(line)
                scores[index] = line.get("mean_return", -math.inf)
            best = sorted(scores, key=lambda index: -scores[index])
            left = [(index, wide[index]) for index in best[: math.ceil(KEPT * len(best))]]
            text = "".join(json.dumps(line) + "\n" for line in lines)
            log = args.out / f"{args.algorithm}-{args.env.replace('/', '-')}.jsonl"
            write_whole(log, lambda file, text=text: file.write(text.encode()))
    steps, seconds = (sum(line.get(k, 0) for line in lines) for k in ("env_steps", "seconds"))
    for index in best:
        words = " ".join(words_of(wide[index])) or "the preset"
        print(f"{scores[index]:10.1f}  {words}")
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
