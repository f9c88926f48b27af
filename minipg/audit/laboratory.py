"""A small table whose every window can be listed, as a training loop would see it.

Axes: L rows of a window, T of each of its streams, N windows, S states, A actions, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import comb

from minipg.audit import chain
from minipg.audit.window import Window
from minipg.audit.windows import MOST, Windows
from minipg.estimators.group_moments import multisets
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array, check_count


@dataclass(frozen=True)
class Laboratory(Windows):
    """A table, a policy on it, a critic's V (S,), a time limit and how many rows a stream has.

    autoreset: apart, next_step, same_step or never (chain.py): then a stream is one whole episode,
    of at most `steps` rows, as `limit` does not exceed them. acted: θ of who acted, by default the
    policy's own. drawn: so many windows with a fixed seed, not every one. anywhere: streams begin
    where a long one is cut, not where an episode begins. streams: so many in a window, one after
    the other; as they come in any order, each multiset of them is counted once.
    """

    mdp: TabularMDP
    policy: Policy
    theta: Array
    values: Array
    steps: int
    limit: int
    autoreset: str = "apart"
    acted: Array | None = None
    drawn: int = 0
    anywhere: bool = False
    streams: int = 1

    def __post_init__(self) -> None:
        check_count("streams", self.streams, 1)
        if self.whole and self.limit > self.steps:
            raise ValueError("limit: expected at most steps where autoreset is never, got "
                             f"{self.limit}")  # fmt: skip
        if self.whole and self.anywhere:
            raise ValueError("anywhere: expected False where autoreset is never, got True")
        if self.anywhere and self.autoreset == "next_step" and self.steps < 2:
            raise ValueError("steps: expected 2 or more, as one row may be a reset alone, got "
                             f"{self.steps}")  # fmt: skip

    @property
    def whole(self) -> bool:
        """A stream is one episode."""
        return self.autoreset == "never"

    @property
    def size(self) -> int:
        return self.streams if self.whole else self.steps

    @property
    def told(self) -> tuple[int, str]:
        return (self.size, "episodes") if self.whole else (self.streams * self.steps, "rows")

    def sized(self, size: int, drawn: int = 0) -> "Laboratory":
        if self.whole:
            return replace(self, streams=size, drawn=drawn)
        return replace(self, steps=size, drawn=drawn)

    @property
    def gamma(self) -> float:
        return self.mdp.gamma

    @cached_property
    def pi(self) -> Array:
        """π (S, A)."""
        return self.policy.probs(self.theta, self.mdp.features)

    @cached_property
    def mu(self) -> Array:
        """Who acted (S, A): π where no other did."""
        theta = self.theta if self.acted is None else self.acted
        return self.policy.probs(theta, self.mdp.features)

    def _chain(self, pi: Array) -> chain.Chain:
        """That of π (S, A), begun as who acted begins; a limit beyond the window's end is none."""
        if not self.anywhere:
            return chain.chain(self.mdp, pi, min(self.limit, self.steps + 1), self.autoreset)
        acts = chain.chain(self.mdp, self.mu, self.limit, self.autoreset)
        goes_on = chain.chain(self.mdp, pi, self.limit, self.autoreset)
        return chain.begun(goes_on, chain.long_run(acts))

    @cached_property
    def chain(self) -> chain.Chain:
        """That of who acted."""
        return self._chain(self.mu)

    @cached_property
    def listed(self) -> tuple[Array, Array]:
        """Rows of the chain (L, N) and the windows' probabilities (N,)."""
        if self.drawn:
            rng, many = np.random.default_rng(self.size), self.drawn * self.streams
            rows = chain.drawn(self.chain, self.steps, many, rng)[0]
            return self._beside(rows, np.arange(many).reshape(-1, self.streams)), np.full(
                self.drawn, 1 / self.drawn)  # fmt: skip
        if self.possible > MOST:
            raise ValueError(f"steps, streams: expected at most {MOST} windows, got "
                             f"{self.possible:g}: fewer")  # fmt: skip
        rows, weight = chain.every(self.chain, self.steps)
        chosen, weight = multisets(weight, self.streams)
        return self._beside(rows, chosen), weight

    def _beside(self, rows: Array, chosen: Array) -> Array:
        """Of streams (T, M) those chosen (N, streams), one after the other (streams·T, N)."""
        return rows[:, chosen].transpose(2, 0, 1).reshape(-1, len(chosen))

    @property
    def weight(self) -> Array:
        return self.listed[1]

    @property
    def pattern(self) -> Array:
        c, rows = self.chain, self.listed[0]
        return (c.terminated + 2 * (c.truncated & ~c.terminated) + 4 * c.reset)[rows]

    @property
    def possible(self) -> float:
        one = chain.count(self.chain, self.steps)
        return float(np.rint(comb(one + self.streams - 1, self.streams)))

    def window(self, i: int) -> Window:
        c, rows = self.chain, self.listed[0][:, i]
        obs, state, after, seen = self.mdp.features, c.state[rows], c.after[rows], c.seen[rows]
        window = Window(
            c.reward[rows], c.terminated[rows], c.truncated[rows],
            np.arange(1, len(rows) + 1) % self.steps == 0, c.t[rows], self.values[state],
            self.values[after], obs[state], obs[after], c.action[rows],
            np.log(self.mu[state, c.action[rows]]), c.reset[rows], obs[seen], self.values[seen],
        )  # fmt: skip
        return window.data() if self.whole else window

    def _seen(self, i: int, of_rows: Array) -> Array:
        """Those of the i-th window's rows that its window has."""
        return of_rows[~self.chain.reset[self.listed[0][:, i]]] if self.whole else of_rows

    def advantages(self, i: int) -> Array:
        c, rows = self.chain, self.listed[0][:, i]
        each = np.where(c.reset[rows], 0, self._advantage[c.state[rows], c.action[rows]])
        return self._seen(i, each)

    @cached_property
    def _advantage(self) -> Array:
        return exact.advantages(self.mdp, self.pi)

    def ratios(self, i: int) -> Array:
        c, rows = self.chain, self.listed[0][:, i]
        ratio = (self.pi / self.mu)[c.state[rows], c.action[rows]]
        each = np.where(c.reset[rows], 1, ratio).reshape(self.streams, self.steps)
        return self._seen(i, np.cumprod(each, axis=1).ravel())

    @cached_property
    def _of_pairs(self) -> Array:
        """E Σ_rows γ^t A^π of each state and action (S, A), under π whoever acted."""
        c = self._chain(self.pi)
        each = self.streams * chain.visits(c, self.steps) * self.gamma**c.t * ~c.reset
        pair = c.state * self.mdp.num_actions + c.action
        return np.bincount(pair, each, self.pi.size).reshape(self.pi.shape) * self._advantage

    @property
    def points(self) -> Array:
        return self.mdp.features

    @cached_property
    def head_truth(self) -> Array:
        return self._of_pairs - self.pi * self._of_pairs.sum(1, keepdims=True)

    @property
    def logit_truth(self) -> Array:
        """G (S, A): the truth in any parameters is the gradient of Σ G(s, a) logit_θ(s)_a."""
        return self.head_truth

    def truth_by(self, scores: Callable[[Window], Array]) -> Array:
        state, action = (x.ravel() for x in np.indices(self.pi.shape))
        none, v, obs = np.zeros(len(state)), self.values[state], self.mdp.features[state]
        each = Window(none, none > 0, none > 0, none == 0, none.astype(int), v, v, obs, obs, action,
                      np.log(self.mu.ravel()))  # fmt: skip
        return self._of_pairs.ravel() @ scores(each)
