"""The entries of a table: what they are, merged and checked.

Axes: S states, A actions, K entries of the table.
"""

from typing import NamedTuple

import numpy as np

from minipg.validate import Array, array, check_shape, finite_array, reals

TOLERANCE = 1e-6  # of a sum of probabilities; float32 tables are off by 1e-7


class Entries(NamedTuple):
    """Of each entry (K,): row s·A + a, s′, its probability and reward, and whether it ends."""

    row: Array
    next_state: Array
    prob: Array
    reward: Array
    terminated: Array


def cleaned(prob: Array) -> Array:
    """Probabilities without what rounding left below 0: 1 − 0.9 − 0.1 is −2.8e-17."""
    return np.where((prob.real < 0) & (prob.real >= -TOLERANCE), 0.0, prob)


def merged(entries: Entries) -> Entries:
    """Sorted by row, alike ones added, those of no probability dropped, rows summing to 1."""
    shape = array(entries.row).shape[:1]
    for name, values in entries._asdict().items():
        check_shape(name, array(values), shape)
        reals(name, values)
    if any(array(x).dtype.kind not in "biu" for x in (entries.row, entries.next_state)):
        raise ValueError("row, next_state: expected whole numbers")
    prob = cleaned(entries.prob)
    used = prob != 0
    keys = [x[used] for x in (entries.reward, entries.terminated, entries.next_state, entries.row)]
    order = np.lexsort(keys)
    reward, terminated, next_state, row = keys = [x[order] for x in keys]
    new = np.ones(len(row), bool)
    new[1:] = np.any([x[1:] != x[:-1] for x in keys], axis=0)
    total = np.bincount(np.cumsum(new) - 1, prob[used][order], new.sum())
    row, sums = row[new], np.bincount(row[new], total)
    scale = np.where(np.abs(sums - 1) <= TOLERANCE, sums, 1.0)  # to sum to 1 exactly
    return Entries(row, next_state[new], total / scale[row], reward[new], terminated[new])


def checked(entries: Entries, num_states: int, num_actions: int) -> Entries:
    """Copies of those of such a table; ValueError where they are none."""
    rows, shape = num_states * num_actions, array(entries.row).shape[:1]
    own = Entries(
        _places("row", entries.row, shape, rows),
        _places("next_state", entries.next_state, shape, num_states),
        finite_array("prob", entries.prob, shape),
        finite_array("reward", entries.reward, shape),
        np.array(entries.terminated),
    )
    check_shape("terminated", own.terminated, shape)
    if own.terminated.dtype != np.bool_:
        raise ValueError(f"terminated: expected booleans, got dtype {own.terminated.dtype}")
    if own.prob.min(initial=0) < 0:
        raise ValueError(f"transition table: expected probabilities, got {own.prob.min()}")
    sums = np.bincount(own.row, own.prob, rows)
    worst = int(np.abs(sums - 1).argmax())
    if not abs(sums[worst] - 1) <= TOLERANCE:
        s, a = divmod(worst, num_actions)
        raise ValueError(
            f"transition table: expected rows that sum to 1, that of state {s}, action {a} "
            f"sums to {sums[worst]:.12g}"
        )
    return own


def _places(name: str, value: Array, shape: tuple[int, ...], count: int) -> Array:
    """A copy of `value`, whole numbers from 0 to below `count`; else ValueError."""
    index = np.array(value)
    check_shape(name, index, shape)
    if index.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected whole numbers, got dtype {index.dtype}")
    if index.size and not (index.min() >= 0 and index.max() < count):
        raise ValueError(f"{name}: expected 0 … {count - 1}, got {index.min()} … {index.max()}")
    return index


def checked_start(start: Array, num_states: int | None = None) -> Array:
    """A copy of p(s_0) (S,); ValueError where it is none."""
    start = cleaned(finite_array("start", start, (num_states,)))
    if start.min(initial=0) < 0:
        raise ValueError(f"start: expected probabilities, got {start.min()}")
    total = start.sum()
    if not abs(total - 1) <= TOLERANCE:
        raise ValueError(f"start: expected a sum of 1, got {total:.12g}")
    return start / total if abs(total - 1) > 1e-12 else start  # float32's, not float64's rounding
