"""The slides' table of ψ_t with numbers: exact bias and variance, and what sampling says of them.

minipg estimators [ENV | table.npz] [--policy parameters.npz] [--plot FILE]
With --attribute ALGORITHM: what each of its ingredients does to the gradient (ingredients.py).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minipg.claims import Problem
from minipg.claims.table import check_worth, read_table, unrolled_start
from minipg.commands import attribution, cli, ingredients
from minipg.estimators.fits import least_squares
from minipg.estimators.returns import gae, n_step_advantage
from minipg.estimators.score_function import gradients
from minipg.files import write_whole
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.policies.policy_file import load_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
GAMES, CRITIC_GAMES = 2_000, 100
EXAMPLES = """
  minipg estimators FrozenLake-v1 --gamma 0.9 --plot psi.png
  minipg estimators my_table.npz --policy runs/first/parameters.npz
  minipg estimators --attribute "ppo --lam 0.9 --max-episode-steps 2\""""


def psis(p: Problem, values: np.ndarray, q: np.ndarray) -> dict[str, np.ndarray]:
    """Every ψ_t, times γ^t (T, B), with a critic's values (S,) and q (S, A)."""
    ends, gamma, v = p.batch.ends, p.start.gamma, values[p.states]
    delta, q_taken = p.delta(v), q[p.states[:-1], p.batch.actions]
    rows = {"total reward R": p.total, "reward-to-go": p.gamma_t * p.to_go,
            "Q": p.gamma_t * q_taken, "A = Q − V": p.gamma_t * (q_taken - v[:-1]),
            "reward-to-go − V": p.gamma_t * (p.to_go - v[:-1])}  # fmt: skip
    horizon = len(delta)
    for n in range(1, horizon + 1):
        name = f"A_(N), N = {n}" if n < horizon else "A_(N), N = ∞"
        rows[name] = p.gamma_t * n_step_advantage(delta, ends, gamma, n)
    for lam in LAMBDAS:
        rows[f"GAE, λ = {lam:g}"] = p.gamma_t * gae(delta, ends, gamma, lam)
    return rows


def learned_critic(p: Problem, games: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V (S,) and Q (S, A) by least squares of these games' rewards-to-go on the features."""
    valid = p.batch.valid[:, games]
    obs, actions = p.batch.obs[:-1, games][valid], p.batch.actions[:, games][valid]
    to_go = p.to_go[:, games][valid]
    v = least_squares(obs, to_go, np.ones(len(obs)))
    q = [least_squares(obs, to_go, (actions == a) * 1.0) for a in range(p.start.num_actions)]
    return p.start.features @ v, p.start.features @ np.stack(q, 1)


def critic_error(p: Problem, values: np.ndarray) -> float:
    """Root mean square of values (S,) minus V, over discounted visits."""
    visited = exact.visits(p.start, p.pi, p.start.gamma)
    return float(np.sqrt((visited @ (values - p.values) ** 2) / visited.sum()))


def rows_of(
    p: Problem, critic: str, values: np.ndarray, q: np.ndarray, games: np.ndarray
) -> list[dict[str, Any]]:
    """Exact moments of each ψ, and those of the sampled games ± three standard errors.

    That of ‖bias‖ is of the mean's length, √(summed variance / games): by the triangle
    inequality the sampled norm is off by no more than the mean is.
    """
    norm, rows = float(np.linalg.norm(p.gradient)), []
    unit = p.gradient / norm
    for name, psi in psis(p, values, q).items():
        estimates = gradients(p.policy, p.theta, p.batch, psi)
        mean, sampled = p.batch.weight @ estimates, estimates[games]
        spread = ((sampled - sampled.mean(0)) ** 2).sum(1) * len(games) / (len(games) - 1)
        length = float(np.linalg.norm(mean))
        rows.append({
            "critic": critic, "psi": name, "bias": float(np.linalg.norm(mean - p.gradient)),
            "variance": float(p.variance(estimates).sum()),
            "cosine": float(mean @ unit) / length if length else 0.0,
            "sampled_bias": float(np.linalg.norm(sampled.mean(0) - p.gradient)),
            "sampled_bias_error": float(3 * np.sqrt(spread.mean() / len(games))),
            "sampled_variance": float(spread.mean()),
            "sampled_variance_error": float(3 * spread.std(ddof=1) / np.sqrt(len(spread))),
        })  # fmt: skip
    return rows


def draw(rows: list[dict[str, Any]], out: Path, title: str) -> None:
    """Bias against variance over λ and over N, with the learned critic."""
    figure = cli.need("matplotlib.figure", "--plot").Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for prefix, marker, label, offset in (
        ("GAE", "o", "GAE, λ", (4, 4)),
        ("A_(N)", "s", "N-step advantage, N", (-10, -12)),
    ):
        chosen = [r for r in rows if r["critic"] == "learned" and r["psi"].startswith(prefix)]
        axes.plot([r["variance"] for r in chosen], [r["bias"] for r in chosen], marker=marker,
                  label=label)  # fmt: skip
        for r in chosen:
            axes.annotate(r["psi"].split("= ")[1], (r["variance"], r["bias"]), fontsize=8,
                          xytext=offset, textcoords="offset points")  # fmt: skip
    axes.set(xlabel="summed variance of one game, exact", ylabel="‖bias‖, exact", title=title)
    axes.legend()
    write_whole(out, lambda file: figure.savefig(file, format=out.suffix[1:], dpi=150))


def attribute(args: argparse.Namespace, mdp: TabularMDP, policy: Policy, theta: np.ndarray) -> int:
    """The table of an algorithm's ingredients instead; ValueError for a user's mistake."""
    settings = ingredients.settings_of(args.attribute, mdp.gamma)
    args = argparse.Namespace(**{**vars(args), "games": 2 if args.games is None else args.games})
    p = attribution.problem(mdp, policy, theta, args.seed, args.games)
    seen = p.rng.choice(len(p.batch.weight), CRITIC_GAMES, p=p.batch.weight / p.batch.weight.sum())
    learned, _ = learned_critic(p, seen)
    ingredients.report(p, settings, learned, critic_error(p, learned), args)
    return 0


def command(args: argparse.Namespace) -> int:
    """Print the table; ValueError for a user's mistake."""
    if args.plot is not None:
        cli.need("matplotlib.figure", "--plot")
        if args.plot.suffix not in (".png", ".svg") or not args.plot.parent.is_dir():
            raise ValueError(f"--plot: expected a .png or .svg in a folder that is there, got "
                             f"{args.plot}")  # fmt: skip
    if args.games is not None and args.attribute is None:
        raise ValueError(f"--games: expected with --attribute, got {args.games} without it")
    mdp = read_table(args.table, args.gamma)
    if args.policy is None:
        policy = softmax_policy(mdp.features.shape[1], mdp.num_actions)
        theta = policy.init(np.random.default_rng(args.seed), 1.0)
    else:
        policy, theta = load_policy(args.policy)
        theta = theta.astype(float)
    check_worth(mdp, policy, theta)
    if args.attribute is not None:
        return attribute(args, mdp, policy, theta)
    start = unrolled_start(mdp, policy, theta)
    p = Problem(mdp, start, policy, theta, args.seed)
    games, seen = (p.rng.choice(len(p.batch.weight), n, p=p.batch.weight / p.batch.weight.sum())
                   for n in (GAMES, CRITIC_GAMES))  # fmt: skip
    values, q = learned_critic(p, seen)
    rms = critic_error(p, values)
    rows = rows_of(p, "exact", p.values, p.action_values, games)
    rows += rows_of(p, "learned", values, q, games)
    if args.json:
        print(json.dumps({"table": args.table, "critic_error": float(rms), "rows": rows}, indent=1))
    else:
        norm = np.linalg.norm(p.gradient)
        print(f"{args.table}: ‖∇J‖ = {norm:.4g}, one game an estimate, {GAMES} sampled; "
              f"V learned from {CRITIC_GAMES} is off by {rms:.3g} (root mean square over visits); "
              f"± three standard errors\n"
              f"{'critic':8}{'ψ_t':20}{'‖bias‖':>10}{'variance':>10}{'cosine':>8}"
              f"{'‖bias‖, sampled':>24}{'variance, sampled':>24}"
        )  # fmt: skip
        for r in rows:
            print("{critic:8}{psi:20}{bias:10.2e}{variance:10.3g}{cosine:8.3f}"
                  "{sampled_bias:14.2e} ±{sampled_bias_error:8.1e}"
                  "{sampled_variance:14.3g} ±{sampled_variance_error:8.1e}".format(**r)
            )  # fmt: skip
    if args.plot is not None:
        draw(
            rows, args.plot, f"ψ_t on {Path(args.table).name}, learned critic, γ = {start.gamma:g}"
        )
        print(f"picture: {args.plot}", file=sys.stderr)
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 for a user's mistake."""
    parser = cli.Parser("minipg estimators", "Bias and variance of every ψ_t, exactly.", EXAMPLES)
    parser.add_argument("table", nargs="?", default="FrozenLake-v1", metavar="ENV | table.npz",
                        help="as of minipg verify (%(default)s)")  # fmt: skip
    parser.add_argument("--gamma", type=float, help="discount for an ENV (0.99)")
    parser.add_argument(
        "--policy", type=Path, help="a softmax policy's parameters.npz; else random"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random policy and the games")
    parser.add_argument("--plot", type=Path, help="bias against variance over λ and N, PNG or SVG")
    parser.add_argument("--attribute", metavar="ALGORITHM", help="instead, what each ingredient of "
                        "'ALGORITHM [options of minipg train]' contributes")  # fmt: skip
    parser.add_argument("--games", type=int, help="of a batch, with --attribute (2)")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    args = parser.parse_args(argv)
    return cli.run("minipg estimators", lambda: command(args))
