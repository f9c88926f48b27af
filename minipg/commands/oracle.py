"""The exact J, d_π and ∇J of a tabular softmax policy on a large grid world: seconds and checks.

minipg oracle [--side 1000] [--gamma 0.99] [--seed 0]
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minipg.commands import cli
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.check import central_difference
from minipg.validate import check_range


def grid_world(side: int, gamma: float, rng: np.random.Generator) -> TabularMDP:
    """side² cells, four moves that slip to either side with 1/3 each, as FrozenLake's do.

    A wall stops the move. Entering a cell pays its own reward, N(0, 1); the last cell is the
    goal and ends. Starts everywhere else alike.
    """
    check_range("--side", side, 2)
    n = side * side
    row, column = np.divmod(np.arange(n), side)
    moves = ((0, -1), (1, 0), (0, 1), (-1, 0))  # left, down, right, up
    reached = np.stack(
        [np.clip(row + down, 0, side - 1) * side + np.clip(column + right, 0, side - 1)
         for down, right in moves], -1)  # fmt: skip
    slips = (np.arange(4)[:, None] + [-1, 0, 1]) % 4
    next_state = reached[:, slips].ravel()  # (S·A·3,)
    start = np.full(n, 1 / (n - 1))
    start[-1] = 0
    return TabularMDP.from_entries(
        np.repeat(np.arange(4 * n), 3), next_state, np.full(12 * n, 1 / 3),
        rng.standard_normal(n)[next_state], next_state == n - 1, start, gamma, None, 4,
    )  # fmt: skip


def timed(text: str, compute: Callable[[], Any]) -> tuple[Any, float]:
    """The result and its seconds, which are printed."""
    since = time.perf_counter()
    result, seconds = compute(), time.perf_counter() - since
    print(f"{seconds:8.2f} s  {text}", flush=True)
    return result, seconds


def errors(mdp: TabularMDP, eta: np.ndarray, values: np.ndarray, d: np.ndarray,
           gradient: np.ndarray, v: np.ndarray) -> dict[str, tuple[float, float]]:  # fmt: skip
    """What must hold: the relative error of each and its limit."""
    pi, gamma, norm = Softmax(4).probs(eta), mdp.gamma, np.linalg.norm
    chain, reward = mdp.chain(pi), (pi * mdp.expected_reward).sum(1)
    d, over = d[:-1], d[-1]
    start = (1 - gamma) * mdp.start
    ended = gamma / (1 - gamma) * (d @ (1 - chain.sum(1)))
    slope = central_difference(lambda x: exact.objective(mdp, Softmax(4).probs(x)), eta, v, 1e-4)
    return {
        "V = r_π + γ P_π V, relative residual":
            (norm(reward + gamma * (chain @ values) - values) / norm(reward), exact.RESIDUAL),
        "d_π = (1 − γ) p(s_0) + γ P_πᵀ d_π, relative residual":
            (norm(start + gamma * (d @ chain) - d) / norm(start), exact.RESIDUAL),
        "J = Σ d_π r_π / (1 − γ) of Σ d_π |r_π| / (1 − γ)":
            (abs(start @ values - d @ reward) / (d @ abs(reward)), exact.RESIDUAL),
        "d_π of the episode being over = Σ d_π P(end) γ / (1 − γ)":
            (abs(over - ended), exact.RESIDUAL),
        "vᵀ∇J = (J(θ + hv) − J(θ − hv)) / 2h, v normal, h = 1e-4, of ‖∇J‖":
            (abs(slope - (v * gradient).sum()) / norm(gradient), 1e-5),
    }  # fmt: skip


def command(args: argparse.Namespace) -> int:
    """Print seconds, memory and checks; 0 if all hold, else 1; ValueError for a mistake."""
    check_range("--gamma", args.gamma, 0, 0.9999)
    check_range("--seed", args.seed, 0)
    rng = np.random.default_rng(args.seed)
    mdp, building = timed("table", lambda: grid_world(args.side, args.gamma, rng))
    eta = rng.standard_normal((mdp.num_states, 4))
    pi = Softmax(4).probs(eta)
    values, _ = timed("V, J", lambda: exact.state_values(mdp, pi))
    d, _ = timed("d_π", lambda: exact.visitation(mdp, pi))
    gradient, solving = timed("∇J", lambda: exact.logit_gradient(mdp, pi))
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of 1024 bytes, on macOS of 1
    gib = kib / (2**30 if sys.platform == "darwin" else 2**20)
    print(f"{mdp.num_states} states, {len(mdp.row)} entries, γ = {mdp.gamma:g}: "
          f"J = {mdp.start @ values:.12g}, ‖∇J‖ = {np.linalg.norm(gradient):.6g}; table and ∇J "
          f"{building + solving:.2f} s, peak memory {gib:.2f} GiB", flush=True)  # fmt: skip
    rows = errors(mdp, eta, values, d, gradient, rng.standard_normal(eta.shape))
    for text, (error, limit) in rows.items():
        sign, verdict = ("≤", "holds") if error <= limit else (">", "FAILS")
        print(f"{verdict}  {error:8.1e} {sign} {limit:.0e}  {text}")
    return int(not all(error <= limit for error, limit in rows.values()))


def main(argv: list[str] | None = None) -> int:
    """0 if all checks hold, 1 if one does not, 2 for a user's mistake."""
    parser = cli.Parser("minipg oracle", "Exact J, d_π, ∇J of a large grid world.",
                        "\n  minipg oracle --side 300 --gamma 0.999")  # fmt: skip
    parser.add_argument("--side", type=int, default=1000, help="side² states (%(default)s)")
    parser.add_argument("--gamma", type=float, default=0.99, help="discount, to 0.9999 (0.99)")
    parser.add_argument("--seed", type=int, default=0, help="of rewards, logits and direction (0)")
    args = parser.parse_args(argv)
    return cli.run("minipg oracle", lambda: command(args))
