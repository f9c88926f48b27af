"""A finite Markov decision process from its transition table.

Axes: S states, A actions, K entries of the table, D features.
"""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import scipy.sparse as sp

from minipg.problems import tables
from minipg.problems.ends import never_reach
from minipg.problems.entries import TOLERANCE, Entries, checked, checked_start, cleaned, merged
from minipg.validate import (
    Array,
    array,
    arrays,
    check_count,
    check_finite,
    check_range,
    check_shape,
    finite_array,
)


@dataclass(frozen=True, eq=False)
class TabularMDP:
    """Entry k of the table: from row s·A + a with probability p to s′, reward r, the end or not.

    row, next_state, prob, reward, terminated (K,): sorted by row, p > 0; where `terminated`,
    nothing after s′ counts. start (S,): p(s_0). gamma in [0, 1], 1 only if every state can reach
    an end. given_features (S, D), None: one-hot. Built by `from_entries`, `from_arrays`,
    `from_npz`, `from_env`; raises ValueError for a table that is none.
    """

    row: Array
    next_state: Array
    prob: Array
    reward: Array
    terminated: Array
    start: Array
    gamma: float
    given_features: Array | None
    num_actions: int

    def __post_init__(self) -> None:
        start, num_actions = checked_start(self.start), check_count("actions", self.num_actions, 1)
        entries = Entries(self.row, self.next_state, self.prob, self.reward, self.terminated)
        own: dict[str, Any] = checked(entries, len(start), num_actions)._asdict()
        own |= {"start": start, "num_actions": num_actions}
        own |= {"gamma": check_range("gamma", self.gamma, 0, 1)}
        if self.given_features is not None:
            shape = (len(start), None)
            own |= {"given_features": finite_array("features", self.given_features, shape)}
        for name, value in own.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False  # what is computed once from it stays true
            object.__setattr__(self, name, value)
        if self.gamma == 1:
            self.check_ends(np.ones((self.num_states, self.num_actions)))

    @property
    def num_states(self) -> int:
        """S."""
        return len(self.start)

    @cached_property
    def features(self) -> Array:
        """What a policy sees of each state (S, D); one-hot is a dense S×S: for small tables."""
        if self.given_features is not None:
            return self.given_features
        one_hot = np.eye(self.num_states)
        one_hot.flags.writeable = False
        return one_hot

    @cached_property
    def first(self) -> Array:
        """Entries of row i are first[i] … first[i+1] − 1; first (S·A + 1,)."""
        return np.searchsorted(self.row, np.arange(self.num_states * self.num_actions + 1))

    @cached_property
    def continuing(self) -> sp.csr_array:
        """P(s′, not ended | s, a) (S·A, S), sparse."""
        p = np.where(self.terminated, 0.0, self.prob)
        shape = (self.num_states * self.num_actions, self.num_states)
        return sp.csr_array(sp.coo_array((p, (self.row, self.next_state)), shape=shape))

    @cached_property
    def expected_reward(self) -> Array:
        """r(s, a) = E reward (S, A)."""
        sums = np.bincount(self.row, self.prob * self.reward, self.num_states * self.num_actions)
        return sums.reshape(self.num_states, self.num_actions)

    def chain(self, pi: Array) -> sp.csr_array:
        """P_π(s′, not ended | s) = Σ_a π(a|s) P(s′, not ended | s, a) (S, S), sparse."""
        pi = array(pi)
        n, a = pi.shape
        choose = sp.csr_array((pi.ravel(), np.arange(n * a), np.arange(0, n * a + 1, a)))
        return choose @ self.continuing

    def never_ends(self, pi: Array) -> Array:
        """The states from which π cannot reach an end."""
        pi = array(pi)
        can_end = (self.prob * self.terminated * pi.ravel()[self.row]) > 0
        ending = np.unique(self.row[can_end] // self.num_actions)
        return never_reach(self.chain((pi != 0).astype(float)), ending)

    def check_ends(self, pi: Array) -> None:
        """Raise ValueError unless under π every state can reach an end: γ = 1 needs it."""
        stuck = self.never_ends(pi)
        if len(stuck):
            raise ValueError(
                f"gamma: without discount every state must reach an end; {len(stuck)} never do, "
                f"the first is {stuck[0]}"
            )

    @classmethod
    def from_entries(
        cls, row: Array, next_state: Array, prob: Array, reward: Array, terminated: Array,
        start: Array, gamma: float, features: Array | None, num_actions: int,
    ) -> "TabularMDP":  # fmt: skip
        """Sort the entries, add the probability of those that are alike, drop those of none.

        features: None is one-hot.
        """
        entries = Entries(*arrays(row, next_state, prob, reward, terminated))
        return cls(*merged(entries), start, gamma, features, num_actions)

    @classmethod
    def from_arrays(
        cls, transition: Array, reward: Array, start: Array, gamma: float,
        terminal: Array | None = None, features: Array | None = None,
    ) -> "TabularMDP":  # fmt: skip
        """transition (S, A, S), reward (S, A) or (S, A, S), start (S,), terminal (S,) booleans.

        (A, S, S) is known by S ≠ A; with as many states as actions give swapaxes(0, 1) of it.
        Entering a terminal state ends the episode; what its own rows say does not matter.
        """
        entries, (n, num_actions) = tables.of_arrays(transition, reward, terminal)
        start = checked_start(start, n)
        return cls.from_entries(*entries, start, gamma, features, num_actions)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> "TabularMDP":
        """The arguments of from_arrays by name, from an .npz file; ValueError names the file."""
        try:
            return cls.from_arrays(**tables.of_file(path))
        except ValueError as error:
            name = f"{os.fspath(path)}: "
            raise ValueError(name + str(error).removeprefix(name)) from error

    @classmethod
    def from_env(cls, env: gym.Env[Any, Any] | str, gamma: float) -> "TabularMDP":
        """From `env.unwrapped.P[s][a] = [(p, s′, r, terminated), …]` and initial_state_distrib.

        The table knows no time limit. ValueError where an environment has no such table.
        """
        entries, start, num_actions = tables.of_env(env)
        return cls.from_entries(*entries, start, gamma, None, num_actions)

    def unroll(self, horizon: int) -> "TabularMDP":
        """The same MDP, ended after `horizon` steps: state t·S + s, features of s."""
        horizon = check_count("horizon", horizon, 1)
        entries = Entries(self.row, self.next_state, self.prob, self.reward, self.terminated)
        return TabularMDP.from_entries(
            *tables.unrolled(entries, self.num_states, self.num_actions, horizon),
            np.append(self.start, np.zeros(horizon * self.num_states)),
            self.gamma,
            np.tile(self.features, (horizon + 1, 1)),
            self.num_actions,
        )

    def with_start(self, start: Array) -> "TabularMDP":
        """The same MDP from another p(s_0) (S,)."""
        return replace(self, start=checked_start(start, self.num_states))


def check_pi(mdp: TabularMDP, pi: Array) -> Array:
    """pi (S, A) as check_rows gives it; ValueError for another shape."""
    check_shape("pi", array(pi), (mdp.num_states, mdp.num_actions))
    return check_rows("pi", pi)


def check_rows(name: str, rows: Array) -> Array:
    """Probabilities (S, A), cleaned of what rounding left below 0; complex for complex-step.

    ValueError unless each row sums to 1.
    """
    rows = array(rows)
    check_shape(name, rows, (None, None))
    check_finite(name, rows)
    rows = cleaned(rows.astype(np.result_type(rows, np.float64), copy=False))
    off = np.abs(rows.sum(1) - 1).max(initial=0)
    if rows.real.min(initial=0) < 0 or off > TOLERANCE:
        raise ValueError(f"{name}: expected rows of probabilities that sum to 1")
    return rows / rows.sum(1, keepdims=True) if off > 1e-12 else rows  # off as float32 is
