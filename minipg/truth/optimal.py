"""The best policy's values, which Q-learning learns and no actor wants (footnote 4).

Axes: S states, A actions.
"""

from dataclasses import replace

import numpy as np

from minipg.problems.mdp import TabularMDP
from minipg.truth.exact import action_values, state_values
from minipg.validate import (
    Array,
)


def optimal_action_values(mdp: TabularMDP) -> Array:
    """E13 Q*(s, a) = r(s, a) + γ E max_b Q*(s′, b) (S, A), which Q-learning learns.

    By policy iteration with exact solves: an action is changed where another is better by more
    than rounding. No critic: with π ≠ π* it biases the policy gradient (footnote 4). ValueError
    where γ = 1 and going round for ever pays. Source: Howard 1960.
    """
    pi = _resting(mdp) if mdp.gamma == 1 else np.full(mdp.expected_reward.shape, 1.0)
    pi = pi / pi.sum(1, keepdims=True)
    for _ in range(pi.size + 1):  # each round but the last improves a state
        q = action_values(mdp, _values_that_may_not_end(mdp, pi))
        better = q.max(1) > (pi * q).sum(1) + 1e-12 * np.abs(q).max()
        if not better.any():
            return q
        pi = np.where(better[:, None], np.eye(mdp.num_actions)[q.argmax(1)], pi)
    raise ValueError(f"mdp: expected values that converge, γ = {mdp.gamma} and they do not")


def _resting(mdp: TabularMDP) -> Array:
    """(S, A): where a state can stay for ever among states that pay nothing, the actions that do,
    so that the best is never below 0 there; else all.
    """
    shape = mdp.expected_reward.shape
    stays = np.ones(mdp.num_states, bool)
    while True:
        leaves = (mdp.reward != 0) | mdp.terminated | ~stays[mdp.next_state]
        rests = np.bincount(mdp.row[leaves], minlength=shape[0] * shape[1]).reshape(shape) == 0
        if (rests.any(1) == stays).all():
            return np.where(stays[:, None], rests, 1.0)
        stays = rests.any(1)


def _values_that_may_not_end(mdp: TabularMDP, pi: Array) -> Array:
    """V^π (S,), at γ = 1 also where π stays for ever in states that pay nothing: 0 there."""
    stuck = np.zeros(mdp.num_states, bool)
    if mdp.gamma == 1:
        stuck[mdp.never_ends(pi)] = True
    if not stuck.any():
        return state_values(mdp, pi)
    state, action = np.divmod(mdp.row, mdp.num_actions)
    paid = (mdp.reward != 0) & (pi[state, action] > 0) & stuck[state]
    if paid.any():
        raise ValueError(
            "mdp: expected an optimum that ends or stops paying; with γ = 1 the best policy goes "
            f"round for ever, through state {state[paid.argmax()]}: take γ < 1"
        )
    return state_values(replace(mdp, terminated=mdp.terminated | stuck[state]), pi)
