"""An algorithm's ingredients from its settings, their table and picture.

minipg estimators [ENV | table.npz] --attribute "ALGORITHM [options of minipg train]"
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minipg.claims import Problem
from minipg.commands import cli
from minipg.commands.attribution import Ingredient, attribute, calls, merge
from minipg.commands.options import ALGORITHMS as TRAINED, add_field
from minipg.estimators.returns import discounted_sum
from minipg.validate import check_range

KNOWN = "reinforce", "actor_critic", "npg", "trpo", "ppo", "acktr"  # whose gradient is told here
ALGORITHMS = {name: TRAINED[name][1] for name in KNOWN}
USED = {"gamma_t", "baseline", "lam", "normalize", "entropy", "clip", "max_norm"}  # by a gradient


def settings_of(words: str, gamma: float) -> argparse.Namespace:
    """ALGORITHM [options of minipg train], those its gradient uses; ValueError if unknown."""
    name, *options = words.split() or [""]
    if name not in ALGORITHMS:
        raise ValueError(f"--attribute: expected one of {', '.join(ALGORITHMS)}, got {name!r}")
    prog = "minipg estimators --attribute"
    parser = cli.Parser(prog, "An algorithm's gradient.", see=f"{prog} '{name} --help'")
    fields = [f for f in dataclasses.fields(ALGORITHMS[name]) if f.name in USED]
    for field in fields:
        add_field(parser, field)
    parser.add_argument("--max-episode-steps", type=int)
    parser.add_argument("--normalize-rewards", action=argparse.BooleanOptionalAction, default=False)
    args = parser.parse_args(options)
    ALGORITHMS[name](gamma=gamma, **{f.name: getattr(args, f.name) for f in fields})  # checks them
    return argparse.Namespace(algorithm=name, **vars(args))


def ingredients(p: Problem, args: argparse.Namespace, learned: np.ndarray) -> list[Ingredient]:
    """In their order; those the algorithm has not stand at usual settings. learned (S,): its V.

    β = 0.01 is A3C's (Mnih et al. 2016, arXiv 1602.01783); λ, max_norm are actor_critic's defaults.
    """
    has, reinforces = vars(args), args.algorithm == "reinforce"
    horizon, limit = len(p.batch.rewards), args.max_episode_steps
    if limit is not None:
        check_range("--max-episode-steps", limit, 1, horizon - 1)
    h, lam, entropy = limit or horizon - 1, has.get("lam", 0.95), has.get("entropy", 0.0) or 0.01
    exact_v = {"values": p.values}
    so_far = discounted_sum(p.batch.rewards[::-1], ~p.batch.valid[::-1], p.start.gamma)[::-1]
    seen, weight = so_far[p.batch.valid], (p.batch.weight * p.batch.valid)[p.batch.valid]
    mean = np.average(seen, weights=weight)
    c = float(np.sqrt(np.average((seen - mean) ** 2, weights=weight))) or 1.0
    rows = [
        Ingredient("γ^t dropped", {"gamma_t": False}, not has.get("gamma_t", False)),
        Ingredient(f"time limit {h}, bootstrapped", {"limit": h, **exact_v},
                   limit is not None and not reinforces),
        Ingredient(f"time limit {h}, as an end", {"limit": h, "bootstrap": False},
                   limit is not None and reinforces),
        Ingredient(f"GAE of V^π, λ = {lam:g}", {"lam": lam, **exact_v}, not reinforces),
        Ingredient("learned V for V^π", {"lam": lam, "values": learned}, not reinforces),
        Ingredient(f"rewards divided by {c:.3g}", {"scale": c}, args.normalize_rewards),
        Ingredient("ψ normalised", {"normalize": True}, has.get("normalize", not reinforces)),
        Ingredient("mean over steps, not games", {"per_step": True}, not reinforces),
        Ingredient(f"entropy bonus, {entropy:g}", {"entropy": entropy}, bool(has.get("entropy"))),
        Ingredient(f"norm at most {has.get('max_norm', 0.5):g}",
                   {"max_norm": has.get("max_norm", 0.5)}, "max_norm" in has),
    ]  # fmt: skip
    if args.algorithm == "ppo":
        rows.insert(-1, Ingredient(f"ratio within 1 ± {args.clip:g}", {"clip": args.clip}, True))
    if reinforces:
        b = args.baseline if args.baseline != "none" else "time"
        rows.insert(0, Ingredient(f"baseline: {b}", {"baseline": b}, args.baseline != "none"))
    return [row for row in rows if row.change.get("limit") != 0]


def heading(p: Problem, title: str, games: int, error: float) -> str:
    """What was enumerated, and the names of the columns."""
    distinct, start = len(merge(*p.enumerated)[0].weight), np.argmax(p.start.start)
    names, parts = f"{'‖bias‖':>8}{'variance':>10}{'cosine':>8}", f"{'along':>8}{'across':>7}"
    return (
        f"{title}, γ = {p.start.gamma:g}\n"
        f"exact, over all {calls(distinct, games)} batches of {games} of the {distinct} distinct "
        f"games ({len(p.batch.weight)} trajectories) of at most\n"
        f"{len(p.batch.rewards)} steps from state {start}; (off): not in this configuration\n"
        f"‖∇J‖ = {np.linalg.norm(p.gradient):.4g}; the learned V is off by {error:.3g} (root mean "
        f"square); contributions in units of ‖∇J‖\n"
        f"{'':33}{'alone':>26}{'after those above it':>26}{'contribution':>15}\n"
        f"{'ingredient':33}{names}{names}{parts}"
    )


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    numbers = "{bias:8.1e}{variance:10.3g}{cosine:8.4f}".format
    text = f"{row['ingredient'] + ('' if row['on'] else ' (off)'):33}{numbers(**row['alone'])}"
    if row["in_order"] is not None:
        text += numbers(**row["in_order"])
        text += "{along:+z8.4f}{across:7.4f}".format(**row["in_order"])
    return text


def footer(p: Problem, rows: list[dict[str, Any]]) -> str:
    """That the contributions add up to the bias of the whole."""
    done = [row["in_order"] for row in rows if row["on"]]
    bias = np.array(done[-1]["mean"]) - p.gradient
    gap = np.linalg.norm(np.sum([x["contribution"] for x in done], axis=0) - bias)
    along = sum(x["along"] for x in done)
    return (f"total bias: ‖·‖ = {np.linalg.norm(bias):.4g}, {along:+z.4f} ‖∇J‖ along ∇J; "
            f"the contributions add up to it, to {gap:.0e}")  # fmt: skip


def report(
    p: Problem, settings: argparse.Namespace, learned: np.ndarray, error: float,
    args: argparse.Namespace,
) -> None:  # fmt: skip
    """Print the table, a row as soon as it is known, or all as JSON; draw the picture."""
    title, rows = f"{args.attribute} on {args.table}", []
    chosen = ingredients(p, settings, learned)
    if not args.json:
        print(heading(p, title, args.games, error), flush=True)
    for row in attribute(p, chosen, args.games):
        rows.append(row)
        if not args.json:
            print(line(row), flush=True)
    if args.json:
        print(json.dumps({
            "table": args.table, "algorithm": args.attribute, "games": args.games,
            "horizon": len(p.batch.rewards), "trajectories": len(p.batch.weight),
            "gradient": p.gradient.tolist(), "critic_error": error, "rows": rows,
        }, indent=1))  # fmt: skip
    else:
        print(footer(p, rows))
    if args.plot is not None:
        draw(p, rows, args.plot, f"{title}: batches of {args.games}, γ = {p.start.gamma:g}")
        print(f"picture: {args.plot}", file=sys.stderr)


def draw(p: Problem, rows: list[dict[str, Any]], out: Path, title: str) -> None:
    """Contributions to the bias, angle to ∇J and variance of each ingredient, top to bottom."""
    figures: Any = cli.need("matplotlib.figure", "--plot")
    figure = figures.Figure(figsize=(12, 1.4 + 0.42 * len(rows)), layout="constrained")
    bias, angle, variance = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
    norm, y = np.linalg.norm(p.gradient), np.arange(len(rows))
    on = np.array([row["on"] for row in rows])
    order = {k: np.array([row["in_order"][k] for row in rows if row["on"]])
             for k in ("along", "across", "cosine", "variance")}  # fmt: skip
    alone = {k: np.array([row["alone"][k] for row in rows])
             for k in ("bias", "cosine", "variance")}  # fmt: skip

    def degrees(cosine: np.ndarray) -> np.ndarray:
        return np.degrees(np.arccos(np.clip(cosine, -1, 1)))

    blue, orange, grey = "#0072B2", "#E69F00", "#999999"  # Okabe & Ito's, told apart by anyone
    for sign, colour, hatch, name in ((1, blue, "", "along ∇J"), (-1, orange, "//", "against ∇J")):
        bias.barh(y[on] - 0.2, np.maximum(sign * order["along"], 0), 0.4, color=colour, hatch=hatch,
                  edgecolor="black", linewidth=0.5, label=name)  # fmt: skip
    bias.barh(y[on] + 0.2, order["across"], 0.4, color=grey, edgecolor="black", linewidth=0.5,
              label="across ∇J")  # fmt: skip
    bias.plot(alone["bias"] / norm, y, "kD", mfc="white", label="‖bias‖ alone")
    for axes, name, convert in ((angle, "cosine", degrees), (variance, "variance", np.asarray)):
        axes.plot(convert(order[name]), y[on], "o-", color=blue, label="after those above it")
        axes.plot(convert(alone[name]), y, "kD", mfc="white", label="alone")
    names = [row["ingredient"] + ("" if row["on"] else " (off)") for row in rows]
    bias.set(xscale="log", xlim=(1e-4, None), yticks=y, yticklabels=names,
             xlabel="change of the mean, in ‖∇J‖ (0 is beyond the left)")  # fmt: skip
    bias.invert_yaxis()
    angle.set(xlabel="angle to ∇J, degrees", xlim=(-1, None))
    variance.set(xlabel="variance of a batch", xscale="log")
    for axes in (bias, angle, variance):
        axes.grid(axis="both", color="0.9")
        axes.set_axisbelow(True)
    bias.legend(fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    variance.legend(fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    figure.suptitle(title, wrap=True)
    figure.savefig(out, dpi=150)
