"""The second grammar: losses of language models, from the returns of groups of responses.

A row is a token; at θ = θ_old every ratio is 1 and no clip acts. c is one number a response over
all its tokens: a statistic of the group (estimators/groups), reduced in one of the ways of
released libraries. Axes: G responses in all, L tokens.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from minipg.audit.grammar import NOTHING, Formula, Part
from minipg.validate import Array, check_finite, check_shape, floats

MOST_LOG = 300  # of π_ref/π, whose square is to be a number


class Responses(NamedTuple):
    """R (G,) of each response, its number of tokens (G,), and which prompt it answers (G,).

    log_ratio (L,): log π − log π_ref of each token, response after response, where the loss has a
    KL term; () where not. A KL term in the reward is in the returns.
    """

    returns: Array
    lengths: Array
    prompt: Array
    log_ratio: Array | tuple[()] = ()

    @property
    def rows(self) -> int:
        """L."""
        return int(np.sum(self.lengths))


def checked(responses: Responses) -> Responses:
    """The same as arrays; ValueError for shapes that do not fit, NaN, lengths below 1, and
    π_ref/π that is no number."""
    returns, lengths, prompt, log_ratio = (floats(x) for x in responses)
    for name, x in (("returns", returns), ("lengths", lengths), ("prompt", prompt)):
        check_shape(name, x, (len(returns),))
        check_finite(name, x)
    if not len(returns) or lengths.min() < 1 or (lengths % 1).any():
        raise ValueError(f"lengths: expected whole numbers from 1, got {lengths.tolist()}")
    if log_ratio.size:
        check_shape("log_ratio", log_ratio, (int(lengths.sum()),))
        check_finite("log_ratio", log_ratio)
        if (least := float(log_ratio.min())) < -MOST_LOG:
            raise ValueError(f"log_ratio: expected at least −{MOST_LOG}, where k3 is a number, got "
                             f"{least:g}")  # fmt: skip
    groups = np.unique(prompt, return_inverse=True)[1]
    return Responses(returns, lengths.astype(int), groups, log_ratio)


def _lead(r: Responses) -> Array:
    """Of each group's best response: how much better it is than the second; 0 for the others."""
    order = np.lexsort((-r.returns, r.prompt))
    first = np.append(True, np.diff(r.prompt[order]) > 0)  # of its group
    second = np.append(order[1:], order[-1])
    lead = np.zeros(len(order))
    lead[order] = np.where(first & (r.prompt[second] == r.prompt[order]),
                           r.returns[order] - r.returns[second], 0)  # fmt: skip
    return lead


def statistics(r: Responses) -> Iterator[Part]:
    """What multiplies the score of every token of a response."""
    x, count = r.returns, np.bincount(r.prompt)
    total = np.bincount(r.prompt, x)[r.prompt]
    size = count[r.prompt]
    mean, others = total / size, (total - x) / np.maximum(size - 1, 1)
    tokens = np.average(x, weights=r.lengths)
    yield Part("R", x)
    yield Part("R less the group's mean", x - mean)
    yield Part("R less the mean of the others (RLOO)", x - others)
    by_length = np.bincount(r.prompt, x * r.lengths) / np.bincount(r.prompt, r.lengths)
    yield Part("R less the group's mean over tokens", x - by_length[r.prompt])
    yield Part("R less the batch's mean", x - x.mean())
    lead = _lead(r)
    yield Part("the best's lead over the second (pass@k)", lead)
    per_scored = len(x) / max(int(np.count_nonzero(x)), 1)
    yield Part("R less the group's mean, times responses / those with R ≠ 0",
               (x - mean) * per_scored)  # fmt: skip
    for ddof, name in ((0, "n"), (1, "n − 1")):
        within = np.bincount(r.prompt, (x - mean) ** 2)[r.prompt]
        own = np.sqrt(within / np.maximum(size - ddof, 1))
        whole = np.sqrt(((x - x.mean()) ** 2).sum() / max(len(x) - ddof, 1))
        count_less = r.rows / max(r.rows - ddof, 1)
        by_token = np.sqrt(np.average((x - tokens) ** 2, weights=r.lengths) * count_less)
        off = np.average(x - mean, weights=r.lengths)
        off_by_token = np.sqrt(np.average((x - mean - off) ** 2, weights=r.lengths) * count_less)
        for eps in (1e-8, 1e-6, 1e-4):
            told = f"({name}, ε = {eps:g})"
            yield Part(f"normalised over the group {told}", (x - mean) / (own + eps), (9,))
            yield Part(f"the best's lead, the group's deviation {told}", lead / (own + eps), (9,))
            yield Part(f"the group's mean off, the batch's deviation {told}",
                       (x - mean) / (whole + eps), (9,))  # fmt: skip
            yield Part(f"normalised over the batch {told}", (x - x.mean()) / (whole + eps), (9,))
            yield Part(f"normalised over the batch's tokens {told}",
                       (x - tokens) / (by_token + eps), (9,))  # fmt: skip
            yield Part(f"the group's mean off, then normalised over the batch's tokens {told}",
                       (x - mean - off) / (off_by_token + eps), (9,))  # fmt: skip
            yield Part(f"RLOO, then normalised over the batch {told}",
                       (x - others) / (np.sqrt(((x - others) ** 2).sum() / max(len(x) - ddof, 1))
                                       + eps), (9,))  # fmt: skip


def reductions(r: Responses) -> Iterator[Part]:
    """What each of its tokens is divided by."""
    one, count = np.ones(len(r.returns)), len(r.returns)
    groups = np.bincount(r.prompt)[r.prompt]
    yield Part("sum over tokens, mean over responses", one / count)
    yield Part("mean over all tokens", one / r.rows, (33, 40))
    yield Part("mean over each response's tokens, then responses", one / r.lengths / count, (40,))
    yield Part(
        "divided by the longest response, mean over responses", one / r.lengths.max() / count
    )
    yield Part("mean over each group's tokens, then groups",
               groups / np.bincount(r.prompt, r.lengths)[r.prompt] / count, (33, 40))  # fmt: skip
    yield Part("summed", one)


def kl_terms(responses: Responses) -> Iterator[Part]:
    """What is subtracted, β times: of each token the derivative (L,) by its log π of an estimate
    of KL(π‖π_ref), reduced. At θ_old, as the rest. None without log_ratio.

    k1 = log π/π_ref, k2 = ½ k1², k3 = π_ref/π − 1 + k1 (Schulman, "Approximating KL divergence").
    """
    r = checked(responses)
    if not len(r.log_ratio):
        return
    k1 = np.asarray(r.log_ratio)
    derivatives = {"k1": np.ones(r.rows), "|k1|": np.sign(k1), "k2": k1, "k3": 1 - np.exp(-k1)}
    for (name, d), f in product(derivatives.items(), reductions(r)):
        yield Part(f"− β {name} of KL(π‖π_ref), {f.name}", d * np.repeat(f.values, r.lengths))


def formulas(responses: Responses) -> tuple[list[Formula], Array]:
    """Every reading and its c (K, L) on these responses, always in the same order."""
    r = checked(responses)
    names, rows = [], []
    for x, f in product(statistics(r), reductions(r)):
        normalised = x.name if x.pitfalls else ""
        summed = "" if x.pitfalls else x.name
        names.append(Formula(summed, "", normalised, "", f.name, x.pitfalls + f.pitfalls))
        rows.append(np.repeat(x.values * f.values, r.lengths))
    return [*names, NOTHING], np.array([*rows, np.zeros(r.rows)])
