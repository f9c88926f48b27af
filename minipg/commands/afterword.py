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
    count = far = weak = 0
    most, entropies = 0.0, (0.0, 0.0)
    with progress.open(newline="") as file:
        for row in csv.DictReader(file):
            kl, entropy = float(row.get("kl", 0)), float(row.get("entropy", 0))
            entropies = (entropies[0] if count else entropy), entropy
            count, most = count + 1, max(most, kl)
            far += kl > FAR * delta
            weak += float(row.get("gradient_norm", 1)) < WEAK
    if far:
        found.append(f"KL reached {most:.3g}, above {FAR} δ in {far} of {count} iterations: "
                     f"--delta {delta / 10:g}, or trpo, which refuses such steps")  # fmt: skip
    first, last = entropies
    still = abs(last - first) < STILL < first
    if still and 2 * weak > count and not args.normalize_rewards:
        found.append(f"the policy has hardly moved: its entropy went from {first:.4g} to "
                     f"{last:.4g}, its gradient was below {WEAK} in {weak} of {count} iterations: "
                     "--normalize-rewards")  # fmt: skip
    return found
