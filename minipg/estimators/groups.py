"""Group estimators of language-model training as ψ: RLOO, ReMax, GRPO, Dr. GRPO, REINFORCE++.

A prompt is a start state, a token an action, a response an episode; its return R is the sum of
its rewards (γ = 1). Each ψ is one number a response, the same at each of its tokens:

    returns, lengths = responses(batch)
    gradient(policy, theta, batch, batch.valid * rloo(returns))

At θ = θ_old every ratio is 1 and the clip changes no gradient (E47), so ψ is all that differs;
KL penalties and later epochs on the same responses are left out.
Axes: `...` any leading axes (several prompts), G responses to one prompt, B columns, P parameters;
under enumeration K possible responses, Q prompts, M possible batches.
"""

from collections.abc import Callable

import numpy as np

from minipg.experience.batch import Batch
from minipg.validate import (
    Array,
    array,
    arrays,
    check_count,
    check_finite,
    check_range,
    check_shape,
    floats,
    powers_of_two,
)


def responses(batch: Batch) -> tuple[Array, Array]:
    """R (B,) and the number of tokens (B,) of each column; ValueError if one is no whole episode.

    Where the columns stand prompt by prompt, returns.reshape(-1, G) has one group a row.
    """
    ended = batch.terminated | batch.truncated
    whole = ended.any(0) & (batch.valid == (np.cumsum(ended, 0) == ended)).all(0)
    if not whole.all():
        raise ValueError(
            f"batch: expected one whole episode a column, column {int(np.argmin(whole))} is not"
        )
    return batch.rewards.sum(0), batch.valid.sum(0)


def rloo(returns: Array) -> Array:
    """E08 R_i − the mean of the other G − 1 returns (..., G): no own sample in it, so no bias.

    Source: Kool, van Hoof & Welling 2019, "Buy 4 REINFORCE samples, get a baseline for free!"
    (ICLR workshop); for language models Ahmadian et al. 2024, arXiv 2402.14740.

    >>> rloo(np.array([1.0, 0.0, 0.0])).tolist()
    [1.0, -0.5, -0.5]
    """
    returns, unit = _checked(returns, 2)
    others = (returns.sum(-1, keepdims=True) - returns) / (returns.shape[-1] - 1)
    return _in_unit(returns - others, unit)


def dr_grpo(returns: Array) -> Array:
    """R_i − the mean of all G returns (..., G): (1 − 1/G) times RLOO, of mean (1 − 1/G) ∇J.

    The own R in the baseline shortens the gradient and does nothing else.
    Source: Liu et al. 2025, arXiv 2503.20783; they divide by a constant length, here 1.

    >>> dr_grpo(np.array([1.0, 0.0])).tolist()
    [0.5, -0.5]
    """
    returns, unit = _checked(returns, 2)
    return _in_unit(returns - returns.mean(-1, keepdims=True), unit)


def grpo(returns: Array, lengths: Array, ddof: int = 1) -> Array:
    """(R_i − mean)/(std · lengths_i) (..., G), mean and std of the group; 0 where std is 0.

    Biased: 1/std depends on the own R and weighs the prompts, 1/lengths_i weighs the responses
    (lengths 1 leaves that out). With rewards 0 and 1, lengths 1 and G → ∞ its mean is the gradient
    of 2 arcsin √P(R = 1) (Davis & Recht 2025, arXiv 2510.13651).
    Source: Shao et al. 2024, arXiv 2402.03300, which does not say which std. This is the sample's,
    over G − 1, as in TRL and verl; they add 1e-4 and 1e-6 to it. The population's (ddof = 0) is
    shorter by √(1 − 1/G) and gives the same direction.

    >>> grpo(np.array([1.0, 0.0]), np.array([1, 2])).round(3).tolist()
    [0.707, -0.354]
    """
    ddof = check_count("ddof", ddof, 0, 1)
    returns, _ = _checked(returns, 2)
    psi = _standardized(returns, np.ones_like(returns)) / _lengths(lengths, returns)
    return psi * np.sqrt(1 - ddof / returns.shape[-1], dtype=psi.dtype)  # std over G − ddof


def remax(returns: Array, greedy: Array) -> Array:
    """E08 R_i − R of the greedy response to the same prompt; returns (..., G), greedy (...).

    It does not depend on the tokens drawn, so it adds no bias; it costs one more response.
    Source: Li et al. 2023, arXiv 2310.10505.
    """
    returns, greedy = _finite("returns", returns), _finite("greedy", greedy)
    check_shape("greedy", greedy, returns.shape[:-1])
    with np.errstate(over="ignore"):
        psi = returns - greedy[..., None]
    check_finite("psi (the returns are too large)", psi)
    return psi


def reinforce_plus_plus(returns: Array, lengths: Array) -> Array:
    """(R_i − mean)/std (..., B), both over all tokens of a whole batch of many prompts.

    Biased, as the own R is in both. In a large batch they are constants and the mean is ∇J/std.
    Source: Hu et al. 2025, arXiv 2501.03262, without its KL in the reward; the population's std,
    over tokens, as in OpenRLHF. It is returns.normalize of R, but for the 1e-8 there.
    """
    returns, _ = _checked(returns, 1)
    lengths = _lengths(lengths, returns)
    return _standardized(returns, lengths)


def by_group(method: Callable[..., Array], group: Array, returns: Array, *others: Array) -> Array:
    """ψ (B,) of a method on groups of unlike size: response i is to prompt group[i] (B,).

    others (B,): what else the method takes of each response, lengths say. ReMax compares with no
    other response and needs no groups: remax(returns[:, None], greedy[group])[:, 0].

    >>> by_group(rloo, np.array([7, 3, 7, 3, 3]), np.array([1.0, 0.0, 0.0, 0.0, 3.0])).tolist()
    [1.0, -1.5, -1.0, -1.5, 3.0]
    """
    group, returns, others = array(group), _finite("returns", returns), arrays(*others)
    check_shape("returns", returns, (None,))
    for name, values in (("group", group), *(("others", x) for x in others)):
        check_shape(name, values, returns.shape)
    if group.dtype.kind == "f":
        check_finite("group", group)
    psi = np.empty(len(returns))
    for prompt in np.unique(group):
        own = group == prompt
        try:
            psi[own] = method(returns[own], *(x[own] for x in others))
        except ValueError as error:
            raise ValueError(f"group {prompt}: {error}") from error
    return psi


def _finite(name: str, value: Array) -> Array:
    """As floating-point numbers; ValueError where one is not finite or complex."""
    found = floats(value)
    check_finite(name, found)
    if found.dtype.kind != "f":
        raise ValueError(f"{name}: expected real numbers, got dtype {found.dtype}")
    return found.astype(np.float32) if found.dtype == np.float16 else found


def _checked(returns: Array, least: int) -> tuple[Array, Array]:
    """Returns in a unit in which no square overflows, a power of two for each group, and it.

    ValueError where one is not finite, and for groups of fewer than `least`.
    """
    returns = _finite("returns", returns)
    if returns.ndim < 1 or returns.shape[-1] < least:
        raise ValueError(
            f"returns: expected groups of {least} or more, got shape {returns.shape}"
            + ": one response has no other to be compared with; ψ = R, or remax, does without"
            * (least == 2)
        )
    unit = powers_of_two(returns)
    return returns / unit, unit


def _in_unit(psi: Array, unit: Array) -> Array:
    """ψ · unit; ValueError where that is no number of its dtype."""
    with np.errstate(over="ignore"):
        psi = psi * unit
    check_finite("psi (the returns are too large)", psi)
    return psi


def _lengths(lengths: Array, returns: Array) -> Array:
    """Numbers of tokens, 1 or more, a response each; or ValueError."""
    lengths = _finite("lengths", lengths)
    check_shape("lengths", lengths, returns.shape)
    check_range("lengths", float(lengths.min()), 1)
    if (lengths % 1).any():
        raise ValueError(f"lengths: expected whole numbers, got {lengths[lengths % 1 > 0][0]}")
    return lengths.astype(returns.dtype)


def _standardized(returns: Array, weight: Array) -> Array:
    """(R − mean)/std along the last axis, weighted, std the population's.

    0 where all returns are equal up to the rounding of their dtype. Centred twice, as the mean is
    rounded in units of the returns, which their differences may be far below.
    """
    centred, total = returns, weight.sum(-1, keepdims=True)
    for _ in range(2):
        centred = centred - (weight * centred).sum(-1, keepdims=True) / total
    std = np.sqrt((weight * centred**2).sum(-1, keepdims=True) / total)
    rounding = 4 * np.finfo(returns.dtype).eps * np.abs(returns).max(-1, keepdims=True)
    differ = np.ptp(returns, -1, keepdims=True) > rounding
    return np.divide(centred, std, out=np.zeros_like(centred), where=differ)
