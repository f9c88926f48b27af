"""Every ψ_t of the slides, on time-major arrays (T, B). Nothing leaks across an episode's end.

`ends[t]` (Batch.ends) is True where the episode ends with transition t or row t is no data;
values (T+1, B) are V of obs. V of the next state is 0 after a termination; after a truncation
and where the window ends it counts, and the sum stops there.
"""

import numpy as np

from minipg.validate import Array, check_range


def discounted_sum(x: Array, ends: Array, rate: float) -> Array:
    """Σ_{i≥0} rate^i x[t+i] (T, B), to the end of the episode of step t or of the window.

    >>> discounted_sum(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    total = np.array(x, np.result_type(x, 1.0))
    factor = rate * np.logical_not(ends)  # what row t takes of row t + n
    n = 1  # terms in each row; log₂ T passes
    while n < len(x):
        total[:-n] += factor[:-n] * total[n:]
        factor[:-n] *= factor[n:]
        n *= 2
    return total


def reward_to_go(rewards: Array, ends: Array, gamma: float) -> Array:
    """E10, E15 G_t = Σ_{t'≥t} γ^{t'−t} rewards[t'] (T, B): of whole episodes, without a critic."""
    return discounted_sum(rewards, ends, gamma)


def td_error(rewards: Array, values: Array, terminated: Array, valid: Array, gamma: float) -> Array:
    """E14 δ_t = r + γ V(s′) − V(s) (T, B); 0 on rows that are no data.

    >>> values = np.array([[1.0], [2.0], [4.0]])
    >>> flags = np.array([[False], [True]])
    >>> td_error(np.ones((2, 1)), values, flags, np.ones((2, 1), bool), 0.5).ravel().tolist()
    [1.0, -1.0]
    """
    going_on = np.logical_not(terminated)
    return valid * (rewards + gamma * going_on * values[1:] - values[:-1])


def gae(delta: Array, ends: Array, gamma: float, lam: float) -> Array:
    """E24 A_GAE = Σ_i (γλ)^i δ_{t+i} (T, B).

    E25: λ = 0 is A2C's δ_t; λ = 1 is E21's Σ γ^i r − V(s_t), with γ^n V of where it was cut off.
    Source: Schulman et al. 2015, arXiv 1506.02438, eq. 16. The slides index r(s_{t+i}) where
    they mean r(s_{t+i+1}) (errata 4).

    >>> gae(np.ones((3, 1)), np.zeros((3, 1), bool), 1.0, 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    check_range("lam", lam, 0, 1)
    return discounted_sum(delta, ends, gamma * lam)


def n_step_advantage(delta: Array, ends: Array, gamma: float, n: int) -> Array:
    """E22 A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t) = Σ_{i<N} γ^i δ_{t+i} (T, B).

    Fewer steps where the episode or the window ends before. All later steps are taken off the
    infinite trace, so the cost does not depend on N.
    """
    check_range("n", n, 1)
    n = min(n, len(delta))
    trace = discounted_sum(delta, ends, gamma)
    ended_before = np.cumsum(ends, 0) - ends  # (T, B), how many ends lie before step t
    later = np.zeros_like(trace)
    same_episode = ended_before[n:] == ended_before[:-n]
    later[: len(trace) - n] = gamma**n * trace[n:] * same_episode
    return trace - later


def gae_ensemble(delta: Array, ends: Array, gamma: float, lam: float) -> Array:
    """E23 (1−λ)(A_(1) + λ A_(2) + λ² A_(3) + …) (T, B), the definition; O(T²B), use gae.

    In a window of T steps every A_(N) with N ≥ T is A_(T), so it takes the rest of the weights,
    λ^T (errata 5); with γ < 1 each A_(N) carries its γ^i.
    """
    steps = len(delta)
    parts = [n_step_advantage(delta, ends, gamma, n) for n in range(1, steps + 1)]
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, steps + 1)]
    return sum((w * a for w, a in zip(weights, parts, strict=True)), start=lam**steps * parts[-1])


def normalize(psi: Array, valid: Array) -> Array:
    """(ψ − mean)/(std + 1e-8) over the valid rows (T, B), 0 elsewhere.

    No unbiased baseline: mean and scale see the sample's own ψ. One sample alone becomes 0.
    """
    chosen = psi[valid] if valid.any() else np.zeros(1)
    return valid * (psi - chosen.mean()) / (chosen.std() + 1e-8)


def first_step(ends: Array) -> Array:
    """(T, B): the row in which the episode of row t begins."""
    begins = np.concatenate([np.ones_like(ends[:1]), ends[:-1]])
    return np.maximum.accumulate(begins * np.arange(len(ends))[:, None])


def steps_since_start(ends: Array) -> Array:
    """The slides' t (T, B): how many transitions of its episode lie before this one.

    >>> steps_since_start(np.array([[False], [True], [False], [False]])).ravel().tolist()
    [0, 1, 0, 1]
    """
    return np.arange(len(ends))[:, None] - first_step(ends)


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
    return np.take_along_axis(reward_to_go(rewards, ends, gamma), first_step(ends), 0)
