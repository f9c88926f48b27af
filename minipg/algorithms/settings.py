"""An algorithm's options: each with its default, what it is, and what it may be."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

from minipg.validate import LARGEST, check_choice, check_count, check_flag, check_range

MOST = 10**6  # of what is counted within an iteration, which would never end


def option(
    default: float | str,
    text: str,
    low: float = -LARGEST,
    high: float = LARGEST,
    choices: Collection[str] | None = None,
) -> Any:
    """A field of Settings: a number in [low, high], True or False, or one of `choices`."""
    metadata = {"help": text, "range": (low, high), "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Checked:
    """Its fields are options, each of its default's type; ValueError for one that may not be.

    NumPy's numbers become Python's own.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            name, bounds = each.name, each.metadata["range"]
            value: object = getattr(self, name)
            checked: object = None
            match each.default:
                case bool():
                    checked = check_flag(name, value)
                case int():
                    checked = check_count(name, value, bounds[0], min(bounds[1], MOST))
                case float():
                    checked = check_range(name, value, *bounds)
                case str():
                    checked = check_choice(name, value, each.metadata["choices"])
            object.__setattr__(self, name, checked)
