"""Every ψ_t of the slides, on time-major arrays (T, B). Nothing leaks across an episode's end.

`ends[t]` (Batch.ends) is True where the episode ends with transition t or row t is no data;
values (T+1, B) are V of obs. V of the next state is 0 after a termination; after a truncation
and where the window ends it counts, and the sum stops there.
"""

import numpy as np

from minipg.estimators.recursion import backward_recursion, first_terms
from minipg.validate import (
    LARGEST,
    Array,
    all_finite,
    array,
    arrays,
    check_count,
    check_finite,
    check_range,
    check_shape,
    finite_array,
    floats,
    power_of_two,
    product,
)


def discounted_sum(x: Array, ends: Array, rate: float | Array) -> Array:
    """Σ_{i≥0} rate^i x[t+i] (T, B), to the end of the episode of step t or of the window.

    That is y_t = x_t + rate · y_{t+1}, without its last term where the episode ends. rate: a
    number, or one a step (T, B). x of one column may be (T,), and so the rest.

    >>> discounted_sum(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    x, ends = arrays(x, ends)
    check_shape("ends", ends, x.shape)
    rate = _rate("rate", rate, x, -LARGEST, LARGEST)
    return _sized(backward_recursion(x, rate, np.logical_not(ends)), x)


def _sized(sums: Array, of: Array) -> Array:
    """`sums`; ValueError where finite numbers have a sum that is none."""
    if not all_finite(sums) and all_finite(of):
        check_finite("sum (smaller rewards?)", sums)
    return sums


def _rate(
    name: str, value: float | Array, x: Array, low: float = 0, high: float = 1
) -> float | Array:
    """A number in range, or one for each of x; else ValueError."""
    if np.ndim(value) == 0:
        return check_range(name, value, low, high)
    rates = finite_array(name, value, x.shape)
    check_range(name, float(rates.min()), low, high)
    check_range(name, float(rates.max()), low, high)
    return rates


def reward_to_go(rewards: Array, ends: Array, gamma: float | Array) -> Array:
    """E10, E15 G_t = Σ_{t'≥t} γ^{t'−t} rewards[t'] (T, B): of whole episodes, without a critic."""
    return discounted_sum(rewards, ends, _rate("gamma", gamma, array(rewards)))


def td_error(
    rewards: Array, values: Array, terminated: Array, valid: Array, gamma: float | Array
) -> Array:
    """E14 δ_t = r + γ V(s′) − V(s) (T, B); 0 on rows that are no data, whatever they hold.

    >>> values = np.array([[1.0], [2.0], [4.0]])
    >>> flags = np.array([[False], [True]])
    >>> td_error(np.ones((2, 1)), values, flags, np.ones((2, 1), bool), 0.5).ravel().tolist()
    [1.0, -1.0]
    """
    rewards, values, terminated, valid = arrays(rewards, values, terminated, valid)
    gamma = _rate("gamma", gamma, rewards)
    check_shape("values", values, (len(rewards) + 1, *rewards.shape[1:]))
    check_shape("terminated", terminated, rewards.shape)
    check_shape("valid", valid, rewards.shape)
    following = product(gamma, np.where(terminated, 0, values[1:]))
    with np.errstate(invalid="ignore"):  # ∞ − ∞ on rows that are no data
        return np.where(valid, rewards + following - values[:-1], 0)


def gae(delta: Array, ends: Array, gamma: float | Array, lam: float) -> Array:
    """E24 A_GAE = Σ_i (γλ)^i δ_{t+i} (T, B).

    E25: λ = 0 is A2C's δ_t; λ = 1 is E21's Σ γ^i r − V(s_t), with γ^n V of where it was cut off.
    Source: Schulman et al. 2015, arXiv 1506.02438, eq. 16. The slides index r(s_{t+i}) where
    they mean r(s_{t+i+1}) (errata 4).

    >>> gae(np.ones((3, 1)), np.zeros((3, 1), bool), 1.0, 0.5).ravel().tolist()
    [1.75, 1.5, 1.0]
    """
    gamma, lam = _rate("gamma", gamma, array(delta)), check_range("lam", lam, 0, 1)
    return discounted_sum(delta, ends, gamma * lam)


def n_step_advantage(delta: Array, ends: Array, gamma: float | Array, n: int) -> Array:
    """E22 A_(N) = Σ_{i<N} γ^i r + γ^N V(s_{t+N}) − V(s_t) = Σ_{i<N} γ^i δ_{t+i} (T, B).

    Fewer steps where the episode or the window ends before.
    """
    delta, ends = arrays(delta, ends)
    check_shape("ends", ends, delta.shape)
    n, gamma = check_count("n", n, 1), _rate("gamma", gamma, delta)
    with np.errstate(over="ignore"):
        sums = first_terms(delta, gamma, np.logical_not(ends), min(n, len(delta)))
    return _sized(sums, delta)


def gae_ensemble(delta: Array, ends: Array, gamma: float, lam: float) -> Array:
    """E23 (1−λ)(A_(1) + λ A_(2) + λ² A_(3) + …) (T, B), the definition; O(T²B), use gae.

    In a window of T steps every A_(N) with N ≥ T is A_(T), so it takes the rest of the weights,
    λ^T (errata 5); with γ < 1 each A_(N) carries its γ^i.
    """
    lam = check_range("lam", lam, 0, 1)
    steps = len(delta)
    parts = [n_step_advantage(delta, ends, gamma, n) for n in range(1, steps + 1)]
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, steps + 1)]
    last = lam**steps * n_step_advantage(delta, ends, gamma, max(1, steps))
    return sum((w * a for w, a in zip(weights, parts, strict=True)), start=last)


def normalize(psi: Array, valid: Array, ddof: int = 0) -> Array:
    """(ψ − mean)/(std + 1e-8) over the valid rows (T, B), 0 elsewhere, whatever stands there.

    No unbiased baseline: mean and scale see the sample's own ψ. What is equal up to the rounding
    of its dtype, one sample alone say, becomes 0. The std is over n, or n − 1 with ddof = 1.
    """
    psi, valid = floats(psi), np.asarray(valid, bool)
    check_shape("valid", valid, psi.shape)
    ddof = check_count("ddof", ddof, 0, 1)
    chosen = psi[valid]
    check_finite("psi", chosen)
    unit = chosen.dtype.type(max(1, power_of_two(chosen)))  # in which no square overflows
    chosen, whole = chosen / unit, np.zeros(psi.shape, psi.dtype)
    largest, range_ = np.abs(chosen).max(initial=0), np.ptp(chosen) if len(chosen) else 0
    if range_ <= 8 * np.finfo(psi.dtype).eps * largest:
        return whole
    centred = chosen - chosen.mean()
    if range_ < 0.1 * largest:  # the mean is rounded in units of ψ, not of its differences
        centred = centred - centred.mean()
    std = np.sqrt((centred**2).sum() / (len(centred) - ddof))
    whole[valid] = centred / (std + 1e-8 / unit)
    return whole


def _rows(ends: Array) -> Array:
    """0 … T − 1, along the first of the axes of ends."""
    return np.arange(len(ends)).reshape(-1, *[1] * (ends.ndim - 1))


def first_step(ends: Array) -> Array:
    """(T, B): the row in which the episode of row t begins."""
    ends = array(ends) != 0  # flags of a framework may be numbers
    begins = np.concatenate([np.ones_like(ends[:1]), ends[:-1]])
    return np.maximum.accumulate(begins * _rows(ends))


def steps_since_start(ends: Array) -> Array:
    """The slides' t (T, B): how many transitions of its episode lie before this one.

    >>> steps_since_start(np.array([[False], [True], [False], [False]])).ravel().tolist()
    [0, 1, 0, 1]
    """
    ends = array(ends)
    return _rows(ends) - first_step(ends)


def discounts(ends: Array, gamma: float | Array) -> Array:
    """γ^t (T, B), the factor before ∇log π(a_t|s_t) that sections 1–4 of the slides drop.

    Without it and with γ < 1, E Σ_t ∇log π G_t is the gradient of no function
    (Nota & Thomas 2020, arXiv 1906.07073): errata 7. Where γ is one a step it is their product.
    """
    ends = array(ends)
    rate = _rate("gamma", gamma, ends)
    if isinstance(rate, float):
        return np.power(rate, steps_since_start(ends))
    product = np.ones(ends.shape)
    for t in range(1, len(ends)):
        product[t] = np.where(ends[t - 1], 1, product[t - 1] * rate[t - 1])
    return product


def total_return(rewards: Array, ends: Array, gamma: float | Array) -> Array:
    """E01 R = Σ_t γ^t rewards[t] of the whole episode, written at each of its steps (T, B).

    >>> total_return(np.ones((3, 1)), np.zeros((3, 1), bool), 0.5).ravel().tolist()
    [1.75, 1.75, 1.75]
    """
    return np.take_along_axis(reward_to_go(rewards, ends, gamma), first_step(ends), 0)
