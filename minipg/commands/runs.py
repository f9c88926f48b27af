"""A run folder: config.json, progress.csv, state.npz, parameters.npz, result.json, always whole."""

import argparse
import csv
import io
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minipg.algorithms.state import State, load_tree, save_tree
from minipg.files import write_whole
from minipg.policies.policy import Policy
from minipg.policies.policy_file import save_policy

FORMAT = 1  # of state.npz
SECONDS_BETWEEN_WRITES = 1.0  # at least
SHARE_OF_WRITES = 0.05  # of the time, about
CHUNK = 1 << 20


def check_new(folder: Path) -> None:
    """Raise ValueError where something stands at the folder's place."""
    if folder.exists():
        raise ValueError(f"--out: expected a folder that does not exist, got {folder}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one JSON object."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def extend_csv(path: Path, kept: int, rows: list[dict[str, Any]]) -> int:
    """The first `kept` bytes of the table, then these rows; returns its new length in bytes.

    Copied and renamed, not appended in place: a kill or a full disk must not cut a row in two.
    """
    text = io.StringIO(newline="")
    names = list(rows[0]) if rows else []
    if kept:
        if path.stat().st_size < kept:
            raise ValueError(f"{path}: expected {kept} bytes or more, as state.npz says")
        with path.open(newline="") as file:
            names = next(csv.reader(file))
    table = csv.DictWriter(text, names)
    if not kept:
        table.writeheader()
    table.writerows(rows)
    new = text.getvalue().encode()

    def write(file: BinaryIO) -> None:
        if kept:
            with path.open("rb") as old:
                for start in range(0, kept, CHUNK):
                    file.write(old.read(min(CHUNK, kept - start)))
        file.write(new)

    write_whole(path, write)
    return kept + len(new)


class Writer:
    """Writes a run as it goes; rows are kept until the next write, so memory does not grow.

    state.npz is written after the rows it belongs to and says how many bytes of progress.csv these
    are, so a kill between the two files loses no row and repeats none.
    """

    def __init__(self, folder: Path, policy: Policy):
        self.folder, self.policy = folder, policy
        self.iterations = 0  # added
        self.written = (0, 0)  # iterations, and bytes of progress.csv
        self.rows: dict[int, dict[str, Any]] = {}
        self.latest: tuple[np.ndarray, dict[str, Any]]
        self.begun = False  # is there a folder to write to
        self.due = 0.0  # time of the next write

    def go_on(self, theta: np.ndarray, checkpoint: dict[str, Any]) -> None:
        """Take up a folder that exists; what a kill left of other iterations is written anew."""
        for left_by_a_kill in self.folder.glob(".*.tmp"):
            left_by_a_kill.unlink()
        self.iterations = checkpoint["iterations"]
        self.written = (self.iterations, checkpoint["csv_bytes"])
        self.latest = (theta, checkpoint)
        self.write()
        self.begun = True

    def add(self, record: dict[str, Any], theta: np.ndarray, **checkpoint: Any) -> None:
        """An iteration: its row, θ on raw observations, and all that is needed to go on."""
        n = self.iterations + 1
        self.rows[n] = record
        self.latest = (theta, {"format": FORMAT, **checkpoint, "iterations": n})
        self.iterations = n
        if self.begun and time.perf_counter() > self.due:
            self.write()

    def create(self, config: dict[str, Any]) -> None:
        """A new folder with config.json and the first iteration, at its place at once or never."""
        check_new(self.folder)
        folder = self.folder
        self.folder = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True)
            write_json(self.folder / "config.json", config)
            self.write()
            self.folder.rename(folder)
            self.begun = True
        except OSError as error:
            raise ValueError(f"--out: expected a folder that can be made, got {error}") from error
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = folder

    def write(self) -> None:
        """Bring the files up to the latest iteration; OSError where they cannot be written."""
        began = time.perf_counter()
        theta, checkpoint = self.latest
        before, kept = self.written
        rows = [self.rows[n] for n in range(before + 1, checkpoint["iterations"] + 1)]
        size = extend_csv(self.folder / "progress.csv", kept, rows)
        save_tree(self.folder / "state.npz", {**checkpoint, "csv_bytes": size})
        save_policy(self.folder / "parameters.npz", self.policy, theta)
        self.written, self.rows = (checkpoint["iterations"], size), {}
        now = time.perf_counter()
        self.due = now + max(SECONDS_BETWEEN_WRITES, (now - began) / SHARE_OF_WRITES)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json; ValueError if it is not there or no such object."""
    try:
        config = json.loads((folder / "config.json").read_text())
        if not isinstance(config, dict):
            raise TypeError(type(config).__name__)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{folder}: expected a run folder, got {error!r}") from error
    return config


def read_options(folder: Path) -> argparse.Namespace:
    """What an evaluation needs of config.json, checked; ValueError if it is no run folder."""
    config = {"env_kwargs": {}, **read_config(folder)}  # earlier runs have none
    kinds = {"algorithm": str, "env": str, "env_kwargs": dict, "seed": int,
             "mode": str | None, "rescale_actions": bool,
             "max_episode_steps": int | None, "threshold": int | float | None}  # fmt: skip
    for name, kind in kinds.items():
        if name not in config or not isinstance(config[name], kind):
            raise ValueError(f"{folder}/config.json: expected {name}, got {config.get(name)!r}")
    return argparse.Namespace(**config)


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


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """All of config.json and the columns of progress.csv; ValueError if it is no run folder."""
    config = read_config(folder)
    wanted = {"algorithm", "env", "seed", "threshold"} - set(config)
    try:
        with (folder / "progress.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        wanted |= {"env_steps", "mean_return", "seconds"} - set(columns)
        if wanted:
            raise LookupError(*wanted)
        return config, columns
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{folder}: expected a run folder, got {error!r}") from error
