"""Sums over samples, fast: in blocks that stay in the cache, features first.

Axes: N or M samples; features first is (H, M), so that a layer is one product of matrices.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np

from minipg.validate import Array

BLOCK = 1 << 18  # bytes of a layer's outputs that stay in the cache


def block_size(width: int, itemsize: int) -> int:
    """How many samples of `width` numbers, one at least, are few enough for the cache."""
    return max(1, BLOCK // (width * itemsize))


def blocks(count: int, size: int) -> list[slice]:
    """`count` samples (of 0 too) in parts of `size` each."""
    return [slice(i, i + size) for i in range(0, max(1, count), size)]


def sum_in_blocks(of: Callable[..., Array], parts: list[slice], *samples: Array) -> Array:
    """of(samples) as Σ of(block of the samples), for an `of` that sums over its samples."""
    return reduce(np.add, (of(*(x[part] for x in samples)) for part in parts))


def sum_of_products(h: Array, delta: Array, out: Array) -> None:
    """out (I, O, B) = Σ_n h_n δ_nᵀ of each of B groups of samples; h (I, B·N), δ (O, B·N).

    One product of matrices a group; of one group, or of groups of one sample, a cheaper call.
    """
    *_, count = out.shape
    if count == 1:
        np.matmul(h, delta.T, out=out[..., 0])
    elif count == h.shape[1]:
        np.multiply(h[:, None], delta, out=out)
    else:
        h, delta = (a.reshape(len(a), count, -1).swapaxes(0, 1) for a in (h, delta))
        np.matmul(h, delta.swapaxes(1, 2), out=np.moveaxis(out, -1, 0))


def samples_first(y: Array, leading: tuple[int, ...]) -> Array:
    """(*leading, K) of y (K, M), a view."""
    return y.T.reshape(*leading, len(y))
