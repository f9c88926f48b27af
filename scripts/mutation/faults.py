"""Which one-token faults there are, and which of them are drawn."""

import ast
import io
import tokenize
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
WINGS = [
    "policies",
    "problems",
    "experience",
    "estimators",
    "steps",
    "algorithms",
    "truth",
    "audit",
]
SWAPS = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "**": "*", "@": "*", "%": "//",
         "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&": "|", "|": "&",
         "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|=", "~": "",
         "and": "or", "or": "and", "not": "", "True": "False", "False": "True", "min": "max",
         "max": "min", "argmax": "argmin", "argmin": "argmax", "sum": "mean", "mean": "sum",
         "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum", "sqrt": "square",
         "exp": "expm1", "log": "log1p", "cumsum": "cumprod", "zeros": "ones", "ones": "zeros",
         "zeros_like": "ones_like", "ones_like": "zeros_like", "abs": "sign", "break": "continue",
         "terminated": "truncated", "truncated": "terminated"}  # fmt: skip


class Fault(NamedTuple):
    """In `file` at `line` (from 1) and column the token becomes `new`."""

    file: str
    line: int
    column: int
    old: str
    new: str
    text: str  # the line, stripped

    @property
    def key(self) -> str:
        """What survives when lines move."""
        return f"{self.file}: {self.text} [{self.column}] {self.old} -> {self.new}"


def unjudged(tree: ast.AST) -> set[tuple[int, int]]:
    """Places (line, column) of annotations, decorators, messages and imports."""
    places: set[tuple[int, int]] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Raise):
            parts = [node]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts = [*node.decorator_list, getattr(node, "returns", None)]
        elif isinstance(node, ast.keyword) and node.arg == "metadata":
            parts = [node.value]
        for part in parts:
            if part is not None:
                places |= {(x.lineno, x.col_offset) for x in ast.walk(part) if hasattr(x, "lineno")}
                places |= {(line, c) for line in range(part.lineno, part.end_lineno + 1)
                           for c in range(200) if (part.lineno, part.col_offset) <= (line, c)
                           < (part.end_lineno, part.end_col_offset)}  # fmt: skip
    return places


def faults(path: Path) -> list[Fault]:
    """Every one-token fault of a file."""
    source = path.read_text()
    skipped, lines, found = unjudged(ast.parse(source)), source.splitlines(), []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line, column = token.start
        byte = len(lines[line - 1][:column].encode()) if line <= len(lines) else column
        new = SWAPS.get(token.string) if token.type != tokenize.STRING else None
        if token.type == tokenize.NUMBER:
            value = ast.literal_eval(token.string)
            new = repr(value + 1 if isinstance(value, int) else value * 2)
        if new is not None and (line, byte) not in skipped and token.type != tokenize.COMMENT:
            found.append(Fault(str(path.relative_to(ROOT)), line, column, token.string, new,
                               lines[line - 1].strip()))  # fmt: skip
    return found


def planted(fault: Fault) -> str:
    """The file's source with the fault in it."""
    lines = (ROOT / fault.file).read_text().splitlines(keepends=True)
    row, end = lines[fault.line - 1], fault.column + len(fault.old)
    lines[fault.line - 1] = row[: fault.column] + fault.new + row[end:]
    return "".join(lines)


def compiles(fault: Fault) -> bool:
    """What does not is no fault that a test need find."""
    right, wrong = (ROOT / fault.file).read_text(), planted(fault)
    try:
        compile(wrong, fault.file, "exec")
    except SyntaxError:
        return False
    return ast.dump(ast.parse(wrong)) != ast.dump(ast.parse(right))


def drawn(count: int, seed: int) -> list[Fault]:
    """`count` different faults: a wing uniformly, then one of its own."""
    rng = np.random.default_rng(seed)
    every = {wing: [fault for path in sorted((ROOT / "minipg" / wing).glob("[!_]*.py"))
                    for fault in faults(path)] for wing in WINGS}  # fmt: skip
    chosen: dict[str, Fault] = {}
    while len(chosen) < count:
        wing = every[WINGS[rng.integers(len(WINGS))]]
        fault = wing[rng.integers(len(wing))]
        if compiles(fault):
            chosen.setdefault(f"{fault.key}{fault.line}", fault)
    return list(chosen.values())
