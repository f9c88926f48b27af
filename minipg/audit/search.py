"""The formula of given numbers: one of the grammar's, else one whose λ is searched for.

Axes: K formulas, R numbers of a window that are compared.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from minipg.audit.endings import deltas
from minipg.audit.fits import Fit, clipped, clipped_with_others, fitted
from minipg.audit.grammar import Formula, normalisations, reductions
from minipg.audit.language import Responses, kl_terms
from minipg.audit.naming import EXACT, MUCH, SURE, Named, compared, on_grid
from minipg.audit.readings import Library, library, projected
from minipg.audit.resets import Seen, ways_to_see
from minipg.audit.window import Window
from minipg.validate import Array

FAMILIES = 10  # of the nearest formulas, so many are searched with each way to fit
BETWEEN = 0.12, 0.25, 0.37, 0.65  # λ: by these too families are found
EPSILON = 1e-3  # relative: so much another ε may leave
FEW = 1e-5  # so near to few digits λ is those, if they fit
LAMBDA = re.compile(r"λ = [\d.e+-]+")
GOLDEN = (5**0.5 - 1) / 2


def identify(known: Library, gradients: Sequence[Array]) -> Named:
    """The formula of which these are the values, with as little beside it as fits.

    gradients: of what is maximised, one a window of the library. Where nothing of the library
    fits to SURE, λ is searched for in (0, 1), and what is found is compared as all else is; it
    counts where it is nearer by MUCH. ValueError for shapes that do not fit, NaN, and zeros alone.
    Of responses with a log_ratio the same with a KL term, its coefficient fitted.
    """
    named = on_grid(known, gradients)
    if named.readings and named.residual <= SURE:
        return named
    if not all(isinstance(probe.window, Window) for probe in known.probes):
        return _with_kl(known, gradients, named)
    ys, _, _ = compared(known.windows, gradients)
    fit = []
    for alike in _found(known, ys):
        for lam in alike:
            got = on_grid(library(known.probes, known.gamma, (lam,)), gradients)
            fit += [got] if got.readings else []
        if any(got.residual <= SURE for got in fit):
            break
    least = min((got.residual for got in fit), default=np.inf)  # the first is the roundest
    if named.readings and named.residual <= max(EXACT, MUCH * least) or not fit:
        return named
    best = next(got for got in fit if got.residual <= max(EXACT, MUCH * least))
    return best._replace(compared=named.compared)


def _with_kl(known: Library, gradients: Sequence[Array], without: Named) -> Named:
    """With the KL term whose residual is least, and readings with others that are as near."""
    found, tried = [], without.compared
    responses = [probe.window for probe in known.probes if isinstance(probe.window, Responses)]
    for terms in zip(*map(kl_terms, responses), strict=False):  # none where one lacks log_ratio
        names = [name._replace(added=terms[0].name) for name in known.names]
        windows = [projected(probe, term.values[None])
                   for probe, term in zip(known.probes, terms, strict=True)]  # fmt: skip
        both = [own._replace(entropy=term.x[0])
                for own, term in zip(known.windows, windows, strict=True)]  # fmt: skip
        named = on_grid(known._replace(names=names, windows=both), gradients)
        tried += named.compared
        found += [named] if named.readings else []
    if not found:
        return without._replace(compared=tried)
    best = min(found, key=lambda named: named.residual)
    if without.readings and without.residual <= max(EXACT, MUCH * best.residual):
        return without._replace(compared=tried)
    near = [named for named in found if named.residual <= max(EXACT, MUCH * best.residual)]
    near.sort(key=lambda named: not named.readings[0].added.endswith(named.readings[0].reduced))
    readings = tuple(reading for named in near for reading in named.readings)
    return near[0]._replace(readings=readings, compared=tried)


def _found(known: Library, ys: list[Array]) -> Iterator[list[float]]:
    """Values of λ worth a comparison: what each family's best may be a rounding of, and itself."""
    half = known._replace(windows=known.windows[::2], probes=known.probes[::2])  # are enough
    ways = [ways_to_see(probe.window) for probe in half.probes if isinstance(probe.window, Window)]
    tried: set[float] = set()
    grids = known, library(known.probes, known.gamma, BETWEEN)
    for fit in (fitted, clipped, clipped_with_others):
        left = np.concatenate([fit(one.windows, ys)[0] for one in grids])
        names = [name for one in grids for name in one.names]
        nearest: dict[tuple[str, ...], dict[str, Formula]] = {}  # of each family by its ε
        for k in np.argsort(left):
            name = names[k]
            if LAMBDA.search(name.summed):
                summed = LAMBDA.sub("λ", name.summed)
                told = "" if fit is clipped_with_others else name.reduced  # hidden by such factors
                family = name._replace(summed=summed, reduced=told).but_epsilon
                nearest.setdefault(family, {}).setdefault(name.normalised, name)
            if len(nearest) == FAMILIES:
                break
        for by_epsilon in nearest.values():
            for name in by_epsilon.values():
                if (lam := _best(half, ways, name, ys[::2], fit)) is None:
                    break  # nor will it with another ε
                near = (round(lam, digits) for digits in (2, 3, 4))
                both = next((x for x in near if abs(x - lam) < FEW), lam), lam
                yield [x for x in dict.fromkeys(both) if 0 < x < 1 and x not in tried]
                tried.update(both)


def _best(
    known: Library, ways: list[list[Seen]], formula: Formula, ys: list[Array], fit: Fit
) -> float | None:
    """λ by golden sections of the residual, V-shaped where it vanishes; None once it will not."""
    said = [_of_lambda(known, ways[i], i, formula) for i in range(len(known.windows))]

    def off(lam: float) -> float:
        windows = [own._replace(x=one(lam)) for one, own in zip(said, known.windows, strict=True)]
        return float(np.sqrt(max(fit(windows, ys)[0][0], 0)))

    low, high, size = 0.0, 1.0, float(np.linalg.norm(np.concatenate(ys)))
    most = max(off(low), off(high))
    a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    fa, fb = off(a), off(b)
    for step in range(64):
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - GOLDEN * (high - low)
            fa = off(a)
        else:
            low, a, fa = a, b, fb
            b = low + GOLDEN * (high - low)
            fb = off(b)
        if step == 12 and min(fa, fb) > 0.02 * most:  # within 0.003 of its least
            return None
    return (low + high) / 2 if min(fa, fb) <= EPSILON * size else None


def _of_lambda(
    known: Library, ways: list[Seen], i: int, formula: Formula
) -> Callable[[float], Array]:
    """What the formula says of the i-th window (1, R), a function of λ."""
    probe = known.probes[i]
    way = next(way for way in reversed(ways) if formula.summed.endswith(way.words))
    w = way.window
    summed = formula.summed.removesuffix(f", {way.words}") if way.words else formula.summed
    family = LAMBDA.sub("λ = {}", summed)
    delta = next(one for one in deltas(w, known.gamma) if one.name == family)
    share = next(p.values for p in reductions(w) if p.name == formula.reduced)
    kept = np.ones(len(w.t)) if formula.discounted else known.gamma**w.t
    rows = np.eye(probe.rows)[way.kept]
    readings = (share * kept)[:, None] * projected(probe, rows).x  # of each row

    def said(lam: float) -> Array:
        x = delta.part(known.gamma, lam).values
        psi = next(p.values for p in normalisations(w, x) if p.name == formula.normalised)
        return psi[None] @ readings

    return said
