"""What the record of a run shows to have gone wrong, and which option helps."""

import argparse
import csv
from pathlib import Path
from typing import Any

FAR = 10  # times δ: no rounding, and no error of the second order
STILL, WEAK = 0.01, 0.01  # nats of entropy, and a gradient's norm, where a policy does not move


def remarks(args: argparse.Namespace, settings: Any, progress: Path) -> list[str]:
    """Lines for the end of a training, read row by row from its progress.csv; often none."""
    delta, found = getattr(settings, "delta", float("inf")), []
    count = far = weak = dead = 0
    most, entropies = 0.0, (0.0, 0.0)
    with progress.open(newline="") as file:
        for row in csv.DictReader(file):
            if not count and (played := int(row["env_steps"])) > args.steps:
                found.append(f"the first iteration took {played} steps, more than --steps "
                             f"{args.steps}: fewer games or steps an iteration")  # fmt: skip
            kl, entropy = float(row.get("kl", 0)), float(row.get("entropy", 0))
            entropies = (entropies[0] if count else entropy), entropy
            count, most = count + 1, max(most, kl)
            far += kl > FAR * delta
            gradient = float(row.get("gradient_norm", 1))
            weak += gradient < WEAK
            dead = dead + 1 if gradient == 0 == entropy else 0
    if far:
        rate = args.algorithm == "npg" and settings.learning_rate  # not 0: δ is not used
        shorter = f"--learning-rate {rate / 10:g}" if rate else f"--delta {delta / 10:g}"
        found.append(f"KL reached {most:.3g}, above {FAR} δ in {far} of {count} iterations: "
                     f"{shorter}, or trpo, which refuses such steps")  # fmt: skip
    if dead:
        found.append(f"the policy draws one action only, its gradient is 0 in the last {dead} of "
                     f"{count} iterations: no more is learned; shorter steps?")  # fmt: skip
    first, last = entropies
    still = abs(last - first) < STILL < first
    if still and 2 * weak > count and not args.normalize_rewards:
        found.append(f"the policy has hardly moved: its entropy went from {first:.4g} to "
                     f"{last:.4g}, its gradient was below {WEAK} in {weak} of {count} iterations: "
                     "--normalize-rewards")  # fmt: skip
    return found
