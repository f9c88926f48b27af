"""Write the generated pages, or check that they are current.

docs/index.md: each equation, erratum, question and pitfall, with the functions that compute it, the
claims that compare it and the tests that show it. docs/results.md: the presets of the commands.

python scripts/index.py [--check]
"""

import argparse
import ast
import contextlib
import io
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from minipg.claims import CLAIMS, EQUATIONS, ERRATA, QUESTIONS, STATEMENTS, Statement
from minipg.commands.presets import PRESETS
from minipg.museum import BUGS, PITFALLS

ROOT = Path(__file__).parents[1]
ID = re.compile(r"\b(?:E\d\d|errata \d+)\b")
HEAD = """# Equations, functions, tests

Made by `python scripts/index.py` from the lists in `minipg/claims/` and `minipg/museum/`, the \
docstrings and the marks of the tests. `minipg verify` prints a row for each claim, \
`minipg verify --bugs` one for each planted bug.
"""
COLUMNS = ("| id | what the slides state | computed by | compared by | shown by |\n"
           "|---|---|---|---|---|")  # fmt: skip
NOT_COMPUTED = {"errata 11"}  # of years

Defined = ast.FunctionDef | ast.ClassDef


def defined(node: ast.AST, within: str = "") -> Iterator[tuple[str, Defined]]:
    """Every class and function below, by its name with those of the classes around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Defined):
            yield within + child.name, child
            yield from defined(child, f"{within}{child.name}.")


def link(path: Path, name: str, text: str) -> str:
    """A link from docs/ to the line where the file defines the name."""
    lines = dict(defined(ast.parse(path.read_text())))
    return f"[`{text}`](../{path.relative_to(ROOT).as_posix()}#L{lines[name].lineno})"


def functions() -> dict[str, list[str]]:
    """id → links to what in minipg, claims and museum aside, names it in its docstring."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "minipg").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "minipg").with_suffix("").parts)
        if module.startswith(("claims.", "museum.")):
            continue
        for name, node in defined(ast.parse(path.read_text())):
            for id in sorted(set(ID.findall(ast.get_docstring(node) or ""))):
                found.setdefault(id, []).append(link(path, name, f"{module}.{name}"))
    return found


def in_minipg(thing: object, text: str) -> str:
    """A link to a function of a claim or of the museum."""
    module = str(thing.__module__)
    return link(ROOT / (module.replace(".", "/") + ".py"), str(thing.__name__), text)


class Marks:
    """A pytest plugin that keeps links to the collected tests by what they are marked with."""

    def __init__(self) -> None:
        self.tests: dict[object, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in (*item.iter_markers("equation"), *item.iter_markers("pitfall")):
                test = link(item.path, item.originalname, f"{item.path.stem}.{item.originalname}")
                for id in mark.args:
                    tests = self.tests.setdefault(id, [])
                    tests.extend([test] * (test not in tests))


def marked() -> dict[object, list[str]]:
    """id or number → links to the tests that bear it as a mark."""
    marks, output = Marks(), io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:cov",
                            "-o", "addopts=--import-mode=importlib", str(ROOT / "tests")],
                           plugins=[marks])  # fmt: skip
    if code:
        raise SystemExit(f"index: the tests do not collect\n{output.getvalue()}")
    return marks.tests


def row(*cells: object) -> str:
    """Of a table: | within a cell is no border."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def index() -> str:
    """The whole page."""
    computed, tests = functions(), marked()
    compared = {id: [in_minipg(c.compare, c.compare.__name__) for c in CLAIMS if c.id == id]
                for id in STATEMENTS}  # fmt: skip
    for what, found in (("no docstring of minipg", computed), ("no test's mark", tests)):
        if missing := set(STATEMENTS) - set(found) - NOT_COMPUTED:
            raise SystemExit(f"index: {what} names {sorted(missing)}")

    def rows(statements: Iterable[Statement]) -> list[str]:
        return [COLUMNS, *(
            row(x.id, f"**{x.title}**<br>{x.sentence}",
                *(", ".join(links.get(x.id, [])) for links in (computed, compared, tests)))
            for x in statements
        ), ""]  # fmt: skip

    lines = [HEAD]
    in_order = sorted(EQUATIONS, key=lambda x: x.section)  # one that came later has its id last
    for section, statements in groupby(in_order, lambda x: x.section):
        lines += [f"## {section}\n", *rows(statements)]
    lines += ["## What the slides get wrong, or leave loose\n", *rows(ERRATA)]
    lines += ["## What the footnotes ask\n", "| footnote | question | answer | shown by |\n"
              "|---|---|---|---|"]  # fmt: skip
    lines += [row(x.id, x.question, x.answer, ", ".join(x.shown_by)) for x in QUESTIONS]
    lines += ["\n## Pitfalls\n", "| pitfall | the bug | seen in | what catches it | planted in "
              "the museum, caught by | shown by |\n|---|---|---|---|---|---|"]  # fmt: skip
    for x in PITFALLS:
        planted = {bug.holds: in_minipg(bug.holds, bug.holds.__name__)
                   for bug in BUGS if bug.number == x.number}  # fmt: skip
        lines.append(row(*x, ", ".join(planted.values()), ", ".join(tests.get(x.number, []))))
    return "\n".join(lines) + "\n"


def presets() -> str:
    """A row per preset, as on the command line."""
    rows = ["| preset | options |", "|---|---|"]
    for key, preset in PRESETS.items():
        words = []
        for name, value in preset.items():
            text = ",".join(map(str, value)) or "''" if isinstance(value, tuple) else str(value)
            words += ["--" + name.replace("_", "-"), *([] if value is True else [text])]
        rows.append(f"| {' '.join(key)} | `{' '.join(words)}` |")
    return "\n".join(rows) + "\n"


def results(text: str) -> str:
    """The page of results with the presets between their marks."""
    begin, end = "<!-- presets: python scripts/index.py -->\n", "<!-- end of presets -->"
    before, rest = text.split(begin)
    return before + begin + presets() + end + rest.split(end, 1)[1]


def main() -> int:
    """0, or 1 where --check finds another page."""
    parser = argparse.ArgumentParser(description="The generated pages in docs/.")
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    args, stale = parser.parse_args(), 0
    page = ROOT / "docs" / "results.md"
    for path, text in ((ROOT / "docs" / "index.md", index()), (page, results(page.read_text()))):
        if args.check and (not path.exists() or path.read_text() != text):
            print(f"index: {path.relative_to(ROOT)} is not current: run python scripts/index.py")
            stale = 1
        elif not args.check:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
