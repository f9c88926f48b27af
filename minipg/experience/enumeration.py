"""Every trajectory of a problem as a weighted Batch, so that estimators have exact moments.

`enumerate_trajectories` of a TabularMDP; `quadrature` of a linear-quadratic problem.
Axes: T steps, B trajectories, S states, A actions; pi (S, A) is π(a|s).
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.heads import Gaussian
from minipg.policies.policy import Policy
from minipg.problems.lqr import LQR, reward
from minipg.problems.mdp import TabularMDP, check_pi
from minipg.validate import Array


def enumerate_trajectories(mdp: TabularMDP, pi: Array, most: int = 200_000) -> tuple[Batch, Array]:
    """E26 every possible episode as one column of a Batch, with weight P(T|π), and its states.

    P(T|π) = p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t, a_t). States (T+1, B) stand in the last state
    after the end. ValueError where there are more than `most` columns: unroll shorter.
    """
    check_pi(mdp, pi)
    states = np.flatnonzero(mdp.start)[None]  # (t+1, B), grows by a row and many columns a step
    weight = mdp.start[states[0]]
    entries = np.empty((0, len(weight)), int)  # (t, B), the table's entry of each step
    valid = np.empty((0, len(weight)), bool)
    running = np.ones(len(weight), bool)
    first = mdp.first[:: mdp.num_actions]  # entries of state s are first[s] … first[s+1] − 1
    pi_of_entry = pi.ravel()[mdp.row]
    while running.any():
        start = first[states[-1]]
        count = np.where(running, first[states[-1] + 1] - start, 1)
        if count.sum() > most:
            raise ValueError(
                f"mdp: expected at most {most} trajectories, got {count.sum()} "
                f"after {len(states)} steps: use mdp.unroll with a shorter horizon"
            )
        column = np.repeat(np.arange(len(count)), count)
        entry = (
            np.repeat(start, count) + np.arange(len(column)) - (np.cumsum(count) - count)[column]
        )
        running = running[column]
        step = np.where(running, pi_of_entry[entry] * mdp.prob[entry], 1.0)
        keep = step > 0
        column, entry, running = column[keep], entry[keep], running[keep]
        weight = weight[column] * step[keep]
        next_state = np.where(running, mdp.next_state[entry], states[-1][column])
        states = np.vstack([states[:, column], next_state])
        entries, valid = (
            np.vstack([entries[:, column], entry]),
            np.vstack([valid[:, column], running]),
        )
        running = running & ~mdp.terminated[entry]
    batch = Batch(
        obs=mdp.features[states],
        actions=mdp.row[entries] % mdp.num_actions,
        rewards=mdp.reward[entries] * valid,
        terminated=mdp.terminated[entries] & valid,
        truncated=np.zeros_like(valid),
        valid=valid,
        log_prob=np.log(np.where(valid, pi_of_entry[entries], 1.0)),
        weight=weight,
    )
    return batch, states


def quadrature(lqr: LQR, policy: Policy, theta: Array, nodes: int = 4) -> Batch:
    """A Batch whose columns are nodes of Gauss–Hermite quadrature over all noise of an LQR.

    s_0, and at each step a and s′, each component at `nodes` points: expectations of what is a
    polynomial of degree below 2·nodes in each Gaussian are exact, and the slides' estimators are
    such polynomials for a linear Gaussian policy. ValueError without a horizon.
    """
    if lqr.horizon is None or not isinstance(policy.head, Gaussian):
        raise ValueError(f"lqr: expected a horizon and a Gaussian policy, got {lqr.horizon}")
    n, d = lqr.G.shape
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    size = n + lqr.horizon * (d + n) - n  # the last s′ changes no reward: one point, its mean
    if nodes**size > 1_000_000:
        raise ValueError(f"lqr: expected at most 1000000 columns, got {nodes}^{size}")
    grid = np.stack(np.meshgrid(*[z] * size, indexing="ij"), -1).reshape(-1, size)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * size, indexing="ij"), -1)
    noise = iter(np.split(grid, np.cumsum([n] + [d, n] * (lqr.horizon - 1)), axis=1))
    root = {name: _root(getattr(lqr, name)) for name in "WC"}
    states, actions, rewards, log_probs = [lqr.mean + next(noise) @ root["C"].T], [], [], []
    for t in range(lqr.horizon):
        eta, _ = policy.forward(theta, states[-1])
        mu, log_std = policy.head.split(eta)
        actions.append(mu + np.exp(log_std) * next(noise))
        log_probs.append(policy.head.log_prob(eta, actions[-1]))
        rewards.append(reward(lqr, states[-1], actions[-1]))
        mean = states[-1] @ lqr.F.T + actions[-1] @ lqr.G.T
        states.append(mean + next(noise) @ root["W"].T if t < lqr.horizon - 1 else mean)
    shape = (lqr.horizon, len(grid))
    return Batch(
        obs=np.stack(states),
        actions=np.stack(actions),
        rewards=np.stack(rewards),
        terminated=np.indices(shape)[0] == lqr.horizon - 1,
        truncated=np.zeros(shape, bool),
        valid=np.ones(shape, bool),
        log_prob=np.stack(log_probs),
        weight=weights.reshape(-1, size).prod(1),
    )


def _root(covariance: Array) -> Array:
    """A matrix r with r rᵀ = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))
