"""What the grammar's formulas say where resets are rows, or where they hide the true end.

Right code makes nothing of a reset row. Wrong code is the same formulas of a window seen wrongly.
Axes: L rows of a window, K formulas.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minipg.audit.combined import formulas
from minipg.audit.grammar import Formula
from minipg.audit.window import Window
from minipg.validate import Array


class Seen(NamedTuple):
    """A way to see a window: its words, their pitfalls, the window, and which rows it keeps."""

    words: str
    pitfalls: tuple[int, ...]
    window: Window
    kept: Array


def ways_to_see(w: Window) -> list[Seen]:
    """The right one first."""
    kept, data = ~w.reset, w.data()
    as_data = replace(w, reset=np.zeros_like(w.reset))
    returned = replace(data, next_values=data.seen_next_values)
    return [Seen("", (), data, kept),
            Seen("reset rows as data", (7,), as_data, np.ones_like(kept)),
            Seen("the next episode's first V after an end", (31,), returned, kept)]  # fmt: skip


def seen(
    one: Seen, gamma: float, lams: tuple[float, ...], advantage: Array | None, named: bool
) -> tuple[list[Formula], Array]:
    """Every reading of the window seen so, and its c (K, L) on all its rows; names if named."""
    own = None if advantage is None else advantage[one.kept]
    names, c = formulas(one.window, gamma, lams, own, named)
    whole = np.zeros((len(c), len(one.kept)))
    whole[:, one.kept] = c
    if not one.words:
        return names, whole
    return [f._replace(summed=f"{f.summed}, {one.words}", pitfalls=one.pitfalls + f.pitfalls)
            for f in names], whole  # fmt: skip
