"""What must hold of a command, whatever it was given; and of a run folder, whatever happened."""

import contextlib
import csv
import io
import json
import math
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minipg.algorithms.state import load_tree

SECONDS = 60.0  # within which a command answers
USUAL = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}  # NumPy's own
REFUSAL = re.compile(
    r"expected .*(got|it has|it is|lacks|are missing|none|does not|which has)|raised \w+|died|"
    r"no answer from|unknown: |unrecognized|invalid choice|the following arguments|it is finished|"
    r"stopped .*(raised|expected)|argument .*expected|interrupted|needs |take another|"
    r"cannot be |is held|no column|nothing to draw|out of memory|Errno|not allowed with|"
    r"must be of the form|expected a run (folder|in which)|sums to|is named my_module:ID|"
    r"diverged: a smaller|--mode sync may say"
)


class Hang(BaseException):
    """A command that does not answer."""


class Broken(AssertionError):
    """What must hold does not."""


class Answer(NamedTuple):
    """Of a command: its status, and what it wrote."""

    status: int
    out: str
    err: str


def ask(main: Callable[[list[str]], int], argv: list[str]) -> Answer:
    """The command's answer, in this process; Broken where it is none that a user could read."""
    out, err, here = io.StringIO(), io.StringIO(), os.getcwd()
    said = f"{main.__module__.split('.')[-1]} {' '.join(argv)}"

    def late(*_: Any) -> None:
        raise Hang(f"no answer within {SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(argv)
    except SystemExit as stop:  # argparse's
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:
        raise Broken(f"{said}: {type(error).__name__} came out: {error}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.chdir(here)
        left = np.seterr(**USUAL)
    if left != USUAL:
        raise Broken(f"{said}: NumPy's errors were left at {left}")
    answer = Answer(status, out.getvalue(), err.getvalue())
    check_answer(said, answer)
    return answer


def check_answer(said: str, answer: Answer) -> None:
    """No traceback; success says no NaN of its results; a refusal is a line that helps."""
    text = answer.out + answer.err
    if "Traceback (most recent" in text or "Hang" in text:
        raise Broken(f"{said}: {text[-600:]}")
    if answer.status not in (0, 1, 2, 130):
        raise Broken(f"{said}: status {answer.status}")
    if answer.status == 0 and re.search(r"\b(nan|inf)\b", answer.out):
        raise Broken(f"{said}: {answer.out[-400:]}")
    if answer.status in (2, 130):
        line = answer.err.rstrip("\n").rsplit("\n", 1)[-1].rsplit("\r", 1)[-1]
        if not re.match(r"minipg( \w+){0,2}( --resume)?: ", line) or not REFUSAL.search(line):
            raise Broken(f"{said}: {line[:500]}")


def numbers(tree: Any) -> bool:
    """Whether every number in a tree is finite."""
    if isinstance(tree, dict):
        return all(map(numbers, tree.values()))
    if isinstance(tree, list | tuple):
        return all(map(numbers, tree))
    if isinstance(tree, np.ndarray):
        return tree.dtype.kind != "f" or bool(np.isfinite(tree).all())
    return not isinstance(tree, float) or math.isfinite(tree)


def check_folder(run: Path) -> int:
    """All files of a run are whole, belong together and hold numbers; its iterations."""
    left = [path.name for path in run.iterdir() if path.name.startswith(".")]
    if left != [] and any(not name.startswith(".lock") for name in left):
        raise Broken(f"left behind: {left}")
    if not numbers(json.loads((run / "config.json").read_text())):
        raise Broken("config.json: no number")
    with np.load(run / "parameters.npz", allow_pickle=False) as file:
        if not all(np.isfinite(x).all() for x in file.values() if x.dtype.kind == "f"):
            raise Broken("parameters.npz: no number")
    saved = load_tree(run / "state.npz")
    if not numbers((saved["state"].theta, saved["state"].theta_state)):
        raise Broken("state.npz: no number")
    text = (run / "progress.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    if not text.endswith("\n") or len(rows) < saved["iterations"]:
        raise Broken(f"progress.csv: {len(rows)} rows, state.npz has {saved['iterations']}")
    for row in rows:
        if None in row or None in row.values():
            raise Broken(f"progress.csv: {row}")
        odd = [k for k, x in row.items() if not math.isfinite(float(x))]
        if set(odd) - {"mean_return", "mean_length"} or odd and float(row["episodes"]):
            raise Broken(f"progress.csv: {odd} of {row}")
    if (run / "result.json").exists() and not numbers(
        json.loads((run / "result.json").read_text())
    ):
        raise Broken("result.json: no number")
    return saved["iterations"]
