"""The audit of an estimator in one call.

Axes: L rows of a window, P parameters, N windows.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from minipg.audit.asking import Asked, Estimator, Own, ask, checked
from minipg.audit.figures import Figures, exactly, from_drawn
from minipg.audit.mapping import Mapping, guess
from minipg.audit.readings import Probe, library
from minipg.audit.report import Report, reported
from minipg.audit.search import identify
from minipg.audit.window import Window
from minipg.audit.windows import Windows
from minipg.validate import Array, array

WINDOWS = 12  # by whose values a formula is named
ROUNDING = 1e-5  # of the longest answer: a sum in another order, in single precision
SIZES, DRAWN = (2, 16, 128), 500  # rows of the trend; above so many windows, so many are drawn

Told = Callable[[int, int], object]  # (asked, of how many): the cost, before it is paid


def run(
    estimator: Estimator, lab: Windows, own: Own | None = None,
    sizes: tuple[int, ...] = SIZES, drawn: int = DRAWN, told: Told = lambda done, of: None,
) -> Report:  # fmt: skip
    """The report on an estimator, which is given one window and returns what it would ascend.

    That is a gradient (P,), in the laboratory policy's parameters or its own, or the derivative
    of its objective by each row's log π (L,). Its exact mean and variance over every window of the
    laboratory (those drawn, if it is), against E Σ_rows γ^t A^π ∇log π, and the formula that its
    values on twelve windows are, six of them of another size. The trend: the same for streams of so
    many rows, exact where there are at most `drawn`, else over so many drawn, with a radius.
    told(asked, of how many) is called before the first question and after each. ValueError for
    another shape, NaN, chance or state (it is asked again), for an estimate that no window changes,
    and for one that depends on the order of a window's streams.
    """
    theirs = own is not None
    own = Own(lab.truth, lab.scores, lab.entropy_gradient) if own is None else checked(own, lab)
    labs = [other_size(lab, size, drawn) for size in sizes if size != lab.size]
    total, done = lab.count + sum(one.count for one in labs), 0
    told(0, total)

    def every(asked: Asked, windows: list[Window]) -> list[Array]:
        """What it says of each."""
        nonlocal done
        answers = []
        for w in windows:
            answers.append(asked.raw(w))
            done += 1
            told(done, total)
        if not asked.of_rows and len({len(answer) for answer in answers}) > 1:
            raise ValueError("estimate: expected one shape, got some for windows of one size")
        return answers

    asked = ask(estimator, own, lab)
    picked = [(part, k) for part in (lab, lab.other()) for k in telling(part)[: WINDOWS // 2]]
    windows = [part.window(k) for part, k in picked]
    first = [asked.raw(w) for w in windows]
    _refuse_state(first, [asked.raw(w) for w in reversed(windows)][::-1])
    _refuse_order(asked, windows, first)
    listed = lab.windows()
    raw = every(asked, listed)
    _refuse_state(first, [raw[k] for part, k in picked if part is lab])
    numbers = np.concatenate(raw)
    if len(raw) > 1 and (
        all(np.array_equal(answer, raw[0]) for answer in raw) or (numbers == numbers[0]).all()
    ):
        raise ValueError("estimate: expected some that differ, got the same for every window")
    probes = [Probe(w, None if asked.of_rows else own.scores(w),
                    None if asked.of_rows else own.entropy(w), part.advantages(k), part.ratios(k))
              for w, (part, k) in zip(windows, picked, strict=True)]  # fmt: skip
    known = library(probes, lab.gamma)
    mapping = Mapping("", np.arange(len(array(own.truth))))
    if not asked.of_rows and not (theirs and len(first[0]) == len(mapping.places)):
        found = None if theirs else guess(known.windows, first, lab.policy)
        if found is None and len(first[0]) != len(mapping.places):
            raise ValueError(f"estimate: expected shape {np.shape(own.truth)}, or one a row, got "
                             f"{first[0].shape}, no part of which is such a gradient")  # fmt: skip
        mapping = found or mapping
        asked = replace(asked, index=mapping.places)
        first = [g[mapping.places] for g in first]
    named = identify(known, first)
    trend = tuple(_figures(asked, one, some, every(asked, some), one.truth_by(own.scores))
                  for one in labs for some in [one.windows()])  # fmt: skip
    figures = _figures(asked, lab, listed, raw, array(own.truth))
    return reported(figures, named=named, trend=trend, after=mapping.words)


def other_size(lab: Windows, size: int, drawn: int) -> Windows:
    """The laboratory with windows of this size: every one, or so many drawn."""
    whole = lab.sized(size)
    return whole if whole.possible <= drawn else lab.sized(size, drawn)


def _figures(
    asked: Asked, lab: Windows, windows: list[Window], raw: list[Array], truth: Array
) -> Figures:
    """Of what it said of each window."""
    estimates = np.array([asked.gradient(w, x) for w, x in zip(windows, raw, strict=True)])
    if not lab.drawn:
        return exactly(lab.told, estimates, lab.weight, truth)
    right = [lab.right(i, w) @ array(asked.own.scores(w)) for i, w in enumerate(windows)]
    return from_drawn(lab.told, estimates, np.array(right), truth)


def _refuse_state(first: list[Array], again: list[Array]) -> None:
    """ValueError where a window has another answer than before, by more than rounding."""
    size = max(float(np.linalg.norm(one)) for one in first)
    off = max(_apart(one, other) for one, other in zip(first, again, strict=False))
    if off > ROUNDING * size:
        by = f" off by {off / size:.1g} of the longest," if size else ""
        raise ValueError(
            f"estimate: expected the same for the same window, got another,{by} when asked again: "
            "it keeps a state or draws at random; begin each call anew, with a fixed seed"
        )


def _apart(one: Array, other: Array) -> float:
    """How far; ∞ for answers of different lengths."""
    return float(np.linalg.norm(one - other)) if one.shape == other.shape else np.inf


def _refuse_order(asked: Asked, windows: list[Window], first: list[Array]) -> None:
    """ValueError where the streams of a window in another order have another answer."""
    rounding = ROUNDING * max(float(np.linalg.norm(said)) for said in first)
    for window, said in zip(windows, first, strict=True):
        for other, order in window.reordered():
            if _apart(asked.raw(other), said[order] if asked.of_rows else said) > rounding:
                raise ValueError(
                    "estimate: expected the same whatever the order of a window's streams, got "
                    "another: does it read across window.last? One whose order matters can be "
                    "asked with streams=1"
                )


def telling(lab: Windows) -> list[int]:
    """Twelve windows whose endings differ most: by turns of each pattern, the likeliest first."""
    pattern, order = lab.pattern, np.argsort(-lab.weight, kind="stable")
    seen: dict[tuple[int, ...], list[int]] = {}
    for i in order:
        seen.setdefault(tuple(pattern[:, i]), []).append(int(i))
    most = sorted(seen.values(), key=lambda group: -len(set(pattern[:, group[0]])))
    turns = [group[k] for k in range(max(map(len, most))) for group in most if k < len(group)]
    return turns[:WINDOWS]
