"""Which functions name a statement in their docstring, and which tests bear it as a mark."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

ID = re.compile(r"\b(?:E\d\d|errata \d+)\b")
NOT_COMPUTED = {"errata 11"}  # of years
Defined = ast.FunctionDef | ast.ClassDef


def defined(node: ast.AST, within: str = "") -> Iterator[tuple[str, Defined]]:
    """Every class and function below, by its name with those of the classes around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Defined):
            yield within + child.name, child
            yield from defined(child, f"{within}{child.name}.")


def _modules(folder: Traversable, within: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name in minipg and source of each module."""
    for entry in sorted(folder.iterdir(), key=lambda x: x.name):
        if entry.is_dir():
            yield from _modules(entry, f"{within}{entry.name}.")
        elif entry.name.endswith(".py"):
            yield within + entry.name.removesuffix(".py"), entry.read_text(encoding="utf-8")


@cache
def _functions() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for module, text in _modules(files("minipg")):
        if not module.startswith(("claims.", "museum.", "lecture.")):
            for name, node in defined(ast.parse(text)):
                for id in sorted(set(ID.findall(ast.get_docstring(node) or ""))):
                    found.setdefault(id, []).append(f"{module}.{name}")
    return found


def functions(id: str) -> list[str]:
    """What in minipg, claims, museum and page aside, names it in its docstring."""
    return _functions().get(id, [])


@cache
def _tests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(
        files("minipg.lecture").joinpath("tests.json").read_text(encoding="utf-8")
    )
    return found


def tests(id: str) -> list[str]:
    """Tests that bear it as a mark, as `file.name`."""
    return _tests().get(id, [])
