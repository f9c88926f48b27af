"""What a bug of the museum is, how it is planted, and how it is examined.

A property says AssertionError, given the module and a seed. A harm is a number and what it
measures, 0 on the right module; or the reason why there is none.
"""

import inspect
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from minipg.museum.pitfalls import PITFALLS

Module = types.ModuleType
Property = Callable[[Module, int], None]
Harm = Callable[[Module, int], tuple[float, str]]

BY_NUMBER = {pitfall.number: pitfall for pitfall in PITFALLS}
LEAST, ROUNDING = 1e-3, 1e-9  # a planted bug does more harm than that, the right code less


class Bug(NamedTuple):
    """A pitfall's number, and names of `module` that are wrong: `wrong` makes them of a copy of it.

    form, seen: which of its forms this is and where that was seen; empty: the pitfall's own.
    """

    number: int
    module: Module
    wrong: Callable[[Module], dict[str, Any]]
    holds: Property
    harm: Harm | str
    form: str = ""
    seen: str = ""

    @property
    def title(self) -> str:
        return self.form or BY_NUMBER[self.number].bug

    @property
    def published(self) -> str:
        return self.seen or BY_NUMBER[self.number].published

    @property
    def property_name(self) -> str:
        return self.holds.__name__.replace("_s_", "'s_").replace("_", " ")


def rebuilt(module: Module, **names: Any) -> Module:
    """A copy of the module, made of its own source, in which these names are others.

    Its functions see them, as they look names up in the copy; ValueError for a name it lacks.
    """
    copy = types.ModuleType(module.__name__)
    copy.__file__ = module.__file__
    exec(compile(inspect.getsource(module), str(module.__file__), "exec"), copy.__dict__)
    if missing := sorted(set(names) - set(vars(copy))):
        raise ValueError(f"{module.__name__}: expected to hold {', '.join(missing)}, it does not")
    copy.__dict__.update(names)
    return copy


def planted(bug: Bug) -> Module:
    """The module with the bug in it."""
    return rebuilt(bug.module, **bug.wrong(rebuilt(bug.module)))


def passes(bug: Bug, module: Module, seed: int) -> bool:
    """Whether the property holds on the module."""
    try:
        bug.holds(module, seed)
    except AssertionError:
        return False
    return True


def examine(bug: Bug, seed: int) -> dict[str, Any]:
    """The bug's row: does its property tell right from wrong, and what does the bug cost."""
    wrong = planted(bug)
    row = {"number": bug.number, "bug": bug.title, "published": bug.published,
           "module": bug.module.__name__, "caught_by": bug.property_name,
           "right_passes": passes(bug, bug.module, seed),
           "caught": not passes(bug, wrong, seed)}  # fmt: skip
    if isinstance(bug.harm, str):
        return row | {"harm": None, "harm_of_right": None, "measure": bug.harm}
    harm, measure = bug.harm(wrong, seed)
    return row | {"harm": harm, "harm_of_right": bug.harm(bug.module, seed)[0], "measure": measure}


def told_apart(row: dict[str, Any]) -> bool:
    """Caught where planted, silent on the right code, and the harm is not rounding."""
    sized = row["harm"] is None or (row["harm_of_right"] <= ROUNDING and row["harm"] > LEAST)
    return bool(row["right_passes"] and row["caught"] and sized)
