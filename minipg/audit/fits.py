"""What may stand beside a formula: a factor, ∇entropy, a norm to which each window is shortened.

Each says of every formula how far it is from the gradients at its best.
Axes: K formulas, R numbers of a window that are compared.
"""

from collections.abc import Callable

import numpy as np

from minipg.audit.readings import Readings
from minipg.validate import Array

CLIPPED = 1e-4  # relative: norms so near to the largest were shortened to it
Fits = tuple[Array, Array, Array, float]  # squared residual, factor, ∇entropy's (K,); clip
Fit = Callable[[list[Readings], list[Array]], Fits]


def plain(windows: list[Readings], ys: list[Array]) -> Fits:
    """As it is."""
    left = sum(((w.x - y) ** 2).sum(1) for w, y in zip(windows, ys, strict=True))
    return np.asarray(left), np.ones(len(windows[0].x)), np.zeros(len(windows[0].x)), np.inf


def _joined(windows: list[Readings], ys: list[Array]) -> tuple[Array, Array, Array]:
    """x (K, ΣR), ∇entropy and the gradient (ΣR,) of all windows."""
    x, h = np.hstack([w.x for w in windows]), np.concatenate([w.entropy for w in windows])
    return x, h, np.concatenate(ys)


def with_entropy(windows: list[Readings], ys: list[Array]) -> Fits:
    """With the best coefficient of ∇entropy."""
    x, h, y = _joined(windows, ys)
    hh = float(h @ h)
    c = (h @ y - x @ h) / hh if hh else np.zeros(len(x))
    return ((x + np.outer(c, h) - y) ** 2).sum(1), np.ones(len(x)), c, np.inf


def times(windows: list[Readings], ys: list[Array]) -> Fits:
    """With the best factor."""
    x, _, y = _joined(windows, ys)
    xx = (x**2).sum(1)
    factor = np.divide(x @ y, xx, out=np.zeros(len(x)), where=xx > 0)
    left = ((factor[:, None] * x - y) ** 2).sum(1)
    return left, factor, np.zeros(len(x)), np.inf


def fitted(windows: list[Readings], ys: list[Array]) -> Fits:
    """With the best factor and coefficient of ∇entropy."""
    x, h, y = _joined(windows, ys)
    hh, hy = float(h @ h), float(h @ y)
    across = x - np.outer(x @ h / hh, h) if hh else x  # what of x is not ∇entropy
    rest = y - hy / hh * h if hh else y
    xx = (across**2).sum(1)
    factor = np.divide(across @ rest, xx, out=np.zeros(len(x)), where=xx > 1e-24 * (x**2).sum(1))
    left = ((rest - factor[:, None] * across) ** 2).sum(1)
    return left, factor, (hy - factor * (x @ h)) / hh if hh else np.zeros(len(x)), np.inf


def _share(windows: list[Readings], ys: list[Array]) -> Array:
    """c (K,) where each window is some multiple of x + c ∇entropy.

    Each window's own best multiples of x and ∇entropy say it, b = c a. Of x that is rounding alone
    (a normalised ψ where all are equal) nothing can be said.
    """
    above, below = np.zeros((2, len(windows[0].x)))
    rounding = 1e-12 * np.max([(x**2).sum(1) for x, *_ in windows], axis=0)
    for (x, h, _), y in zip(windows, ys, strict=True):
        xx, xh, hh, xy, hy = (x**2).sum(1), x @ h, float(h @ h), x @ y, float(h @ y)
        det = xx * hh - xh**2
        sure = (det > 1e-6 * xx * hh) & (xx > rounding)  # nor of x along ∇entropy
        a = np.divide(xy * hh - xh * hy, det, out=np.zeros(len(x)), where=sure)
        b = np.divide(xx * hy - xh * xy, det, out=np.zeros(len(x)), where=sure)
        apart = np.divide(det, xx, out=np.zeros(len(x)), where=sure)  # how far x is not ∇entropy
        above, below = above + apart * a * b, below + apart * a**2
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def _multiples(
    windows: list[Readings], ys: list[Array], c: Array
) -> tuple[list[Array], list[Array], list[Array]]:
    """Of each window x + c ∇entropy (K, R), its best multiple (K,), and whether that is told: not
    where only rounding is left of it."""
    wholes = [x + c[:, None] * h for x, h, _ in windows]
    sizes = [(whole**2).sum(1) for whole in wholes]
    rounding = 1e-12 * np.max(sizes, axis=0)
    told = [size > rounding for size in sizes]
    factors = [np.divide(whole @ y, size, out=np.zeros(len(c)), where=there)
               for whole, size, there, y in zip(wholes, sizes, told, ys, strict=True)]  # fmt: skip
    return wholes, factors, told


def clipped(windows: list[Readings], ys: list[Array]) -> Fits:
    """A multiple of x + c ∇entropy, shortened to the largest norm that was seen if it is longer.

    Which multiple, the windows say that are not, whose own is the largest; where there is none, its
    sign alone is known. By the norm, or as PyTorch does by the norm + 1e-6.
    """
    norms = [float(np.linalg.norm(y)) for y in ys]
    c = _share(windows, ys)
    wholes, factors, _ = _multiples(windows, ys, c)
    largest = np.argmax(np.abs(factors), axis=0)
    factor = np.take_along_axis(np.array(factors), largest[None], 0)[0]
    scaled = [factor[:, None] * whole for whole in wholes]
    least = np.full(len(c), np.inf)
    for more in (0.0, 1e-6):
        lengths = [np.linalg.norm(x, axis=1) + max(more, 1e-300) for x in scaled]
        most = np.max([norm * length / np.maximum(length - more, 1e-300)
                       for norm, length in zip(norms, lengths, strict=True)], axis=0)  # fmt: skip
        left = sum(((x * np.minimum(1, most / length)[:, None] - y) ** 2).sum(1)
                   for x, length, y in zip(scaled, lengths, ys, strict=True))  # fmt: skip
        least = np.minimum(least, left)
    return least, factor, c * factor, max(norms)


def clipped_with_others(windows: list[Readings], ys: list[Array]) -> Fits:
    """x + c ∇entropy, each window shortened by a factor of its own.

    The norm is of other parameters too, a critic's, which nobody showed. The largest factor is
    told, all of one sign; a formula is itself where some window was not clipped. Where all have
    one norm it is that.
    """
    c, (left, most) = _share(windows, ys), np.zeros((2, len(windows[0].x)))
    if len(windows) < 2 or any(w.basis is None for w in windows):  # any factor would do
        return left + np.inf, most, c, np.nan
    wholes, factors, told = _multiples(windows, ys, c)
    sign = np.sign(np.sum(factors, axis=0))
    for whole, factor, there, y in zip(wholes, factors, told, ys, strict=True):
        off = ((whole * factor[:, None] - y) ** 2).sum(1)
        left += np.where((factor * sign > 0) | ~there, off, np.inf)
        most = np.maximum(most, factor * sign)
    norms = [float(np.linalg.norm(y)) for y in ys]
    clip = max(norms) if min(norms) >= (1 - CLIPPED) * max(norms) else np.nan
    return left, sign * most, c * sign * most, clip


FITS = plain, with_entropy, times, fitted, clipped, clipped_with_others
