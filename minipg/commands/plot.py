"""Draw learning curves: one a run, or of several seeds their interquartile mean and its interval.

minipg plot DIR… [--x steps|seconds] [--out FILE]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from minipg.commands import cli
from minipg.commands.curves import folders_in, label, read_groups, together
from minipg.files import write_whole

SUFFIXES = (".png", ".svg", ".pdf")
EXAMPLES = """
  minipg plot runs/ppo-CartPole-v1-0
  minipg plot runs --x seconds --out curves.svg"""


def command(args: argparse.Namespace) -> int:
    """Write the picture; ValueError where there are no runs."""
    panels: Any = cli.need("minipg.commands.panels", "pictures")
    out = args.out or args.folders[0] / "curve.png"
    if out.suffix not in SUFFIXES:
        raise ValueError(f"--out: expected a file {', '.join(SUFFIXES)}, got {out}")
    groups, without = read_groups(folders_in(args.folders))
    for folder, why in without.items():
        print(f"minipg plot: left out, {why}: {folder}", file=sys.stderr)
    met = []
    for group in groups:
        those, young = together(group, panels.X[args.x][0])
        met.append(those)
        for seed in young:
            print(f"minipg plot: left out, too young to share {args.x} with the others: "
                  f"{label(group, groups)}, {group.options['env']}, seed {seed}",
                  file=sys.stderr)  # fmt: skip
    figure = panels.picture(met, args.x)
    write_whole(out, lambda file: figure.savefig(file, format=out.suffix[1:], dpi=150))
    print(f"picture: {out}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    parser = cli.Parser("minipg plot", "Draw learning curves.", EXAMPLES)
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="DIR", help="run folders, or folders of them")
    add("--x", choices=("steps", "seconds"), default="steps",
        help="of what the return is drawn against (%(default)s)")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="PNG, SVG or PDF; else DIR/curve.png, of the "
        "first DIR")  # fmt: skip
    args = parser.parse_args(argv)
    return cli.run("minipg plot", lambda: command(args))
