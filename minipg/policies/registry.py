"""The heads by name: which one a file holds, which one acts in a space of actions."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space

from minipg.policies.gaussian import Gaussian
from minipg.policies.heads import Head
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.softmax import Softmax
from minipg.validate import Array, check_choice


class Kind(NamedTuple):
    """A head's class, and how it is made for each kind of space in which it acts."""

    head: type[Any]
    spaces: dict[type[Space[Any]], Callable[[Any], Head]]


HEADS = {
    "Softmax": Kind(Softmax, {Discrete: lambda space: Softmax(space.n)}),
    "MultiSoftmax": Kind(MultiSoftmax, {
        MultiDiscrete: lambda space: MultiSoftmax(tuple(space.nvec.ravel())),
        MultiBinary: lambda space: MultiSoftmax((2,) * int(np.prod(space.shape))),
    }),
    "Gaussian": Kind(Gaussian, {Box: lambda space: Gaussian(np.prod(space.shape, dtype=int))}),
}  # fmt: skip


def head_for(space: Space[Any]) -> Head:
    """The first of HEADS that acts in such a space; ValueError, naming the spaces, for another."""
    spaces = [item for kind in HEADS.values() for item in kind.spaces.items()]
    for of, make in spaces:
        if isinstance(space, of):
            return make(space)
    *names, last = (of.__name__ for of, _ in spaces)
    raise ValueError(f"action space: expected {', '.join(names)} or {last}, got {space}")


def head_name(head: Head) -> str:
    """Its name in HEADS; ValueError if it has none: a file of it could not be read."""
    return check_choice("head", type(head).__name__, HEADS)


def head_fields(head: Head) -> dict[str, Array]:
    """What describes it, by name."""
    return {field.name: np.array(getattr(head, field.name)) for field in fields(head)}


def head_of(name: str, described: Mapping[str, Array]) -> Head:
    """The head of this name with these fields (others are passed over); else ValueError."""
    kind = HEADS[check_choice("head", name, HEADS)].head
    names = [field.name for field in fields(kind)]
    if missing := [field for field in names if field not in described]:
        raise ValueError(f"head: expected the fields {names} of {name}, {missing} are missing")
    return kind(**{field: described[field].tolist() for field in names})
