"""A picture of learning curves: a column an environment, at most three beside each other."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from minipg.commands.curves import Group, curves, interquartile, label

MOST_COLUMNS = 3
X = {"steps": ("env_steps", "environment steps"), "seconds": ("seconds", "seconds of training")}
# Okabe and Ito's colours without yellow, each with a line and a marker: told apart in grey too.
STYLES: list[tuple[str, Any, str]] = [
    ("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", "-.", "^"), ("#000000", ":", "v"),
    ("#CC79A7", (0, (8, 2)), "D"), ("#E69F00", (0, (5, 1, 1, 1, 1, 1)), "P"),
    ("#56B4E9", (0, (1, 0.6)), "X"),
]  # fmt: skip
OUTCOMES = {
    "accepted": ("accepted", "#0072B2", ""),
    "refused_kl": ("refused, KL > δ", "#E69F00", "///"),
    "refused_surrogate": ("refused, L < 0", "#56B4E9", "..."),
    "refused_not_finite": ("refused, not finite", "#000000", ""),
}
MOST_BINS = 25  # of the line searches
Member = tuple[Group, str, tuple[str, Any, str]]  # its label and style


def draw_returns(axes: Axes, members: list[Member], x: str) -> None:
    """The curve of one seed, or of several their interquartile mean in its interval."""
    for group, name, (color, line, _) in members:
        grid, values = curves(group, x)
        mean, seeds = values[0], f"seed {next(iter(group.seeds))}"
        if len(values) > 1:
            mean, low, high = interquartile(values)
            seeds = f"{len(values)} seeds"
            axes.fill_between(grid, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(grid, mean, color=color, linestyle=line, label=f"{name}, {seeds}")
    threshold = members[0][0].threshold
    if threshold is not None:
        axes.axhline(threshold, color="0.4", linewidth=1, label=f"threshold {threshold:g}")
    several = any(len(group.seeds) > 1 for group, *_ in members)
    axes.set(ylabel="return of an episode", title=members[0][0].options["env"]
             + several * ": interquartile mean, 95 % interval")  # fmt: skip
    axes.legend(fontsize="small")


def draw_kl(axes: Axes, members: list[Member], x: str) -> None:
    """Each update's KL, in units of its δ."""
    for group, name, (color, _, marker) in members:
        every = {key: np.concatenate([columns[key] for columns in group.seeds.values()])
                 for key in (x, "kl")}  # fmt: skip
        axes.plot(every[x], every["kl"] / group.options["delta"], marker, color=color, label=name,
                  markersize=3, alpha=0.5, markeredgewidth=0, rasterized=True)  # fmt: skip
    axes.axhline(1, color="0.4", linewidth=1)
    axes.set(ylabel="KL of the update / δ", ylim=(0, None))
    axes.legend(fontsize="small", ncols=len(members))


def draw_line_search(axes: Axes, members: list[Member], x: str) -> None:
    """Candidates an update, by what became of them: means over the updates in each bin."""
    ((group, name, _),) = members
    every = {key: np.concatenate([columns[key] for columns in group.seeds.values()])
             for key in (x, *OUTCOMES)}  # fmt: skip
    bins = min(MOST_BINS, 1 + len(every[x]) // len(group.seeds) // 4)  # four updates of a seed
    updates, edges = np.histogram(every[x], bins, (0, every[x].max()))
    below = np.zeros(bins)
    for key, (text, color, hatch) in OUTCOMES.items():
        height = np.histogram(every[x], edges, weights=every[key])[0] / np.maximum(updates, 1)
        axes.bar(edges[:-1], height, np.diff(edges), below, align="edge", color=color, label=text,
                 hatch=hatch, edgecolor="white", linewidth=0)  # fmt: skip
        below += height
    axes.set(ylabel="candidates an update", title=f"line search of {name}",
             ylim=(0, 1.4 * max(1, below.max())))  # fmt: skip
    axes.legend(fontsize="small", ncols=len(OUTCOMES), loc="upper center")


def panels_of(groups: list[Group]) -> list[list[tuple[Any, list[Member]]]]:
    """Of each environment, from top to bottom: what draws a panel, and whom."""
    names = [label(group, groups) for group in groups]
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(dict.fromkeys(names))}
    columns = []
    for env in dict.fromkeys(group.options["env"] for group in groups):
        members = [(group, name, styles[name]) for group, name in zip(groups, names, strict=True)
                   if group.options["env"] == env]  # fmt: skip
        regions = [member for member in members if "delta" in member[0].options]
        searches = [[m] for m in members if "tried" in next(iter(m[0].seeds.values()))]
        columns.append([(draw_returns, members), *([(draw_kl, regions)] if regions else []),
                        *((draw_line_search, search) for search in searches)])  # fmt: skip
    return columns


def picture(groups: list[Group], x: str) -> Figure:
    """The columns, wrapped into rows."""
    key, text = X[x]
    columns = panels_of(groups)
    across = math.ceil(len(columns) / math.ceil(len(columns) / MOST_COLUMNS))
    rows = [columns[i : i + across] for i in range(0, len(columns), across)]
    heights = [[4.0] + [2.5] * (max(map(len, row)) - 1) for row in rows]
    ratios = sum(heights, [])
    figure = Figure(figsize=(7 * across, sum(ratios)), layout="constrained")
    grid = figure.add_gridspec(len(ratios), across, height_ratios=ratios)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, panels in enumerate(row):
            first = None
            for below, (show, members) in enumerate(panels):
                axes = figure.add_subplot(grid[top + below, column], sharex=first)
                first = first or axes
                show(axes, members, key)
                axes.set(xlabel=text)
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        top += len(height)
    return figure
