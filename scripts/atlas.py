"""Released libraries' own code, run on the audit's windows and named: docs/atlas.md.

python scripts/atlas.py [LIBRARY ...] [--only SETTING ...] [--envs DIR] [--write PAGE]

Each library is installed in a virtual environment of its own, DIR/atlas-LIBRARY, from the pinned
scripts/atlas/LIBRARY.txt, where it is not there yet; its glue, scripts/atlas/LIBRARY_glue.py, runs
there. What was measured is kept in DIR/atlas-results; PAGE is written from all that is there.
"""

import argparse
import dataclasses
import datetime
import json
import sys
from pathlib import Path

from survey import exchange, page, rows
from survey.settings import LANGUAGE, PACKAGES, WINDOWS


def measure(library: str, envs: Path, only: list[str]) -> None:
    """Prints each row as it is had, and keeps them all."""
    python, results = exchange.environment(library, envs), envs / "atlas-results"
    told = exchange.versions(python, PACKAGES[library])
    print(f"{library}: {told}", flush=True)
    got = []
    for row in rows.measured(library, python, results / library, only):
        got.append(dataclasses.asdict(row))
        print(f"  {row.name}: {row.formula}\n    bias {row.bias:.3g}, length {row.length:.4g}, "
              f"cosine {row.cosine:.6f}, variance {row.variance:.4g}", flush=True)  # fmt: skip
    path = results / f"{library}.json"
    kept = json.loads(path.read_text())["rows"] if only and path.exists() else []
    new = {r["name"]: r for r in [*kept, *got]}
    order = [new[name] for name in rows.settings(library) if name in new]
    date = datetime.date.today().isoformat()
    path.write_text(json.dumps({"versions": told, "date": date, "rows": order}, indent=1))


def main(argv: list[str] | None = None) -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=page.RAW)
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY")
    parser.add_argument("--only", nargs="+", default=[], metavar="SETTING")
    parser.add_argument("--envs", type=Path, default=Path(".venv"), metavar="DIR")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    args = parser.parse_args(argv)
    known = [*WINDOWS, *LANGUAGE]
    chosen = args.libraries or ([] if args.write else known)
    try:
        for library in chosen:
            rows.settings(library, args.only)
        for library in chosen:
            measure(library, args.envs, args.only)
        if args.write:
            paths = {x: args.envs / "atlas-results" / f"{x}.json" for x in known}
            page.write(args.write, {x: json.loads(p.read_text())
                                    for x, p in paths.items() if p.exists()})  # fmt: skip
    except (ValueError, RuntimeError) as error:
        print(f"atlas: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
