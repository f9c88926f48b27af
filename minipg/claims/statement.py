"""What an entry of the lecture's lists is: of equations, of errata, of questions."""

from typing import NamedTuple


class Statement(NamedTuple):
    """An id, the slides' section, the claim as a formula or a few words, one plain sentence."""

    id: str
    section: str
    title: str
    sentence: str


class Question(NamedTuple):
    """A footnote's question in the slides' words, our answer, and the ids that show it."""

    id: str
    section: str
    question: str
    answer: str
    shown_by: tuple[str, ...]
