"""What a claim is: a row of verify, which compares two computations on one Problem."""

from collections.abc import Callable
from math import isnan, nan
from typing import NamedTuple

from minipg.claims.equations import EQUATIONS
from minipg.claims.errata import ERRATA
from minipg.claims.problem import Problem

ALPHA = 1e-6  # probability with which a statistical row fails though the code is right
STATEMENTS = {statement.id: statement for statement in (*EQUATIONS, *ERRATA)}


class Row(NamedTuple):
    """What was compared, the error found and the error allowed; both NaN where nothing was."""

    compared: str
    error: float
    tolerance: float

    @property
    def skipped(self) -> bool:
        """Whether there was nothing to compare, for the reason in `compared`."""
        return isnan(self.error) and isnan(self.tolerance)


def skip(why: str) -> Row:
    """A row of a claim that says nothing of this problem; it does not hold, nor fail."""
    return Row(why, nan, nan)


class Claim(NamedTuple):
    """A statement's id, its title and what of it is compared, and the comparison."""

    id: str
    text: str
    compare: Callable[[Problem], Row]


def claim(id: str, part: str = "") -> Callable[[Callable[[Problem], Row]], Claim]:
    """Make a comparison the claim of a statement, or of a part of it; KeyError for no id of one."""
    title = STATEMENTS[id].title
    return lambda compare: Claim(id, f"{title}; {part}" if part else title, compare)
