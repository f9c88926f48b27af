"""The exchange with a library's own environment: a folder of .npz files, a process, and back.

Axes: N windows or batches of responses, each a row of every array.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minipg.validate import Array

GLUE = Path(__file__).parents[1] / "atlas"
Settings = Mapping[str, Mapping[str, Any]]  # of each name, the options that the glue is given


def environment(library: str, envs: Path, folder: Path = GLUE) -> Path:
    """The Python of the library's environment, made from its pinned requirements if absent."""
    home, requirements = envs / f"{folder.name}-{library}", folder / f"{library}.txt"
    if not requirements.exists():
        known = sorted(path.stem for path in folder.glob("*.txt"))
        raise ValueError(f"library: expected one of {', '.join(known)}, got {library}")
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        for line in requirements.read_text().splitlines():  # in this order, options included
            words = line.partition("#")[0].split()
            if words:
                subprocess.run([python, "-m", "pip", "install", "-q", *words], check=True)
    return python


def versions(python: Path, names: Sequence[str]) -> str:
    """Of these packages in that environment, as name version."""
    code = "import sys; from importlib.metadata import version as v\nprint(*map(v, sys.argv[1:]))"
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return ", ".join(map(" ".join, zip(names, done.stdout.split(), strict=True)))


def write(folder: Path, settings: Settings, fixed: Mapping[str, Any],
          files: Sequence[Mapping[str, Array]]) -> None:  # fmt: skip
    """job.json, and a windows-K.npz for each of the files, with what is fixed in all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    job = {"settings": settings, "fixed": list(fixed), "files": len(files)}
    (folder / "job.json").write_text(json.dumps(job))
    for k, arrays in enumerate(files):
        np.savez(folder / f"windows-{k}.npz", **fixed, **arrays)


def read(folder: Path, name: str, files: Sequence[Mapping[str, Array]]) -> list[Array]:
    """What a setting's glue wrote (N, …), a file each; the first window was asked twice."""
    answers = []
    for k, arrays in enumerate(files):
        path, count = folder / f"{name}-{k}.npz", len(next(iter(arrays.values())))
        if not path.exists():
            raise ValueError(f"{path}: expected the answers of {name}, got no file: see its glue")
        got = np.load(path)["got"]
        if len(got) != count + 1 or not np.isfinite(got[: count + 1]).all():
            raise ValueError(f"{path}: expected {count + 1} rows of finite numbers, got shape "
                             f"{got.shape}: ask the first window again at the end")  # fmt: skip
        if np.abs(got[0] - got[-1]).max() > 1e-5 * np.abs(got[0]).max():  # rows may be shuffled
            raise ValueError(f"{path}: expected the same for the same window, got another: the "
                             "glue keeps a state or draws at random")  # fmt: skip
        answers.append(got[:-1])
    return answers


def ask(library: str, python: Path, folder: Path, settings: Settings, fixed: Mapping[str, Any],
        files: Sequence[Mapping[str, Array]]) -> dict[str, list[Array]]:  # fmt: skip
    """Every setting's answers (N, …), a file each, from the library's own process."""
    write(folder, settings, fixed, files)
    command = [python.absolute(), GLUE / f"{library}_glue.py", folder.absolute()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        (folder / "stderr").write_text(done.stderr)
        last = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise RuntimeError(f"{library}: expected its glue to end with 0, got {done.returncode}: "
                           f"{last} ({folder / 'stderr'} has the rest)")  # fmt: skip
    return {name: read(folder, name, files) for name in settings}
