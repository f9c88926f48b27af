"""Exact moments of the group estimators, over every batch of responses.

Axes: K possible responses, P parameters, Q prompts, G responses to each, M possible batches.
"""

from collections.abc import Callable
from itertools import combinations_with_replacement
from math import comb, prod

import numpy as np

from minipg.experience.batch import moments
from minipg.validate import Array, arrays, check_count, check_finite, check_range, check_shape

Method = Callable[[Array, Array], Array]


def multisets(chance: Array, size: int) -> tuple[Array, Array]:
    """Every multiset of `size` independent draws (M, size), sorted, and its probability (M,).

    chance (K,): of each of the things drawn. M = C(K + size − 1, size).
    """
    chosen = np.array(list(combinations_with_replacement(range(len(chance)), size)))
    orders, alike = np.ones(len(chosen)), np.ones(len(chosen))
    for i in range(1, size):  # size! over the factorials of how often each stands there
        alike = np.where(chosen[:, i] == chosen[:, i - 1], alike + 1, 1)
        orders *= (i + 1) / alike
    return chosen, orders * chance[chosen].prod(1)


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
    check_range("prob", float(prob.min()), 0)
    check_range("prob: its sum", float(prob.sum()), 1 - 1e-6, 1 + 1e-6)
    there = prob > 0  # what never comes does not count, whatever it holds
    returns, lengths, scores, prompt, prob = (
        x[there] for x in (returns, lengths, scores, prompt, prob)
    )
    every = [np.flatnonzero(prompt == q) for q in np.unique(prompt)]
    total = prod(comb(len(own) + size - 1, size) for own in every)
    if total > most:
        raise ValueError(f"size: expected at most {most} batches, got {total}: a smaller tree")
    groups, chances, weight = [], [], np.zeros(len(prob))
    for own in every:
        share = prob[own].sum()  # p(q)
        weight[own] = share / size
        chosen, chance = multisets(prob[own] / share, size)
        groups.append(own[chosen])
        chances.append(chance)
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
