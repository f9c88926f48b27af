"""What goes wrong at a call of an environment: it raises, gives what it should not, has habits."""

import os
import sys
import time
import warnings
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np


class Unfit(Exception):
    """An exception that cannot be pickled, and has no text."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, lambda: second


def raising(make):
    def fault(value):
        raise make()

    return fault


def nested():
    def again():
        return again()

    return again()


RAISED = {  # at any call
    "ValueError": raising(ValueError),
    "a long text": raising(lambda: RuntimeError("line one\nline two " + "x" * 500 + " γ^t")),
    "unpicklable": raising(lambda: Unfit(1, 2)),
    "StopIteration": raising(StopIteration),
    "SystemExit": raising(lambda: SystemExit(3)),
    "MemoryError": raising(MemoryError),
    "OSError": raising(lambda: OSError(5, "Input/output error")),
    "EOFError": raising(EOFError),
    "BrokenPipeError": raising(BrokenPipeError),
    "TimeoutError": raising(TimeoutError),
    "AssertionError": raising(AssertionError),
    "KeyError": raising(lambda: KeyError("speed")),
    "GeneratorExit": raising(GeneratorExit),
    "recursion": lambda value: nested(),
    "Ctrl-C": raising(KeyboardInterrupt),
}


DISK = {"a full disk": raising(lambda: OSError(28, "No space left on device"))}  # at any write


def part(i: int, make: Callable[[Any], Any]):
    """A fault in one of what step or reset gives."""

    def fault(value):
        if len(value) != (5 if i else len(value)):
            return value
        return (*value[:i], make(value[i]), *value[i + 1 :])

    return fault


def spoiled(number):
    """An observation whose first number is another one; of whole numbers one with a fraction."""

    def of(obs):
        if isinstance(obs, dict):
            key = next(iter(obs))
            return {**obs, key: of(obs[key])}
        if isinstance(obs, tuple):
            return (of(obs[0]), *obs[1:])
        array = np.array(obs, np.float64)
        array.flat[0] = number
        return array

    return of


TICKS = count()


class Odd:
    """No number, no array."""


RETURNED = {
    "obs NaN": part(0, spoiled(np.nan)), "obs inf": part(0, spoiled(-np.inf)),
    "obs 1e300": part(0, spoiled(1e300)), "obs None": part(0, lambda x: None),
    "obs text": part(0, lambda x: "left"), "obs of 14": part(0, lambda x: np.ones((7, 2))),
    "obs ragged": part(0, lambda x: [[1.0], [2.0, 3.0]]), "obs object": part(0, lambda x: Odd()),
    "obs complex": part(0, lambda x: np.array([1j])), "obs empty": part(0, lambda x: {}),
    "reward NaN": part(1, lambda x: np.nan), "reward inf": part(1, lambda x: np.inf),
    "reward 1e300": part(1, lambda x: 1e300), "reward None": part(1, lambda x: None),
    "reward (1,)": part(1, lambda x: np.ones(1)), "reward text": part(1, lambda x: "1"),
    "reward complex": part(1, lambda x: 1j), "reward object": part(1, lambda x: Odd()),
    "terminated None": part(2, lambda x: None), "terminated text": part(2, lambda x: "yes"),
    "terminated (1,)": part(2, lambda x: np.array([True])), "truncated 2": part(3, lambda x: 2),
    "truncated NaN": part(3, lambda x: np.nan),
    "three of them": lambda x: x[:3],
    "six of them": lambda x: (*x, None), "nothing": lambda x: None,
}  # fmt: skip


def doing(act: Callable[[], Any]):
    def habit(value):
        act()
        return value

    return habit


HARMLESS = {  # a run goes on
    "prints": doing(lambda: print("step!")),
    "complains": doing(lambda: print("low battery \x1b[31m", file=sys.stderr)),
    "warns": doing(lambda: warnings.warn("old", DeprecationWarning, stacklevel=2)),
    "is slow": doing(lambda: time.sleep(0.03)),
    "goes elsewhere": doing(lambda: os.chdir("/")),
    "seeds the world": doing(lambda: np.random.seed(0)),  # noqa: NPY002
    "takes stdout": doing(lambda: setattr(sys, "stdout", None)),
    "sets np.seterr": doing(lambda: np.seterr(all="raise")),
    "reward of whole numbers": part(1, lambda x: 1), "reward True": part(1, lambda x: True),
    "reward in single precision": part(1, np.float32),
    "reward of no axis": part(1, lambda x: np.array(0.5)),
    "terminated 0": part(2, int), "truncated np.bool_": part(3, np.bool_),
    "info None": part(4, lambda x: None), "info a list": part(4, lambda x: [1]),
    "info with our keys": part(4, lambda x: {"episode": 3, "final_obs": "x", "_episode": None}),
    "info that changes its kind": part(4, lambda x: {"a": Odd() if next(TICKS) % 2 else 1}),
}  # fmt: skip
FAULTS = {**RAISED, **RETURNED, **HARMLESS}
EVERY = {**FAULTS, **DISK}
