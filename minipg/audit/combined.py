"""Every combination of the grammar's ingredients, and its numbers on a window.

Axes: L rows of a window, K formulas.
"""

from itertools import product

import numpy as np

from minipg.audit.endings import LAMBDAS, advantages
from minipg.audit.grammar import (
    NOTHING,
    Formula,
    Part,
    baselines,
    normalisations,
    reductions,
    returns,
)
from minipg.audit.window import Window
from minipg.validate import Array


def formulas(
    w: Window, gamma: float, lams: tuple[float, ...] = LAMBDAS, advantage: Array | None = None,
    named: bool = True,
) -> tuple[list[Formula], Array]:  # fmt: skip
    """Every reading of the grammar and its c (K, L) on the window, always in the same order.

    advantage (L,): the exact A^π of the rows, where a table knows it. named: whether their names
    are wanted (they are the same for every window), else the list is empty.
    """
    none = Part("", np.zeros(len(w.rewards)))
    kinds = [(x, b) for x in returns(w, gamma) for b in baselines(w, x.values)]
    kinds += [(x, none) for x in advantages(w, gamma, lams)]
    kinds += [(Part("A exact", advantage), none)] if advantage is not None else []
    ways = list(normalisations(w, np.array([x.values - b.values for x, b in kinds])))
    discounts = Part("", gamma**w.t), Part("γ^t dropped", np.ones(len(w.t)), (8,))
    weights = list(product(discounts, reductions(w)))
    each = np.array([d.values * f.values for d, f in weights])  # (10, L)
    psi = np.stack([way.values for way in ways], axis=1)  # (kinds, ways, L)
    c = psi[:, :, None] * each
    names = [_formula(x, b, way, d, f)
             for (x, b), way, (d, f) in product(kinds, ways, weights) if named]  # fmt: skip
    return [*names, *[NOTHING] * named], np.vstack([c.reshape(-1, len(w.rewards)), none.values])


def _formula(x: Part, b: Part, way: Part, d: Part, f: Part) -> Formula:
    """The ingredients' names and pitfalls."""
    if x.name in ("R", "R undiscounted"):  # of whole returns no γ^t is missing, but one too many
        d = Part("" if d.name else "γ^t in front of R", d.values)
    pitfalls = x.pitfalls + b.pitfalls + way.pitfalls + d.pitfalls + f.pitfalls
    return Formula(x.name, b.name, way.name, d.name, f.name, pitfalls)
