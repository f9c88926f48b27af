"""How fast: formulas against BLAS, training against the raw environment, both against the peers.

python scripts/benchmark.py [--only NAME …] [--peers] [--json FILE] [--plot FILE]
"""

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Before NumPy is imported; processes that are started inherit it. What pins a kernel is taken
    # out: the processor's own is measured.
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np
from threadpoolctl import threadpool_info
from tqdm import tqdm

from bench import acting, kernels, learning, processes, scaling, shell, solving, training
from bench.timing import Row
from minipg.commands import cli, writer
from minipg.commands.options import VERSIONS
from minipg.commands.process import keep_freed_memory
from minipg.files import write_whole

SECTIONS = {
    "kernels": kernels.kernels,
    "scaling": scaling.scaling,
    "gae": scaling.advantages,
    "act": acting.acting,
    "imports": processes.imports,
    "memory": processes.memory,
    "environments": training.environments,
    "widest": solving.widest,
    "same": training.same_settings,
    "threshold": solving.threshold,
    "shell": shell.shell,
    "learning": learning.learning,
}
LONG = ("learning",)  # hours: only where it is asked for
HOLDS, FAILS = "#0072B2", "#D55E00"  # Okabe & Ito: told apart by any eye, and dark against light


def show(row: Row) -> str:
    """One line: the case, the median, its quartiles, what must hold and whether it does."""
    low, median, high = (f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}" for x in row.quartiles)
    line = f"  {row.what:48}{row.case:42}{median:>10}  {low + ' … ' + high:22}{row.unit:5}"
    if not row.limit:
        return line.rstrip()
    return f"{line} {row.limit:10}{'holds' if row.margin >= 1 else 'FAILS'}"


def summary(rows: list[Row]) -> str:
    """What must hold, a line a requirement: how many cases do, and the worst."""
    required: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.limit:
            required.setdefault((row.section, row.what, row.limit), []).append(row)
    lines = []
    for (section, what, limit), cases in required.items():
        worst = min(cases, key=lambda row: row.margin)
        good = sum(row.margin >= 1 for row in cases)
        lines.append(f"  {'holds' if good == len(cases) else 'FAILS'}  {good:2} of {len(cases):2}  "
                     f"{section}: {what} {limit}; worst {worst.quartiles[1]:.4g} {worst.unit} "
                     f"({worst.case})")  # fmt: skip
    return "\n".join(lines)


def document(rows: list[Row], peers: Any) -> dict[str, Any]:
    """All figures, as JSON has them: null is infinity, a run that failed."""

    def finite(x: float | None) -> float | None:
        return x if x is not None and np.isfinite(x) else None

    return {
        "machine": {"cpu": processor(), "blas": blas(), "cores": os.cpu_count(), "threads": 1,
                    "load": os.getloadavg()[0]},
        "versions": VERSIONS | (peers.VERSIONS if peers else {}),
        "rows": [{"section": row.section, "what": row.what, "case": row.case, "unit": row.unit,
                  **dict(zip(("low", "median", "high"), map(finite, row.quartiles), strict=True)),
                  "n": len(row.samples), "at_least": row.at_least, "at_most": row.at_most,
                  "holds": bool(row.margin >= 1) if row.limit else None}
                 for row in rows],
    }  # fmt: skip


def processor() -> str:
    """Its name where Linux says it."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def blas() -> str:
    """Which library multiplies NumPy's matrices, and with the kernel of which processor."""
    found = [x for x in threadpool_info() if x["user_api"] == "blas" and "numpy" in x["filepath"]]
    parts = [(x["internal_api"], x["version"], x.get("architecture")) for x in found]
    return ", ".join(" ".join(filter(None, part)) for part in parts) or "unknown"


def draw(rows: list[Row], path: Path) -> None:
    """A picture: a line a requirement, a mark a case, a bar its quartiles; right is good."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row.limit]
    if not rows:
        raise ValueError("--plot: expected sections with something that must hold")
    names = list(dict.fromkeys(f"{row.section}: {row.what}" for row in rows))[::-1]
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for holds, color, marker in ((True, HOLDS, "o"), (False, FAILS, "X")):
        some = [row for row in rows if (row.margin >= 1) == holds]
        for row in some:
            y = names.index(f"{row.section}: {row.what}")
            low, median, high = (np.clip(row.inside(x), 0.1, 100) for x in row.quartiles)
            axes.plot([low, high], [y, y], color=color, linewidth=1, alpha=0.6)
            axes.plot(median, y, marker, color=color, markersize=5, alpha=0.8)
        axes.plot([], [], marker, color=color, linestyle="", label="holds" if holds else "fails")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("times better than what must hold (within 0.1 … 100)")
    axes.legend(loc="lower right")
    write_whole(path, lambda file: figure.savefig(file, format=path.suffix[1:], dpi=150))


def command(args: argparse.Namespace) -> int:
    """Print a table a section as it is measured, then the requirements; 0."""
    peers: Any = None
    if args.peers:
        try:
            from bench import peers
        except ModuleNotFoundError as absent:
            raise ValueError(f"--peers: needs {absent.name}: pip install -r scripts/peers.txt"
                             ) from absent  # fmt: skip
    print(f"{processor()}, {blas()}, one thread")
    keep_freed_memory()
    rows: list[Row] = []
    for name in tqdm(args.only or [x for x in SECTIONS if x not in LONG], desc="sections"):
        part = SECTIONS[name](peers)
        rows += part
        tqdm.write("\n".join([f"{name}: {(SECTIONS[name].__doc__ or '').splitlines()[0]}",
                              *map(show, part), ""]), file=sys.stdout)  # fmt: skip
        sys.stdout.flush()
    print(f"What must hold (medians of this run, load {os.getloadavg()[0]:.1f}):\n{summary(rows)}")
    if args.json:
        writer.write_json(args.json, document(rows, peers))
    if args.plot:
        draw(rows, args.plot)
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, whatever holds; 2 for a mistake."""
    parser = cli.Parser(prog="benchmark", description="How fast, in one run on one thread.")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME",
                        help=f"sections: {', '.join(SECTIONS)} (all but {LONG[0]})")  # fmt: skip
    parser.add_argument("--peers", action="store_true",
                        help="also what scripts/peers.txt names")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a picture: PNG, SVG, PDF")
    args = parser.parse_args(argv)
    return cli.run("benchmark", lambda: command(args))


if __name__ == "__main__":
    sys.exit(main())
