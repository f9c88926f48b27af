"""What went wrong with a run, in one line, and the processes that it leaves."""

import traceback
from pathlib import Path

from minipg.experience.environments import Envs
from minipg.experience.guard import Fault

OURS = Path(__file__).parents[1]


def reason(error: BaseException, go_on: str, lengths: list[str]) -> str:
    """What went wrong, in one line; of an error that is not ours also its kind and place."""
    place, text = traceback.extract_tb(error.__traceback__)[-1], str(error)
    if isinstance(error, Fault):
        return text + go_on
    ours = Path(place.filename).is_relative_to(OURS) and "expected" in text
    if type(error) is ValueError and ours:
        if ": expected finite numbers" in text and not text.startswith(("obs", "reward")):
            text += f"; the training diverged: a smaller {' or '.join(lengths)}?"
        return text
    return f"{type(error).__name__}: {text} ({place.filename}:{place.lineno}){go_on}"


def abandon(envs: Envs) -> None:
    """End worker processes, alive or dead: Gymnasium's own close would wait for their answers."""
    workers = getattr(envs.unwrapped, "processes", [])
    for process in workers:
        process.kill()
        process.join()
    envs.unwrapped.closed = bool(workers)
