"""The shape of the project: imports run downwards, the core stays light, wings show their names."""

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import minipg

ROOT = Path(__file__).parents[1]
WINGS = {  # a module imports from wings that stand above its own, and from its own
    "lazy": 0, "validate": 0, "files": 1,
    "policies": 2, "problems": 2,
    "experience": 3, "steps": 3,
    "estimators": 4,
    "algorithms": 5, "truth": 5,
    "claims": 6,
    "museum": 7, "lecture": 7,
    "audit": 8,
    "commands": 9,
}  # fmt: skip
ADVICE = (
    "A new module stands in the wing that says what it is about (CONTRIBUTING.md has the map); "
    "what two wings need stands in the lower of them; a new wing gets its line in WINGS."
)
PACKAGES = {"policies": {"gymnasium"}, "problems": {"gymnasium"}, "experience": {"gymnasium"},
            "museum": {"gymnasium"},
            "lecture": {"gymnasium", "matplotlib", "pygments", "math_core", "fontTools"},
            "commands": {"gymnasium", "matplotlib", "tqdm", "distributed", "PIL"}}  # fmt: skip
MODULES = sorted((ROOT / "minipg").rglob("*.py"))
SHOWN = ("policies", "problems", "experience", "estimators", "steps", "algorithms", "truth",
         "claims", "audit")  # fmt: skip


def dotted(path: Path) -> str:
    """The module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            known = {dotted(p) for p in MODULES}
            names |= {name if name in known else str(node.module) for name in modules}
    return names


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_run_downwards(path):
    wing = [*dotted(path).split("."), "", ""][1]
    if wing == "__main__":
        wing = "commands"
    for name in imported(path) if wing else ():
        top, *rest = name.split(".")
        if top == "minipg":
            if not rest:  # __version__
                continue
            lower = WINGS[rest[0]] < WINGS[wing] or rest[0] == wing
            assert lower, f"{path.name} imports {name}. {ADVICE}"
        else:
            allowed = {"numpy", "scipy"} | PACKAGES.get(wing, set()) | sys.stdlib_module_names
            assert top in allowed, f"{path.name} imports {name}. {ADVICE}"


def test_no_two_modules_import_each_other():
    own = {dotted(path) for path in MODULES}
    graph = {dotted(path): imported(path) & own for path in MODULES if path.stem != "__init__"}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_package_shows_its_wings_and_each_wing_its_names():
    assert set(dir(minipg)) == {*SHOWN, "__version__"}
    for wing in SHOWN:
        module = importlib.import_module(f"minipg.{wing}")
        assert getattr(minipg, wing) is module
        names = dir(module)
        assert names
        for name in names:
            assert getattr(module, name) is not None
            assert importlib.util.find_spec(f"minipg.{wing}.{name}") is None or wing == "algorithms"
    with pytest.raises(AttributeError, match="module 'minipg.truth' has no attribute 'falsehood'"):
        minipg.truth.falsehood  # noqa: B018
    assert minipg.truth.exact.objective is minipg.truth.objective


@pytest.mark.parametrize("wing", [*SHOWN, "museum", "lecture"])
def test_the_docstring_of_a_wing_maps_its_files(wing):
    files = {path.stem for path in (ROOT / "minipg" / wing).glob("[!_]*.py")}
    doc = importlib.import_module(f"minipg.{wing}").__doc__ or ""
    assert files == {line.split()[0] for line in doc.splitlines()[3:] if line}


def test_importing_the_core_changes_nothing_and_imports_little():
    """In a fresh process: no third-party package but NumPy, SciPy, Gymnasium and what they need."""
    code = (
        "import sys, gymnasium, gymnasium.vector, gymnasium.wrappers.vector\n"
        "import scipy.linalg, scipy.optimize, scipy.special, scipy.sparse.csgraph, scipy.stats\n"
        "before = set(sys.modules)\n"
        "import minipg\n"
        "assert not {m for m in sys.modules if m.startswith('minipg.')} - {'minipg.lazy'}\n"
        "for wing in set(dir(minipg)) - {'__version__'}:\n"
        "    [getattr(getattr(minipg, wing), name) for name in dir(getattr(minipg, wing))]\n"
        "tops = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(tops - {'minipg', 'scipy', 'numpy'} - set(sys.stdlib_module_names)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_no_file_is_longer_than_two_hundred_lines():
    """A longer one has two ideas."""
    for path in (*MODULES, *(ROOT / "scripts").rglob("*.py")):
        lines = len(path.read_text().splitlines())
        assert lines <= 200, f"{path.relative_to(ROOT)} has {lines} lines: split it by its ideas"


def test_the_generated_pages_are_current():
    command = [sys.executable, ROOT / "scripts" / "index.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
