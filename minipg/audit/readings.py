"""What every formula of the grammar would say of given windows, as numbers to be compared.

Axes: L rows of a window, P parameters, K formulas, R numbers of a window that are compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minipg.audit.grammar import LAMBDAS, Formula, formulas
from minipg.audit.language import Responses, formulas as language
from minipg.audit.window import Window
from minipg.validate import Array, check_finite, check_shape, floats

MOST_ROWS = 512


class Probe(NamedTuple):
    """A window, or responses of a language model, and what a gradient on it may be made of.

    scores: ∇log π of each row (L, P), None where the derivative by each row's log π (L,) was
    asked for. entropy: the gradient (P,) of the mean entropy. advantage: the exact A^π (L,).
    """

    window: Window | Responses
    scores: Array | None = None
    entropy: Array | None = None
    advantage: Array | None = None


class Readings(NamedTuple):
    """Of one window: every formula's numbers x (K, R), ∇entropy (R,), and the basis (P, R) of what
    they may be, None where that is each row's own number."""

    x: Array
    entropy: Array
    basis: Array | None


class Library(NamedTuple):
    """The grammar's formulas and their readings of each window."""

    names: list[Formula]
    windows: list[Readings]


def library(probes: Sequence[Probe], gamma: float, lams: tuple[float, ...] = LAMBDAS) -> Library:
    """What every formula would say of these windows; ValueError for shapes that do not fit."""
    names: list[Formula] = []
    windows = []
    for probe in probes:
        w = probe.window
        count = len(w.rewards) if isinstance(w, Window) else w.rows
        if count > MOST_ROWS:
            raise ValueError(f"window: expected at most {MOST_ROWS} rows, got {count}")
        own = formulas(w, gamma, lams, probe.advantage) if isinstance(w, Window) else language(w)
        if names and names != own[0]:
            raise ValueError("probes: expected windows alone, or responses alone")
        names, c = own
        if probe.scores is None:
            windows.append(Readings(c, np.zeros(count), None))
            continue
        scores = floats(probe.scores).astype(np.float64)
        check_shape("scores", scores, (count, None))
        check_finite("scores", scores)
        h = np.zeros(scores.shape[1]) if probe.entropy is None else floats(probe.entropy)
        check_shape("entropy", h, scores.shape[1:])
        basis, r = np.linalg.qr(np.vstack([scores, h]).T)
        windows.append(Readings(c @ r[:, :-1].T, r[:, -1], basis))
    return Library(names, windows)
