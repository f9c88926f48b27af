"""A progress bar on standard error: tqdm's, or one line where tqdm is not installed."""

import sys
import time
from types import TracebackType
from typing import Any

SECONDS_BETWEEN_LINES = 0.5


class Line:
    """What is used of tqdm's bar, without tqdm."""

    def __init__(self, total: int, unit: str, initial: int = 0, quiet: bool = False):
        self.total, self.unit, self.quiet = total, unit, quiet
        self.n, self.postfix, self.due = initial, "", 0.0

    def __enter__(self) -> "Line":
        self.show()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.show()
        if not self.quiet:
            print(file=sys.stderr)

    def update(self, n: float) -> None:
        """So many more are done."""
        self.n += int(n)
        if time.perf_counter() > self.due:
            self.show()

    def set_postfix(self, refresh: bool = False, **figures: str) -> None:
        """What stands behind."""
        self.postfix = "".join(f", {name}={figure}" for name, figure in figures.items())

    def show(self) -> None:
        """Over what the line was before."""
        if self.quiet:
            return
        self.due = time.perf_counter() + SECONDS_BETWEEN_LINES
        text = f"{self.n / self.total:4.0%}  {self.n} of {self.total}{self.unit}{self.postfix}"
        print(f"\r{text:79}", end="", file=sys.stderr, flush=True)


def bar(total: int, unit: str, initial: int = 0, quiet: bool = False) -> Any:
    """A context with update(n), set_postfix(refresh, **figures) and n, that are done; or silent."""
    if not quiet:
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            pass
        else:
            return tqdm(total=total, initial=initial, unit=unit, unit_scale=True)
    return Line(total, unit, initial, quiet)
