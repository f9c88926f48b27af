"""--until: a run ends once the last hundred training episodes have the mean return it asks for."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

EPISODES = 100
WHOLE = ("reinforce", "cem")  # whose mean_return is of the iteration's own episodes


class Goal:
    """Of a run of `algorithm`; rows: (episodes so far, mean_return) of its iterations."""

    def __init__(self, algorithm: str, until: float | None, rows: Iterable[tuple[float, float]]):
        self.whole, self.until = algorithm in WHOLE, np.inf if until is None else until
        self.rows = deque([(0.0, np.nan), *rows], EPISODES + 1)

    def add(self, record: dict[str, Any]) -> None:
        """One more iteration."""
        self.rows.append((record["episodes"], record["mean_return"]))

    @property
    def mean(self) -> float:
        """Of the last 100 episodes, or of the last iterations that have as many; NaN before."""
        episodes, mean = self.rows[-1]
        if not self.whole:
            return mean if episodes >= EPISODES else np.nan
        total, after = 0.0, episodes
        for (_, mean), (before, _) in zip(reversed(self.rows), islice(reversed(self.rows), 1, None),
                                          strict=False):  # fmt: skip
            total, after = total + (after - before) * mean, before
            if episodes - before >= EPISODES:
                return total / (episodes - before)
        return np.nan

    @property
    def reached(self) -> bool:
        return self.mean >= self.until


def iterations(loop: Iterator[Any], goal: Goal) -> Iterator[Any]:
    """Those of the loop, to its end or until the goal is reached."""
    while not goal.reached:
        try:
            yield next(loop)
        except StopIteration:
            return
