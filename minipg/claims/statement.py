"""What an entry of the lecture's lists is: of equations, of errata, of questions."""

from typing import NamedTuple

S1, S2, S3 = "1 REINFORCE", "2 Baselines", "3 Actor-critic"
S4, S5 = "4 GAE", "5 TRPO"


class Statement(NamedTuple):
    """An id, the slides' section, the claim as a formula or a few words, one plain sentence.

    formula: TeX, in which \\A{…}, \\B{…} and \\C{…} mark its terms. stated: where it is from, the
    "slide", in "part" from there, the slides' "words", or an erratum that corrects it. code: the
    function that computes it, as `wing.module.name`; terms: the words of that code which the
    first, second and third mark are; beside: functions that it needs to be read.
    """

    id: str
    section: str
    title: str
    sentence: str
    formula: str
    stated: str
    code: str
    terms: tuple[str, ...]
    beside: tuple[str, ...]


class Erratum(NamedTuple):
    """An id, the section, the slip, what holds; the slide's form and the right one as TeX."""

    id: str
    section: str
    title: str
    sentence: str
    slide: str
    right: str


class Question(NamedTuple):
    """A footnote's question in the slides' words, our answer, and the ids that show it."""

    id: str
    section: str
    question: str
    answer: str
    shown_by: tuple[str, ...]
