"""Another order of the parameters than ours, guessed from gradients: transposed, biases first, …

A gradient on a window is made of its rows' scores and ∇entropy, so it lies in what they span; in
another order it does not. Axes: P parameters, Q ≥ P numbers that an estimator returns.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from minipg.audit.readings import Readings
from minipg.policies.policy import Policy
from minipg.validate import Array

INSIDE = 1e-5  # relative: float32's rounding, far below what another order leaves


class Mapping(NamedTuple):
    """Ours are their numbers [places] (P,), after what the words say was done; empty: as it is."""

    words: str
    places: Array


def mappings(policy: Policy, count: int) -> Iterator[Mapping]:
    """Those that are tried for `count` numbers, the simplest first."""
    size = policy.num_params
    blocks = {name: x.astype(int) for name, x in policy.named(np.arange(float(size))).items()}
    weights = [name for name, x in blocks.items() if x.ndim == 2]
    orders: dict[str, Callable[[str], tuple[object, ...]]] = {
        "": lambda name: (),
        "moving all biases from the front behind their weights": lambda name: (name[0] != "b",),
        "moving each bias behind its weights": lambda name: (
            name == "log_std", name[1:], name[0] != "b"),
        "moving all biases from the end behind their weights": lambda name: (
            name == "log_std", name[0] == "b"),
        "moving log σ from the front to the end": lambda name: (name != "log_std",),
    }  # fmt: skip
    extra = count - size
    for start in range(extra + 1):
        for many in range(len(weights) + 1):
            for turned in combinations(weights, many):
                for order, key in orders.items():
                    words = [f"transposing {' and '.join(turned)}"] if turned else []
                    words += [order] if order else []
                    words += [_left_out(start, extra)] if extra else []
                    theirs = [blocks[name].T.ravel() if name in turned else blocks[name].ravel()
                              for name in sorted(blocks, key=key)]  # fmt: skip
                    index = start + np.argsort(np.concatenate(theirs))
                    yield Mapping(" and ".join(words), index)


def _left_out(start: int, extra: int) -> str:
    """Which numbers were no policy's."""
    parts = [f"the {where} {many}" for where, many in (("first", start), ("last", extra - start))
             if many]  # fmt: skip
    return f"leaving out {' and '.join(parts)} numbers (a critic's?)"


def guess(
    windows: Sequence[Readings], gradients: Sequence[Array], policy: Policy
) -> Mapping | None:
    """The first by which every gradient (Q,) is made of its window's scores; None where none is."""
    for mapping in mappings(policy, len(gradients[0])):
        left = size = 0.0
        for one, gradient in zip(windows, gradients, strict=True):
            g = gradient[mapping.places]
            basis = np.eye(len(g)) if one.basis is None else one.basis
            left += float(((g - basis @ (basis.T @ g)) ** 2).sum())
            size += float(g @ g)
        if size and left <= INSIDE**2 * size:
            return mapping
    return None
