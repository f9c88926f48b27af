"""A small table whose every window can be listed, as a training loop would see it.

Axes: L rows of a window, T rows a window, N windows, S states, A actions, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minipg.audit import chain
from minipg.audit.window import Window
from minipg.audit.windows import Windows
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array


@dataclass(frozen=True)
class Laboratory(Windows):
    """A table, a policy on it, a critic's V (S,), a time limit and how many rows a window has.

    autoreset: apart, next_step or same_step (chain.py). acted: θ of who acted, by default the
    policy's own. drawn: so many windows with a fixed seed, not every one.
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
        """That of π (S, A); a limit beyond the window's end is none."""
        return chain.chain(self.mdp, pi, min(self.limit, self.steps + 1), self.autoreset)

    @cached_property
    def chain(self) -> chain.Chain:
        """That of who acted."""
        return self._chain(self.mu)

    @cached_property
    def listed(self) -> tuple[Array, Array]:
        """Rows of the chain (T, N) and the windows' probabilities (N,)."""
        if not self.drawn:
            return chain.every(self.chain, self.steps)
        return chain.drawn(self.chain, self.steps, self.drawn, np.random.default_rng(self.steps))

    @property
    def weight(self) -> Array:
        return self.listed[1]

    @property
    def pattern(self) -> Array:
        c, rows = self.chain, self.listed[0]
        return (c.terminated + 2 * (c.truncated & ~c.terminated) + 4 * c.reset)[rows]

    @property
    def possible(self) -> float:
        return chain.count(self.chain, self.steps)

    def window(self, i: int) -> Window:
        c, rows = self.chain, self.listed[0][:, i]
        obs, state, after, seen = self.mdp.features, c.state[rows], c.after[rows], c.seen[rows]
        return Window(
            c.reward[rows], c.terminated[rows], c.truncated[rows],
            np.arange(len(rows)) == len(rows) - 1, c.t[rows], self.values[state],
            self.values[after], obs[state], obs[after], c.action[rows],
            np.log(self.mu[state, c.action[rows]]), c.reset[rows], obs[seen], self.values[seen],
        )  # fmt: skip

    def advantages(self, i: int) -> Array:
        c, rows = self.chain, self.listed[0][:, i]
        return np.where(c.reset[rows], 0, self._advantage[c.state[rows], c.action[rows]])

    @cached_property
    def _advantage(self) -> Array:
        return exact.advantages(self.mdp, self.pi)

    def ratios(self, i: int) -> Array:
        c, rows = self.chain, self.listed[0][:, i]
        ratio = (self.pi / self.mu)[c.state[rows], c.action[rows]]
        return np.cumprod(np.where(c.reset[rows], 1, ratio))

    @cached_property
    def _of_pairs(self) -> Array:
        """E Σ_rows γ^t A^π of each state and action (S, A), under π whoever acted."""
        c = self._chain(self.pi)
        each = chain.visits(c, self.steps) * self.gamma**c.t * ~c.reset
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


def lake(steps: int = 5, limit: int = 3, autoreset: str = "apart") -> Laboratory:
    """Three states and an end, two actions, slips, rewards of either sign, a half-learned V."""
    rng = np.random.default_rng(7)
    transition = np.zeros((4, 2, 4))
    transition[0, 0, 1] = 1
    transition[0, 1, [2, 3]] = 0.7, 0.3
    transition[1, 0, 3] = 1
    transition[1, 1, [0, 2]] = 0.5, 0.5
    transition[2, 0, 1] = transition[2, 1, 0] = transition[3, :, 3] = 1
    reward = rng.standard_normal((4, 2, 4)).round(2)
    terminal = np.arange(4) == 3
    start = np.array([0.6, 0.4, 0, 0])
    mdp = TabularMDP.from_arrays(transition, reward, start, 0.9, terminal)
    policy = softmax_policy(4, 2)
    theta = policy.init(np.random.default_rng(1), 1.0)
    v = exact.state_values(mdp, policy.probs(theta, mdp.features))
    values = np.where(terminal, 0.37, 0.5 * v + 0.5 * rng.standard_normal(4))
    return Laboratory(mdp, policy, theta, values, steps, limit, autoreset)
