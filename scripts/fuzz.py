"""Strangers' environments, options, tables, files and shells, against every command.

python scripts/fuzz.py [--cases 5000] [--seed 0] [--processes 2] [--stop]
python scripts/fuzz.py --seed 0 --case 1234: one of them again

A fifth of the cases are whole journeys: train, interrupted, taken up again, evaluated, drawn.
Ends with 1 where something broke: a traceback, no answer, a NaN in silence, a file lost, a
refusal that does not help.
"""

import collections
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
from fuzzing import folders, journeys, others
from tqdm import tqdm

from minipg.commands import cli
from minipg.problems import faults

SHARES = {  # of a hundred cases
    journeys.journey: 21, others.refused_or_done: 34, others.options: 18,
    others.other_commands: 12, folders.edits: 12, others.tables: 2, others.shells: 1,
}  # fmt: skip
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]


def case(seed: int, root: str, number: int) -> tuple[int, str, str, str]:
    """(number, kind, what happened, what broke or nothing) of one case, in a folder of its own."""
    kind = KINDS[number % len(KINDS)]
    folder = Path(root) / f"case-{number}"
    folder.mkdir()
    try:
        return number, kind.__name__, kind(np.random.default_rng([seed, number]), folder), ""
    except Exception as error:
        text = f"{error}" if type(error).__name__ == "Broken" else traceback.format_exc()
        return number, kind.__name__, "", text
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> None:
    """A process of cases: a worker that never answers is waited for a moment only."""
    faults.SECONDS = 15.0  # time enough to begin on a busy machine
    warnings.simplefilter("ignore")


def main(argv: list[str] | None = None) -> int:
    """0 where nothing broke."""
    parser = cli.Parser("fuzz.py", __doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=5000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (%(default)s)")
    parser.add_argument("--stop", action="store_true", help="at the first that breaks")
    parser.add_argument("--case", type=int, help="this one alone, and what happened in it")
    args = parser.parse_args(argv)
    began, broken = time.perf_counter(), []
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as root:
        one = partial(case, args.seed, root)
        if args.case is not None:
            prepare()
            _, kind, story, text = one(args.case)
            print(f"{kind}: {story}{text}")
            return int(bool(text))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.processes, context, prepare) as pool:
            asked = [pool.submit(one, number) for number in range(args.cases)]
            for done in tqdm(as_completed(asked), total=args.cases, unit=" cases"):
                number, kind, _, text = done.result()
                counts[kind] += 1
                if text:
                    broken.append((number, kind, text))
                if text and args.stop:
                    pool.shutdown(cancel_futures=True)
                    break
    for number, kind, text in broken:
        print(f"case {number}, {kind}: {text}")
    shown = ", ".join(f"{n} {kind}" for kind, n in counts.most_common())
    print(f"seed {args.seed}: {sum(counts.values())} cases ({shown}), {len(broken)} broken; "
          f"{time.perf_counter() - began:.0f} s")  # fmt: skip
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
