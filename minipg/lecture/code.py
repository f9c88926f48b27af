"""Code as a card shows it: a function's own source, without docstring and border checks."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

CONVERSIONS = {"array", "arrays", "floats", "finite_array", "_check", "_checked", "_rate",
               "_counted"}  # fmt: skip
KINDS = {Comment: "c", Keyword: "k", Number: "n", String: "s"}


def found(dotted: str) -> Any:
    """What `wing.module.name` or `wing.module.Class.name` of minipg is; ValueError for no name."""
    thing: Any = import_module("minipg")
    for part in dotted.split("."):
        module = f"{thing.__name__}.{part}"
        if hasattr(thing, "__path__") and find_spec(module) is not None:
            thing = import_module(module)
        elif hasattr(thing, part):
            thing = getattr(thing, part)
        else:
            raise ValueError(f"minipg.{dotted}: expected a name of {thing.__name__}")
    return thing


def source(thing: Callable[..., Any]) -> str:
    """Verbatim, without decorators, docstring, conversions of arguments, checks and imports."""
    lines = textwrap.dedent(inspect.getsource(thing)).splitlines()
    node = ast.parse("\n".join(lines)).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    for left_out in _borders(node):
        assert left_out.end_lineno is not None
        lines[left_out.lineno - 1 : left_out.end_lineno] = [""] * (
            left_out.end_lineno - left_out.lineno + 1
        )
    return "\n".join(line for line in lines[node.lineno - 1 :] if line.strip())


def _borders(node: ast.AST, given: frozenset[str] = frozenset()) -> Iterator[ast.stmt]:
    """The statements below it that say nothing of the formula; given: arguments in scope."""
    if isinstance(node, ast.FunctionDef):
        given |= {x.arg for x in ast.walk(node.args) if isinstance(x, ast.arg)}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and _is_border(child, given):
            yield child
        else:
            yield from _borders(child, given)


def _is_border(statement: ast.stmt, given: frozenset[str]) -> bool:
    """An assignment is one only where it converts arguments: a new name is needed below."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Expr(value=ast.Call() as call):
            return _checks(call)
        case ast.Assign(targets=targets, value=value):
            stored = {
                x.id for target in targets for x in ast.walk(target) if isinstance(x, ast.Name)
            }
            parts = value.elts if isinstance(value, ast.Tuple) else [value]
            bare = [part.value if isinstance(part, ast.Starred) else part for part in parts]
            return stored <= given and all(isinstance(x, ast.Call) and _checks(x) for x in bare)
        case ast.If(body=[*_, ast.Raise()], orelse=[]):
            return True
        case ast.For(body=body) | ast.FunctionDef(body=body):
            return all(_is_border(part, given) for part in body)
    return False


def _checks(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in CONVERSIONS or name.lstrip("_").startswith("check_")


def html(code: str, terms: tuple[str, ...] = ()) -> str:
    """Highlighted; the i-th of `terms` (words of the code) as class ti. ValueError for no word."""
    words, parts = {word: i for i, term in enumerate(terms, 1) for word in term.split()}, []
    for kind, text in PythonLexer().get_tokens(code):
        css = next((css for known, css in KINDS.items() if kind in known), "")
        if kind in Name and text in words:
            css = f"t{words[text]}"
        parts.append(f'<span class="{css}">{escape(text)}</span>' if css else escape(text))
    for word in words:
        if f">{escape(word)}</span>" not in "".join(parts):
            raise ValueError(f"term: expected a word of the code, got {word!r}")
    return "".join(parts).rstrip("\n")
