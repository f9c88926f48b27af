"""Draw a run's learning curve: return against environment steps, with the threshold.

python scripts/plot.py DIR [--out FILE]
"""

import sys
from pathlib import Path

import cli
import matplotlib as mpl
import runs

mpl.use("Agg")
from matplotlib.figure import Figure


def draw(folder: Path, out: Path) -> None:
    """Write the picture; ValueError if the folder is no run or the format is unknown."""
    config, progress = runs.read_run(folder)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(progress["env_steps"], progress["mean_return"], color="C0", label="mean return")
    threshold = config["threshold"]
    if threshold is not None:
        axes.axhline(threshold, color="C1", linestyle="--", label=f"threshold {threshold:g}")
    axes.set(xlabel="environment steps", ylabel="return of an episode",
             title=f"{config['algorithm']} on {config['env']}, seed {config['seed']}")  # fmt: skip
    axes.legend()
    figure.savefig(out, dpi=150)


def main(argv: list[str] | None = None) -> int:
    """0, or 2 with one line on standard error for a user's mistake."""
    parser = cli.Parser(prog="plot", description="Draw a run's learning curve.")
    parser.add_argument("folder", type=Path, help="a run folder of train.py")
    parser.add_argument("--out", type=Path, help="PNG, SVG or PDF; else DIR/curve.png")
    args = parser.parse_args(argv)
    out = args.out or args.folder / "curve.png"

    def command() -> int:
        draw(args.folder, out)
        print(f"picture: {out}")
        return 0

    return cli.run("plot", command)


if __name__ == "__main__":
    sys.exit(main())
