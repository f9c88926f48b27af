"""What the record of a run shows to have gone wrong, and which option helps."""

import argparse
from typing import Any

import numpy as np

from minipg.validate import Array

FAR = 10  # times δ: no rounding, and no error of the second order
STILL, WEAK = 0.01, 0.01  # nats of entropy, and a gradient's norm, where a policy does not move


def remarks(args: argparse.Namespace, settings: Any, columns: dict[str, Array]) -> list[str]:
    """Lines for the end of a training, of the columns of its progress.csv; often none."""
    found, delta = [], getattr(settings, "delta", None)
    if delta is not None and (far := columns["kl"] > FAR * delta).any():
        found.append(
            f"KL reached {columns['kl'].max():.3g}, above {FAR} δ in {far.sum()} of {len(far)} "
            f"iterations: --delta {delta / 10:g}, or trpo, which refuses such steps"
        )
    if "entropy" in columns and not args.normalize_rewards:
        first, last = columns["entropy"][[0, -1]]
        norm = float(np.median(columns["gradient_norm"]))
        if abs(last - first) < STILL and first > STILL and norm < WEAK:
            found.append(
                f"the policy has hardly moved: its entropy went from {first:.4g} to {last:.4g}, "
                f"the median norm of its gradient is {norm:.2g}: --normalize-rewards"
            )
    return found
