"""Formulas as choices of ingredients, each a line of minipg's own functions.

Of a window a formula is one number a row, c_t: the gradient is Σ_t c_t ∇log π(a_t|s_t). That is
what is summed (with which endings), less a baseline, normalised, times γ^t, reduced.
Axes: L rows of a window, K formulas.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minipg.audit.window import Window
from minipg.estimators.returns import discounted_sum, total_return
from minipg.validate import Array


class Formula(NamedTuple):
    """One reading: a name for each ingredient, and the pitfalls it falls into, by number.

    added: what stands beside it with a coefficient that is fitted, where that is not ∇entropy.
    """

    summed: str
    baseline: str
    normalised: str
    discounted: str
    reduced: str
    pitfalls: tuple[int, ...]
    added: str = ""

    @property
    def but_epsilon(self) -> tuple[str, ...]:
        """Its ingredients, whatever the ε beside a deviation."""
        normalised = self.normalised.split(", ε")[0].rstrip(")")
        return self.summed, self.baseline, normalised, self.discounted, self.reduced, self.added

    def __str__(self) -> str:
        told = (
            self.summed, self.baseline, self.normalised, self.discounted, self.reduced, self.added
        )  # fmt: skip
        return " | ".join(part for part in told if part)


NOTHING = Formula("nothing", "", "", "", "", ())  # whose gradient is 0: what stands beside is all


class Part(NamedTuple):
    """An ingredient of a window: its name, its numbers (L,), its pitfalls."""

    name: str
    values: Array
    pitfalls: tuple[int, ...] = ()


def returns(w: Window, gamma: float) -> Iterator[Part]:
    """What is summed without a critic; a baseline may be taken off."""
    r, cuts = w.rewards, w.cuts
    yield Part("R", total_return(r, cuts, gamma))
    yield Part("R undiscounted", total_return(r, cuts, 1.0))
    yield Part("G", discounted_sum(r, cuts, gamma))
    yield Part("G undiscounted", discounted_sum(r, cuts, 1.0))
    yield Part("r alone", r)
    yield Part("G without its first reward", discounted_sum(r, cuts, gamma) - r)
    yield Part("G over the ends of episodes", discounted_sum(r, w.last, gamma), (2,))
    bootstrapped = r + gamma * np.where(cuts & ~w.terminated, w.next_values, 0)
    yield Part("G bootstrapped where cut", discounted_sum(bootstrapped, cuts, gamma))


def _of_episodes(x: Array, episode: Array) -> tuple[Array, Array]:
    """Of each episode: x of its first row, the mean over its rows."""
    first = np.searchsorted(episode, np.arange(episode[-1] + 1))
    return x[first], np.bincount(episode, x) / np.bincount(episode)


def _others(of_episode: Array) -> Array:
    """The mean of the other episodes; 0 where there is none."""
    rest = len(of_episode) - 1
    return (of_episode.sum() - of_episode) / rest if rest else np.zeros(1)


def baselines(w: Window, x: Array) -> Iterator[Part]:
    """What is subtracted."""
    first, mean = _of_episodes(x, w.episode)
    count = np.bincount(w.t)
    at_t = np.bincount(w.t, x) / np.maximum(count, 1)
    others_at_t = (np.bincount(w.t, x)[w.t] - x) / np.maximum(count[w.t] - 1, 1)
    yield Part("", np.zeros(len(x)))
    yield Part("less V(s)", w.values)
    yield Part("less the mean over steps", np.full(len(x), x.mean()), (38,))
    yield Part("less the mean over episodes", np.full(len(x), first.mean()), (38,))
    yield Part("less the mean at each t", at_t[w.t], (38,))
    yield Part("less the other episodes' mean", _others(first)[w.episode])
    yield Part("less the other episodes' means over steps", _others(mean)[w.episode])
    yield Part("less the others' mean at each t", others_at_t)


def normalisations(w: Window, x: Array) -> Iterator[Part]:
    """ψ (…, L) as it is, or standardised: over n or n − 1, with an ε beside the deviation."""
    own = w.episode == np.arange(w.episode[-1] + 1)[:, None]  # (episodes, L)
    count, length = x.shape[-1], own.sum(1)
    centred, off = x - x.mean(-1, keepdims=True), x - ((x @ own.T) / length)[..., w.episode]
    squares, of_episodes = (centred**2).sum(-1, keepdims=True), off**2 @ own.T
    yield Part("", x)
    for ddof, name in ((0, "n"), (1, "n − 1")):
        std = np.sqrt(squares / max(count - ddof, 1))
        for eps in (1e-8, 1e-6, 1e-5, 1e-4):
            told = f"{name}, ε = {eps:g}" if eps > 1e-8 else name
            yield Part(f"ψ normalised over the batch ({told})", centred / (std + eps), (9,))
            yield Part(f"ψ over its deviation, not centred ({told})", x / (std + eps), (9,))
        variance = of_episodes / np.maximum(length - ddof, 1)
        scaled = off / (np.sqrt(variance)[..., w.episode] + 1e-8)
        yield Part(f"ψ normalised over each episode ({name})", scaled, (9,))


def reductions(w: Window) -> Iterator[Part]:
    """What each row is divided by."""
    count, episodes = len(w.rewards), w.episode[-1] + 1
    length = np.bincount(w.episode)
    yield Part("summed", np.ones(count))
    yield Part("mean over steps", np.full(count, 1 / count), (40,))
    yield Part("mean over episodes", np.full(count, 1 / episodes))
    yield Part(
        "mean over each episode's steps, then episodes", 1 / length[w.episode] / episodes, (40,)
    )
    yield Part("divided by the longest episode", np.full(count, 1 / length.max() / episodes), (40,))
