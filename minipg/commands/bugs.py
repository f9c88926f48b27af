"""The table of `minipg verify --bugs`: a row per planted bug of the museum."""

import argparse
import json
from typing import Any


def lines(row: dict[str, Any]) -> str:
    """The row, as two lines."""
    right = "right code passes" if row["right_passes"] else "RIGHT CODE FAILS"
    caught = "planted caught" if row["caught"] else "planted NOT CAUGHT"
    harm = "–" if row["harm"] is None else f"{row['harm']:.2g}"
    return (f"{row['number']:2}  {row['bug']} [{row['published']}]\n"
            f"    {right}, {caught} by: {row['caught_by']}; harm {harm}, {row['measure']}"
            )  # fmt: skip


def show(args: argparse.Namespace) -> int:
    """Print a row per bug; 0 if each is told from the right code, 1 if one is not."""
    if args.table != "FrozenLake-v1" or args.gamma is not None:
        raise ValueError("--bugs: expected no table and no --gamma, it has its own: FrozenLake-v1")
    from minipg.museum import BUGS
    from minipg.museum.bug import examine, told_apart
    from minipg.museum.problems import GAMMA

    rows = []
    for bug in BUGS:
        rows.append(examine(bug, args.seed))
        if not args.json:
            print(lines(rows[-1]), flush=True)
    good = sum(told_apart(row) for row in rows)
    if args.json:
        print(json.dumps({"table": args.table, "gamma": GAMMA, "rows": rows}, indent=1))
    else:
        alarms = sum(not row["right_passes"] for row in rows)
        print(
            f"{sum(row['caught'] for row in rows)} of {len(rows)} planted bugs caught, {alarms} "
            f"false alarms on the right code; harm on {args.table}, γ = {GAMMA:g}, or an LQR"
        )
    return int(good < len(rows))
