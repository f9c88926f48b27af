"""The problems on which harm is measured: FrozenLake-v1's table (γ = 0.9) and an LQR."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from minipg.algorithms.loop import Samples
from minipg.claims import Problem
from minipg.claims.table import unrolled_start
from minipg.experience.batch import Batch
from minipg.experience.enumeration import enumerate_trajectories
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.lqr import LQR, action_values, solve, state_values
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array

GAMMA = 0.9


@lru_cache(maxsize=4)
def lake(seed: int) -> Problem:
    """FrozenLake-v1 and a random policy, enumerated as verify does."""
    mdp = TabularMDP.from_env("FrozenLake-v1", GAMMA)
    policy = softmax_policy(16, 4)
    theta = policy.init(np.random.default_rng(seed), 1.0)
    return Problem(mdp, unrolled_start(mdp, policy, theta), policy, theta, seed)


def lake_samples(seed: int, count: int) -> Samples:
    """(s, a) drawn from the visits of the lake's policy; ψ = A^π, scaled to deviation 1."""
    p, rng = lake(seed), np.random.default_rng(seed)
    pi = p.policy.probs(p.theta, p.mdp.features)
    visits = exact.visits(p.mdp, pi, GAMMA) * (exact.state_values(p.mdp, pi) > 0)  # none after ends
    both = visits[:, None] * pi
    s, a = np.divmod(rng.choice(both.size, count, p=both.ravel() / both.sum()), p.mdp.num_actions)
    psi = exact.advantages(p.mdp, pi)[s, a]
    obs = p.mdp.features[s]
    return Samples(obs, a, p.policy.log_prob(p.theta, obs, a), psi / psi.std())


@dataclass(frozen=True)
class Stream:
    """A batch with V of its observations (T+1, B), and the true mean of Σ γ^t ∇log π ψ (P,)."""

    policy: Policy
    theta: Array
    batch: Batch
    values: Array
    truth: Array


@lru_cache(maxsize=4)
def stream(seed: int, horizon: int = 2) -> Stream:
    """Every pair of episodes of two steps from state 10, one after the other, a reset between.

    The first is cut by a time limit (both flags where it ends there too), the second by the end
    of the window. The critic is half learned: V^π shrunk halfway to its mean, also at terminal
    states. Truth, for λ = 1: 2 ∇J of the table whose last rewards hold that critic's γV(s′).
    """
    p = lake(seed)
    n, pi = p.mdp.num_states, p.policy.probs(p.theta, p.mdp.features)
    values = exact.state_values(p.mdp, pi)
    values = 0.5 * (values + values.mean())
    terminal = np.isin(np.arange(n), p.mdp.next_state[p.mdp.terminated])
    short = p.mdp.with_start(np.eye(n)[10]).unroll(horizon)
    s2, t = short.next_state % n, short.row // (n * short.num_actions)
    cut = (t == horizon - 1) & ~terminal[s2]
    bootstrapped = replace(short, reward=short.reward + cut * GAMMA * values[s2])
    one, states = enumerate_trajectories(short, p.policy.probs(p.theta, short.features))
    ended = terminal[states[1:] % n] & one.valid
    limit = one.valid & (np.arange(horizon) == horizon - 1)[:, None]
    i, j = np.indices((len(one.weight),) * 2).reshape(2, -1)

    def glue(x: Array, y: Array) -> Array:
        return np.concatenate([x[:, i], np.zeros_like(x[:1, i]), y[:, j]])

    nothing, same = np.zeros_like(limit), [one.actions, one.rewards, one.valid, one.log_prob]
    actions, rewards, valid, log_prob = (glue(x, x) for x in same)
    batch = Batch(np.concatenate([one.obs[:, i], one.obs[:, j]]), actions, rewards,
                  glue(ended, ended), glue(limit, nothing), valid, log_prob,
                  one.weight[i] * one.weight[j])  # fmt: skip
    seen = values[states % n]
    return Stream(p.policy, p.theta, batch, np.concatenate([seen[:, i], seen[:, j]]),
                  2 * exact.policy_gradient(bootstrapped, p.policy, p.theta))  # fmt: skip


def plant(seed: int) -> tuple[LQR, Policy, Array]:
    """A linear system of one state, two actions, two steps, a policy and its θ.

    It pays for large actions, so a policy learns to widen: there the two KL differ most.
    """
    one = np.eye(1)
    lqr = LQR(0.9 * one, np.array([[0.5, -0.3]]), one, -0.2 * np.eye(2), 0.01 * one, np.ones(1),
              0.1 * one, GAMMA, 2)  # fmt: skip
    return lqr, gaussian_policy(1, 2), 0.3 * np.random.default_rng(seed).standard_normal(6)


def plant_samples(seed: int, count: int) -> Iterator[Samples]:
    """Fifty batches of first steps on the plant; ψ = A^π, scaled to mean 0 and deviation 1."""
    lqr, policy, theta = plant(seed)
    solution, rng = solve(lqr, theta), np.random.default_rng(seed)
    for _ in range(50):
        s = lqr.mean + np.sqrt(0.1) * rng.standard_normal((count, 1))
        a, log_prob = policy.sample(theta, s, rng)
        psi = action_values(lqr, solution, s, a) - state_values(lqr, solution, s)
        yield Samples(s, a, log_prob, (psi - psi.mean()) / psi.std())


def off(got: Array, truth: Array) -> float:
    """‖got − truth‖/‖truth‖."""
    return float(np.linalg.norm(got - truth) / np.linalg.norm(truth))


def bias(mean: Array, truth: Array) -> tuple[float, str]:
    """That of an estimator's exact mean, with its cosine."""
    length = float(np.linalg.norm(mean) * np.linalg.norm(truth))
    cosine = float(mean @ truth) / length if length else 0.0
    return off(mean, truth), f"‖bias‖/‖∇J‖, cosine {cosine:.3f}"
