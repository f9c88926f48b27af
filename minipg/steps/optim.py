"""Optimisers as pure steps of ascent: θ, gradient and state in; θ and state out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minipg.validate import (
    BELOW_1,
    Array,
    all_finite,
    check_finite,
    check_range,
    check_shape,
    floats,
    power_of_two,
)


def sgd_init(theta: Array) -> None:
    """There is no state."""


def sgd(theta: Array, gradient: Array, state: None, learning_rate: float) -> tuple[Array, None]:
    """θ + α g."""
    theta, gradient = _checked(theta, gradient)
    check_finite("gradient", gradient)
    learning_rate = check_range("learning_rate", learning_rate)
    return theta + learning_rate * gradient, None


def _checked(theta: Array, gradient: Array) -> tuple[Array, Array]:
    """Both as numbers (P,); ValueError for a gradient of another shape, which would broadcast."""
    theta, gradient = floats(theta), floats(gradient)
    check_shape("gradient", gradient, theta.shape)
    return theta, gradient


def clip_norm(gradient: Array, most: float) -> Array:
    """The gradient, shortened to norm `most` if it is longer; ValueError if it is not finite."""
    gradient, most = floats(gradient), check_range("most", most, 0, np.inf)
    length = norm(gradient)
    if not np.isfinite(length):
        check_finite("gradient", gradient)
    if length <= most:
        return gradient
    factor = gradient.dtype.type(most / length)
    if factor >= np.finfo(gradient.dtype).tiny:
        return gradient * factor
    shorter = gradient / gradient.dtype.type(power_of_two(gradient))  # whose norm is no extreme
    return shorter * gradient.dtype.type(most / norm(shorter))


def norm(x: Array) -> float:
    """‖x‖, by way of its largest entry, whose square may overflow."""
    largest = float(np.abs(x).max(initial=0)) or 1.0
    if not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(x / x.dtype.type(largest)))


def squared(gradient: Array) -> Array:
    """g²; ValueError where it is no number in its dtype, as g/√g² would be 0 then."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = gradient**2
    if not all_finite(square):
        check_finite("gradient", gradient)
        check_finite(f"square of the gradient, in {square.dtype} (smaller rewards?)", square)
    return square


def _checked_eps(eps: float, theta: Array) -> float:
    """ε; ValueError where g² may underflow below ε² and g/ε be no step any more."""
    return check_range("eps", eps, float(np.finfo(theta.dtype).tiny) ** 0.5)


def rmsprop_init(theta: Array) -> Array:
    """The running mean of g² (P,) before the first step."""
    return np.zeros_like(floats(theta))


def rmsprop(
    theta: Array,
    gradient: Array,
    square: Array,
    learning_rate: float,
    decay: float = 0.99,
    eps: float = 1e-5,
) -> tuple[Array, Array]:
    """v = ρ v + (1−ρ) g²; θ + α g / (√v + ε): ε outside the root.

    Source: Tieleman & Hinton 2012, lecture 6e (there: descent, ε = 0).

    >>> theta = np.array([1.0, 1.0])
    >>> new, _ = rmsprop(theta, np.array([3.0, -0.1]), rmsprop_init(theta), 0.5, decay=0.0)
    >>> new.round(3).tolist()
    [1.5, 0.5]
    """
    (theta, gradient), square = _checked(theta, gradient), floats(square)
    check_shape("square", square, theta.shape)
    learning_rate, eps = check_range("learning_rate", learning_rate), _checked_eps(eps, theta)
    decay = check_range("decay", decay, 0, 1)
    square = decay * square + (1 - decay) * squared(gradient)
    return theta + learning_rate * gradient / (np.sqrt(square) + eps), square


class AdamState(NamedTuple):
    """Running means of g (P,) and g² (P,), and the number of steps taken."""

    mean: Array
    square: Array
    steps: int


def adam_init(theta: Array) -> AdamState:
    """The state before the first step."""
    zero = np.zeros_like(floats(theta))
    return AdamState(zero, zero, 0)


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
    theta, gradient = _checked(theta, gradient)
    check_shape("state.mean", state.mean, theta.shape)
    check_shape("state.square", state.square, theta.shape)
    learning_rate, eps = check_range("learning_rate", learning_rate), _checked_eps(eps, theta)
    beta1 = check_range("beta1", beta1, 0, BELOW_1)
    beta2 = check_range("beta2", beta2, 0, BELOW_1)
    n = state.steps + 1
    mean = beta1 * state.mean + (1 - beta1) * gradient
    square = beta2 * state.square + (1 - beta2) * squared(gradient)
    unbiased_mean, unbiased_square = mean / (1 - beta1**n), square / (1 - beta2**n)
    step = learning_rate * unbiased_mean / (np.sqrt(unbiased_square) + eps)
    return theta + step, AdamState(mean, square, n)


OPTIMISERS: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Array, Any]]]] = {
    "sgd": (sgd_init, sgd),
    "adam": (adam_init, adam),
    "rmsprop": (rmsprop_init, rmsprop),
}
