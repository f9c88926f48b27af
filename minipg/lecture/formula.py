"""TeX as MathML, and the font that its braces and roots need: the only place that knows how."""

import base64
import io
import re
from functools import cache
from html import unescape
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from math_core import LatexError, LatexToMathML

COLOURS = {"A": "red", "B": "green", "C": "blue"}  # stand for classes t1, t2 and t3
STYLE = re.compile(r'style="color:(#\w{6});"')
CONVERT = LatexToMathML(
    annotation=True,
    macros={name: rf"\textcolor{{{colour}}}{{#1}}" for name, colour in COLOURS.items()},
)
# Made by the browser of what the text has: italics of letters (ℎ is U+210E), and the radical.
BEYOND = "√ℎ" + "".join(map(chr, (*range(0x1D434, 0x1D468), *range(0x1D6FC, 0x1D71C))))
LICENCE = "STIX Two Math, © 2001–2021 The STIX Fonts Project Authors, SIL Open Font License 1.1"


def plain(tex: str) -> str:
    r"""TeX without the marks \A, \B and \C of its terms."""
    return re.sub(r"\\[ABC]\{", "{", tex)


def mathml(tex: str) -> str:
    """<math> with its TeX as annotation, marked terms as classes t1, t2, t3; ValueError if none."""
    try:
        converted = CONVERT.convert_with_local_state(tex, displaystyle=True)
    except LatexError as error:
        raise ValueError(f"formula: expected TeX, got {tex!r}: {error}") from error
    return plain(STYLE.sub(lambda m: f'class="{_classes()[m[1]]}"', converted))


@cache
def _classes() -> dict[str, str]:
    """The class that each colour of the converter stands for."""
    shown = [CONVERT.convert_with_local_state(rf"\{x}{{x}}", displaystyle=True) for x in COLOURS]
    return {STYLE.findall(math)[0]: f"t{i}" for i, math in enumerate(shown, 1)}


@cache
def font(characters: str) -> str:
    """A @font-face "M" of STIX Two Math with these characters and what they are built of."""
    options = subset.Options(flavor="woff2", layout_features=["*"], hinting=True,
                             notdef_outline=True)  # fmt: skip
    spec = find_spec("ziamath")  # which brings the font; its code is not run
    assert spec is not None
    path = Path(str(spec.origin)).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    chosen, out = subset.Subsetter(options), io.BytesIO()
    chosen.populate(text=characters + BEYOND)
    with subset.load_font(str(path), options) as face:
        chosen.subset(face)
        subset.save_font(face, out, options)
    data = base64.b64encode(out.getvalue()).decode()
    return f"/* {LICENCE} */@font-face{{font-family:M;src:url(data:font/woff2;base64,{data})}}"


def characters(page: str) -> str:
    """Those of all formulas in a page, in order."""
    math = "".join(re.findall(r"<math.*?</math>", page, re.DOTALL))
    return "".join(sorted(set(unescape(re.sub(r"<annotation.*?</annotation>|<[^>]+>", "", math)))))
