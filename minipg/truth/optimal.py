"""The best policy's values, which Q-learning learns and no actor wants (footnote 4).

Axes: S states, A actions.
"""

from dataclasses import replace

import numpy as np

from minipg.problems.mdp import TabularMDP
from minipg.truth.exact import action_values, state_values
from minipg.validate import Array

ROUNDING = 1e-12  # of a value, relative to the sum of the sizes of the rewards it is made of


def optimal_action_values(mdp: TabularMDP) -> Array:
    """E13 Q*(s, a) = r(s, a) + γ E max_b Q*(s′, b) (S, A), which Q-learning learns.

    By policy iteration with exact solves: an action is changed where another is better by more
    than rounding. No critic: with π ≠ π* it biases the policy gradient (footnote 4). ValueError
    where γ = 1 and going round for ever pays, or costs nothing though its rewards are not 0.
    Source: Howard 1960.
    """
    sizes = replace(mdp, reward=np.abs(mdp.reward))
    pi = np.ones(mdp.expected_reward.shape)
    if mdp.gamma == 1:
        check_rounds(mdp)
        pi = staying(mdp, pays(mdp))
        pi[~pi.any(1)] = 1
    pi = pi / pi.sum(1, keepdims=True)
    for _ in range(pi.size + 1):  # each round but the last improves a state
        ended = _ended(mdp, pi)
        q, size = (
            action_values(m, state_values(replace(m, terminated=ended), pi)) for m in (mdp, sizes)
        )
        better = q.max(1) > (pi * q).sum(1) + ROUNDING * size.max(1)
        if not better.any():
            return q
        pi = np.where(better[:, None], np.eye(mdp.num_actions)[q.argmax(1)], pi)
    raise ValueError(f"mdp: expected values that converge, γ = {mdp.gamma} and they do not")


def pays(mdp: TabularMDP) -> Array:
    """Whether the expected reward of an action is not 0 (S, A), but for rounding."""
    size = replace(mdp, reward=np.abs(mdp.reward)).expected_reward
    return np.asarray(np.abs(mdp.expected_reward) > ROUNDING * size)


def staying(mdp: TabularMDP, barred: Array) -> Array:
    """1 for the actions, none of those barred (S, A), with which one can go on for ever (S, A)."""
    goes_on = ~barred
    while True:
        stays: Array = np.any(goes_on, axis=1)
        out = np.bincount(mdp.row[mdp.terminated | ~stays[mdp.next_state]], minlength=barred.size)
        left = goes_on & (out.reshape(barred.shape) == 0)
        if (left == goes_on).all():
            return left.astype(float)
        goes_on = left


def check_rounds(mdp: TabularMDP) -> None:
    """Raise ValueError where going round for ever has a mean reward ≥ 0 with some that are not 0.

    The most of it is a linear programme over the share of time x(s, a) of each action that can go
    on for ever: max Σ x r with x ≥ 0, Σ x = 1, as much into each state as out of it. To r 1e-10 of
    its size is added: rounds of mean 0 count as paying, resting for nothing does not. In units of
    a millionth, as the solver's tolerance of 1e-7 is absolute.
    Source: Puterman 1994, section 8.8.
    """
    import scipy.sparse as sp
    from scipy.optimize import linprog

    at = np.flatnonzero(staying(mdp, np.zeros(mdp.expected_reward.shape, bool)))
    reward = np.where(pays(mdp), mdp.expected_reward, 0).ravel()[at]
    if not (reward > 0).any():
        return
    reward = reward / np.abs(reward).max()
    flow = mdp.continuing[at].T - sp.coo_array(
        (np.ones(len(at)), (at // mdp.num_actions, np.arange(len(at)))),
        shape=(mdp.num_states, len(at)),
    )
    best = linprog(
        -1e6 * (reward + 1e-10 * np.abs(reward)),
        A_eq=sp.vstack([flow, np.ones((1, len(at)))]),
        b_eq=np.append(np.zeros(mdp.num_states), 1),
        method="highs-ds",
    )
    if -best.fun > 1e-7:
        state = at[best.x.argmax()] // mdp.num_actions
        raise ValueError(
            "mdp: expected an optimum that ends or stops paying; with γ = 1 the best policy goes "
            f"round for ever, through state {state}: take γ < 1"
        )


def _ended(mdp: TabularMDP, pi: Array) -> Array:
    """The table's `terminated` (K,), at γ = 1 with the states where π stays for nothing."""
    if mdp.gamma < 1:
        return mdp.terminated
    stuck = np.zeros(mdp.num_states, bool)
    stuck[mdp.never_ends(pi)] = True
    return mdp.terminated | stuck[mdp.row // mdp.num_actions]
