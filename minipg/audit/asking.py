"""Asking an estimator: what it returns is checked, and what it is, a gradient or a row's numbers.

Axes: L rows of a window, P parameters, N windows.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from minipg.audit.window import Window
from minipg.audit.windows import Windows
from minipg.validate import Array, array, check_finite

Estimator = Callable[[Window], Array]
AGREE = 1e-3  # of its length, between a truth in own parameters and the same by their scores


@dataclass(frozen=True)
class Own:
    """Parameters of the estimator's own: the truth in them (P,), and what maps a window to the
    scores ∇log π (L, P) and to the gradient (P,) of the mean entropy over its rows.

    truth is the gradient of Σ lab.logit_truth(s, a) · logit(s)_a through one's own network
    (lab.head_truth at lab.points, where actions are continuous).
    """

    truth: Array
    scores: Callable[[Window], Array]
    entropy: Callable[[Window], Array]


def checked(own: Own, lab: Windows) -> Own:
    """The same; ValueError where truth and scores are not of the same parameters."""
    truth, by_scores = array(own.truth), lab.truth_by(own.scores)
    if truth.shape == by_scores.shape:
        off = float(
            np.linalg.norm(truth - by_scores) / max(float(np.linalg.norm(by_scores)), 1e-300)
        )
        if off <= AGREE:
            return own
        got = f"one off by {off:.2g} of its length"
    else:
        got = f"shape {truth.shape}, where scores have {by_scores.shape}"
    raise ValueError(
        f"own.truth: expected the gradient in the parameters of own.scores, got {got}: both "
        "through the same network, in the same order"
    )


@dataclass(frozen=True)
class Asked:
    """An estimator and how its answers are read.

    of_rows: it returns a number a row, not a gradient. index (P,): which of the numbers of its
    gradient are ours, None for all in their order.
    """

    estimator: Estimator
    own: Own
    of_rows: bool
    index: Array | None = None

    def raw(self, window: Window) -> Array:
        """What it says of the window, as it says it, checked."""
        got = _finite(self.estimator(deepcopy(window)))  # which it may change
        expected = window.rewards.shape if self.of_rows else None
        if got.ndim != 1 or (expected is not None and got.shape != expected):
            raise _shape(self.own, window, got)
        return got

    def gradient(self, window: Window, raw: Array) -> Array:
        """The gradient (P,) that its answer is."""
        if self.of_rows:
            return raw @ array(self.own.scores(window))
        return raw if self.index is None else raw[self.index]


def ask(estimator: Estimator, own: Own, lab: Windows) -> Asked:
    """By what it returns for windows of two lengths; ValueError for a shape that is neither.

    A gradient may be longer than P: which numbers are a policy's is guessed later.
    """
    windows = lab.window(0), lab.other().window(0)
    got = [_finite(estimator(deepcopy(w))) for w in windows]
    if all(x.shape == w.rewards.shape for x, w in zip(got, windows, strict=True)):
        return Asked(estimator, own, True)
    for x, w in zip(got, windows, strict=True):
        if x.ndim != 1 or len(x) < len(array(own.truth)) or x.shape != got[0].shape:
            raise _shape(own, w, x)
    return Asked(estimator, own, False)


def _finite(got: Any) -> Array:
    x = array(got)
    check_finite("estimate", x)
    return x.astype(np.float64)


def _shape(own: Own, window: Window, got: Array) -> ValueError:
    return ValueError(f"estimate: expected shape {np.shape(own.truth)}, or {window.rewards.shape} "
                      f"of a row each, got {got.shape}")  # fmt: skip
