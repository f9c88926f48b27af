"""Every ψ_t of the slides, on time-major arrays (T, B). Nothing leaks across an episode's end.

`ends[t]` (Batch.ends) is True where the episode ends with transition t or row t is no data.
"""

import numpy as np

from minipg.borders import Array


def reward_to_go(rewards: Array, ends: Array, gamma: float) -> Array:
    """E10 G_t = Σ_{t'≥t} γ^{t'−t} rewards[t'] (T, B), to the end of the episode of step t.

    >>> reward_to_go(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    to_go = np.zeros_like(rewards)
    after = np.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        to_go[t] = after = rewards[t] + gamma * after * ~ends[t]
    return to_go


def steps_since_start(ends: Array) -> Array:
    """The slides' t (T, B): how many transitions of its episode lie before this one.

    >>> steps_since_start(np.array([[False], [True], [False], [False]])).ravel().tolist()
    [0, 1, 0, 1]
    """
    steps = np.zeros(ends.shape, int)
    for t in range(1, len(ends)):
        steps[t] = (steps[t - 1] + 1) * ~ends[t - 1]
    return steps


def discounts(ends: Array, gamma: float) -> Array:
    """γ^t (T, B), the factor before ∇log π(a_t|s_t) that sections 1–4 of the slides drop.

    Without it and with γ < 1, E Σ_t ∇log π G_t is the gradient of no function
    (Nota & Thomas 2020, arXiv 1906.07073): errata 7.
    """
    return np.power(float(gamma), steps_since_start(ends))


def total_return(rewards: Array, ends: Array, gamma: float) -> Array:
    """E01 R = Σ_t γ^t rewards[t] of the whole episode, written at each of its steps (T, B).

    >>> total_return(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.75, 1.75]
    """
    total = reward_to_go(rewards, ends, gamma)
    for t in range(1, len(rewards)):
        total[t] = np.where(ends[t - 1], total[t], total[t - 1])
    return total
