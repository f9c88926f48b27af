"""Every trajectory of a problem as a weighted Batch, so that estimators have exact moments.

`enumerate_trajectories` of a TabularMDP; `quadrature` of a linear-quadratic problem.
Axes: T steps, B trajectories, S states, A actions; pi (S, A) is π(a|s).
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.gaussian import Gaussian
from minipg.policies.policy import Policy
from minipg.problems.lqr import LQR, reward
from minipg.problems.mdp import TabularMDP, check_pi
from minipg.validate import Array, check_count


def enumerate_trajectories(mdp: TabularMDP, pi: Array, most: int = 200_000) -> tuple[Batch, Array]:
    """E26 every possible episode as one column of a Batch, with weight P(T|π), and its states.

    P(T|π) = p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t, a_t). States (T+1, B) stand in the last state
    after the end. ValueError where there are more than `most` columns: unroll shorter.
    """
    pi, most = check_pi(mdp, pi), check_count("most", most, 1)
    pi_of_entry = pi.ravel()[mdp.row]
    states = np.flatnonzero(mdp.start)[None]  # (t+1, B), grows by a row and many columns a step
    weight = mdp.start[states[0]]
    entries = np.empty((0, len(weight)), int)  # (t, B), the table's entry of each step
    valid = np.empty((0, len(weight)), bool)
    running = np.ones(len(weight), bool)
    while running.any():
        column, entry = ways_on(mdp, states[-1], running, most)
        chance = np.where(running[column], pi_of_entry[entry] * mdp.prob[entry], 1.0)
        column, entry, chance = (x[chance > 0] for x in (column, entry, chance))
        weight, running = weight[column] * chance, running[column]
        after = np.where(running, mdp.next_state[entry], states[-1, column])
        states = np.vstack([states[:, column], after])
        entries = np.vstack([entries[:, column], entry])
        valid = np.vstack([valid[:, column], running])
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


def ways_on(mdp: TabularMDP, state: Array, running: Array, most: int) -> tuple[Array, Array]:
    """Each column (B,) once for every entry of its state's rows, once if it is not running.

    (column, entry), both (B′,): which column goes on, and by which entry of the table.
    """
    first = mdp.first[:: mdp.num_actions]  # entries of state s are first[s] … first[s+1] − 1
    count = np.where(running, first[state + 1] - first[state], 1)
    if count.sum() > most:
        raise ValueError(
            f"mdp: expected at most {most} trajectories, got {count.sum()}: use mdp.unroll with a "
            "shorter horizon"
        )
    column = np.repeat(np.arange(len(count)), count)
    among_its_own = np.arange(len(column)) - np.repeat(np.cumsum(count) - count, count)
    return column, first[state[column]] + among_its_own


def quadrature(lqr: LQR, policy: Policy, theta: Array, nodes: int = 4) -> Batch:
    """A Batch whose columns are nodes of Gauss–Hermite quadrature over all noise of an LQR.

    s_0, and at each step a and s′, each component at `nodes` points: expectations of what is a
    polynomial of degree below 2·nodes in each Gaussian are exact, and the slides' estimators are
    such polynomials for a linear Gaussian policy. ValueError without a horizon.
    """
    if lqr.horizon is None or not isinstance(policy.head, Gaussian):
        raise ValueError(
            f"lqr: expected a horizon and a Gaussian policy, got {lqr.horizon}, {policy.head}"
        )
    (n, d), nodes = lqr.G.shape, check_count("nodes", nodes, 1)
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    size = n + lqr.horizon * (d + n) - n  # the last s′ changes no reward: one point, its mean
    if nodes**size > 1_000_000:
        raise ValueError(f"lqr: expected at most 1000000 columns, got {nodes}^{size}")
    grid = np.stack(np.meshgrid(*[z] * size, indexing="ij"), -1).reshape(-1, size)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * size, indexing="ij"), -1)
    # of s_0, a_0, s_1, a_1, …, each (B, n) or (B, d)
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
