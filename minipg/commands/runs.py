"""A run folder is read: nothing of it is executed."""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from minipg.algorithms.state import State, load_tree
from minipg.validate import Array, check_count, check_range

FORMAT = 1  # of state.npz
KINDS: dict[str, Any] = {  # of what config.json holds and is read without the options' parser
    "algorithm": str, "env": str, "env_kwargs": dict, "seed": int, "num_envs": int,
    "mode": str | None, "rescale_actions": bool, "max_episode_steps": int | None,
    "threshold": int | float | None,
}  # fmt: skip
LEAST = {"seed": 0, "num_envs": 1}


def read_config(folder: Path) -> dict[str, Any]:
    """config.json; ValueError if it is not there, or its environment's module is in the folder."""
    if not (folder / "config.json").exists():
        has = "it has no config.json" if folder.exists() else "there is none"
        raise ValueError(f"{folder}: expected a run folder of minipg train, {has}")
    try:
        config = json.loads((folder / "config.json").read_text())
        if not isinstance(config, dict):
            raise TypeError(type(config).__name__)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder}: expected a run folder, got {error!r:.200} of config.json"
                         ) from error  # fmt: skip
    module, colon, _ = str(config.get("env")).rpartition(":")
    data, here = folder.resolve(), Path.cwd()  # data, perhaps a stranger's
    path = here.joinpath(*module.split(".")).resolve()
    if colon and path.is_relative_to(data) and not here.is_relative_to(data):
        raise ValueError(f"{folder}/config.json: expected an environment from elsewhere, got the "
                         f"module {module} in the run folder")  # fmt: skip
    return config


def read_options(folder: Path) -> argparse.Namespace:
    """What an evaluation needs of config.json, checked; ValueError if it is no run folder."""
    config = {"env_kwargs": {}, **read_config(folder)}  # earlier runs have none
    check_kinds(folder, config, *KINDS)
    return argparse.Namespace(**config)


def check_kinds(folder: Path, config: dict[str, Any], *names: str) -> None:
    """ValueError for an option of config.json that is not there, or is nothing of its kind."""
    for name in names:
        if name not in config or not isinstance(config[name], KINDS[name]):
            raise ValueError(f"{folder}/config.json: expected {name}, got {config.get(name)!r:.80}")
        if name == "threshold" and config[name] is not None:
            check_range(f"{folder}/config.json: {name}", config[name])
        if name in LEAST:
            check_count(f"{folder}/config.json: {name}", config[name], LEAST[name])


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """state.npz; ValueError if it is not there, not whole or of another version."""
    path = folder / "state.npz"
    saved = load_tree(path)
    kinds = {"format": int, "state": State, "rng": dict, "envs": list, "seconds": float,
             "iterations": int, "csv_bytes": int}  # fmt: skip
    found = {name: type(x) for name, x in saved.items()} if isinstance(saved, dict) else saved
    if found != kinds or saved["format"] != FORMAT:
        raise ValueError(f"{path}: expected the state of a run, format {FORMAT}")
    return saved


def read_returns(folder: Path, saved: dict[str, Any]) -> list[tuple[float, float]]:
    """(episodes, mean_return) of the iterations that the checkpoint counts."""
    _, table = read_run(folder)
    return list(zip(table["episodes"], table["mean_return"], strict=True))[: saved["iterations"]]


def read_table(folder: Path, size: int | None = None) -> dict[str, Array]:
    """The columns of progress.csv, of its first `size` bytes; ValueError where it is none."""
    path = folder / "progress.csv"
    try:
        data = path.read_bytes()[:size]
        rows = list(csv.DictReader(data.decode().splitlines()))
        if not rows:
            raise ValueError("no rows")
        if size is not None and not data.endswith(b"\n"):
            raise ValueError("a row that state.npz ends in, it was edited")
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        raise ValueError(f"{folder}: expected a run folder, got {error!r:.200} of progress.csv"
                         ) from error  # fmt: skip


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """All of config.json and the columns of progress.csv; ValueError if it is no run folder."""
    config, columns = read_config(folder), read_table(folder)
    wanted = {"env_steps", "mean_return", "seconds"} - set(columns)
    if wanted:
        raise ValueError(f"{folder}: expected a run folder, it has no {', '.join(sorted(wanted))}")
    check_kinds(folder, config, "algorithm", "env", "seed", "threshold")
    return config, columns
