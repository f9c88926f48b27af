"""Every ψ_t of the slides, on time-major arrays (T, B). Nothing leaks across an episode's end.

`ends[t]` (Batch.ends) is True where the episode ends with transition t or row t is no data;
values (T+1, B) are V of obs. V of the next state is 0 after a termination; after a truncation
and where the window ends it counts, and the sum stops there.
"""

import numpy as np

from minipg.validate import Array, array, arrays, check_count, check_range


def discounted_sum(x: Array, ends: Array, rate: float) -> Array:
    """Σ_{i≥0} rate^i x[t+i] (T, B), to the end of the episode of step t or of the window.

    That is y_t = x_t + rate · y_{t+1}, without its last term where the episode ends.

    >>> discounted_sum(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    return backward_recursion(array(x), check_range("rate", rate), np.logical_not(ends))


def backward_recursion(x: Array, rate: float, going_on: Array) -> Array:
    """y_t = x_t + rate · going_on_t · y_{t+1} (T, B), 0 after the window: in log₂ T passes, not T.

    Before a pass y_t holds its first n terms and reach_t = Π_{i<n} rate · going_on_{t+i}, so that
    y_t + reach_t y_{t+n} are the first 2n.
    """
    y, reach, n = np.array(x, np.result_type(x, 1.0)), rate * going_on, 1
    while n < len(y):
        y[:-n] += reach[:-n] * y[n:]
        reach[:-n] *= reach[n:]
        n *= 2
    return y


def reward_to_go(rewards: Array, ends: Array, gamma: float) -> Array:
    """E10, E15 G_t = Σ_{t'≥t} γ^{t'−t} rewards[t'] (T, B): of whole episodes, without a critic."""
    return discounted_sum(rewards, ends, check_range("gamma", gamma, 0, 1))


def td_error(rewards: Array, values: Array, terminated: Array, valid: Array, gamma: float) -> Array:
    """E14 δ_t = r + γ V(s′) − V(s) (T, B); 0 on rows that are no data.

    >>> values = np.array([[1.0], [2.0], [4.0]])
    >>> flags = np.array([[False], [True]])
    >>> td_error(np.ones((2, 1)), values, flags, np.ones((2, 1), bool), 0.5).ravel().tolist()
    [1.0, -1.0]
    """
    rewards, values, valid = arrays(rewards, values, valid)
    gamma, going_on = check_range("gamma", gamma, 0, 1), np.logical_not(terminated)
    return valid * (rewards + gamma * going_on * values[1:] - values[:-1])


def gae(delta: Array, ends: Array, gamma: float, lam: float) -> Array:
    """E24 A_GAE = Σ_i (γλ)^i δ_{t+i} (T, B).

    E25: λ = 0 is A2C's δ_t; λ = 1 is E21's Σ γ^i r − V(s_t), with γ^n V of where it was cut off.
    Source: Schulman et al. 2015, arXiv 1506.02438, eq. 16. The slides index r(s_{t+i}) where
    they mean r(s_{t+i+1}) (errata 4).

    >>> gae(np.ones((3, 1)), np.zeros((3, 1), bool), 1.0, 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    gamma, lam = check_range("gamma", gamma, 0, 1), check_range("lam", lam, 0, 1)
    return discounted_sum(delta, ends, gamma * lam)


def n_step_advantage(delta: Array, ends: Array, gamma: float, n: int) -> Array:
    """E22 A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t) = Σ_{i<N} γ^i δ_{t+i} (T, B).

    Fewer steps where the episode or the window ends before. As Σ_{i≥0} γ^i δ_{t+i} less γ^N times
    the same sum from t + N, so the cost does not depend on N.
    """
    gamma, n = check_range("gamma", gamma, 0, 1), check_count("n", n, 1)
    trace = discounted_sum(delta, ends, gamma)
    return trace - gamma**n * steps_later(trace, array(ends), n)


def steps_later(x: Array, ends: Array, n: int) -> Array:
    """x[t+n] (T, B); 0 where the episode of step t, or the window, has ended before."""
    n = min(n, len(x))
    ended_before = np.cumsum(ends, 0) - ends  # (T, B), how many ends lie before step t
    later = np.zeros_like(x)
    later[: len(x) - n] = np.where(ended_before[n:] == ended_before[:-n], x[n:], 0)
    return later


def gae_ensemble(delta: Array, ends: Array, gamma: float, lam: float) -> Array:
    """E23 (1−λ)(A_(1) + λ A_(2) + λ² A_(3) + …) (T, B), the definition; O(T²B), use gae.

    In a window of T steps every A_(N) with N ≥ T is A_(T), so it takes the rest of the weights,
    λ^T (errata 5); with γ < 1 each A_(N) carries its γ^i.
    """
    steps, lam = len(delta), check_range("lam", lam, 0, 1)
    parts = [n_step_advantage(delta, ends, gamma, n) for n in range(1, steps + 1)]
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, steps + 1)]
    return sum((w * a for w, a in zip(weights, parts, strict=True)), start=lam**steps * parts[-1])


def normalize(psi: Array, valid: Array) -> Array:
    """(ψ − mean)/(std + 1e-8) over the valid rows (T, B), 0 elsewhere.

    No unbiased baseline: mean and scale see the sample's own ψ. One sample alone becomes 0.
    """
    psi, valid = array(psi), np.asarray(valid, bool)
    chosen = psi[valid] if valid.any() else np.zeros(1)
    return valid * (psi - chosen.mean()) / (chosen.std() + 1e-8)


def first_step(ends: Array) -> Array:
    """(T, B): the row in which the episode of row t begins."""
    ends = array(ends)
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
    return np.power(check_range("gamma", gamma, 0, 1), steps_since_start(ends))


def total_return(rewards: Array, ends: Array, gamma: float) -> Array:
    """E01 R = Σ_t γ^t rewards[t] of the whole episode, written at each of its steps (T, B).

    >>> total_return(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.75, 1.75]
    """
    return np.take_along_axis(reward_to_go(rewards, ends, gamma), first_step(ends), 0)
