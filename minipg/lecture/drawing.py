"""Matplotlib figures as inline SVG: text in the page's colour, the same bytes each time."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure

from minipg.validate import Array

BLUE, ORANGE, GREEN = "#1f77b4", "#d95f02", "#159570"  # each legible on white and on black
INK = "#010203"  # becomes the page's own colour
WIDE = 6  # inches
_LINE = np.linspace(-1, 1, 255)[:, None]  # from orange over nothing, the page itself, to blue
SHADES = ListedColormap(np.hstack([np.where(_LINE < 0, to_rgb(ORANGE), to_rgb(BLUE)), abs(_LINE)]))
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
    "ytick.color": INK, "legend.frameon": False, "axes.titlesize": 9, "lines.linewidth": 1.6,
    "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none",
    "legend.fontsize": 8, "legend.handlelength": 1.6,
    "axes.formatter.useoffset": False, "svg.hashsalt": "minipg",
}  # fmt: skip


def drawn(picture: Callable[..., str], *of: Any) -> str:
    """What a picture returns, in the page's style."""
    with mpl.rc_context(STYLE):
        return picture(*of)


def axes(columns: int = 1, width: float = 3.6, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    """A figure and its axes beside each other, each `width` × `height` inches."""
    figure = Figure((width * columns, height), layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, columns)))


def svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an <svg>, its label below it too; its ids begin with `name`, unique in a page.

    What is wider than a column of text is of class wide: a phone scrolls it.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', rf"\g<1>{name}-\g<2>", text)
    text = text.replace(INK, "currentColor").replace("<g>", "<g >")
    text = re.sub(r'font: [^;"]*?(\d[\d.]*px) [^;"]*', r"font-size: \1", text)
    text = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    text = re.sub(r">\s+<", "><", text).replace("<g >", "<g>")
    kind, label = ' class="wide"' if figure.get_figwidth() > WIDE else "", escape(label)
    picture = re.sub(r"^<svg", f'<svg role="img" aria-label="{label}"{kind}', text).strip()
    seen = f'<p class="seen" aria-hidden="true">{label}</p>'
    return f'<div class="scroll" tabindex="0">{picture}</div>{seen}'


def heat(axes: Axes, table: Array, size: float) -> None:
    """A table (rows, columns) as squares, orange at −size, blue at size, the first row on top."""
    axes.pcolormesh(table, cmap=SHADES, vmin=-size, vmax=size, linewidth=0)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])


def arrow(axes: Axes, end: Array, colour: str, **options: Any) -> None:
    """From 0 to `end` (2,)."""
    style = {"arrowstyle": "->", "color": colour, "lw": 1.8, "shrinkA": 0, "shrinkB": 0, **options}
    axes.annotate("", tuple(end), (0, 0), arrowprops=style)


def framed(name: str, frames: dict[str, str]) -> str:
    """Pictures of which one is seen, chosen by its label (CSS alone); printed, all are."""
    choices = "".join(
        f'<label><input type="radio" name="{name}" class="c{i}"{" checked" * (i == 1)}> '
        f"{escape(label)}</label> "
        for i, label in enumerate(frames)
    )
    shown = "".join(
        f'<div class="f f{i}"><span class="only-print">{escape(label)}</span>{picture}</div>'
        for i, (label, picture) in enumerate(frames.items())
    )
    return f'<div class="frames"><div class="choices">{choices}</div>{shown}</div>'
