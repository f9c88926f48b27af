"""One-token faults in the mathematics, each judged by the tests that run its line.

python scripts/mutate.py [--count 300] [--seed 0] [--jobs 2] [--log mutate.jsonl]

Wings are drawn uniformly, then a token of the wing. Repeated, it goes on where the log ends; a
changed line is judged anew. What is no fault stands in mutation/equivalents.py with its reason.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from resource import RLIMIT_AS, setrlimit
from typing import Any
from xml.etree import ElementTree

import coverage
from mutation.equivalents import EQUIVALENT
from mutation.faults import ROOT, Fault, drawn, planted
from tqdm import tqdm

BLIND = (
    "test_pitfalls.py",
    "test_layout.py",
    "test_docs.py",
    "test_lecture.py",
    "test_browser.py",
)  # judge texts, or a copy of them
SECONDS = 240  # of a fault's tests; more is a loop that never ends, which shows
MEMORY = 6 << 30  # bytes; more is a loop that fills it, which shows too


def environment(tree: Path) -> dict[str, str]:
    """In which tests import the package from `tree`."""
    return {**os.environ, "PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


def pytest_of(tree: Path, *words: str) -> list[str]:
    """pytest on the tests of `tree`."""
    blind = [f"--ignore={tree / 'tests' / name}" for name in BLIND]
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *blind, *words]


def survey(folder: Path) -> tuple[coverage.CoverageData, dict[str, float]]:
    """Which test runs which line, and the seconds of each test; one run of the suite."""
    data, times = folder / "lines", folder / "times.xml"
    if not times.exists():
        command = pytest_of(ROOT, "--cov", "--cov-context=test", f"--junitxml={times}",
                            "--cov-report=", "tests")  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True,
                       env=environment(ROOT) | {"COVERAGE_FILE": str(data)})  # fmt: skip
    lines = coverage.CoverageData(str(data))
    lines.read()
    cases = ElementTree.parse(times).iter("testcase")
    return lines, {f"tests/{c.get('classname', '').split('.')[-1]}.py::{c.get('name')}":
                   float(c.get("time", 0)) for c in cases}  # fmt: skip


def judge(fault: Fault, tests: list[str]) -> dict[str, Any]:
    """Whether one of the tests fails on a copy of the project with the fault."""
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place)
        for name in ("minipg", "tests", "scripts", "docs"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("setup.cfg", "README.md"):
            shutil.copy(ROOT / name, tree)
        (tree / fault.file).write_text(planted(fault))
        (tree / "chosen").write_text("\n".join(tests))
        try:
            done = subprocess.run(pytest_of(tree, "-x", "@chosen"), cwd=tree, capture_output=True,
                                  text=True, env=environment(tree), timeout=SECONDS, check=False,
                                  preexec_fn=partial(setrlimit, RLIMIT_AS, (MEMORY, MEMORY)),
                                  )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"caught": True, "by": "no end"}
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        return {"caught": done.returncode != 0, "by": failed[1] if failed else done.stdout[-200:]}


def main() -> int:
    """0 if at least 97 % of the faults that are none in disguise are caught."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--log", type=Path, default=Path("mutate.jsonl"))
    args = parser.parse_args()
    folder = args.log.with_suffix(".survey").absolute()
    folder.mkdir(exist_ok=True)
    lines, seconds = survey(folder)
    known = {}
    if args.log.exists():
        known = {row["key"]: row for row in map(json.loads, args.log.read_text().splitlines())}
    chosen = drawn(args.count, args.seed)

    def row(fault: Fault) -> dict[str, Any]:
        if fault.key in known:
            return known[fault.key]
        every = lines.contexts_by_lineno(str(ROOT / fault.file))
        # a line that runs on import, a default say, is run by all that run its file
        contexts = any(every.get(fault.line, [])) and every[fault.line] or sum(every.values(), [])
        tests = sorted({c.split("|")[0] for c in contexts if c}, key=lambda t: seconds.get(t, 0))
        return {
            "key": fault.key,
            "line": fault.line,
            "tests": len(tests),
            **(judge(fault, tests) if tests else {"caught": False, "by": "no test"}),
        }

    with ThreadPoolExecutor(args.jobs) as pool, args.log.open("a") as log:
        rows = []
        for found in tqdm(pool.map(row, chosen), total=len(chosen), unit=" faults"):
            rows.append(found)
            if found["key"] not in known:
                print(json.dumps(found, ensure_ascii=False), file=log, flush=True)
    none = [x for x in rows if not x["caught"] and x["key"] in EQUIVALENT]
    alive = [x for x in rows if not x["caught"] and x["key"] not in EQUIVALENT]
    counted = len(rows) - len(none)
    for x in alive:
        print(f"{x['key']} (line {x['line']}, {x['tests']} tests)")
    share = 1 - len(alive) / counted
    print(f"{counted - len(alive)} of {counted} faults caught, {share:.1%}; "
          f"{len(none)} more change nothing")  # fmt: skip
    return int(share < 0.97)


if __name__ == "__main__":
    sys.exit(main())
