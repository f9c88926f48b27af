"""Draw learning curves: one a run, or of several seeds their interquartile mean and its interval.

python scripts/plot.py DIR… [--x steps|seconds] [--out FILE]
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from scipy.stats import bootstrap, trim_mean

from minipg.commands import cli, runs
from minipg.commands.options import NOT_OPTIONS
from minipg.files import write_whole

mpl.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

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
POINTS = 200  # of a curve
MOST_BINS = 25  # of the line searches
RESAMPLES = 2000


class Group(NamedTuple):
    """Runs that differ by the seed only: their options, the columns of progress.csv by seed."""

    options: dict[str, Any]
    threshold: float | None
    seeds: dict[int, dict[str, np.ndarray]]


Member = tuple[Group, str, tuple[str, Any, str]]  # its label and style


def folders_in(folders: list[Path]) -> list[Path]:
    """The run folders among these and one level below them; ValueError for one without any."""
    found = {}
    for folder in folders:
        below = [path.parent for path in sorted(folder.glob("[!.]*/config.json"))]
        inside = [folder] if (folder / "config.json").exists() else below
        if not inside:
            raise ValueError(f"{folder}: expected a run folder or a folder of run folders")
        found |= {path.resolve(): path for path in inside}
    return list(found.values())


def read_groups(folders: list[Path]) -> list[Group]:
    """Runs of the same options together; ValueError for two of one seed."""
    groups: dict[str, Group] = {}
    for folder in folders:
        options, columns = runs.read_run(folder)
        seed, threshold = options["seed"], options["threshold"]
        for name in ("seed", *NOT_OPTIONS):
            options.pop(name, None)
        key = json.dumps(options, sort_keys=True)
        group = groups.setdefault(key, Group(options, threshold, {}))
        if seed in group.seeds:
            raise ValueError(f"{folder}: expected another seed or option, {seed} is there already")
        group.seeds[seed] = columns
    return list(groups.values())


def label(group: Group, groups: list[Group]) -> str:
    """The algorithm, and the options in which groups of its environment differ from it."""
    name, env = group.options["algorithm"], group.options["env"]
    peers = [g.options for g in groups if (g.options["algorithm"], g.options["env"]) == (name, env)]
    other = [option for option, value in group.options.items()
             if any(peer.get(option) != value for peer in peers)]  # fmt: skip
    return ", ".join([name, *(f"{option} {group.options[option]}" for option in other)])


def curves(group: Group, x: str) -> tuple[np.ndarray, np.ndarray]:
    """Common grid (X,), a curve for each seed (seeds, X), as far as every seed has come."""
    lines = []
    for columns in group.seeds.values():
        known = np.isfinite(columns["mean_return"])  # not before the first episode has ended
        lines.append((columns[x][known], columns["mean_return"][known]))
    if all(len(line[0]) for line in lines):
        if len(lines) == 1:
            return lines[0][0], lines[0][1][None]
        first, last = max(line[0][0] for line in lines), min(line[0][-1] for line in lines)
        if first <= last:
            grid = np.linspace(first, last, POINTS)
            return grid, np.array([np.interp(grid, *line) for line in lines])
    raise ValueError(f"{group.options['algorithm']} on {group.options['env']}, seeds "
                     f"{', '.join(map(str, group.seeds))}: expected finished episodes, at some "
                     f"{x} that all have reached")  # fmt: skip


def interquartile(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the middle half of the seeds and its 95 % interval: (seeds, X) → three (X,).

    Percentile bootstrap of whole runs, stratified by environment: a panel shows one, so its
    stratum is all its seeds. Source: Agarwal et al. 2021, arXiv 2108.13264, section 4.
    """

    def middle(x: np.ndarray, axis: int = 0) -> np.ndarray:
        return trim_mean(x, 0.25, axis=axis)

    found = bootstrap((values,), middle, n_resamples=RESAMPLES, method="percentile",
                      vectorized=True, random_state=np.random.default_rng(0))  # fmt: skip
    return middle(values), found.confidence_interval.low, found.confidence_interval.high


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


def picture(folders: list[Path], x: str) -> Figure:
    """A column an environment; ValueError where there are no runs."""
    column, text = X[x]
    groups = read_groups(folders_in(folders))
    names = [label(group, groups) for group in groups]
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(dict.fromkeys(names))}
    panels = []  # of each environment, from top to bottom
    for env in dict.fromkeys(group.options["env"] for group in groups):
        members = [(group, name, styles[name]) for group, name in zip(groups, names, strict=True)
                   if group.options["env"] == env]  # fmt: skip
        regions = [member for member in members if "delta" in member[0].options]
        searches = [[m] for m in members if "tried" in next(iter(m[0].seeds.values()))]
        panels.append([(draw_returns, members), *([(draw_kl, regions)] if regions else []),
                       *((draw_line_search, search) for search in searches)])  # fmt: skip
    rows, columns = max(map(len, panels)), len(panels)
    figure = Figure(figsize=(7 * columns, 4 + 2.5 * (rows - 1)), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=[4] + [2.5] * (rows - 1))
    for (row, col), axes in np.ndenumerate(grid):
        if row >= len(panels[col]):
            axes.remove()
            continue
        show, members = panels[col][row]
        if row:
            axes.sharex(grid[0, col])
        show(axes, members, column)
        axes.set(xlabel=text)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    return figure


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    parser = cli.Parser(prog="plot", description="Draw learning curves.")
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="DIR", help="run folders, or folders of them")
    add("--x", choices=X, default="steps", help="of what the return is drawn against (%(default)s)")
    add("--out", type=Path, help="PNG, SVG or PDF; else DIR/curve.png, of the first DIR")
    args = parser.parse_args(argv)
    out = args.out or args.folders[0] / "curve.png"

    def command() -> int:
        figure = picture(args.folders, args.x)
        write_whole(out, lambda file: figure.savefig(file, format=out.suffix[1:], dpi=150))
        print(f"picture: {out}")
        return 0

    return cli.run("plot", command)


if __name__ == "__main__":
    sys.exit(main())
