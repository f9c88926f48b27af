"""Which formula a stranger's numbers are: every reading of the grammar, compared by values.

Axes: L rows of a window, P parameters, K formulas, R numbers of a window that are compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minipg.audit.fits import CLIPPED, FITS, fitted
from minipg.audit.grammar import NOTHING, Formula
from minipg.audit.readings import Library, Readings
from minipg.validate import Array, check_finite, check_shape, floats

EXACT, SINGLE = 1e-9, 1e-4  # relative residuals that may be rounding, of float64 and of float32
SURE = 1e-6  # float32's own rounding; above it another formula may be near by chance:
GAP = 30  # so many times farther off must any be that differs by more than its ε
ROUNDED = 1e-12  # relative: no less is a term
MUCH = 4  # so many times farther off is no rounding of the same numbers


class Named(NamedTuple):
    """readings: formulas that the numbers fit, none where nothing does; equal on these windows.

    factor, entropy: what they are multiplied by, and the coefficient of ∇entropy. clipped: the
    norm that they were shortened to, nan where each window has its own, or inf. hidden: every
    window was, so that what divides all of its rows cannot be told. residual: relative,
    of the nearest where none fits, which is `nearest`; compared: how many formulas; single:
    rounding is float32's. outside: what share of the gradients' length no weights of the rows'
    scores and no ∇entropy make.
    """

    readings: tuple[Formula, ...]
    factor: float
    entropy: float
    clipped: float
    residual: float
    nearest: Formula
    compared: int
    single: bool
    outside: float = 0.0
    hidden: bool = False

    @property
    def distinct(self) -> list[Formula]:
        """The readings, of those that differ only by what cannot be told the first.

        That is an ε; and where every window was shortened, what divides all of its rows.
        """
        first: dict[tuple[str, ...], Formula] = {}
        for reading in self.readings:
            first.setdefault(self._told(reading), reading)
        return list(first.values())

    def _told(self, reading: Formula) -> tuple[str, ...]:
        """What of it can be told."""
        key = reading.but_epsilon
        return (*key[:2], key[2].split(" (")[0], key[3], key[5]) if self.hidden else key

    @property
    def pitfalls(self) -> tuple[int, ...]:
        """Those of the first reading, less what is hidden."""
        told = self.readings[0].pitfalls if self.readings else ()
        if not self.hidden:
            return told
        return tuple(n for n in told if all(n in reading.pitfalls for reading in self.readings))

    def words(self, reading: Formula) -> str:
        """Its ingredients, and where it is hidden which, all that fit."""
        if not self.hidden:
            return str(reading)
        alike = [x for x in self.readings if self._told(x) == self._told(reading)]
        ways = list(dict.fromkeys(x.reduced for x in alike))
        counts = sorted({x.but_epsilon[2] for x in alike})  # (n and (n − 1
        either = " or ".join([counts[0], *(x.split("(")[-1] for x in counts[1:])])
        normalised = f"{either})" if either else ""
        return str(reading._replace(normalised=normalised, reduced=" or ".join(ways)))

    def others(self, most: int = 3) -> list[str]:
        """Other readings that are equal on these windows, a line each."""
        rest = self.distinct[1:]
        lines = [f"  or, equal on these windows: {self.words(x)}" for x in rest[:most]]
        more = len(rest) - most
        return lines + ([f"  or one of {more} more"] if more > 0 else [])

    def __str__(self) -> str:
        if not self.readings:
            beyond = (f"; {self.outside:.2g} of it is no sum of its rows' scores, whatever their "
                      "weights") * (self.outside > SINGLE)  # fmt: skip
            return (f"none of {self.compared} formulas (the nearest, often wrong, is off by "
                    f"{self.residual:.2g}: {self.nearest}{beyond})")  # fmt: skip
        parts = [self.words(self.readings[0])]
        if self.hidden:
            parts += ["its sign reversed"] * bool(self.factor < 0 and np.isfinite(self.clipped))
        elif not _is_1(self.factor, self.residual):
            parts.append(f"times {self.factor:.6g}")
        if self.readings[0].added:
            parts.append(f"β = {-self.entropy:.6g}")
        elif self.entropy:
            parts.append(f"{self.entropy:+.6g} ∇entropy")
        if np.isnan(self.clipped):
            own = f"times a factor of each window's own, here {self.factor:.4g} at most"
            parts.append(own if self.hidden else "norm clipped with other parameters'")
        elif np.isfinite(self.clipped):
            everywhere = ", of every window" * self.hidden
            parts.append(f"norm clipped at {self.clipped:.4g}{everywhere}")
        return " | ".join(parts)


def compared(
    windows: Sequence[Readings], gradients: Sequence[Array]
) -> tuple[list[Array], float, float]:
    """Of each gradient what is compared (R,), the squares of all else, and the norm of all."""
    if len(gradients) != len(windows):
        raise ValueError(f"gradients: expected {len(windows)}, got {len(gradients)}")
    ys, outside = [], 0.0
    for one, gradient in zip(windows, gradients, strict=True):
        g = floats(gradient).astype(np.float64)
        check_shape("gradient", g, (one.x.shape[1] if one.basis is None else len(one.basis),))
        check_finite("gradient", g)
        ys.append(g if one.basis is None else one.basis.T @ g)
        outside += 0.0 if one.basis is None else float(((g - one.basis @ ys[-1]) ** 2).sum())
    with np.errstate(over="ignore"):
        size = float(np.sqrt(sum(float(y @ y) for y in ys) + outside))
    if not size:
        raise ValueError("gradient: expected some that is not 0")
    if not np.isfinite(size):
        raise ValueError("gradient: expected some whose squares are numbers, got larger ones")
    return ys, outside, size


def on_grid(known: Library, gradients: Sequence[Array]) -> Named:
    """The formula of the library of which these are the values, with as little beside it as fits
    (FITS): what fits better by MUCH has something more. Arguments, errors: identify.
    """
    ys, outside, size = compared(known.windows, gradients)
    beyond, found = float(np.sqrt(outside)) / size, []
    norm = np.sqrt(sum(float(w.entropy @ w.entropy) for w in known.windows)) / size
    for fit in FITS:
        left, factor, entropy, clip = fit(known.windows, ys)
        residual = np.sqrt(left + outside) / size
        every = np.isnan(clip) or all(np.linalg.norm(y) >= (1 - CLIPPED) * clip for y in ys)
        bonus = np.abs(entropy) * norm > MUCH * np.maximum(residual, ROUNDED)  # no rounding
        named = _chosen(known.names, residual, factor, bonus * entropy, clip, bool(every))
        if named is not None:
            found.append(named._replace(outside=beyond))
            if named.residual <= EXACT:
                break
    if found:
        least = min(named.residual for named in found)
        return next(named for named in found if named.residual <= max(EXACT, MUCH * least))
    left, factor, entropy, _ = fitted(known.windows, ys)
    k = int(np.argmin(left))
    off = float(np.sqrt(left[k] + outside)) / size
    multiples = float(factor[k]), float(entropy[k])
    return Named((), *multiples, np.inf, off, known.names[k], len(left), False, beyond)


def _is_1(factor: Array | float, residual: float) -> Array:
    """Whether it is none, to what the residual leaves open."""
    return np.asarray(np.abs(np.subtract(factor, 1)) <= max(1e-6, MUCH * residual))


def _chosen(names: list[Formula], residual: Array, factor: Array, entropy: Array,
            clip: float, every: bool) -> Named | None:  # fmt: skip
    """The readings of least residual, if it is rounding and all others are far off."""
    residual = np.where(np.isnan(residual), np.inf, residual)
    best = int(np.argmin(residual))
    least = float(residual[best])
    single = least > EXACT
    bound = max(EXACT, MUCH * least)
    fits = np.flatnonzero(residual <= bound)
    if single:
        near = np.flatnonzero((residual > bound) & (residual < GAP * least))
        known = {names[k].but_epsilon for k in fits}
        unclear = least > SURE and any(names[k].but_epsilon not in known for k in near)
        if least > SINGLE or unclear:
            return None
    itself = _is_1(factor, least)  # no factor at all comes first
    order = sorted(fits, key=lambda k: (not itself[k], len(names[k].pitfalls), len(str(names[k]))))
    k = order[0]
    share = float(entropy[k] / factor[k]) if entropy[k] and factor[k] else 0.0
    hidden = every and not (np.isnan(clip) and itself[k])  # then some window was left as it is
    chosen = tuple(names[i] for i in order if hidden or itself[i] == itself[k])
    chosen = (NOTHING,) if NOTHING in chosen else chosen  # the rest is rounding
    return Named(chosen, float(factor[k]), share, clip, least, names[best], len(names), single,
                 hidden=hidden)  # fmt: skip
