"""Interleaved timing: pieces that are compared run A, B, …, A, B, … in one process.

Seconds are the process's own (CPU): one thread that never waits takes as long by the clock on the
wall where nothing else runs, and what does run elsewhere does not count.
"""

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time

import numpy as np
from tqdm import tqdm

LEAST = 2e-3  # seconds a measurement, by repeated calls
Piece = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One figure: the median of `samples` and its quartiles, beside what must hold, if anything."""

    section: str
    what: str
    case: str
    samples: np.ndarray
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def quartiles(self) -> list[float]:
        """25, 50 and 75 %; each is one of the samples, so that infinity (a failure) is allowed."""
        return np.quantile(self.samples, [0.25, 0.5, 0.75], method="inverted_cdf").tolist()

    @property
    def limit(self) -> str:
        """What must hold, "" if nothing."""
        if self.at_least is not None:
            return f"≥ {self.at_least:,g}"
        return f"≤ {self.at_most:,g}" if self.at_most is not None else ""

    def inside(self, x: float) -> float:
        """How far x is inside the limit, as a factor; NaN if there is none."""
        if self.at_least is not None:
            return x / self.at_least
        if self.at_most is not None:
            return self.at_most / x if x else math.inf
        return math.nan

    @property
    def margin(self) -> float:
        """How far the median is inside: it holds from 1 on."""
        return self.inside(self.quartiles[1])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector, as timeit does."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def clock(piece: Piece, calls: int = 1) -> float:
    """Seconds a call."""
    since = process_time()
    for _ in range(calls):
        piece()
    return (process_time() - since) / calls


def interleave(name: str, pieces: Mapping[str, Piece], rounds: int) -> dict[str, np.ndarray]:
    """Seconds a call of each piece, (rounds,); the first calls warm up and are not counted."""
    calls = {}
    for key, piece in pieces.items():
        piece()
        calls[key] = max(1, math.ceil(LEAST / max(clock(piece), 1e-9)))
    seconds = {key: np.empty(rounds) for key in pieces}
    with undisturbed():
        for i in tqdm(range(rounds), desc=name, leave=False):
            for key, piece in pieces.items():
                seconds[key][i] = clock(piece, calls[key])
    return seconds


def interleave_rates(
    name: str, pieces: Mapping[str, Callable[[], int]], rounds: int
) -> dict[str, np.ndarray]:
    """Steps a second of each piece, (rounds,); a piece plays for a while and returns its steps."""
    for piece in pieces.values():
        piece()
    rates = {key: np.empty(rounds) for key in pieces}
    for i in tqdm(range(rounds), desc=name, leave=False):
        for key, piece in pieces.items():
            since = process_time()
            steps = piece()
            rates[key][i] = steps / (process_time() - since)
    return rates


def exponents(sizes: list[int], seconds: list[np.ndarray]) -> np.ndarray:
    """Slope of log seconds over log size, one a round (rounds,): 1 is a cost in proportion."""
    return np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
