"""When a training run first has a mean return of its last episodes at the threshold."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np


class Watch:
    """window of episodes → (seconds since start(), environment steps) at the threshold."""

    def __init__(self, threshold: float, windows: Sequence[int] = (20, 100)):
        self.threshold, self.windows = threshold, windows
        self.found: dict[int, tuple[float, int]] = {}

    def start(self) -> None:
        """The training begins."""
        self.began = perf_counter()

    def add(self, returns: Sequence[float], steps: int) -> bool:
        """True once every window is found; returns: of the last episodes, the latest last."""
        for window in self.windows:
            enough = window not in self.found and len(returns) >= window
            if enough and np.mean(returns[-window:]) >= self.threshold:
                self.found[window] = perf_counter() - self.began, steps
        return len(self.found) == len(self.windows)
