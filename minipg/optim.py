"""Optimisers as pure steps of ascent: θ, gradient and state in; θ and state out."""

from typing import NamedTuple

import numpy as np

from minipg.borders import Array


def sgd(theta: Array, gradient: Array, learning_rate: float) -> Array:
    """θ + α g."""
    return theta + theta.dtype.type(learning_rate) * gradient


class AdamState(NamedTuple):
    """Running means of g (P,) and g² (P,), and the number of steps taken."""

    mean: Array
    square: Array
    steps: int


def adam_init(theta: Array) -> AdamState:
    """The state before the first step."""
    return AdamState(np.zeros_like(theta), np.zeros_like(theta), 0)


def adam(
    theta: Array,
    gradient: Array,
    state: AdamState,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Array, AdamState]:
    """θ + α m̂ / (√v̂ + ε), with m̂ = m/(1−β₁ⁿ), v̂ = v/(1−β₂ⁿ): ε outside the root.

    Source: Kingma & Ba 2015, arXiv 1412.6980, algorithm 1 (there: descent).

    >>> theta = np.array([1.0, 1.0])
    >>> adam(theta, np.array([3.0, -0.1]), adam_init(theta), 0.5)[0].round(6).tolist()
    [1.5, 0.5]
    """
    n = state.steps + 1
    mean = beta1 * state.mean + (1 - beta1) * gradient
    square = beta2 * state.square + (1 - beta2) * gradient**2
    unbiased_mean, unbiased_square = mean / (1 - beta1**n), square / (1 - beta2**n)
    step = learning_rate * unbiased_mean / (np.sqrt(unbiased_square) + eps)
    return theta + step, AdamState(mean, square, n)
