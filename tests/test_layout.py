"""The shape of the project: imports run downwards, the core stays light, tables are current."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = {  # a module imports only from lower levels; level 0 holds what imports nothing of minipg
    "borders": 0,
    "optim": 1, "linalg": 1, "batch": 1, "returns": 1, "mdp": 1, "lqr": 1, "check": 1,
    "verdict": 1,
    "network": 1, "distributions": 1,
    "mdp_env": 2, "lqr_env": 2, "contract": 2, "groups": 2, "multi_softmax": 2, "policy": 3,
    "critic": 4, "estimators": 4, "exact": 4, "rollout": 4, "natural": 4, "kfac": 4,
    "policy_file": 4,
    "enumeration": 5, "surrogate": 5, "state": 5,
    "loop": 6, "algorithms": 7,
}  # fmt: skip
MODULES = sorted((ROOT / "minipg").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downwards(path):
    own = path.relative_to(ROOT / "minipg").with_suffix("").parts
    if own == ("__init__",):
        return
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "minipg":
            assert LEVELS[rest[0]] < LEVELS[own[0]], f"{path.name} imports {name}"
        elif top == "gymnasium":
            assert own[0] in {"mdp", "mdp_env", "lqr_env", "rollout"}
        else:
            assert top in {"numpy", "scipy"} | sys.stdlib_module_names, f"{path.name}: {name}"


def test_the_tables_of_the_readme_are_current():
    command = [sys.executable, ROOT / "scripts" / "index.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
