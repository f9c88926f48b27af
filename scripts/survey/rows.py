"""A row of the atlas, and how a library's rows are measured.

bias, length: of the exact mean, in ‖truth‖; variance in ‖truth‖²; sizes: (rows of a window or
responses a prompt, length, cosine, radius of the mean where it was sampled, in its length).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minipg.audit import Named, lake
from survey import exchange, language as tokens, windows
from survey.settings import LANGUAGE, SIZED, WINDOWS

SHORT, LONG, GROUP = 3, 64, 4  # rows of a window; responses of a prompt


@dataclass(frozen=True)
class Row:
    name: str
    options: dict[str, Any]
    formula: str
    equal: Sequence[str]
    bias: float
    length: float
    cosine: float
    variance: float
    sizes: Sequence[Sequence[float]]


def _row(name: str, options: Any, named: Named, got: Any, sizes: Any) -> Row:
    equal = [str(f) for f in named.distinct[1:]]
    return Row(name, dict(options), str(named), equal, got.bias, got.length, got.cosine,
               got.variance, sizes)  # fmt: skip


def settings(library: str, only: Sequence[str] = ()) -> exchange.Settings:
    """Those of the library, or of them those named; ValueError for what is not there."""
    known = {**WINDOWS, **LANGUAGE}
    if library not in known:
        raise ValueError(f"library: expected one of {', '.join(known)}, got {library}")
    if unknown := set(only) - set(known[library]):
        raise ValueError(f"--only: expected some of {', '.join(known[library])}, got "
                         f"{', '.join(sorted(unknown))}")  # fmt: skip
    return {name: known[library][name] for name in only or known[library]}


def measured(library: str, python: Path, folder: Path, only: Sequence[str]) -> Iterator[Row]:
    """Every row of the library, asked in its own environment."""
    of = _of_windows if library in WINDOWS else _of_language
    chosen = settings(library, only)
    sized = {name: chosen[name] for name in SIZED[library] if name in chosen}

    def ask(what: exchange.Settings, fixed: Any, files: Any) -> dict[str, list[Any]]:
        return exchange.ask(library, python, folder, what, fixed, files) if what else {}

    yield from of(chosen, sized, ask)


def _of_windows(chosen: exchange.Settings, sized: exchange.Settings, ask: Any) -> Iterator[Row]:
    lab = lake()
    for some, sizes in ((sized, (SHORT, LONG)), (chosen, (SHORT,))):
        rest = {name: x for name, x in some.items() if some is sized or name not in sized}
        files = [windows.stacked(part) for part in windows.asked(lab, sizes)]
        for name, answers in ask(rest, windows.fixed(lab), files).items():
            report = windows.audited(lab, answers, sizes)
            trend = [(f.told[0], f.length, f.cosine, f.radius / f.length)
                     for f in report.trend]  # fmt: skip
            yield _row(name, chosen[name], report.named, report, trend)


def _of_language(chosen: exchange.Settings, sized: exchange.Settings, ask: Any) -> Iterator[Row]:
    charted: list[dict[str, tokens.Row]] = []
    for size, some in ((2, chosen), (GROUP, sized)):
        lab = tokens.language(size)
        files = tokens.asked(lab)
        answers = ask(some, {"batch": np.int64(tokens.PROMPTS * size)}, [files])
        charted.append({name: tokens.charted(lab, files, got) for name, (got,) in answers.items()})
    for name, got in charted[0].items():
        more = charted[1].get(name)
        sizes = [(GROUP, more.length, more.cosine, 0.0)] if more else []
        yield _row(name, chosen[name], got.named, got, sizes)
