"""The Problem on which a claim compares two computations, and what both may ask of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minipg.estimators.action_critics import compatible_advantage
from minipg.estimators.returns import discounts, reward_to_go, td_error, total_return
from minipg.estimators.score_function import gradients
from minipg.experience import enumeration
from minipg.experience.batch import Batch
from minipg.experience.rollout import play_episodes
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.validate import Array


@dataclass(frozen=True)
class Problem:
    """A policy on the whole table `mdp`, and on `start`, short enough to enumerate.

    episodes: how many a statistical claim samples. θ, mdp.features and start.features fit.
    """

    mdp: TabularMDP
    start: TabularMDP
    policy: Policy
    theta: Array
    seed: int
    episodes: int = 10_000

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @cached_property
    def pi(self) -> Array:  # (S, A) on start
        return self.policy.probs(self.theta, self.start.features)

    @cached_property
    def enumerated(self) -> tuple[Batch, Array]:
        return enumeration.enumerate_trajectories(self.start, self.pi)

    @property
    def batch(self) -> Batch:
        return self.enumerated[0]

    @property
    def states(self) -> Array:  # (T+1, B)
        return self.enumerated[1]

    @cached_property
    def total(self) -> Array:  # R (T, B)
        return total_return(self.batch.rewards, self.batch.ends, self.start.gamma)

    @cached_property
    def to_go(self) -> Array:  # G_t (T, B)
        return reward_to_go(self.batch.rewards, self.batch.ends, self.start.gamma)

    @cached_property
    def gamma_t(self) -> Array:  # γ^t (T, B)
        return discounts(self.batch.ends, self.start.gamma)

    @cached_property
    def values(self) -> Array:  # V (S,) on start
        return exact.state_values(self.start, self.pi)

    @cached_property
    def action_values(self) -> Array:  # Q (S, A) on start
        return exact.action_values(self.start, self.values)

    @cached_property
    def gradient(self) -> Array:  # ∇J (P,) on start
        return exact.policy_gradient(self.start, self.policy, self.theta)

    @cached_property
    def v(self) -> Array:  # V of the states passed (T+1, B)
        return self.values[self.states]

    @cached_property
    def q(self) -> Array:  # Q of the pairs passed (T, B)
        return self.action_values[self.states[:-1], self.batch.actions]

    def delta(self, values: Array) -> Array:
        """δ_t (T, B) of a critic's values (T+1, B)."""
        batch = self.batch
        return td_error(batch.rewards, values, batch.terminated, batch.valid, self.start.gamma)

    @cached_property
    def critic_error(self) -> Array:  # of a critic that is wrong in every state (S,)
        return self.rng.standard_normal(self.start.num_states) * np.abs(self.values).max()

    @cached_property
    def estimates(self) -> Array:  # REINFORCE of each trajectory (B, P)
        return gradients(self.policy, self.theta, self.batch, self.total)

    @cached_property
    def scores(self) -> Array:  # Σ_t ∇log π of each trajectory (B, P)
        return gradients(self.policy, self.theta, self.batch, np.ones_like(self.total))

    def own_rng(self, id: str) -> np.random.Generator:
        """Of one claim alone; `rng` is drawn from in turn, so a new claim would move the others."""
        return np.random.default_rng([self.seed, *id.encode()])

    def other(self, rng: np.random.Generator) -> Array:
        """θ of another policy π̃ (P,), at random: at most about ½ a feature and logit."""
        size = max(1.0, float(np.abs(self.mdp.features).max()))
        return self.theta + 0.5 / size * rng.standard_normal(self.theta.shape)

    def mean(self, psi: Array) -> Array:
        """E Σ_t ∇log π ψ_t (P,), exactly."""
        return self.batch.weight @ gradients(self.policy, self.theta, self.batch, psi)

    def unbiased(self, *psis: Array) -> float:
        """Largest error of E Σ_t γ^t ∇log π ψ_t against ∇J."""
        return worst(*(self.error(self.mean(self.gamma_t * psi), self.gradient) for psi in psis))

    def given_pairs(self, x: Array, table: Array) -> tuple[float, int]:
        """Error of E[x_t | s_t, a_t] against table (S, A), and how many pairs were compared."""
        valid = self.batch.valid
        weight = np.broadcast_to(self.batch.weight, valid.shape)[valid]
        pair = (self.states[:-1] * self.start.num_actions + self.batch.actions)[valid]
        total = np.bincount(pair, weight, table.size)
        seen = total > 1e-12  # rarer pairs lose their digits to rounding
        got = np.bincount(pair, weight * x[valid], table.size)[seen] / total[seen]
        return self.error(got, table.ravel()[seen]), int(seen.sum())

    def variance(self, estimates: Array) -> Array:
        """Of each component (P,) of estimates (B, P), exactly."""
        weight = self.batch.weight
        return weight @ (estimates - weight @ estimates) ** 2

    @cached_property
    def directions(self) -> Array:
        """∇J and two random directions (3, P), each of length 1."""
        v = np.vstack([self.gradient, self.rng.standard_normal((2, len(self.theta)))])
        return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)

    def along(self, batch: Batch, psi: Array) -> Array:
        """Σ_t ψ_t ∇log π of each column along each direction (B, 3), by jvp."""
        parts = [
            compatible_advantage(self.policy, self.theta, v, batch.obs[:-1], batch.actions)
            for v in self.directions
        ]
        return np.stack([(batch.valid * psi * part).sum(0) for part in parts], -1)

    @cached_property
    def played(self) -> Batch:
        """Episodes of `start`, sampled."""
        envs = TabularVectorEnv(self.start, self.episodes)
        return play_episodes(envs, self.policy, self.theta, self.rng)

    def error(self, got: Array | float, truth: Array | float) -> float:
        """Largest difference relative to the largest true value (at least 1e-4 of a reward)."""
        reward = float(np.abs(self.start.reward).max())
        scale = max(float(np.abs(truth).max()), 1e-4 * reward, 1e-300)
        return float(np.abs(got - truth).max()) / scale


def worst(*errors: float) -> float:
    """The largest error; NaN if one is."""
    return float(np.max(errors))
