"""What the commands share: a mistake is one line on standard error and exit status 2."""

import argparse
import contextlib
import difflib
import math
import os
import select
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LONGEST = 1500  # characters of a message


def whole(text: str) -> int:
    """From "100000" or "1e5"."""
    try:
        return int(text)
    except ValueError:
        try:
            if float(text).is_integer():
                return int(float(text))
        except ValueError:
            pass
    raise argparse.ArgumentTypeError(f"expected a whole number, as 1000 or 1e3, got {text!r:.80}")


def real(text: str) -> float:
    """From "0.5" or "5e-1"."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise argparse.ArgumentTypeError(f"expected a number, as 0.5 or 5e-1, got {text!r}")


class Parser(argparse.ArgumentParser):
    """Refuses unknown and abbreviated options in one line; its help ends in examples."""

    def __init__(self, prog: str, description: str, examples: str = "", elsewhere: str = "",
                 see: str = "", **options: Any) -> None:  # fmt: skip
        """elsewhere: where other options stand. see: how its help is called, if not by prog."""
        epilog = f"examples:{examples.rstrip()}" if examples else None
        super().__init__(prog=prog, description=description, epilog=epilog, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter,
                         **options)  # fmt: skip
        self.register("type", int, whole)
        self.register("type", float, real)
        self.elsewhere, self.see = elsewhere, see or f"{prog} --help"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; what is unknown is refused at once, also in a subcommand."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            wanted = unknown[0].split("=")[0].replace("_", "-").lower()
            near = difflib.get_close_matches(wanted, self._option_string_actions, 1, 0.75)
            one = "; a value is one word, as 64,64" * (not wanted.startswith("-"))
            hint = self.elsewhere or "".join(f" ({option}?)" for option in near) or one
            self.error(f"unknown: {shlex.join(unknown)}{hint}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        message = message.replace("ignored explicit argument", "expected no value, got")
        self.exit(2, f"{self.prog}: {message}; see {self.see}\n")


def called() -> str:
    """The command as it was called, to be typed again: minipg where the shell finds it."""
    program = Path(sys.argv[0])
    if program.parts[-2:] == ("minipg", "__main__.py"):
        names = [name for name in ("python", "python3") if shutil.which(name) == sys.executable]
        return f"{names[0] if names else shlex.quote(sys.executable)} -m minipg"
    if program.name == "minipg" and shutil.which("minipg") is None:
        return shlex.quote(sys.argv[0])
    return "minipg"


def need(module: str, purpose: str) -> ModuleType:
    """A module whose package minipg can do without; ValueError says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        top = str(error.name).split(".")[0]
        package = {"PIL": "pillow"}.get(top, top)
        raise ValueError(f"{purpose}: needs {package}: pip install {package}") from error


def reader_gone() -> bool:
    """Whether whoever read the standard output has seen enough, as head does."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return bool(poll.poll(0))


def one_line(text: str) -> str:
    """A message in one line; of a long one the begin and the end, which says what to do."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def tell(text: str) -> None:
    """A line on standard error, unless somebody's code has closed it."""
    with contextlib.suppress(ValueError, AttributeError):
        print(text, file=sys.stderr)


def run(name: str, command: Callable[[], int]) -> int:
    """The command's status; 2 for a mistake, 130 for Ctrl-C, each with its line."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except BrokenPipeError as error:
        if not reader_gone():
            tell(f"{name}: {error}")
            return 2
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, MemoryError) as error:
        tell(f"{name}: {one_line(str(error)) or 'out of memory'}")
        return 2
    except KeyboardInterrupt as stop:
        then = str(stop) or "the files written so far are whole"
        tell(f"{name}: interrupted; {then}")
        return 130
