"""A finite Markov decision process from its transition table.

Axes: S states, A actions, K entries of the table, D features.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order

from minipg.borders import Array, check_range, check_shape, finite_array, read_npz

TOLERANCE = 1e-6  # of a sum of probabilities; float32 tables are off by 1e-7


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

    def check_ends(self, pi: Array) -> None:
        """Raise ValueError unless under π every state can reach an end: γ = 1 needs it."""
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
        reached = breadth_first_order(back.tocsr(), n, return_predecessors=False)
        if len(reached) <= n:
            stuck = np.setdiff1d(np.arange(n), reached)
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
        used = prob != 0
        keys = [x[used] for x in (reward, terminated, next_state, row)]
        order = np.lexsort(keys)
        reward, terminated, next_state, row = (x[order] for x in keys)
        new = np.ones(len(row), bool)
        new[1:] = np.any([x[1:] != x[:-1] for x in (reward, terminated, next_state, row)], axis=0)
        total = np.bincount(np.cumsum(new) - 1, prob[used][order], new.sum())
        row, sums = row[new], np.bincount(row[new], total)
        scale = np.where(np.abs(sums - 1) <= TOLERANCE, sums, 1.0)  # to sum to 1 exactly
        return cls(row, next_state[new], total / scale[row], reward[new], terminated[new],
                   np.array(start), gamma, None if features is None else np.array(features),
                   num_actions)  # fmt: skip

    @classmethod
    def from_arrays(
        cls, transition: Array, reward: Array, start: Array, gamma: float,
        terminal: Array | None = None, features: Array | None = None,
    ) -> "TabularMDP":  # fmt: skip
        """transition (S, A, S), reward (S, A) or (S, A, S), start (S,), terminal (S,) booleans.

        Entering a terminal state ends the episode; what its own rows say does not matter.
        """
        transition = finite_array("transition", transition, (None, None, None))
        n, a, _ = transition.shape
        check_shape("transition", transition, (n, a, n))
        reward = finite_array("reward", reward, (n, a, n) if np.ndim(reward) == 3 else (n, a))
        reward = reward if reward.ndim == 3 else np.repeat(reward[:, :, None], n, axis=2)
        start = finite_array("start", start, (n,))
        terminal = np.zeros(n, bool) if terminal is None else np.asarray(terminal)
        check_shape("terminal", terminal, (n,))
        if terminal.dtype != np.bool_:
            raise ValueError(f"terminal: expected booleans, got dtype {terminal.dtype}")
        transition = np.where(terminal[:, None, None], np.eye(n)[:, None], transition)
        reward = np.where(terminal[:, None, None], 0.0, reward)
        s, act, s2 = (x.ravel() for x in np.indices(transition.shape))
        return cls.from_entries(s * a + act, s2, transition.ravel(), reward.ravel(), terminal[s2],
                                start, gamma, features, a)  # fmt: skip

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> "TabularMDP":
        """The arguments of from_arrays by name, from an .npz file; ValueError names the file."""
        file = read_npz(path, "transition", "reward", "start", "gamma")
        known = {"transition", "reward", "start", "gamma", "terminal", "features"}
        try:
            if not set(file) <= known:
                raise ValueError(f"expected arrays among {sorted(known)}, got {sorted(file)}")
            gamma = float(finite_array("gamma", file["gamma"], ()))
            return cls.from_arrays(file["transition"], file["reward"], file["start"], gamma,
                                   file.get("terminal"), file.get("features"))  # fmt: skip
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    @classmethod
    def from_env(cls, env: gym.Env[Any, Any] | str, gamma: float) -> "TabularMDP":
        """From `env.unwrapped.P[s][a] = [(p, s′, r, terminated), …]` and initial_state_distrib.

        The table knows no time limit. ValueError where an environment has no such table.
        """
        if isinstance(env, str):
            try:
                env = gym.make(env)
            except (gym.error.Error, ImportError) as error:
                raise ValueError(f"env: {error}") from error
        table = getattr(env.unwrapped, "P", None)
        start = getattr(env.unwrapped, "initial_state_distrib", None)
        if not isinstance(table, Mapping) or not table or start is None:
            raise ValueError(f"env: expected a table P and initial_state_distrib, {env} lacks them")
        num_actions = max(len(actions) for actions in table.values())
        rows = ((s * num_actions + a, s2, p, r, end) for s, actions in table.items()
                for a, outcomes in actions.items() for p, s2, r, end in outcomes)  # fmt: skip
        entries = np.fromiter(rows, "i8,i8,f8,f8,?")  # one by one: a P made on demand may be large
        row, s2, p, r, end = (entries[f"f{i}"] for i in range(5))
        start = finite_array("start", start, (len(table),))
        return cls.from_entries(row, s2, p, r, end, start, gamma, None, num_actions)

    def unroll(self, horizon: int) -> "TabularMDP":
        """The same MDP, ended after `horizon` steps: state t·S + s, features of s."""
        check_range("horizon", horizon, 1)
        n, rows = self.num_states, self.num_states * self.num_actions
        t = np.repeat(np.arange(horizon), len(self.row))
        last = horizon * n + np.arange(n)  # the states after the last step: ended, and they stay so
        last_rows = horizon * rows + np.arange(rows)

        def layers(x: Array, after: Array) -> Array:
            return np.concatenate([np.tile(x, horizon), after])

        return TabularMDP.from_entries(
            layers(self.row, last_rows) + np.append(t * rows, np.zeros(rows, int)),
            layers(self.next_state, np.repeat(last, self.num_actions))
            + np.append((t + 1) * n, np.zeros(rows, int)),
            layers(self.prob, np.ones(rows)),
            layers(self.reward, np.zeros(rows)),
            np.append(np.tile(self.terminated, horizon) | (t == horizon - 1), np.ones(rows, bool)),
            np.append(self.start, np.zeros(horizon * n)),
            self.gamma,
            np.tile(self.features, (horizon + 1, 1)),
            self.num_actions,
        )

    def with_start(self, start: Array) -> "TabularMDP":
        """The same MDP from another p(s_0) (S,)."""
        return replace(self, start=finite_array("start", start, (self.num_states,)))
