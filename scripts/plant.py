"""Faults planted in our own guards: scripts/fuzz.py must see each of them.

python scripts/plant.py [--cases 2000] [--seed 0] [--processes 2] [--only WORD]

Each is planted in a copy of this tree, on which fuzz.py runs until a case breaks. Ends with 1
where one is not seen.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzzing.planted import PLANTED, Planted

from minipg.commands import cli

ROOT = Path(__file__).parents[1]


def seen(fault: Planted, cases: int, seed: int, processes: int) -> str:
    """The first case that breaks, or nothing; ValueError where there is nowhere to plant it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("minipg", "scripts"):
            shutil.copytree(ROOT / name, Path(folder, name))
        path = Path(folder, fault.path)
        text = path.read_text()
        if text.count(fault.right) != 1:
            raise ValueError(f"{fault.path}: expected once {fault.right!r}, got it "
                             f"{text.count(fault.right)} times")  # fmt: skip
        path.write_text(text.replace(fault.right, fault.wrong))
        words = ["--cases", str(cases), "--seed", str(seed), "--processes", str(processes)]
        done = subprocess.run([sys.executable, f"{folder}/scripts/fuzz.py", "--stop", *words],
                              capture_output=True, text=True, check=False, cwd=folder,
                              env={**os.environ, "PYTHONPATH": folder})  # fmt: skip
        lines = done.stdout.splitlines() or done.stderr.splitlines()[-1:]
        return " ".join(lines[:-1]) if done.returncode == 1 else ""


def plant(args: argparse.Namespace) -> int:
    """A line for each fault, as it is seen or not."""
    chosen = [fault for fault in PLANTED if args.only in f"{fault.what} {fault.path}"]
    missed = 0
    for fault in chosen:
        since = time.perf_counter()
        first = seen(fault, args.cases, args.seed, args.processes)
        missed += not first
        print(f"{time.perf_counter() - since:4.0f} s  {'seen' if first else 'NOT SEEN':8}  "
              f"{fault.what} ({fault.path}): {first[:150]}", flush=True)  # fmt: skip
    print(f"{len(chosen) - missed} of {len(chosen)} seen")
    return int(missed > 0)


def main(argv: list[str] | None = None) -> int:
    """0 where all are seen."""
    parser = cli.Parser("plant.py", __doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="at the most (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the cases (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (%(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="those with it in their line")
    args = parser.parse_args(argv)
    return cli.run("plant.py", lambda: plant(args))


if __name__ == "__main__":
    sys.exit(main())
