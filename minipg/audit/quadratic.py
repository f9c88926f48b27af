"""Continuous actions: a linear-quadratic problem, its windows nodes of Gauss–Hermite quadrature.

Axes: T rows a window, N windows, n state, d action, P parameters, M points.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from minipg.audit.window import Window
from minipg.audit.windows import MOST, Windows
from minipg.policies.build import gaussian_policy
from minipg.policies.policy import Policy
from minipg.problems.lqr import LQR, action_values, reward, solve, state_values
from minipg.validate import Array


@dataclass(frozen=True)
class Plant(Windows):
    """An LQR without a horizon and a linear Gaussian policy on it; truncated after `limit` steps.

    values: a critic's V of states (…, n) ↦ (…). Each component of each noise stands at `nodes`
    points: means of what is a polynomial of degree below 2·nodes in each are exact, as those of
    the right estimators are; of others they are those of the nodes' own law. drawn: so many
    windows of Gaussian noise instead. ValueError with a horizon or where the nodes are too many.
    """

    lqr: LQR
    policy: Policy
    theta: Array
    values: Callable[[Array], Array]
    steps: int
    limit: int
    nodes: int = 3
    drawn: int = 0

    def __post_init__(self) -> None:
        if self.lqr.horizon is not None:
            raise ValueError(f"lqr: expected no horizon, got {self.lqr.horizon}: a limit truncates")

    @property
    def gamma(self) -> float:
        return self.lqr.gamma

    @property
    def size(self) -> int:
        return self.steps

    def sized(self, size: int, drawn: int = 0) -> "Plant":
        return replace(self, steps=size, drawn=drawn)

    @property
    def clock(self) -> Array:
        """t of each row (T,)."""
        return np.arange(self.steps) % self.limit

    @property
    def _noises(self) -> list[int]:
        """How many numbers are drawn: of each row for s_0 where an episode begins, a and s′."""
        n, d = self.lqr.G.shape
        begins, moves = n * bool(self.lqr.C.any()), n * bool(self.lqr.W.any())
        return [k for t in self.clock for k in (begins * int(t == 0), d, moves)]

    @property
    def possible(self) -> float:
        return float(self.nodes) ** sum(self._noises)

    @cached_property
    def listed(self) -> tuple[Array, Array, Array, Array]:
        """s (T, N, n), a (T, N, d), s′ (T, N, n) and the weights (N,)."""
        size = sum(self._noises)
        if self.drawn:
            noise = np.random.default_rng(self.steps).standard_normal((self.drawn, size))
            weight = np.full(self.drawn, 1 / self.drawn)
        else:
            if self.possible > MOST:
                raise ValueError(
                    f"steps: expected at most {MOST} windows, got {self.possible:g}: fewer"
                )
            z, w = np.polynomial.hermite_e.hermegauss(self.nodes)
            index = np.indices((self.nodes,) * size).reshape(size, -1).T
            noise, weight = z[index], (w / w.sum())[index].prod(1)
        parts = iter(np.split(noise, np.cumsum(self._noises)[:-1], axis=1))
        states: list[Array] = []
        actions: list[Array] = []
        after: list[Array] = []
        for t in self.clock:
            begin, act, move = next(parts), next(parts), next(parts)
            start = self.lqr.mean + _spread(begin, self.lqr.C)
            states.append(after[-1] if t else np.broadcast_to(start, (len(noise), len(self.lqr.F))))
            mu, log_std = self._head(states[-1])
            actions.append(mu + np.exp(log_std) * act)
            moved = states[-1] @ self.lqr.F.T + actions[-1] @ self.lqr.G.T
            after.append(moved + _spread(move, self.lqr.W))
        return np.stack(states), np.stack(actions), np.stack(after), weight

    def _head(self, s: Array) -> tuple[Array, Array]:
        """μ, log σ (…, d)."""
        eta = self.policy.eta(self.theta, s)
        return eta[..., : eta.shape[-1] // 2], eta[..., eta.shape[-1] // 2 :]

    @property
    def weight(self) -> Array:
        return self.listed[3]

    @property
    def pattern(self) -> Array:
        return np.repeat(2 * (self.clock[:, None] + 1 == self.limit), self.count, axis=1)

    def window(self, i: int) -> Window:
        s, a, after = (x[:, i] for x in self.listed[:3])
        return Window(
            reward(self.lqr, s, a), np.zeros(self.steps, bool), self.pattern[:, i] == 2,
            np.arange(self.steps) == self.steps - 1, self.clock, self.values(s),
            self.values(after), s, after, a, self.policy.log_prob(self.theta, s, a),
        )  # fmt: skip

    def advantages(self, i: int) -> Array:
        return self._advantages[:, i]

    @cached_property
    def _advantages(self) -> Array:
        """A^π (T, N)."""
        (s, a, *_), solution = self.listed, solve(self.lqr, self.theta)
        return action_values(self.lqr, solution, s, a) - state_values(self.lqr, solution, s)

    def ratios(self, i: int) -> Array:
        return np.ones(self.steps)

    @cached_property
    def _one(self) -> tuple["Plant", Array]:
        """The windows of one episode, listed, and E Σ_rows γ^t A^π of each of their rows (T, N)."""
        one = replace(self, steps=min(self.steps, self.limit), drawn=0)
        often = np.bincount(self.clock) * self.gamma**one.clock
        return one, often[:, None] * one._advantages * one.weight

    @property
    def points(self) -> Array:
        return np.concatenate(list(self._one[0].listed[0]))

    @cached_property
    def head_truth(self) -> Array:
        one, each = self._one
        actions = np.concatenate(list(one.listed[1]))
        score = self.policy.head.score(self.policy.eta(self.theta, self.points), actions)
        return each.reshape(-1, 1) * score

    def truth_by(self, scores: Callable[[Window], Array]) -> Array:
        one, each = self._one
        return np.sum([each[:, i] @ scores(one.window(i)) for i in range(one.count)], axis=0)


def _spread(noise: Array, covariance: Array) -> Array:
    """What noise (N, n) of deviation 1 is under this covariance; 0 where there is none."""
    if not noise.shape[1]:
        return np.zeros(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return noise @ (vectors * np.sqrt(np.maximum(values, 0))).T


def plant(steps: int = 3, limit: int = 2) -> Plant:
    """One state, two actions, a linear policy, a critic that is a quadratic, half learned."""
    one, none = np.ones((1, 1)), np.zeros((1, 1))
    lqr = LQR(0.8 * one, np.array([[0.5, -0.4]]), 0.5 * one, np.diag([0.1, 0.3]), none,
              np.array([0.7]), none, 0.9)  # fmt: skip
    policy = gaussian_policy(1, 2)
    theta = np.array([-0.5, 0.3, 0.2, -0.1, -0.7, -0.4])
    solution = solve(lqr, theta)

    def values(s: Array) -> Array:
        return 0.6 * state_values(lqr, solution, s) + 0.3 * s[..., 0] - 0.2

    return Plant(lqr, policy, theta, values, steps, limit)
