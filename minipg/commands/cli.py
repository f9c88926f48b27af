"""What the commands share: a mistake is one line on standard error and exit status 2."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

Raw = argparse.RawDescriptionHelpFormatter


class Parser(argparse.ArgumentParser):
    """Refuses unknown and abbreviated options, in one line."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def missing(name: str, error: ModuleNotFoundError) -> NoReturn:
    """Exit of an example whose framework, which minipg does not need, is not there."""
    print(f"{name}: needs {error.name}: pip install {error.name}", file=sys.stderr)
    sys.exit(2)


def run(name: str, command: Callable[[], int]) -> int:
    """The command's status; 2 for a mistake, 130 for Ctrl-C, each with its line."""
    try:
        return command()
    except (ValueError, OSError, MemoryError) as error:
        print(f"{name}: {' '.join(str(error).split()) or 'out of memory'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        then = str(stop) or "the files written so far are whole"
        print(f"{name}: interrupted; {then}", file=sys.stderr)
        return 130
