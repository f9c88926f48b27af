"""Sums backwards in time, all steps at once: in log₂ T passes over (T, B), not in T steps.

Nothing leaks across an episode's end, whatever stands there: what is out of reach is left out.
"""

from collections.abc import Callable

import numpy as np

from minipg.validate import Array, all_finite, product


def backward_recursion(x: Array, rate: float | Array, going_on: Array) -> Array:
    """y_t = x_t + rate · going_on_t · y_{t+1} (T, B), 0 after the window."""
    with np.errstate(over="ignore", invalid="ignore"):
        y = _doubled(x, rate * going_on, np.multiply)
        # 0 · NaN is NaN: where something is not finite, what is out of reach is left out.
        return y if all_finite(y) else _doubled(x, rate * going_on, product)


def _doubled(x: Array, reach: Array, times: Callable[[Array, Array], Array]) -> Array:
    """The recursion's y (T, B) in log₂ T passes.

    Before a pass y_t holds its first n terms and reach_t = Π_{i<n} rate · going_on_{t+i}, so that
    y_t + reach_t y_{t+n} are the first 2n.
    """
    y, n = np.array(x, np.result_type(x, 1.0)), 1
    while n < len(y):
        y[:-n] += times(reach[:-n], y[n:])
        reach[:-n] = times(reach[:-n], reach[n:])
        n *= 2
    return y


def first_terms(x: Array, rate: float | Array, going_on: Array, n: int) -> Array:
    """The first n terms of backward_recursion's sum (T, B), and no others: in log₂ n passes.

    A block holds the first 2ᵏ terms; where n has that bit, the block `terms` steps later is
    appended to the terms summed so far.
    """
    block = np.array(x, np.result_type(x, 1.0))
    block_reach = np.broadcast_to(rate * going_on, block.shape)
    total, reach, terms, size = np.zeros_like(block), np.ones_like(block), 0, 1
    while True:
        if n & size:
            total += product(reach, steps_later(block, terms))
            reach, terms = reach * steps_later(block_reach, terms), terms + size
        if 2 * size > n:
            return total
        block += product(block_reach, steps_later(block, size))
        block_reach, size = block_reach * steps_later(block_reach, size), 2 * size


def steps_later(x: Array, n: int) -> Array:
    """x[t+n] (T, B); 0 where the window has ended before."""
    later = np.zeros_like(x)
    later[: max(0, len(x) - n)] = x[n:]
    return later
