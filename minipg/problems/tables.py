"""Where the entries of a table come from: dense arrays, a file, an environment, steps unrolled.

Axes: S states, A actions, K entries of the table.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from minipg.files import read_npz
from minipg.problems.entries import Entries, cleaned
from minipg.problems.faults import called, raised
from minipg.validate import NUMBERS, Array, array, check_range, check_shape, finite_array, reals

STARTS = "initial_state_distrib"


def of_arrays(
    transition: Array, reward: Array, terminal: Array | None
) -> tuple[Entries, tuple[int, int]]:
    """Entries, S and A of transition (S, A, S), reward (S, A) or (S, A, S), terminal (S,).

    transition, and a reward of three axes, may be (A, S, S) where S ≠ A tells.
    """
    transition = reals("transition", transition)
    check_shape("transition", transition, (None, None, None))
    first, n, last = transition.shape
    if n == last != first:  # (A, S, S), as of toolboxes that keep a matrix for each action
        transition = transition.swapaxes(0, 1)
        reward = reals("reward", reward)
        reward = reward.swapaxes(0, 1) if reward.shape == (first, n, n) else reward
    n, a, _ = transition.shape
    if transition.shape != (n, a, n):
        raise ValueError(
            f"transition: expected shape (S, A, S), or (A, S, S), got {transition.shape}"
        )
    reward = reals("reward", reward)
    check_shape("reward", reward, (n, a, n) if reward.ndim == 3 else (n, a))
    reward = reward if reward.ndim == 3 else np.repeat(reward[:, :, None], n, axis=2)
    terminal = np.zeros(n, bool) if terminal is None else array(terminal)
    check_shape("terminal", terminal, (n,))
    if terminal.dtype != np.bool_:
        raise ValueError(f"terminal: expected booleans, got dtype {terminal.dtype}")
    over = terminal[:, None, None]
    transition = finite_array(
        "transition", np.where(over, np.eye(n)[:, None], transition), (n, a, n)
    )
    counted = ~over & (cleaned(transition) != 0)
    reward = finite_array("reward", np.where(counted, reward, 0), (n, a, n))
    s, act, s2 = (x.ravel() for x in np.indices(transition.shape))
    entries = Entries(s * a + act, s2, transition.ravel(), reward.ravel(), terminal[s2])
    return entries, (n, a)


def of_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of TabularMDP.from_arrays by name; ValueError for others."""
    file = read_npz(path, "transition", "reward", "start", "gamma")
    known = {"transition", "reward", "start", "gamma", "terminal", "features"}
    if not set(file) <= known:
        raise ValueError(f"expected arrays among {sorted(known)}, got {sorted(file)}")
    return {**file, "gamma": float(finite_array("gamma", file["gamma"], ()))}


def of_env(env: gym.Env[Any, Any] | str) -> tuple[Entries, Array, int]:
    """Entries, start (S,) and A of an environment that has a table P.

    P and its rows may be mappings or sequences, states any keys; those of outcomes are P's.
    """
    if isinstance(env, str):
        try:
            env = gym.make(env)
        except (Exception, SystemExit) as error:  # of the environment's own code, any
            raise ValueError("env: expected an environment with a table, as FrozenLake-v1, got "
                             f"{type(error).__name__}: {error}") from error  # fmt: skip
    if not isinstance(env, gym.Env):
        raise ValueError(f"env: expected an environment or its name, got {env!r:.80}")
    try:
        return _of_table(env.unwrapped)
    except ValueError:
        raise
    except Exception as error:  # of the environment's own code, any
        raise ValueError("env: expected P[state][action] and initial_state_distrib, reading them "
                         f"{raised(error)[1]}") from error  # fmt: skip


def _of_table(env: Any) -> tuple[Entries, Array, int]:
    table, start = (called(name, getattr, env, name, None) for name in ("P", STARTS))
    if not isinstance(table, Mapping | Sequence) or not len(table) or start is None:
        raise ValueError("env: expected a table P and initial_state_distrib, as FrozenLake-v1 has, "
                         f"{env} lacks them")  # fmt: skip
    keys = list(table) if isinstance(table, Mapping) else list(range(len(table)))
    place = {key: i for i, key in enumerate(keys)}  # of initial_state_distrib
    if place.keys() == set(range(len(keys))):
        place = {key: key for key in keys}
    num_actions = max(len(table[key]) for key in keys)

    def rows() -> Iterator[tuple[int, int, float, float, bool]]:
        for key in keys:
            for a, outcomes in _items(table[key]):
                try:
                    if a not in range(num_actions):
                        raise LookupError
                    for outcome in outcomes:
                        p, s2, r, end = outcome
                        yield (place[key] * num_actions + a, place[s2], check_range("p", p),
                               check_range("r", r), _flag(end))  # fmt: skip
                except (TypeError, ValueError, LookupError) as error:
                    raise ValueError(
                        f"env: expected P[state][action], actions 0 … {num_actions - 1}, lists of "
                        f"(probability, state, reward, terminated), got {outcomes!r:.80} at state "
                        f"{key!r}, action {a!r}"
                    ) from error

    kinds = np.dtype(list(zip(Entries._fields, ("i8", "i8", "f8", "f8", "?"), strict=True)))
    found = np.fromiter(rows(), kinds)  # one by one: a P made on demand may be large
    entries = Entries(*(found[name] for name in Entries._fields))
    return entries, finite_array("start", start, (len(keys),)), num_actions


def _flag(end: Any) -> bool:
    """True or False, or 1 or 0; ValueError for anything else."""
    if not isinstance(end, (*NUMBERS, np.bool_)) or end not in (0, 1):
        raise ValueError
    return bool(end)


def _items(table: Any) -> Iterable[tuple[Any, Any]]:
    """Keys and values of a mapping, places and values of a sequence."""
    return table.items() if isinstance(table, Mapping) else enumerate(table)


def unrolled(entries: Entries, num_states: int, num_actions: int, horizon: int) -> Entries:
    """A copy of the table for each of `horizon` steps, state t·S + s; the last one ends.

    The states after the last step stay where they are, ended.
    """
    rows = num_states * num_actions
    t = np.repeat(np.arange(horizon), len(entries.row))
    last = np.repeat(horizon * num_states + np.arange(num_states), num_actions)
    return Entries(
        np.append(np.tile(entries.row, horizon) + t * rows, horizon * rows + np.arange(rows)),
        np.append(np.tile(entries.next_state, horizon) + (t + 1) * num_states, last),
        np.append(np.tile(entries.prob, horizon), np.ones(rows)),
        np.append(np.tile(entries.reward, horizon), np.zeros(rows)),
        np.append(np.tile(entries.terminated, horizon) | (t == horizon - 1), np.ones(rows, bool)),
    )
