"""What every formula of the grammar would say of given windows, as numbers to be compared.

Axes: L rows of a window, P parameters, K formulas, R numbers of a window that are compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minipg.audit.endings import LAMBDAS
from minipg.audit.grammar import Formula
from minipg.audit.language import Responses, formulas as language
from minipg.audit.resets import Seen, seen, ways_to_see
from minipg.audit.window import Window
from minipg.validate import Array, check_finite, check_shape, floats

MOST_ROWS = 512


class Probe(NamedTuple):
    """A window, or responses of a language model, and what a gradient on it may be made of.

    scores: ∇log π of each row (L, P), None where the derivative by each row's log π (L,) was
    asked for. entropy: the gradient (P,) of the mean entropy. advantage: the exact A^π (L,).
    ratio: by which every reading of a row is weighted, that of the importance of the rows so far.
    """

    window: Window | Responses
    scores: Array | None = None
    entropy: Array | None = None
    advantage: Array | None = None
    ratio: Array | None = None

    @property
    def rows(self) -> int:
        """L."""
        return len(self.window.rewards) if isinstance(self.window, Window) else self.window.rows


class Readings(NamedTuple):
    """Of one window: every formula's numbers x (K, R), ∇entropy (R,), and the basis (P, R) of what
    they may be, None where that is each row's own number."""

    x: Array
    entropy: Array
    basis: Array | None


class Library(NamedTuple):
    """The grammar's formulas and their readings of each window; of which windows, and γ."""

    names: list[Formula]
    windows: list[Readings]
    probes: Sequence[Probe]
    gamma: float


def library(probes: Sequence[Probe], gamma: float, lams: tuple[float, ...] = LAMBDAS) -> Library:
    """What every formula would say of these windows; ValueError for shapes that do not fit.

    Where a window has resets, or an end that was hidden by what was returned, also what code says
    that does not know it; of such readings those that are right on all windows are left out.
    """
    for probe in probes:
        if probe.rows > MOST_ROWS:
            raise ValueError(f"window: expected at most {MOST_ROWS} rows, got {probe.rows}")
    if len({isinstance(probe.window, Window) for probe in probes}) > 1:
        raise ValueError("probes: expected windows alone, or responses alone")
    if all(isinstance(probe.window, Window) for probe in probes):
        names, cs = _of_windows(probes, gamma, lams)
    else:
        every = [language(probe.window) for probe in probes if isinstance(probe.window, Responses)]
        names, cs = every[0][0], [c for _, c in every]
    windows = [projected(probe, c) for probe, c in zip(probes, cs, strict=True)]
    return Library(names, windows, probes, gamma)


def _of_windows(
    probes: Sequence[Probe], gamma: float, lams: tuple[float, ...]
) -> tuple[list[Formula], list[Array]]:
    """The names, and of each window c (K, L)."""
    ways = [ways_to_see(p.window) for p in probes if isinstance(p.window, Window)]
    names: list[Formula] = []
    cs: list[list[Array]] = [[] for _ in probes]
    for way in zip(*ways, strict=True):  # the same of every window
        right = way[0].words == ""
        if not right and all(_alike(one, own[0]) for one, own in zip(way, ways, strict=True)):
            continue
        said = [seen(one, gamma, lams, p.advantage, one is way[0])
                for one, p in zip(way, probes, strict=True)]  # fmt: skip
        differs = np.ones(len(said[0][0]), bool)
        if not right:
            differs = np.any([(c != own[0]).any(1) for (_, c), own in zip(said, cs, strict=True)],
                             axis=0)  # fmt: skip
        names += [name for name, kept in zip(said[0][0], differs, strict=True) if kept]
        for own, (_, c) in zip(cs, said, strict=True):
            own.append(c if right else c[differs])
    return names, [own[0] if len(own) == 1 else np.concatenate(own) for own in cs]


def _alike(one: Seen, other: Seen) -> bool:
    """Whether the two see the same."""
    same_rows = len(one.window.rewards) == len(other.window.rewards)
    return same_rows and np.array_equal(one.window.next_values, other.window.next_values)


def projected(probe: Probe, c: Array) -> Readings:
    """c (K, L) in what a gradient on the window may be made of."""
    if probe.ratio is not None:
        c = c * probe.ratio
    if probe.scores is None:
        return Readings(c, np.zeros(probe.rows), None)
    scores = floats(probe.scores).astype(np.float64)
    check_shape("scores", scores, (probe.rows, None))
    check_finite("scores", scores)
    h = np.zeros(scores.shape[1]) if probe.entropy is None else floats(probe.entropy)
    check_shape("entropy", h, scores.shape[1:])
    basis, r = np.linalg.qr(np.vstack([scores, h]).T)
    return Readings(c @ r[:, :-1].T, r[:, -1], basis)
