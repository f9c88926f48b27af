"""What learning curves show: run folders, grouped by their options, on a common grid."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import bootstrap, trim_mean

from minipg.commands import runs
from minipg.commands.options import NOT_OPTIONS
from minipg.validate import Array

POINTS = 200  # of a curve
RESAMPLES = 2000


class Group(NamedTuple):
    """Runs that differ by the seed only: their options, the columns of progress.csv by seed."""

    options: dict[str, Any]
    threshold: float | None
    seeds: dict[int, dict[str, Array]]


def folders_in(folders: list[Path]) -> list[Path]:
    """The run folders among these and one level below them; ValueError for one without any."""
    found: dict[Path, Path] = {}
    for folder in folders:
        below = [path.parent for path in sorted(folder.glob("[!.]*/config.json"))]
        inside = [folder] if (folder / "config.json").exists() else below
        if not inside:
            raise ValueError(f"{folder}: expected a run folder or a folder of run folders")
        found |= {path.resolve(): path for path in inside}
    return list(found.values())


def read_groups(folders: list[Path]) -> tuple[list[Group], list[Path]]:
    """Runs of the same options together, and those in which no episode has ended.

    ValueError for two of one seed, and where no run is left.
    """
    groups: dict[str, Group] = {}
    without = []
    for folder in folders:
        options, columns = runs.read_run(folder)
        if not np.isfinite(columns["mean_return"]).any():
            without.append(folder)
            continue
        seed, threshold = options["seed"], options["threshold"]
        for name in ("seed", *NOT_OPTIONS):
            options.pop(name, None)
        key = json.dumps(options, sort_keys=True)
        group = groups.setdefault(key, Group(options, threshold, {}))
        if seed in group.seeds:
            raise ValueError(f"{folder}: expected another seed or option, {seed} is there already")
        group.seeds[seed] = columns
    if not groups:
        raise ValueError(f"{', '.join(map(str, without))}: expected a run in which an episode has "
                         "ended: train on, or with a smaller --max-episode-steps")  # fmt: skip
    return list(groups.values()), without


def label(group: Group, groups: list[Group]) -> str:
    """The algorithm, and the options in which groups of its environment differ from it."""
    name, env = group.options["algorithm"], group.options["env"]
    peers = [g.options for g in groups if (g.options["algorithm"], g.options["env"]) == (name, env)]
    other = [option for option, value in group.options.items()
             if any(peer.get(option) != value for peer in peers)]  # fmt: skip
    return ", ".join([name, *(f"{option} {group.options[option]}" for option in other)])


def curves(group: Group, x: str) -> tuple[Array, Array]:
    """Common grid (X,), a curve for each seed (seeds, X), as far as every seed has come."""
    lines = []
    for columns in group.seeds.values():
        known = np.isfinite(columns["mean_return"])  # not before the first episode has ended
        lines.append((columns[x][known], columns["mean_return"][known]))
    if len(lines) == 1:
        return lines[0][0], lines[0][1][None]
    first, last = max(line[0][0] for line in lines), min(line[0][-1] for line in lines)
    if first > last:
        raise ValueError(f"{group.options['algorithm']} on {group.options['env']}, seeds "
                         f"{', '.join(map(str, group.seeds))}: expected finished episodes at some "
                         f"{x} that all have reached")  # fmt: skip
    grid = np.linspace(first, last, POINTS)
    return grid, np.array([np.interp(grid, *line) for line in lines])


def interquartile(values: Array) -> tuple[Array, Array, Array]:
    """Mean of the middle half of the seeds and its 95 % interval: (seeds, X) → three (X,).

    Percentile bootstrap of whole runs, stratified by environment: a panel shows one, so its
    stratum is all its seeds. Source: Agarwal et al. 2021, arXiv 2108.13264, section 4.
    """

    def middle(x: Array, axis: int = 0) -> Array:
        return trim_mean(x, 0.25, axis=axis)

    found: Any = bootstrap((values,), middle, n_resamples=RESAMPLES, method="percentile",
                      vectorized=True, random_state=np.random.default_rng(0))  # fmt: skip
    return middle(values), found.confidence_interval.low, found.confidence_interval.high
