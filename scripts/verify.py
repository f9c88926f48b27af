"""Verify the lecture's equations on the transition table of an environment, or on your own.

python scripts/verify.py [ENV | table.npz] [--json]
python scripts/verify.py --bugs [--json]: the bug museum
"""

import argparse
import json
import sys
import time
from typing import Any

import bugs
import cli
import numpy as np

from claims import CLAIMS, Problem
from minipg import exact
from minipg.mdp import TabularMDP
from minipg.policy import Policy, softmax_policy

MOST_TRAJECTORIES, MOST_STARTS = 15_000, 20


def read_table(table: str, gamma: float | None) -> TabularMDP:
    """A file's table, which has its own γ, or an environment's; ValueError if it is neither."""
    if not table.endswith(".npz"):
        return TabularMDP.from_env(table, 0.99 if gamma is None else gamma)
    if gamma is not None:
        raise ValueError("--gamma: expected with an ENV only, a file has its own")
    return TabularMDP.from_npz(table)


def unrolled_start(
    mdp: TabularMDP, policy: Policy, theta: np.ndarray, trajectories: int = MOST_TRAJECTORIES,
    starts: int = MOST_STARTS,
) -> TabularMDP:  # fmt: skip
    """The table unrolled from the states where the action matters most, as far as is enumerable."""
    pi = policy.probs(theta, mdp.features)
    q = exact.action_values(mdp, exact.state_values(mdp, pi))
    matters = np.ptp(q, axis=1)
    most = np.argsort(-matters, kind="stable")[:starts]
    most = most[matters[most] > 1e-9 * np.abs(q).max()]
    if not len(most):
        raise ValueError("table: expected a state where the action matters, got none")
    start = np.zeros(mdp.num_states)
    start[most] = 1 / len(most)
    while len(most) > 1 and _count(mdp, start, 1) > trajectories:
        most = most[: len(most) // 2]
        start = np.zeros(mdp.num_states)
        start[most] = 1 / len(most)
    horizon = 1
    while horizon < 20 and _count(mdp, start, horizon + 1) <= trajectories:
        horizon += 1
    return mdp.with_start(start).unroll(horizon)


def _count(mdp: TabularMDP, start: np.ndarray, horizon: int) -> float:
    """How many trajectories of at most `horizon` steps leave the start states."""
    paths = np.ones(mdp.num_states)  # from each state, with no step left
    state = mdp.row // mdp.num_actions
    for _ in range(horizon):
        after = np.where(mdp.terminated, 1.0, paths[mdp.next_state])
        paths = np.bincount(state, after, mdp.num_states)
    return float(paths[start > 0].sum())


def verify(args: argparse.Namespace) -> int:
    """Print a row per claim; 0 if all hold, 1 if one does not; ValueError for a mistake."""
    began = time.perf_counter()
    mdp = read_table(args.table, args.gamma)
    policy = softmax_policy(mdp.features.shape[1], mdp.num_actions)
    theta = policy.init(np.random.default_rng(args.seed), 1.0)
    start = unrolled_start(mdp, policy, theta)
    episodes = max(10_000, min(200_000, 5_000_000 // mdp.features.shape[1]))
    problem = Problem(mdp, start, policy, theta, args.seed, episodes)
    rows: list[dict[str, Any]] = []
    for claim in CLAIMS:
        since = time.perf_counter()
        row = claim.compare(problem)
        rows.append({"id": claim.id, "claim": claim.text, **row._asdict(),
                     "holds": bool(row.error <= row.tolerance),
                     "seconds": time.perf_counter() - since})  # fmt: skip
        if not args.json:
            sign, verdict = ("≤", "holds") if rows[-1]["holds"] else (">", "FAILS")
            print(f"{claim.id:8} {verdict}  {row.error:8.1e} {sign} {row.tolerance:7.1e}  "
                  f"{rows[-1]['seconds']:5.2f} s  {claim.text}\n         {row.compared}",
                  flush=True)  # fmt: skip
    held = sum(row["holds"] for row in rows)
    if args.json:
        print(json.dumps({"table": args.table, "rows": rows}, indent=1))
    else:
        print(f"{held} of {len(rows)} hold on {args.table}: {mdp.num_states} states, "
              f"γ = {mdp.gamma:g}, enumerated {start.num_states // mdp.num_states - 1} steps from "
              f"{(start.start > 0).sum()} states; {time.perf_counter() - began:.1f} s")  # fmt: skip
    return int(held < len(rows))


def main(argv: list[str] | None = None) -> int:
    """0 if all claims hold (all bugs are caught), 1 if one does not, 2 for a user's mistake."""
    parser = cli.Parser(prog="verify", description="Verify the equations on a transition table.")
    parser.add_argument("table", nargs="?", default="FrozenLake-v1", metavar="ENV | table.npz",
                        help="a Gymnasium environment with a table, or a file: README (default: "
                        "%(default)s)")  # fmt: skip
    parser.add_argument("--gamma", type=float, help="discount for an ENV (0.99)")
    parser.add_argument("--seed", type=int, default=0, help="of the random policy and rollouts")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--bugs", action="store_true", help="instead: published bugs, planted in "
                        "our own source, what catches each and what it costs")  # fmt: skip
    args = parser.parse_args(argv)
    return cli.run("verify", lambda: bugs.show(args) if args.bugs else verify(args))


if __name__ == "__main__":
    sys.exit(main())
