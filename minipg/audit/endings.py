"""What is summed with a critic: GAE and N steps, and the endings that published code gives them.

Axis: L rows of a window.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minipg.audit.grammar import Part
from minipg.audit.window import Window
from minipg.estimators.returns import gae, n_step_advantage
from minipg.validate import Array

LAMBDAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0)


def _later(x: Array) -> Array:
    """x of the next row, the last one's again."""
    return np.append(x[1:], x[-1:])


def _before(x: Array) -> Array:
    """x of the row before (L,), False for the first."""
    return np.append(False, x[:-1])


class Delta(NamedTuple):
    """A way to write GAE: its name with {} for λ, δ and what cuts (L,), what is added, pitfalls."""

    name: str
    values: Array
    cuts: Array
    added: Array | float = 0.0
    pitfalls: tuple[int, ...] = ()

    def part(self, gamma: float, lam: float) -> Part:
        """It with λ."""
        x = gae(self.values, self.cuts, gamma, lam) + self.added
        return Part(self.name.format(f"{lam:g}"), x, self.pitfalls)


def deltas(w: Window, gamma: float) -> list[Delta]:
    """With the right endings first, then with those of published code."""
    v, v2, end, last = w.values, w.next_values, w.terminated, w.last
    cuts, on_stream = w.cuts, np.where(last, v2, _later(v))
    done = w.ended

    def delta(after: Array, g: float = gamma) -> Array:
        return w.rewards + g * after - v

    right = delta(np.where(end, 0, v2))
    endings = {
        "": (right, cuts, ()),
        "truncation treated as termination": (delta(np.where(done, 0, v2)), cuts, (1,)),
        "truncation does not cut": (delta(np.where(end, 0, on_stream)), end | last, (2, 31)),
        "never cut": (delta(np.where(end, 0, v2)), last, (2,)),
        "terminals bootstrapped": (delta(v2), cuts, (3,)),
        "a terminal on the limit bootstrapped":
            (delta(np.where(end & ~w.truncated, 0, v2)), cuts, (3, 32)),
        "a terminal at the window's end bootstrapped":
            (delta(np.where(end & ~last, 0, v2)), cuts, (3, 32)),
        "the next row's V": (delta(np.where(end, 0, on_stream)), cuts, (4, 31)),
        "V of the state before the action": (delta(np.where(end, 0, v)), cuts, (4,)),
        "done of the next row": (delta(np.where(_later(end), 0, v2)), _later(done) | last, (5,)),
        "done of the next row, truncation treated as termination":
            (delta(np.where(_later(done), 0, v2)), _later(done) | last, (1, 5)),
        "done of the row before":
            (delta(np.where(_before(end), 0, v2)), _before(done) | last, (5,)),
        "done of the row before, truncation treated as termination":
            (delta(np.where(_before(done), 0, v2)), _before(done) | last, (1, 5)),
        "the window's last value twice":
            (delta(np.where(end, 0, v2) * (1 + (last & ~end))), cuts, (6,)),
        "nothing bootstrapped at the window's end":
            (delta(np.where(end | (last & ~done), 0, v2)), cuts, ()),
    }  # fmt: skip
    return [
        *(Delta(_joined("GAE λ = {}", name), d, ends, 0.0, pitfalls)
          for name, (d, ends, pitfalls) in endings.items()),
        Delta("target of λ = {}, no V(s) subtracted", right, cuts, v),
        Delta("GAE λ = {}, γ missing in δ", delta(np.where(end, 0, v2), 1.0), cuts),
    ]  # fmt: skip


def _joined(name: str, detail: str) -> str:
    return f"{name}, {detail}" if detail else name


def advantages(w: Window, gamma: float, lams: tuple[float, ...]) -> Iterator[Part]:
    """GAE and N steps from a critic."""
    ways = deltas(w, gamma)
    for lam in lams:
        yield from (way.part(gamma, lam) for way in ways)
    for n in range(2, 6):
        yield Part(f"{n} steps", n_step_advantage(ways[0].values, w.cuts, gamma, n))
