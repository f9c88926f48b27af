"""Small problems whose every window can be listed, as a training loop would see them.

Axes: T rows a window, N windows, S states, A actions, P parameters.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minipg.audit.window import Window
from minipg.experience.enumeration import ways_on
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP, check_pi
from minipg.truth import exact
from minipg.validate import Array, check_count


@dataclass(frozen=True)
class Listed:
    """Every window of a stream, a column each (T, N): the table's entry of each row, the step of
    its episode, whether the limit cut it there; and its probability (N,)."""

    entry: Array
    t: Array
    truncated: Array
    weight: Array


def enumerate_windows(
    mdp: TabularMDP, pi: Array, steps: int, limit: int, most: int = 200_000
) -> Listed:
    """Every window of `steps` rows of a stream of π: episodes one after the other.

    An episode begins at mdp.start, the first one with the window; it ends by termination, or by
    truncation after `limit` steps (one that does both has terminated: only that is set). The last
    row may cut one. ValueError where there are more than `most`.
    """
    pi, steps = check_pi(mdp, pi), check_count("steps", steps, 1)
    limit, most = check_count("limit", limit, 1), check_count("most", most, 1)
    chance_of_entry = pi.ravel()[mdp.row] * mdp.prob
    starts = np.flatnonzero(mdp.start)
    state, weight = starts, mdp.start[starts]
    clock = np.zeros(len(state), int)
    entries, clocks = np.empty((0, len(state)), int), np.empty((0, len(state)), int)
    for _ in range(steps):
        column, entry = ways_on(mdp, state, np.ones(len(state), bool), most)
        chance = chance_of_entry[entry]
        column, entry, chance = (x[chance > 0] for x in (column, entry, chance))
        entries, clocks = (
            np.vstack([entries[:, column], entry]),
            np.vstack([clocks[:, column], clock[column]]),
        )
        weight, clock = weight[column] * chance, clock[column] + 1
        ended = mdp.terminated[entry] | (clock == limit)
        state = mdp.next_state[entry]
        again = np.repeat(np.arange(len(state)), np.where(ended, len(starts), 1))
        place = np.arange(len(again)) - np.searchsorted(again, again)  # among its own
        restarts = ended[again]
        state = np.where(restarts, starts[place], state[again])
        weight = weight[again] * np.where(restarts, mdp.start[starts[place]], 1.0)
        clock = np.where(restarts, 0, clock[again])
        entries, clocks = entries[:, again], clocks[:, again]
        if len(weight) > most:
            raise ValueError(f"steps: expected at most {most} windows, got {len(weight)}: fewer")
    return _without_what_follows(mdp, entries, clocks, weight, limit)


def _without_what_follows(
    mdp: TabularMDP, entries: Array, clocks: Array, weight: Array, limit: int
) -> Listed:
    """Windows alike but for the start of what comes after them are one."""
    both, index = np.unique(np.vstack([entries, clocks]), axis=1, return_inverse=True)
    entry, t = np.split(both, 2)
    truncated = (t + 1 == limit) & ~mdp.terminated[entry]
    return Listed(entry, t, truncated, np.bincount(index.ravel(), weight))


@dataclass(frozen=True)
class Laboratory:
    """A table, a policy on it, a critic's V (S,), a time limit and how many rows a window has."""

    mdp: TabularMDP
    policy: Policy
    theta: Array
    values: Array
    steps: int
    limit: int

    @cached_property
    def pi(self) -> Array:
        """π (S, A)."""
        return self.policy.probs(self.theta, self.mdp.features)

    @cached_property
    def listed(self) -> Listed:
        return enumerate_windows(self.mdp, self.pi, self.steps, self.limit)

    @property
    def count(self) -> int:
        """N."""
        return len(self.listed.weight)

    def window(self, i: int) -> Window:
        """The i-th."""
        mdp, entry = self.mdp, self.listed.entry[:, i]
        state, action = np.divmod(mdp.row[entry], mdp.num_actions)
        after = mdp.next_state[entry]
        last = np.arange(len(entry)) == len(entry) - 1
        return Window(
            mdp.reward[entry], mdp.terminated[entry], self.listed.truncated[:, i], last,
            self.listed.t[:, i], self.values[state], self.values[after], mdp.features[state],
            mdp.features[after], action, np.log(self.pi[state, action]),
        )  # fmt: skip

    def advantages(self, i: int) -> Array:
        """The exact A^π of each row of the i-th window (L,)."""
        return exact.advantages(self.mdp, self.pi).ravel()[self.mdp.row[self.listed.entry[:, i]]]

    @cached_property
    def logit_truth(self) -> Array:
        """G (S, A): the truth in any parameters is the gradient of Σ G(s, a) logit_θ(s)_a.

        E Σ_rows γ^t A^π(s, a) ∂log π(a|s)/∂logits, A^π and so V^π bootstrapped at every cut. On
        windows of whole episodes that is ∇J times the episodes in one.
        """
        mdp, entry = self.mdp, self.listed.entry
        advantage = exact.advantages(mdp, self.pi).ravel()
        each = self.listed.weight * mdp.gamma**self.listed.t * advantage[mdp.row[entry]]
        of_pair = np.bincount(mdp.row[entry].ravel(), each.ravel(), self.pi.size)
        of_pair = of_pair.reshape(self.pi.shape)
        return of_pair - self.pi * of_pair.sum(1, keepdims=True)

    @cached_property
    def truth(self) -> Array:
        """E Σ_rows γ^t A^π ∇log π (P,), in the laboratory policy's own parameters."""
        _, tape = self.policy.forward(self.theta, self.mdp.features)
        return self.policy.vjp(self.theta, tape, self.logit_truth)

    def scores(self, window: Window) -> Array:
        """∇log π of each row (L, P)."""
        return self.policy.score(self.theta, window.obs, window.actions)

    def entropy_gradient(self, window: Window) -> Array:
        """∇ of the mean entropy over the rows (P,)."""
        eta, tape = self.policy.forward(self.theta, window.obs)
        d_entropy = self.policy.head.entropy_gradient(eta) / len(window.rewards)
        return self.policy.vjp(self.theta, tape, d_entropy)


def lake(steps: int = 5, limit: int = 3) -> Laboratory:
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
    return Laboratory(mdp, policy, theta, values, steps, limit)
