"""A run folder: config.json, progress.csv, parameters.npz, result.json, at any moment whole."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from minipg.borders import write_whole
from minipg.policy import Policy, save_policy


def check_new(folder: Path) -> None:
    """Raise ValueError where something stands at the folder's place."""
    if folder.exists():
        raise ValueError(f"--out: expected a folder that does not exist, got {folder}")


def create(folder: Path, config: dict[str, Any]) -> None:
    """Make a new run folder with its config.json; ValueError if the folder exists."""
    check_new(folder)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ValueError(f"--out: expected a folder that can be made, got {error}") from error
    write_json(folder / "config.json", config)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one JSON object."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def write_progress(
    folder: Path, policy: Policy, theta: np.ndarray, records: list[dict[str, Any]]
) -> None:
    """Write progress.csv, a row a record, and parameters.npz."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, records[0])
    table.writeheader()
    table.writerows(records)
    write_whole(folder / "progress.csv", lambda file: file.write(text.getvalue().encode()))
    save_policy(folder / "parameters.npz", policy, theta)


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a picture needs of config.json and progress.csv; ValueError if it is no run folder."""
    try:
        config = json.loads((folder / "config.json").read_text())
        known = {name: config[name] for name in ("algorithm", "env", "seed", "threshold")}
        with (folder / "progress.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        return known, {name: columns[name] for name in ("env_steps", "mean_return")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{folder}: expected a run folder, got {error!r}") from error
