"""Which formula an estimator of yours computes, its exact bias, cosine and variance.

minipg audit module:function [--lab NAME] [--gamma G] [--json]
minipg audit window.npz --gamma G [--lam L] [--json]
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from minipg.audit import Named, Probe, Report, Window, identify, lake, library, plant, run
from minipg.audit.endings import LAMBDAS
from minipg.audit.laboratory import Laboratory
from minipg.audit.quadratic import Plant
from minipg.audit.windows import Windows
from minipg.commands import cli, progress
from minipg.files import read_npz
from minipg.problems.faults import raised
from minipg.validate import Array, check_range, check_shape

EXAMPLES = """
  minipg audit mine:gradient
  minipg audit mine:gradient --lab lake-next-step
  minipg audit window.npz --gamma 0.99"""
LABORATORIES: dict[str, Callable[[], Windows]] = {
    "lake": lake,
    "lake-next-step": lambda: lake(autoreset="next_step"),
    "lake-same-step": lambda: lake(autoreset="same_step"),
    "lake-anywhere": lambda: lake(steps=4, anywhere=True),
    "lake-streams": lambda: lake(steps=3, limit=2, streams=2),
    "lake-episodes": lambda: lake(autoreset="never", streams=2),
    "plant": plant,
}
NEEDED = ("rewards", "terminated", "truncated", "values", "next_values", "gradient")


def estimator_of(name: str) -> Any:
    """module:function, of the current folder or installed; ValueError where there is none."""
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        meant = f"; did you mean {module[:-3]}:{function}?" if module.endswith(".py") else ""
        raise ValueError(f"{name}: expected module:function, got {error}{meant}") from error
    if not callable(found):
        raise ValueError(f"{name}: expected a function, got {type(found).__name__}")

    def asked(window: Window) -> Any:
        """What it returns; whatever it raises is one line."""
        try:
            estimate = found(window)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{name}: expected an estimate, it {raised(error)[1]}") from error
        if estimate is None:
            raise ValueError(f"{name}: expected an estimate, it returned None")
        return estimate

    return asked


def flags(name: str, values: Array, count: int) -> Array:
    """Booleans (L,) of a file, or 0 and 1."""
    check_shape(name, values, (count,))
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name}: expected booleans, or 0 and 1, got dtype {values.dtype}")
    return values.astype(bool)


def of_file(path: str, gamma: float, lams: tuple[float, ...]) -> Named:
    """The formula of one window of one's own run, without a table."""
    arrays = read_npz(path, *NEEDED)
    rewards = arrays["rewards"]
    check_shape("rewards", rewards, (None,))
    count = len(rewards)
    last = flags("last", arrays.get("last", np.arange(count) == count - 1), count)
    terminated, truncated = (flags(name, arrays[name], count) for name in NEEDED[1:3])
    ended = terminated | truncated
    if "t" not in arrays:
        begins = np.concatenate([[True], (ended | last)[:-1]]) if count else np.zeros(0, bool)
        arrays["t"] = np.arange(count) - np.maximum.accumulate(begins * np.arange(count))
    none = np.zeros((count, 0))
    window = Window(
        rewards, terminated, truncated, last, arrays["t"], arrays["values"],
        arrays["next_values"], none, none, none, np.zeros(count),
    )  # fmt: skip
    probe = Probe(window, arrays.get("scores"), arrays.get("entropy"))
    return identify(library([probe], gamma, lams), [arrays["gradient"]])


def missing(window_ends: Any) -> str:
    """What a file's window lacks, so that readings cannot be told apart."""
    lacks = [name for name in ("terminated", "truncated") if not window_ends[name].any()]
    return f"; it has no {' and no '.join(lacks)} row" * bool(lacks)


def audit(args: argparse.Namespace) -> int:
    """Print the report: 0 unbiased (or, of a file, named), 1 not."""
    if args.gamma is not None:
        check_range("--gamma", args.gamma, 0, 1)
    if args.what.endswith(".npz"):
        gamma = 0.99 if args.gamma is None else args.gamma
        named = of_file(args.what, gamma, tuple(sorted({*LAMBDAS, *args.lam})))
        if args.json:
            print(json.dumps(summary(named)))
            return int(not named.readings)
        print(named)
        print("\n".join(named.others()), end="\n" * (len(named.distinct) > 1))
        if len(named.distinct) > 1:
            print(f"  {len(named.distinct)} readings are equal on all of it"
                  f"{missing(read_npz(args.what))}")  # fmt: skip
        return int(not named.readings)
    if args.lam:
        raise ValueError("--lam: expected with a window.npz only: of a function any λ is found")
    lab = LABORATORIES[args.lab]()
    if args.gamma is not None:
        lab = with_gamma(lab, args.gamma)
    report = audited(args.what, lab)
    if args.json:
        print(json.dumps(summary(report.named) | {
            "verdict": report.verdict, "bias": report.bias, "across": report.across,
            "length": report.length, "cosine": report.cosine, "variance": report.variance,
            "after": report.after, "trend": [
                {one.told[1]: one.told[0]} | {name: getattr(one, name) for name in (
                    "windows", "bias", "radius", "length", "cosine", "cosine_radius")}
                for one in report.trend],
        }))  # fmt: skip
    else:
        print(report)
        if not report.named.readings:
            print(f"  asked at γ = {lab.gamma:g}: --gamma, if the estimator's own is another")
    return int(not report.unbiased)


def with_gamma(lab: Windows, gamma: float) -> Windows:
    """The laboratory with another discount."""
    if isinstance(lab, Plant):
        return replace(lab, lqr=replace(lab.lqr, gamma=gamma))
    assert isinstance(lab, Laboratory)
    return replace(lab, mdp=replace(lab.mdp, gamma=gamma))


def audited(name: str, lab: Windows) -> Report:
    """The report of module:function; how often it is asked is told on a terminal before it is."""
    bar: Any = None

    def told(done: int, of: int) -> None:
        nonlocal bar
        if bar is None:
            quiet = not sys.stderr.isatty()
            bar = progress.bar(of, " windows", quiet=quiet).__enter__()
        bar.update(done - bar.n)

    try:
        return run(estimator_of(name), lab, told=told)
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)


def summary(named: Named) -> dict[str, Any]:
    """For JSON."""
    return {"named": str(named), "readings": [str(x) for x in named.readings],
            "pitfalls": sorted(set(named.pitfalls)),
            "factor": named.factor, "entropy": named.entropy,
            "clipped": named.clipped if np.isfinite(named.clipped) else None,
            "residual": named.residual, "compared": named.compared}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """0 unbiased, 1 biased (or no name for a file), 2 refused."""
    parser = cli.Parser("minipg audit", "Which formula an estimator computes.", EXAMPLES)
    parser.add_argument("what", metavar="module:function | window.npz",
                        help="a function of a window that returns what it would ascend, or a "
                        "file with " + ", ".join(NEEDED))  # fmt: skip
    parser.add_argument("--lab", choices=LABORATORIES, default="lake",
                        help="of a function: where it is asked (%(default)s)")  # fmt: skip
    parser.add_argument(
        "--gamma",
        type=float,
        metavar="G",
        help="of a file (0.99), or of the laboratory in place of its own 0.9",
    )
    parser.add_argument("--lam", type=float, action="append", default=[], metavar="L",
                        help="of a file: a λ to be tried beside the usual ones; may be repeated"
                        )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    args = parser.parse_args(argv)
    return cli.run("minipg audit", lambda: audit(args))
