"""The lecture, executed: every equation beside its code, what checks it and its picture, on a page.

minipg lecture [ENV | table.npz] [--out DIR]
"""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from minipg.claims import CLAIMS
from minipg.claims.table import problem_of
from minipg.commands import cli
from minipg.files import write_whole

EXAMPLES = """
  minipg lecture
  minipg lecture CliffWalking-v1 --out cliff"""
NEEDED = {"brotli": "brotli", "fontTools": "fonttools", "math_core": "math-core",
          "matplotlib": "matplotlib", "pygments": "pygments", "tqdm": "tqdm",
          "ziamath": "ziamath"}  # fmt: skip


def lecture(args: argparse.Namespace) -> int:
    """Write the page and print its path; 1, with no page, where a comparison does not hold."""
    began = time.perf_counter()
    for module, package in NEEDED.items():
        if find_spec(module) is None:
            raise ValueError(f"needs {package}: pip install {' '.join(NEEDED.values())}")
    problem = problem_of(args.table, args.gamma, 0)
    from tqdm import tqdm

    from minipg.lecture.page import build, compared

    proofs = list(tqdm(compared(problem), "comparing", len(CLAIMS), leave=False, delay=1))
    failed = [proof for proof in proofs if proof.fails]
    for proof in failed:
        row = proof.row
        print(f"{proof.claim.id} FAILS  {row.error:.1e} > {row.tolerance:.0e}  {proof.claim.text}: "
              f"{row.compared}; no page is written")  # fmt: skip
    if failed:
        return 1
    page, path = build(problem, args.table, proofs).encode(), args.out / "lecture.html"

    def write(file: BinaryIO) -> None:
        file.write(page)

    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)
    print(f"{path}: {len(page) / 1e6:.2f} MB, {len(proofs)} comparisons on {args.table}; "
          f"{time.perf_counter() - began:.1f} s")  # fmt: skip
    return 0


def main(argv: list[str] | None = None) -> int:
    """0; 1 if a comparison does not hold, 2 for a user's mistake."""
    parser = cli.Parser("minipg lecture", "The lecture as a page: each equation beside its code, "
                        "what checks it and its picture.", EXAMPLES)  # fmt: skip
    parser.add_argument("table", nargs="?", default="FrozenLake-v1", metavar="ENV | table.npz",
                        help="as of minipg verify (default: %(default)s)")  # fmt: skip
    parser.add_argument("--gamma", type=float, help="discount for an ENV (0.99)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                        help="where lecture.html is written (the current folder)")  # fmt: skip
    args = parser.parse_args(argv)
    return cli.run("minipg lecture", lambda: lecture(args))
