"""docs/atlas.md: the rows as tables, what they show, and apart from that our reading of why."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from survey import prose
from survey.settings import LANGUAGE

RAW = argparse.RawDescriptionHelpFormatter
HEADS = {
    False: ("command", "setting", "identified formula", "bias", "length", "cosine", "variance",
            "cosine, 3 rows", "cosine, 64 rows"),
    True: ("command", "setting", "identified formula", "bias", "length", "cosine", "variance",
           "length, G = 4", "cosine, G = 4"),
}  # fmt: skip


def one_line(text: str) -> str:
    """A paragraph, without the line breaks of its source."""
    return " ".join(text.split())


def setting(options: dict[str, Any]) -> str:
    """As the library's user would say it: class, then what differs from its defaults."""
    kinds = ("class", "estimator")
    first = [str(options[k]) for k in kinds if k in options]
    rest = [f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in options.items()
            if k not in kinds]  # fmt: skip
    return ", ".join(first + rest) or "defaults"


def formula(row: dict[str, Any]) -> str:
    """The name, and how many others are equal on all that was asked."""
    text, equal = row["formula"], row["equal"]
    if equal:
        others = f"{len(equal)} others" if len(equal) > 1 else "one other"
        text += f" (equal on these windows: {others}, {_nearest_words(text, equal)})"
    return text.replace(" | ", "; ")


def _nearest_words(text: str, equal: list[str]) -> str:
    """Of the equal readings the one that names a λ where the first does not, else the first."""
    told = [x for x in equal if "λ" in x and "λ" not in text]
    return (told or equal)[0]


def sizes(row: dict[str, Any], language: bool) -> Iterator[str]:
    """Two cells."""
    found = {int(s[0]): s for s in row["sizes"]}
    if language:
        got = found.get(4)
        yield f"{got[1]:.4g}" if got else ""
        yield f"{got[2]:.5f}" if got else ""
        return
    for rows in (3, 64):
        got = found.get(rows)
        sampled = f" (mean to ± {100 * got[3]:.0f} %)" if got and got[3] else ""
        yield f"{got[2]:.4f}{sampled}" if got else ""


def cells(library: str, row: dict[str, Any]) -> list[str]:
    """Of one row of a table."""
    bias = "0" if row["bias"] < 1e-12 else f"{row['bias']:.3g}"
    numbers = [bias, f"{row['length']:.4g}", f"{row['cosine']:.5f}", f"{row['variance']:.3g}"]
    first = [f"`{library} --only {row['name']}`", setting(row["options"]), formula(row)]
    return first + numbers + list(sizes(row, library in LANGUAGE))


def section(library: str, got: dict[str, Any]) -> Iterator[str]:
    """A library's table and words, line by line."""
    title, shown, reading = prose.LIBRARIES[library]
    head = HEADS[library in LANGUAGE]
    yield f"## {title}\n"
    yield f"{got['versions']}; run on {got['date']}.\n"
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in got["rows"]:
        yield f"| {' | '.join(cells(library, row))} |"
    yield f"\nWhat the numbers show. {one_line(shown)}\n"
    yield f"Our reading. {one_line(reading)}\n"


def write(path: Path, results: dict[str, Any]) -> None:
    """The page of these results, by library; ValueError where a library is not there."""
    if missing := prose.LIBRARIES.keys() - results.keys():
        absent = ", ".join(sorted(missing))
        raise ValueError(f"--write: expected results of every library, got none of {absent}: run "
                         f"python scripts/atlas.py {absent}")  # fmt: skip
    lines = [*prose.head()]
    for library in prose.LIBRARIES:
        lines += section(library, results[library])
    path.write_text("\n".join([*lines, *prose.tail()]).rstrip() + "\n")
