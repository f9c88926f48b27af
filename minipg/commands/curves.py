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
PROBLEM = "env_kwargs", "max_episode_steps"  # options that make of an environment another one


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


def read_groups(folders: list[Path]) -> tuple[list[Group], dict[Path, str]]:
    """Runs of the same options together; which are left out, and why: no run, no episode ended.

    ValueError for two of one seed, and where no run is left.
    """
    groups: dict[str, Group] = {}
    of_seed: dict[tuple[str, int], Path] = {}
    without: dict[Path, str] = {}
    for folder in folders:
        try:
            options, columns = runs.read_run(folder)
        except ValueError as error:
            without[folder] = str(error).removeprefix(f"{folder}: ")
            continue
        if not np.isfinite(columns["mean_return"]).any():
            without[folder] = "no episode has ended"
            continue
        seed, threshold = options["seed"], options["threshold"]
        for name in ("seed", *NOT_OPTIONS):
            options.pop(name, None)
        key = json.dumps(options, sort_keys=True)
        group = groups.setdefault(key, Group(options, threshold, {}))
        if seed in group.seeds:
            raise ValueError(f"{folder}: expected another seed or option than {of_seed[key, seed]} "
                             "has: leave one of the two out")  # fmt: skip
        group.seeds[seed], of_seed[key, seed] = columns, folder
    if not groups and set(without.values()) != {"no episode has ended"}:
        raise ValueError("; ".join(f"{folder}: {why}" for folder, why in without.items()))
    if not groups:
        raise ValueError(f"{', '.join(map(str, without))}: expected a run in which an episode has "
                         "ended: train on, or with a smaller --max-episode-steps")  # fmt: skip
    return list(groups.values()), without


def label(group: Group, groups: list[Group]) -> str:
    """The algorithm, and the options in which groups of its environment differ from it.

    Those of other algorithms count where they make it another problem.
    """
    name, env = group.options["algorithm"], group.options["env"]
    peers = [g.options for g in groups if g.options["env"] == env]
    other = [option for option, value in group.options.items() if any(
        peer.get(option) != value for peer in peers
        if option in PROBLEM or peer["algorithm"] == name
    )]  # fmt: skip
    return ", ".join([name, *(f"{option} {group.options[option]}" for option in other)])


def known(columns: dict[str, Array], x: str) -> tuple[Array, Array]:
    """x and the mean returns, not before the first episode has ended."""
    there = np.isfinite(columns["mean_return"])
    return columns[x][there], columns["mean_return"][there]


def together(group: Group, x: str) -> tuple[Group, list[int]]:
    """The seeds that meet at some x, and those too young to: the youngest is left out first."""
    lines = {seed: known(columns, x)[0] for seed, columns in group.seeds.items()}
    young = []
    while max(line[0] for line in lines.values()) > min(line[-1] for line in lines.values()):
        young.append(min(lines, key=lambda seed: float(lines[seed][-1])))
        del lines[young[-1]]
    return group._replace(seeds={seed: group.seeds[seed] for seed in lines}), young


def curves(group: Group, x: str) -> tuple[Array, Array]:
    """Common grid (X,), a curve for each seed (seeds, X), as far as every seed has come."""
    lines = [known(columns, x) for columns in group.seeds.values()]
    if len(lines) == 1:
        return lines[0][0], lines[0][1][None]
    first, last = max(line[0][0] for line in lines), min(line[0][-1] for line in lines)
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
