"""A stranger's code called: what it raises, or leaves unanswered in a process, is one line."""

import signal
import sys
import sysconfig
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import TimeoutError  # not Python's own of this name
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv

SECONDS = 600.0  # within which a worker process answers
HERE = Path(__file__)
LIBRARIES = (
    Path(gym.__file__).parent,
    Path(np.__file__).parent,
    HERE,
    HERE.parents[1] / "experience",
)
PYTHON, INSTALLED = Path(sysconfig.get_path("stdlib")), {"site-packages", "dist-packages"}
RESET = "(observation, info)"
STEP = "(observation, reward, terminated, truncated, info)"


class Fault(ValueError):
    """What an environment's own code raised, or returned that it should not."""


def called(what: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """The function's result; Fault for whatever it raises (it may even exit), Ctrl-C excepted.

    The message is a text: what was raised need not be fit to leave its process. What it changes
    of NumPy's handling of errors and of the standard streams is put back.
    """
    streams = sys.stdout, sys.stderr
    writable = [stream for stream in streams if stream is not None and not stream.closed]
    try:
        with np.errstate():
            result = function(*args, **more)
        if any(stream.closed for stream in writable):
            raise Fault(f"environment: {what} closed sys.stdout or sys.stderr")
        return result
    except (KeyboardInterrupt, Fault):
        raise
    except BaseException as error:
        own, text = raised(error)
        wanted = "" if own else f"; expected of reset {RESET}, of step {STEP}"
        raise Fault(f"environment: {what} {text}{wanted}") from error
    finally:
        sys.stdout, sys.stderr = streams


def raised(error: BaseException) -> tuple[bool, str]:
    """Whether a stranger's code raised it, no library's, and what it was and where, in words."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _of_library(Path(frame.filename))]
    at, text = (own or frames)[-1], " ".join(str(error).split())
    text = f"{text[:300]} …" if len(text) > 300 else text
    return bool(own), f"raised {type(error).__name__}: {text} ({at.filename}:{at.lineno})"


def _of_library(path: Path) -> bool:
    """Whether a file is of Python itself, NumPy, Gymnasium or minipg's guards."""
    python = path.is_relative_to(PYTHON) and not INSTALLED & {*path.parts}
    return python or any(map(path.is_relative_to, LIBRARIES))


@contextmanager
def within(what: str, workers: Callable[[], Iterable[Any]]) -> Iterator[None]:
    """Fault where worker processes die, or do not answer in time: then they are killed."""
    late: list[Any] = []

    def end(*_: Any) -> None:
        late.extend(workers())
        for process in late:
            process.kill()

    try:
        with alarm(end):
            yield
    except (EOFError, ConnectionError) as error:
        raise Fault(unanswered(what) if late else died(what, workers())) from error
    if late:  # Gymnasium waits for processes to end, not for an answer
        raise Fault(unanswered(what))


@contextmanager
def alarm(ring: Callable[..., None]) -> Iterator[None]:
    """Call `ring` once after SECONDS in here; no thread, which a process that forks must not have.

    Whoever set an alarm before has it back. Without one: where the system has none, and in threads.
    """
    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return
    handler, began = signal.signal(signal.SIGALRM, ring), time.monotonic()
    before, _ = signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        rest = max(before - (time.monotonic() - began), 1e-3) if before else 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)  # none: not of Python
        signal.setitimer(signal.ITIMER_REAL, rest)


def unanswered(what: str) -> str:
    return f"environment: {what} got no answer from a worker process within {SECONDS:g} s"


def died(what: str, workers: Iterable[Any]) -> str:
    """What is known of it: its exit code, or the signal that ended it, below 0."""
    codes = set()
    for process in workers:
        process.join(0.2)  # its pipe is closed a moment before
        codes |= {process.exitcode} - {None, 0}
    ended = f"exit code {', '.join(map(str, sorted(codes)))}" if codes else "no exit code"
    return f"environment: a worker process died at {what}, {ended}: --mode sync may say why"


def answered(what: str, env: AsyncVectorEnv, *args: Any, **more: Any) -> Any:
    """What worker processes answer; Fault where one has died or does not answer."""
    try:
        getattr(env, f"{what}_async")(*args, **more)
        return getattr(env, f"{what}_wait")(timeout=SECONDS)
    except (EOFError, ConnectionError) as error:
        raise Fault(died(what, env.processes)) from error
    except TimeoutError as error:
        raise Fault(unanswered(what)) from error


def abandon(envs: Any) -> None:
    """End worker processes, alive or dead: Gymnasium's own close would wait for their answers."""
    workers = getattr(envs.unwrapped, "processes", [])
    for process in workers:
        process.kill()
        process.join()
    envs.unwrapped.closed = bool(workers)


def closed(what: str, close: Callable[..., Any], **more: Any) -> None:
    """Close it; where that fails it is a warning, as nothing is lost by it."""
    try:
        called(what, close, **more)
    except Fault as error:
        warnings.warn(f"{error}: ignored", stacklevel=2)
