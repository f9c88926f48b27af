"""What is said of a run: figures with as many digits as their standard error deserves."""

import argparse
import math
from typing import Any


def decimals(error: float) -> int:
    """Of an error's first digit, where that is a 1 of its second: 0.04 → 2, 0.14 → 2, 140 → −1."""
    place = -math.floor(math.log10(error))
    return place + (error * 10.0**place < 1.95)


def rounded(x: float, error: float) -> str:
    """x to the digits of its error; where there is none (0, NaN) to six."""
    if not (math.isfinite(x) and math.isfinite(error) and error > 0):
        return f"{x:.6g}"
    place = decimals(error)
    return f"{round(x, place):.{max(place, 0)}f}"


def plus_minus(mean: float, error: float) -> str:
    """0.73 ± 0.04, 2780 ± 120, 500 ± 0."""
    return f"{rounded(mean, error)} ± {rounded(error, error)}"


def four_digits(x: float) -> str:
    """0.7301, −916, 12346: at least as many, and never an exponent where x is large."""
    return f"{x:.4g}" if abs(x) < 1e4 else f"{x:.0f}"


def verdict(threshold: float | None, mean: float) -> str:
    """Whether the mean is at the environment's threshold."""
    if threshold is None:
        return "none"
    return f"{threshold:g}, {'reached' if mean >= threshold else 'not reached'}"


def summary(args: argparse.Namespace, result: dict[str, Any]) -> str:
    """The lines at the end of a training."""
    text = (f"{args.algorithm} on {args.env}, seed {args.seed}: {result['env_steps']} steps in "
            f"{result['seconds']:.1f} s of training (without imports and evaluation)")  # fmt: skip
    if args.until is not None:
        stopped = result["env_steps"] < args.steps
        text += f"; --until {args.until:g} {'reached' if stopped else 'not reached before the end'}"
    if not result["episodes"]:
        return f"{text}\nno evaluation"
    mean, exact = result["mean_return"], result["exact_return"]
    exactly = f"; exactly {exact:.6g}, by the environment's table" if exact is not None else ""
    return (f"{text}\nmean return {plus_minus(mean, result['stderr'])} (standard error) of "
            f"{result['episodes']} fresh episodes{exactly}; threshold "
            f"{verdict(result['threshold'], mean if exact is None else exact)}")  # fmt: skip
