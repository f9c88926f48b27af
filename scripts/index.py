"""Write the README's generated tables, or check that they are current.

They are the index of equations → functions → tests, and the presets of train.py.

python scripts/index.py [--check]
"""

import argparse
import ast
import contextlib
import io
import re
import sys
from pathlib import Path

import pytest

from minipg.claims import CLAIMS
from minipg.commands.presets import PRESETS

ROOT = Path(__file__).parents[1]
ID = re.compile(r"\b(?:E\d\d|errata \d+)\b")


def functions() -> dict[str, list[str]]:
    """id → the functions of minipg whose docstrings name it, as module.function."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "minipg").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "minipg").with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for id in sorted(set(ID.findall(ast.get_docstring(node) or ""))):
                    found.setdefault(id, []).append(f"{module}.{node.name}")
    return found


class Marks:
    """A pytest plugin that keeps the equation marks of the collected tests."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}
        self.texts: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("equation"):
                for id in mark.args:
                    name = f"{item.path.name}::{item.originalname}"
                    names = self.tests.setdefault(id, [])
                    doc = (item.function.__doc__ or "").split("\n")[0]
                    self.texts.setdefault(id, doc)
                    if name not in names:
                        names.append(name)


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


def index() -> str:
    """A row per id."""
    marks, output = Marks(), io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:cov",
                            "-o", "addopts=--import-mode=importlib", str(ROOT / "tests")],
                           plugins=[marks])  # fmt: skip
    if code:
        raise SystemExit(f"index: the tests do not collect\n{output.getvalue()}")
    rows = ["| id | claim | computed by | shown by |", "|---|---|---|---|"]
    computed = functions()
    for id in sorted(marks.tests, key=lambda id: (id.startswith("err"), id)):
        claim = next((c.text for c in CLAIMS if c.id == id), marks.texts[id])
        code_of = ", ".join(f"`{name}`" for name in computed.get(id, []))
        tests = ", ".join(f"`{name}`" for name in sorted(marks.tests[id]))
        rows.append(f"| {id} | {claim.replace('|', chr(92) + '|')} | {code_of} | {tests} |")
    missing = sorted(set(marks.tests) - set(computed))
    if missing:
        raise SystemExit(f"index: no docstring of minipg names {missing}")
    return "\n".join(rows) + "\n"


def main() -> int:
    """0, or 1 where --check finds other tables in the README."""
    parser = argparse.ArgumentParser(description="The README's generated tables.")
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    args = parser.parse_args()
    readme = ROOT / "README.md"
    text = new = readme.read_text()
    for name, table in (("index", index), ("presets", presets)):
        before, rest = new.split(f"<!-- {name}: python scripts/index.py -->\n")
        end = f"<!-- end of {name} -->"
        new = (
            before
            + f"<!-- {name}: python scripts/index.py -->\n"
            + table()
            + end
            + rest.split(end, 1)[1]
        )
    if args.check:
        if new != text:
            print("index: the README's tables are not current: run python scripts/index.py")
        return int(new != text)
    readme.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
