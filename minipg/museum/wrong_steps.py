"""The published bugs of policies and steps, as wrong versions of our own functions.

As in wrong_data: each takes a copy of the right module and returns the names wrong in it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minipg.museum.bug import Module
from minipg.museum.wrong_data import Names, with_method
from minipg.validate import Array


def of_the_network_alone(vjp: Any, policy: Any, *given: Any) -> Array:
    """No gradient of the log σ in θ."""
    gradient: Array = vjp(policy, *given).copy()
    gradient[..., policy.network.num_params :] = 0
    return gradient


def averaged(log_prob: Any, head: Any, eta: Array, actions: Array) -> Array:
    """log π averaged, not summed, over the dimensions of the action."""
    mean: Array = log_prob(head, eta, actions) / head.d
    return mean


def of_u_alone(log_prob: Any, head: Any, eta: Array, actions: Array) -> Array:
    """a = sinh u with u normal, and log π without log |du/da|."""
    density: Array = log_prob(head, eta, np.arcsinh(actions))
    return density


def gain_1(init: Any, network: Any, rng: np.random.Generator, output_gain: float = 1.0,
           **more: Any) -> Array:  # fmt: skip
    """In hidden layers, whose gain is √2, and in the last."""
    theta: Array = init(network, rng, 1.0, **more)
    for layer in network.layers(theta)[:-1]:
        layer /= np.sqrt(2)
    return theta


log_std_forgotten = with_method("Policy", "vjp", of_the_network_alone)
mean_over_dimensions = with_method("Gaussian", "log_prob", averaged)
squashed_without_its_jacobian = with_method("Gaussian", "log_prob", of_u_alone)
gain_1_everywhere = with_method("MLP", "init", gain_1)


def absorbed_in_place(right: Module) -> Names:
    """θ itself is changed, and again at the next evaluation."""
    absorb = right.absorb_normalization

    def absorb_normalization(policy: Any, theta: Array, mean: Array, std: Array) -> Array:
        theta[:] = absorb(policy, theta, mean, std)
        return theta

    return {"absorb_normalization": absorb_normalization}


def epsilon_inside_the_root(right: Module) -> Names:
    """g/√(v + ε)."""

    def rmsprop(theta: Array, gradient: Array, square: Array, learning_rate: float,
                decay: float = 0.99, eps: float = 1e-5) -> tuple[Array, Array]:  # fmt: skip
        square = decay * square + (1 - decay) * gradient**2
        return theta + learning_rate * gradient / np.sqrt(square + eps), square

    return {"rmsprop": rmsprop}


def search_blind_to_kl(right: Module) -> Names:
    """Told that every KL is 0."""
    backtrack = right.backtrack
    return {"backtrack": lambda theta, step, measure, delta, most=10: backtrack(
        theta, step, lambda x: (measure(x)[0], 0.0), delta, most)}  # fmt: skip


def rejected_step_left_in_place(right: Module) -> Names:
    """θ is the last candidate where none was accepted."""
    right_search = right.backtrack

    def backtrack(theta: Array, step: Array, measure: Callable[..., Any], delta: float,
                  most: int = 10) -> Any:  # fmt: skip
        found = right_search(theta, step, measure, delta, most)
        return found if found.accepted else found._replace(theta=theta + 0.5 ** (most - 1) * step)

    return {"backtrack": backtrack}


def without_the_head_s_matrix(right: Module) -> Names:
    """JᵀJ in place of JᵀMJ."""

    def fisher_product(policy: Any, theta: Array, obs: Array, weight: Array) -> Any:
        _, tape = policy.forward(theta, obs)
        return lambda v: policy.vjp(theta, tape, weight[:, None] * policy.jvp(theta, tape, v))

    return {"fisher_product": fisher_product}


def cg_that_asks_nothing(right: Module) -> Names:
    """Whatever pᵀHp is, negative or NaN."""

    def conjugate_gradients(product: Callable[[Array], Array], b: Array, iterations: int = 10,
                            tolerance: float = 1e-10) -> Any:  # fmt: skip
        x, r, p, j = np.zeros_like(b), b, b, 0
        while j < iterations and not np.linalg.norm(r) <= tolerance * np.linalg.norm(b):
            hp = product(p)
            alpha = (r @ r) / (p @ hp)
            before, x, r, j = r @ r, x + alpha * p, r - alpha * hp, j + 1
            p = r + (r @ r / before) * p
        left = float(np.linalg.norm(r) / np.linalg.norm(b))
        return right.CGResult(x, j, left, "iterations")

    return {"conjugate_gradients": conjugate_gradients}


def damping_in_the_length(right: Module) -> Names:
    """xᵀ(H + damping)x for xᵀHx."""
    solve = right.natural_gradient

    def natural_gradient(policy: Any, theta: Array, obs: Array, gradient: Array, damping: float,
                         *given: Any) -> tuple[Array, float]:  # fmt: skip
        x, curvature = solve(policy, theta, obs, gradient, damping, *given)
        return x, curvature + damping * float(x @ x)

    return {"natural_gradient": natural_gradient}


def kl_of_a_subsample(right: Module) -> Names:
    """The update sees one sample of four."""
    update = right.update
    return {"update": lambda policy, theta, samples, *given: update(
        policy, theta, type(samples)(*(x[::4] for x in samples)), *given)}  # fmt: skip


class Reversed:
    """A head whose KL is that of the other direction."""

    def __init__(self, head: Any):
        self.head = head

    def __getattr__(self, name: str) -> Any:
        return getattr(self.head, name)

    def kl(self, p: Array, q: Array) -> Array:
        reverse: Array = self.head.kl(q, p)
        return reverse


def kl_reversed(right: Module) -> Names:
    """KL(π_k‖π̃) for KL(π̃‖π_k)."""
    update = right.update
    return {"update": lambda policy, *given: update(
        replace(policy, head=Reversed(policy.head)), *given)}  # fmt: skip


def fisher_of_the_likeliest(right: Module) -> Names:
    """Scores of one action an observation, in place of the expectation over all."""

    def factors(policy: Any, theta: Array, obs: Array) -> Any:
        eta, tape = policy.forward(theta, obs)
        scores = policy.head.score(eta, eta.argmax(-1))
        return right.network_factors(policy.network, policy.split(theta)[0], tape, scores[None])

    return {"factors": factors}
