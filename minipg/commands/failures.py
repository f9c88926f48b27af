"""What went wrong with a run, in one line."""

import traceback
from pathlib import Path

from minipg.problems.faults import Fault

OURS = Path(__file__).parents[1]


def reason(error: BaseException, go_on: str, lengths: list[str]) -> str:
    """What went wrong, in one line; of an error that is not ours also its kind and place.

    lengths: the options that say how far a step goes, for who diverged; none: it is said already.
    """
    place, text = traceback.extract_tb(error.__traceback__)[-1], str(error)
    if isinstance(error, Fault):
        return text + go_on
    ours = Path(place.filename).is_relative_to(OURS) and "expected" in text
    if type(error) is ValueError and ours:
        finite = ": expected finite numbers" in text and not text.startswith(("obs", "reward"))
        if finite and lengths:
            text += f"; the training diverged: a smaller {' or '.join(lengths)}?"
        return text
    return f"{type(error).__name__}: {text} ({place.filename}:{place.lineno}){go_on}"
