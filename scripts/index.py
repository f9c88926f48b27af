"""Write the generated pages and lists, or check that they are current.

minipg/lecture/tests.json: the tests that bear each statement's mark, which the lecture's page
shows. docs/pitfalls.md: each pitfall, what catches it and the tests that show it. docs/results.md:
the presets of the commands.

python scripts/index.py [--check]
"""

import argparse
import ast
import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

from minipg.claims import STATEMENTS
from minipg.commands.presets import PRESETS
from minipg.lecture.shown_by import NOT_COMPUTED, defined, functions
from minipg.museum import BUGS, PITFALLS

ROOT = Path(__file__).parents[1]
HEAD = """# Pitfalls

Made by `python scripts/index.py` from the lists in `minipg/museum/` and the marks of the tests. \
`minipg verify --bugs` prints a row for each planted bug.

| pitfall | the bug | seen in | what catches it | planted in the museum, caught by | shown by |
|---|---|---|---|---|---|
"""


def link(path: Path, name: str, text: str) -> str:
    """A link from docs/ to the line where the file defines the name."""
    lines = dict(defined(ast.parse(path.read_text())))
    return f"[`{text}`](../{path.relative_to(ROOT).as_posix()}#L{lines[name].lineno})"


def in_museum(thing: object) -> str:
    """A link to a function of the museum."""
    module, name = str(thing.__module__), str(thing.__name__)
    return link(ROOT / (module.replace(".", "/") + ".py"), name, name)


def name(test: pytest.Item) -> str:
    """file.function"""
    return f"{test.path.stem}.{test.originalname}"


class Marks:
    """A pytest plugin that keeps the collected tests by what they are marked with."""

    def __init__(self) -> None:
        self.tests: dict[object, list[pytest.Item]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in (*item.iter_markers("equation"), *item.iter_markers("pitfall")):
                for id in mark.args:
                    names = [name(test) for test in self.tests.setdefault(id, [])]
                    self.tests[id].extend([item] * (name(item) not in names))


def marked() -> dict[object, list[pytest.Item]]:
    """id or number → the tests that bear it as a mark."""
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


def listed(tests: dict[object, list[pytest.Item]]) -> str:
    """Names of tests by the statement they show."""
    for what, found in (("no docstring of minipg", {id for id in STATEMENTS if functions(id)}),
                        ("no test's mark", set(tests))):  # fmt: skip
        if missing := set(STATEMENTS) - found - NOT_COMPUTED:
            raise SystemExit(f"index: {what} names {sorted(missing)}")
    names = {id: list(map(name, tests.get(id, []))) for id in STATEMENTS}
    return json.dumps(names, indent=1) + "\n"


def pitfalls(tests: dict[object, list[pytest.Item]]) -> str:
    """The page."""
    lines = []
    for x in PITFALLS:
        planted = {bug.holds: in_museum(bug.holds) for bug in BUGS if bug.number == x.number}
        shown = [link(test.path, test.originalname, name(test)) for test in tests.get(x.number, [])]
        lines.append(row(*x, ", ".join(planted.values()), ", ".join(shown)))
    return HEAD + "\n".join(lines) + "\n"


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
    page, tests = ROOT / "docs" / "results.md", marked()
    for path, text in ((ROOT / "minipg" / "lecture" / "tests.json", listed(tests)),
                       (ROOT / "docs" / "pitfalls.md", pitfalls(tests)),
                       (page, results(page.read_text()))):  # fmt: skip
        if args.check and (not path.exists() or path.read_text() != text):
            print(f"index: {path.relative_to(ROOT)} is not current: run python scripts/index.py")
            stale = 1
        elif not args.check:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
