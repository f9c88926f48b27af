"""A wing shows its names at once and imports them when they are asked for."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def handed_on(wing: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """(__getattr__, __dir__, __all__) of a package: what it imports under TYPE_CHECKING.

    So there is one list of its names, which type checkers and editors read too. Its modules are
    found likewise, and shown where they are in the list.
    """
    package = sys.modules[wing]
    tree = ast.parse(Path(str(package.__file__)).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    home = {x.name: str(node.module) for node in imports for x in node.names if x.asname}

    def get(name: str) -> Any:
        if home.get(name, wing) != wing:
            value = getattr(import_module(home[name]), name)
            setattr(package, name, value)  # found at once from now on
            return value
        if name.startswith("_") or find_spec(f"{wing}.{name}") is None:
            raise AttributeError(f"module {wing!r} has no attribute {name!r}")
        return import_module(f"{wing}.{name}")

    shown = sorted(home) + ["__version__"] * hasattr(package, "__version__")
    return get, lambda: shown, sorted(home)
