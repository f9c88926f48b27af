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
from itertools import combinations_with_replacement
from math import comb, prod

import numpy as np
from scipy.special import gammaln

from minipg.experience.batch import Batch, moments
from minipg.validate import Array, array, arrays, check_count, check_finite, check_shape

Method = Callable[[Array, Array], Array]


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
    returns = array(returns)
    size = _group_size(returns)
    return returns - (returns.sum(-1, keepdims=True) - returns) / (size - 1)


def dr_grpo(returns: Array) -> Array:
    """R_i − the mean of all G returns (..., G): (1 − 1/G) times RLOO, of mean (1 − 1/G) ∇J.

    The own R in the baseline shortens the gradient and does nothing else.
    Source: Liu et al. 2025, arXiv 2503.20783; they divide by a constant length, here 1.

    >>> dr_grpo(np.array([1.0, 0.0])).tolist()
    [0.5, -0.5]
    """
    returns = array(returns)
    _group_size(returns)
    return returns - returns.mean(-1, keepdims=True)


def grpo(returns: Array, lengths: Array) -> Array:
    """(R_i − mean)/(std · lengths_i) (..., G), mean and std of the group; 0 where std is 0.

    Biased: 1/std depends on the own R and weighs the prompts, 1/lengths_i weighs the responses
    (lengths 1 leaves that out). With rewards 0 and 1, lengths 1 and G → ∞ its mean is the gradient
    of 2 arcsin √P(R = 1) (Davis & Recht 2025, arXiv 2510.13651).
    Source: Shao et al. 2024, arXiv 2402.03300, which does not say which std. This is the sample's,
    over G − 1, as in TRL and verl; they add 1e-4 and 1e-6 to it. The population's is shorter by
    √(1 − 1/G) and gives the same direction.

    >>> grpo(np.array([1.0, 0.0]), np.array([1, 2])).round(3).tolist()
    [0.707, -0.354]
    """
    returns, lengths = arrays(returns, lengths)
    check_shape("lengths", lengths, returns.shape)
    centred = dr_grpo(returns)
    return _scaled(centred, returns.std(-1, ddof=1, keepdims=True), returns) / lengths


def remax(returns: Array, greedy: Array) -> Array:
    """E08 R_i − R of the greedy response to the same prompt; returns (..., G), greedy (...).

    It does not depend on the tokens drawn, so it adds no bias; it costs one more response.
    Source: Li et al. 2023, arXiv 2310.10505.
    """
    returns, greedy = arrays(returns, greedy)
    check_shape("greedy", greedy, returns.shape[:-1])
    return returns - greedy[..., None]


def reinforce_plus_plus(returns: Array, lengths: Array) -> Array:
    """(R_i − mean)/std (..., B), both over all tokens of a whole batch of many prompts.

    Biased, as the own R is in both. In a large batch they are constants and the mean is ∇J/std.
    Source: Hu et al. 2025, arXiv 2501.03262, without its KL in the reward; the population's std,
    over tokens, as in OpenRLHF. It is returns.normalize of R, but for the 1e-8 there.
    """
    returns, lengths = arrays(returns, lengths)
    check_shape("lengths", lengths, returns.shape)
    tokens = lengths.sum(-1, keepdims=True)
    centred = returns - (lengths * returns).sum(-1, keepdims=True) / tokens
    std = np.sqrt((lengths * centred**2).sum(-1, keepdims=True) / tokens)
    return _scaled(centred, std, returns)


def _group_size(returns: Array) -> int:
    """G; ValueError below 2."""
    if returns.ndim < 1 or returns.shape[-1] < 2:
        raise ValueError(f"returns: expected groups of 2 or more, got shape {returns.shape}")
    return returns.shape[-1]


def _scaled(centred: Array, std: Array, returns: Array) -> Array:
    """centred/std; 0 where all returns are equal: a std below 1e-12 of them is rounding."""
    differ = std > 1e-12 * np.abs(returns).max(-1, keepdims=True)
    return np.divide(centred, std, out=np.zeros(centred.shape), where=differ)


def batch_moments(
    method: Method, returns: Array, lengths: Array, scores: Array, prompt: Array, prob: Array,
    size: int, most: int = 1_000_000,
) -> tuple[Array, Array]:  # fmt: skip
    """Exact mean (P,) and covariance (P, P) of Σ_q p(q) mean_i ψ_i Σ_t ∇log π over all batches.

    A batch has G = size independent responses to each prompt q; method(returns, lengths), both
    (M, Q, G), gives ψ (M, Q, G). Of each possible response: returns, lengths, prompt (K,), scores
    (K, P) = Σ_t ∇log π, prob (K,) = p(q) π(response|q), as enumerated.
    No ψ depends on the order of a group, so each multiset of responses stands once, with its
    multinomial probability. ValueError for more than `most` batches.
    """
    returns, lengths, scores, prompt, prob = arrays(returns, lengths, scores, prompt, prob)
    size, most = check_count("size", size, 1), check_count("most", most, 1)
    check_shape("scores", scores, (len(prob), None))
    for name, values in (("returns", returns), ("lengths", lengths), ("prompt", prompt)):
        check_shape(name, values, prob.shape)
    every = [np.flatnonzero(prompt == q) for q in np.unique(prompt)]
    total = prod(comb(len(own) + size - 1, size) for own in every)
    if total > most:
        raise ValueError(f"size: expected at most {most} batches, got {total}: a smaller tree")
    groups, chances, weight = [], [], np.zeros(len(prob))
    for own in every:
        share = prob[own].sum()  # p(q)
        weight[own] = share / size
        chosen = np.array(list(combinations_with_replacement(own, size)))  # (M_q, G)
        counts = (chosen[:, :, None] == own).sum(1)  # (M_q, K_q)
        orders = gammaln(size + 1) - gammaln(counts + 1).sum(1)
        groups.append(chosen)
        chances.append(np.exp(orders + counts @ np.log(prob[own] / share)))
    index = np.indices([len(g) for g in groups]).reshape(len(groups), -1)  # (Q, M)
    drawn = np.stack([g[i] for g, i in zip(groups, index, strict=True)], 1)  # (M, Q, G)
    chance = np.prod([c[i] for c, i in zip(chances, index, strict=True)], axis=0)
    psi = method(returns[drawn], lengths[drawn])
    check_shape("psi", psi, drawn.shape)
    check_finite("psi", psi)
    total_psi = np.zeros((len(drawn), len(prob)))  # of each possible response (M, K)
    for q, i in np.ndindex(drawn.shape[1:]):
        total_psi[np.arange(len(drawn)), drawn[:, q, i]] += psi[:, q, i]
    return moments(total_psi @ (weight[:, None] * scores), chance)
