"""Pictures of sections 1 and 2: scores, the noise of their gradients, baselines."""

from dataclasses import replace
from typing import Any

import numpy as np

from minipg.claims.problem import Problem
from minipg.estimators.baselines import optimal_baseline
from minipg.estimators.score_function import gradients
from minipg.lecture.drawing import BLUE, GREEN, INK, ORANGE, arrow, axes, heat, svg
from minipg.truth import exact
from minipg.validate import Array


def plane(p: Problem) -> Array:
    """∇J's direction and one across it (2, P), each of length 1."""
    along, across = p.directions[:2]
    across = across - (across @ along) * along
    return np.stack([along, across / np.linalg.norm(across)])


def scores(p: Problem) -> str:
    """E03, E07 the score of each action's logit, and its mean."""
    s = int(np.ptp(p.action_values, axis=1).argmax())
    pi, n = p.pi[s], p.start.num_actions
    bars = p.policy.head.score(np.log(pi) + np.zeros((n, 1)), np.arange(n))  # (taken, logit)
    weighted = pi[:, None] * bars
    figure, (left, right) = axes(2)
    for a in range(n):
        look: dict[str, Any] = {
            "color": [BLUE, ORANGE, GREEN, INK][a % 4],
            "alpha": 1 if a < 4 else 0.4,
        }
        at = np.arange(n) + 0.8 * (a / n - 0.5)
        left.bar(at, bars[a], 0.7 / n, label=f"{a} taken", **look)
        right.bar(np.arange(n), weighted[a], 0.7, bottom=_below(weighted[:a], weighted[a]), **look)
    for ax, title in ((left, "score of each logit"), (right, "times π(a): up and down cancel")):
        ax.axhline(0, color=INK, lw=0.8)
        ax.set(xticks=range(n), xlabel="logit b", title=title)
    left.set(ylim=(None, 1.5))
    left.legend(ncols=2)
    label = (
        f"Bars of the softmax score in one state: for each action taken its own logit is pushed up "
        f"and all others down; weighted by the probabilities {np.round(pi, 2).tolist()} the bars "
        f"of each logit sum to {np.abs(weighted.sum(0)).max():.0e}."
    )
    return svg(figure, "scores", label)


def _below(before: Array, now: Array) -> Array:
    """Where the next bar begins: beyond those of its sign."""
    return np.where(now > 0, np.maximum(before, 0).sum(0), np.minimum(before, 0).sum(0))


def cloud(p: Problem) -> str:
    """E05, E06 single-game gradients around ∇J, and how their mean's noise falls."""
    basis, rng = plane(p), np.random.default_rng(p.seed)
    games, truth = p.estimates @ basis.T, basis @ p.gradient
    figure, (left, middle, right) = axes(3, 2.6)
    for ax, counts in ((left, (1,)), (middle, (100, 10_000))):
        for count, colour in zip(counts, (BLUE, ORANGE), strict=False):
            drawn = rng.choice(len(games), (80, count), p=p.batch.weight / p.batch.weight.sum())
            x = games[drawn].mean(1)
            ax.plot(*x.T, "o", ms=3, color=colour, alpha=0.6, mew=0, zorder=1)
        ax.plot(*truth, "*", ms=9, color=GREEN)
        ax.set(xlabel="along ∇J", ylabel="across it")
    left.set(title="80 games, one each; ★ ∇J")
    middle.set(title="means of 100, of 10000; ★ ∇J")
    m = np.geomspace(1, 1e6, 13)
    noise = np.sqrt(p.variance(p.estimates).sum() / m)
    right.loglog(m, noise, color=BLUE)
    right.axhline(float(np.linalg.norm(truth)), color=GREEN, ls="--")
    right.set(xlabel="games M", title="√variance of the mean: ∝ 1/√M")
    needed = p.variance(p.estimates).sum() / float(truth @ truth)
    label = (
        "Left: gradients of 80 single games (those that coincide, as of all that earn nothing, are "
        "one dot) scatter far around ∇J, the star. Middle: means of 100 (blue) and of 10000 games "
        "(orange) lie closer. Right: the noise, blue, falls as one over the root of the games; it "
        f"equals ‖∇J‖, dashed, at {needed:.0f} games."
    )
    return svg(figure, "cloud", label)


def baselines(p: Problem) -> str:
    """E08, E09 the summed variance against b: a parabola around the optimal one."""
    x, y, w = p.estimates, p.scores, p.batch.weight
    best = float(optimal_baseline(x, y, w, per_parameter=False)[0, 0])
    each = p.variance(x - optimal_baseline(x, y, w, per_parameter=True) * y).sum()
    mean = float(w @ p.total[0])
    reach = max(abs(best), abs(mean), 0.05 * float(np.abs(p.total).max()))
    b = np.linspace(best - 2.5 * reach, best + 2.5 * reach, 41)
    figure, (ax,) = axes(1, 5, 2.6)
    ax.plot(b, [p.variance(x - i * y).sum() for i in b], color=BLUE, label="one b for all")
    points = (0.0, INK, "o", "no baseline"), (mean, ORANGE, "s", "mean return")
    for at, colour, marker, name in (*points, (best, GREEN, "^", "the best b")):
        ax.plot([at], [p.variance(x - at * y).sum()], marker, color=colour, label=name)
    ax.axhline(each, color=GREEN, ls=":", label="the best b of each parameter")
    ax.set(xlabel="b", ylabel="summed variance, one game")
    ax.legend()
    label = (
        f"The variance of REINFORCE against a constant baseline b is a parabola with its minimum "
        f"at {best:.3g}; the mean return {mean:.3g} is near it; a b for each parameter lies lower."
    )
    return svg(figure, "baselines", label)


def causality(p: Problem) -> str:
    """E10 which reward weighs which score: all of them, or only later ones."""
    steps = min(len(p.total), 8)
    t = np.arange(steps)
    figure, panels = axes(2, 2.6)
    later = (t[None] >= t[:, None]).astype(float)
    tables = (np.ones_like(later), "R"), (later, "reward-to-go")
    for ax, (table, title) in zip(panels, tables, strict=True):
        heat(ax, table * p.start.gamma ** t[None], 1.3)
        ax.set(title=title, xlabel="reward of step t′", ylabel="score of step t")
    each = [p.variance(gradients(p.policy, p.theta, p.batch, x)).sum()
            for x in (p.total, p.gamma_t * p.to_go)]  # fmt: skip
    label = (
        f"Two squares: with R every reward weighs every score; with the reward-to-go only rewards "
        f"after the action do, an upper triangle. Summed variance {each[0]:.3g} and {each[1]:.3g}: "
        "where rewards come at a game's end alone, as on the frozen lake, both are one."
    )  # fmt: skip
    return svg(figure, "causality", label)


def dropped_discount(p: Problem) -> str:
    """errata 7: ∇J beside what is left of it without γ^t, and over γ."""
    never_ends = p.mdp.never_ends(p.policy.probs(p.theta, p.mdp.features))
    table, name = (p.start, "unrolled start") if len(never_ends) else (p.mdp, "whole table")

    def pair(gamma: float) -> tuple[float, float, float]:
        """In ‖∇J‖: how far off the vector without γ^t is, and how long along ∇J and across."""
        mdp = replace(table, gamma=gamma)
        g, other = (exact.policy_gradient(mdp, p.policy, p.theta, x) for x in (True, False))
        size = float(np.linalg.norm(g))
        along = float(other @ g) / size**2
        across = float(np.linalg.norm(other / size - along * g / size))
        return float(np.linalg.norm(other - g)) / size, along, across

    gammas = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995])
    off, *vector = np.array([pair(float(gamma)) for gamma in gammas]).T
    turned = np.degrees(np.arctan2(vector[1], vector[0]))
    own, at = pair(p.mdp.gamma), pair(0.9)
    figure, (left, right) = axes(2)
    for end, colour, key in (((1, 0), GREEN, "∇J"), (at[1:], ORANGE, "without γᵗ")):
        arrow(left, np.array(end), colour)
        left.plot([], [], color=colour, label=key)
    width = 1.15 * max(1, at[1], 2 * at[2])
    left.set(xlim=(-0.05 * width, width), ylim=(-0.15 * width, 0.55 * width), aspect="equal")
    left.set(xlabel="along ∇J, in ‖∇J‖", ylabel="across it", title="γ = 0.9")
    left.legend(loc="upper left")
    right.plot(1 / (1 - gammas), off, color=BLUE, marker="o", ms=3, label="‖difference‖/‖∇J‖")
    right.plot(1 / (1 - gammas), turned / 90, "--", color=ORANGE, label="angle / 90°")
    right.set(xlabel="1/(1 − γ)", xscale="log", yscale="log", title="over the horizon")
    right.legend()
    label = (
        f"Of the {name}: without γ^t the vector has {at[1]:.2f} of the gradient's length "
        f"along it and {at[2]:.2f} across it at γ = 0.9. At the page's γ = {p.mdp.gamma:g} it is "
        f"off by {own[0]:.1%} of ‖∇J‖; the difference goes away only as γ goes to 1, or where "
        "games are as short as those of the unrolled start."
    )
    return svg(figure, "discount", label)
