"""Verify the lecture's equations on the transition table of an environment, or on your own.

minipg verify [ENV | table.npz] [--json]
minipg verify --bugs [--json]: the bug museum
"""

import argparse
import json
import time
from typing import Any

from minipg.claims import CLAIMS
from minipg.claims.table import problem_of
from minipg.commands import bugs, cli

EXAMPLES = """
  minipg verify
  minipg verify CliffWalking-v1 --gamma 0.9
  minipg verify my_table.npz --json
  minipg verify --bugs"""


def verify(args: argparse.Namespace) -> int:
    """Print a row per claim; 0 if all hold, 1 if one does not; ValueError for a mistake."""
    began = time.perf_counter()
    problem = problem_of(args.table, args.gamma, args.seed)
    mdp, start = problem.mdp, problem.start
    rows: list[dict[str, Any]] = []
    for claim in CLAIMS:
        since = time.perf_counter()
        row = claim.compare(problem)
        holds = None if row.skipped else bool(row.error <= row.tolerance)
        rows.append({"id": claim.id, "claim": claim.text, "compared": row.compared,
                     "error": None if row.skipped else row.error,
                     "tolerance": None if row.skipped else row.tolerance,
                     "holds": holds, "seconds": time.perf_counter() - since})  # fmt: skip
        if not args.json:
            sign, verdict = ("≤", "holds") if holds else (">", "FAILS")
            figures = f"{verdict}  {row.error:8.1e} {sign} {row.tolerance:7.1e}"
            figures = f"{'skipped':25}" if row.skipped else figures
            print(f"{claim.id:8} {figures}  "
                  f"{rows[-1]['seconds']:5.2f} s  {claim.text}\n         {row.compared}",
                  flush=True)  # fmt: skip
    asked = [row for row in rows if row["holds"] is not None]
    held = sum(row["holds"] for row in asked)
    if args.json:
        print(json.dumps({"table": args.table, "rows": rows}, indent=1))
    else:
        left = f", {len(rows) - len(asked)} skipped" * (len(asked) < len(rows))
        print(f"{held} of {len(asked)} hold on {args.table}{left}: {mdp.num_states} states, "
              f"γ = {mdp.gamma:g}, enumerated {start.num_states // mdp.num_states - 1} steps from "
              f"{(start.start > 0).sum()} states; {time.perf_counter() - began:.1f} s")  # fmt: skip
    return int(held < len(asked))


def main(argv: list[str] | None = None) -> int:
    """0 if all claims hold (all bugs are caught), 1 if one does not, 2 for a user's mistake."""
    parser = cli.Parser("minipg verify", "Verify the equations on a transition table.", EXAMPLES)
    parser.add_argument("table", nargs="?", default="FrozenLake-v1", metavar="ENV | table.npz",
                        help="a Gymnasium environment with a table, or a file with arrays "
                        "transition, reward, start, gamma (default: %(default)s)")  # fmt: skip
    parser.add_argument("--gamma", type=float, help="discount for an ENV (0.99)")
    parser.add_argument("--seed", type=int, default=0, help="of the random policy and rollouts")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--bugs", action="store_true", help="instead: published bugs, planted in "
                        "our own source, what catches each and what it costs")  # fmt: skip
    args = parser.parse_args(argv)
    return cli.run("minipg verify", lambda: bugs.show(args) if args.bugs else verify(args))
