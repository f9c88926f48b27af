"""A run folder is written: config.json, progress.csv, state.npz, parameters.npz, always whole."""

import argparse
import csv
import io
import json
import os
import shlex
import shutil
import time
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from minipg.algorithms.state import save_tree
from minipg.commands import cli, runs
from minipg.commands.lock import hold
from minipg.files import write_whole
from minipg.policies.policy import Policy
from minipg.policies.policy_file import save_policy
from minipg.validate import Array

SECONDS_BETWEEN_WRITES = 1.0  # at least
SHARE_OF_WRITES = 0.05  # of the time, about
CHUNK = 1 << 14  # bytes copied at a time


def check_new(folder: Path, shown: Path) -> None:
    """Raise ValueError where something stands at the folder's place, with what helps.

    shown: the folder as the user knows it.
    """
    if not shown.name:
        raise ValueError(f"--out: expected the name of a new folder, got {str(shown)!r}")
    if not folder.exists():
        return
    names = (f"{shown.name}-{n}" for n in count(2))
    other = shown.with_name(next(name for name in names if not folder.with_name(name).exists()))
    go_on = f"{cli.called()} train --resume {shlex.quote(str(shown))}"
    go_on += " --steps N" * (folder / "result.json").exists()
    raise ValueError(f"--out: expected a folder that does not exist, got {shown}: "
                     + f"go on with it, {go_on}, or " * (folder / "state.npz").exists()
                     + f"take another, --out {shlex.quote(str(other))}")  # fmt: skip


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one JSON object."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_whole(path, write)


def checked_columns(path: Path, names: list[str]) -> list[str]:
    """The columns of a table in their order; ValueError where they are not `names`, if any."""
    with path.open(newline="") as file:
        found = next(csv.reader(file), [])
    if names and set(names) != set(found):
        raise ValueError(f"{path}: expected the columns {', '.join(names)}, got "
                         f"{', '.join(found)}")  # fmt: skip
    return found


def extend_csv(path: Path, kept: int, rows: list[dict[str, Any]]) -> int:
    """The first `kept` bytes of the table, then these rows; returns its new length in bytes.

    Copied and renamed, not appended in place: a kill or a full disk must not cut a row in two.
    """
    text = io.StringIO(newline="")
    names = list(rows[0]) if rows else []
    if kept:
        if path.stat().st_size < kept:
            raise ValueError(f"{path}: expected {kept} bytes or more, as state.npz says")
        names = checked_columns(path, names)
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
        self.latest: tuple[Array, dict[str, Any]]
        self.begun = False  # is there a folder to write to
        self.lock = -1  # of the folder
        self.due = 0.0  # time of the next write

    def go_on(self, theta: Array, checkpoint: dict[str, Any]) -> None:
        """Take up a folder that exists; what a kill left of other iterations is written anew."""
        for left_by_a_kill in self.folder.glob(".*.tmp"):
            left_by_a_kill.unlink()
        self.iterations = checkpoint["iterations"]
        self.written = (self.iterations, checkpoint["csv_bytes"])
        self.latest = (theta, checkpoint)
        self.write()
        self.begun, self.due = True, 0.0  # what does not fit the table shows at the next row

    def release(self) -> None:
        """Let others write to the folder."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def add(self, record: dict[str, Any], theta: Array, **checkpoint: Any) -> None:
        """An iteration: its row, θ on raw observations, and all that is needed to go on."""
        n = self.iterations + 1
        self.rows[n] = record
        self.latest = (theta, {"format": runs.FORMAT, **checkpoint, "iterations": n})
        self.iterations = n
        if self.begun and time.perf_counter() > self.due:
            self.write()

    def create(self, config: dict[str, Any]) -> None:
        """A new folder with config.json and the first iteration, at its place at once or never."""
        check_new(self.folder, Path(config["out"]))
        folder = self.folder
        self.folder = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True)
            self.lock = hold(self.folder)
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


def extend(folder: Path, args: argparse.Namespace) -> None:
    """A run goes on, perhaps to other steps: it is not finished, and config.json says which."""
    config = runs.read_config(folder)
    more = {"steps": args.steps, "until": args.until}
    if {**config, **more} != config:
        write_json(folder / "config.json", {**config, **more})
    (folder / "result.json").unlink(missing_ok=True)
