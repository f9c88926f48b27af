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
from scipy.sparse.csgraph import breadth_first_order

from minipg.problems import tables
from minipg.problems.tables import TOLERANCE, Entries
from minipg.validate import Array, check_finite, check_range, check_shape, finite_array


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
        n, rows = self.num_states, self.num_states * self.num_actions
        check_range("gamma", self.gamma, 0, 1)
        for name, index, most in (("row", self.row, rows), ("next_state", self.next_state, n)):
            if len(index) and not (index.min() >= 0 and index.max() < most):
                raise ValueError(
                    f"{name}: expected 0 … {most - 1}, got {index.min()} … {index.max()}"
                )
        finite_array("prob", self.prob, self.row.shape)
        finite_array("reward", self.reward, self.row.shape)
        finite_array("start", self.start, (n,))
        if self.given_features is not None:
            finite_array("features", self.given_features, (n, None))
            self.given_features.flags.writeable = False
        for name, p in (("start", self.start), ("transition table", self.prob)):
            if p.min(initial=0) < 0:
                raise ValueError(f"{name}: expected probabilities, got {p.min()}")
        if not abs(self.start.sum() - 1) <= TOLERANCE:
            raise ValueError(f"start: expected a sum of 1, got {self.start.sum():.12g}")
        sums = np.bincount(self.row, self.prob, rows)
        worst = int(np.abs(sums - 1).argmax())
        if not abs(sums[worst] - 1) <= TOLERANCE:
            s, a = divmod(worst, self.num_actions)
            raise ValueError(
                f"transition table: expected rows that sum to 1, that of state {s}, action {a} "
                f"sums to {sums[worst]:.12g}"
            )
        for array in (self.row, self.next_state, self.prob, self.reward, self.terminated,
                      self.start):  # fmt: skip
            array.flags.writeable = False  # what is computed once from them stays true
        if self.gamma == 1:
            self.check_ends(np.ones((n, self.num_actions)))

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
        n, a = pi.shape
        choose = sp.csr_array((pi.ravel(), np.arange(n * a), np.arange(0, n * a + 1, a)))
        return choose @ self.continuing

    def never_ends(self, pi: Array) -> Array:
        """(S,): whether under π no end can be reached from the state."""
        can_end = (self.prob * self.terminated * pi.ravel()[self.row]) > 0
        ending_states = np.unique(self.row[can_end] // self.num_actions)
        step = self.chain((pi != 0).astype(float)).tocoo()
        n = self.num_states  # the reversed graph, with one more node from which endings lead back
        back = sp.coo_array(
            (
                np.ones(step.nnz + len(ending_states)),
                (
                    np.append(step.coords[1], np.full(len(ending_states), n)),
                    np.append(step.coords[0], ending_states),
                ),
            ),
            shape=(n + 1, n + 1),
        )
        stuck = np.ones(n + 1, bool)
        stuck[breadth_first_order(back.tocsr(), n, return_predecessors=False)] = False
        return stuck[:n]

    def check_ends(self, pi: Array) -> None:
        """Raise ValueError unless under π every state can reach an end: γ = 1 needs it."""
        stuck = self.never_ends(pi)
        if stuck.any():
            raise ValueError(
                f"gamma: without discount every state must reach an end; {stuck.sum()} never do, "
                f"the first is {stuck.argmax()}"
            )

    @classmethod
    def from_entries(
        cls, row: Array, next_state: Array, prob: Array, reward: Array, terminated: Array,
        start: Array, gamma: float, features: Array | None, num_actions: int,
    ) -> "TabularMDP":  # fmt: skip
        """Sort the entries, add the probability of those that are alike, drop those of none.

        features: None is one-hot.
        """
        entries = Entries(row, next_state, prob, reward, terminated)
        return cls(*tables.merged(entries), tables.cleaned(np.array(start)), gamma,
                   None if features is None else np.array(features), num_actions)  # fmt: skip

    @classmethod
    def from_arrays(
        cls, transition: Array, reward: Array, start: Array, gamma: float,
        terminal: Array | None = None, features: Array | None = None,
    ) -> "TabularMDP":  # fmt: skip
        """transition (S, A, S), reward (S, A) or (S, A, S), start (S,), terminal (S,) booleans.

        Entering a terminal state ends the episode; what its own rows say does not matter.
        """
        entries, (n, num_actions) = tables.of_arrays(transition, reward, terminal)
        start = finite_array("start", start, (n,))
        return cls.from_entries(*entries, start, gamma, features, num_actions)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> "TabularMDP":
        """The arguments of from_arrays by name, from an .npz file; ValueError names the file."""
        try:
            return cls.from_arrays(**tables.of_file(path))
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    @classmethod
    def from_env(cls, env: gym.Env[Any, Any] | str, gamma: float) -> "TabularMDP":
        """From `env.unwrapped.P[s][a] = [(p, s′, r, terminated), …]` and initial_state_distrib.

        The table knows no time limit. ValueError where an environment has no such table.
        """
        entries, start, num_actions = tables.of_env(env)
        return cls.from_entries(*entries, start, gamma, None, num_actions)

    def unroll(self, horizon: int) -> "TabularMDP":
        """The same MDP, ended after `horizon` steps: state t·S + s, features of s."""
        check_range("horizon", horizon, 1)
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
        return replace(self, start=finite_array("start", start, (self.num_states,)))


def check_pi(mdp: TabularMDP, pi: Array) -> None:
    """Raise ValueError unless pi (S, A) holds probabilities; complex ones for complex-step."""
    check_shape("pi", pi, (mdp.num_states, mdp.num_actions))
    check_finite("pi", pi)
    if pi.real.min() < -TOLERANCE or np.abs(pi.sum(1) - 1).max() > TOLERANCE:
        raise ValueError("pi: expected rows of probabilities that sum to 1")
