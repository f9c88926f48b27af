"""The table that claims are asked of, and its start, short enough to enumerate."""

import os

import numpy as np

from minipg.claims.problem import Problem
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.validate import Array

MOST_TRAJECTORIES, MOST_STARTS = 15_000, 20
SMALLEST, LARGEST = 1e-60, 1e60  # of the largest reward: its fourth power is a number
LEAST = 1e-150  # of ∇J: so is its square


def check_worth(mdp: TabularMDP, policy: Policy, theta: Array) -> None:
    """Raise ValueError where nothing can be shown: ∇J = 0, or rewards whose powers overflow."""
    largest = float(np.abs(mdp.reward).max())
    if largest and not SMALLEST <= largest <= LARGEST:
        raise ValueError(
            f"table: expected a largest reward from {SMALLEST:g} to {LARGEST:g}, as claims about "
            f"variances need its fourth power, got {largest:g}: take another unit"
        )
    gradient = float(np.abs(exact.policy_gradient(mdp, policy, theta)).max())
    if 0 < gradient < LEAST:
        raise ValueError(
            f"table: expected a ∇J of {LEAST:g} or more, as claims need its square, got "
            f"{gradient:.2g} with γ = {mdp.gamma:g}: take a larger γ"
        )
    if not gradient:
        matters = exact.advantages(mdp, policy.probs(theta, mdp.features)).any()
        why = "γ^t underflows before an action matters" if matters else "no action matters"
        why = "no reward within a step of the start" if mdp.gamma == 0 else why
        raise ValueError(
            f"table: expected a ∇J that is not 0, got 0 with γ = {mdp.gamma:g}, as {why}: there is "
            "nothing to compare; take another γ or start"
        )


def problem_of(table: str, gamma: float | None, seed: int) -> Problem:
    """The problem of a table: a linear softmax policy at random, 10,000 episodes or more."""
    mdp = read_table(table, gamma)
    policy = softmax_policy(mdp.features.shape[1], mdp.num_actions)
    theta = policy.init(np.random.default_rng(seed), 1.0)
    check_worth(mdp, policy, theta)
    episodes = max(10_000, min(200_000, 5_000_000 // mdp.features.shape[1]))
    return Problem(mdp, unrolled_start(mdp, policy, theta), policy, theta, seed, episodes)


def read_table(table: str, gamma: float | None) -> TabularMDP:
    """A file's table, which has its own γ, or an environment's; ValueError if it is neither."""
    if not table.endswith(".npz"):
        if os.path.exists(table):
            raise ValueError(f"{table}: expected an .npz file with a table, or an environment's "
                             "name")  # fmt: skip
        return TabularMDP.from_env(table, 0.99 if gamma is None else gamma)
    if gamma is not None:
        raise ValueError("--gamma: expected with an ENV only, a file has its own")
    return TabularMDP.from_npz(table)


def unrolled_start(
    mdp: TabularMDP, policy: Policy, theta: Array, trajectories: int = MOST_TRAJECTORIES,
    starts: int = MOST_STARTS,
) -> TabularMDP:  # fmt: skip
    """The table unrolled from the states where the action matters most, as far as is enumerable."""
    pi = policy.probs(theta, mdp.features)
    q = exact.action_values(mdp, exact.state_values(mdp, pi))
    matters = np.ptp(q, axis=1)
    most = np.argsort(-matters, kind="stable")[:starts]
    most = most[matters[most] > 1e-9 * np.abs(q).max()]
    if not len(most):
        raise ValueError("table: expected a state where the action matters, got none")
    start = np.zeros(mdp.num_states)
    start[most] = 1 / len(most)
    while len(most) > 1 and _count(mdp, start, 1) > trajectories:
        most = most[: len(most) // 2]
        start = np.zeros(mdp.num_states)
        start[most] = 1 / len(most)
    horizon = 1
    while horizon < 20 and _count(mdp, start, horizon + 1) <= trajectories:
        horizon += 1
    return mdp.with_start(start).unroll(horizon)


def _count(mdp: TabularMDP, start: Array, horizon: int) -> float:
    """How many trajectories of at most `horizon` steps leave the start states."""
    paths: Array = np.ones(mdp.num_states)  # from each state, with no step left
    state = mdp.row // mdp.num_actions
    for _ in range(horizon):
        after = np.where(mdp.terminated, 1.0, paths[mdp.next_state])
        paths = np.bincount(state, after, mdp.num_states)
    return float(paths[start > 0].sum())
