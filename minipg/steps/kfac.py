"""Kronecker-factored Fisher matrix (E48) of a policy or a critic: two small matrices a layer.

Axes: N samples, n_in and n_out of a layer, P parameters. Layer i's block of the Fisher matrix,
for θ_i = (W; b) with rows of inputs, is E (h̃h̃ᵀ ⊗ δδᵀ) ≈ E h̃h̃ᵀ ⊗ E δδᵀ = A ⊗ G, h̃ = (h, 1),
δ = ∂log π/∂(Wᵀh + b) with a ∼ π: the expectation over a is exact, never that of the actions
taken (pitfall 27). Source: Martens & Grosse 2015, arXiv 1503.05671; Wu et al. 2017, 1708.05144.
"""

from typing import NamedTuple

import numpy as np

from minipg.policies.network import MLP, Tape
from minipg.policies.policy import Policy
from minipg.validate import TINY, Array, check_finite, check_range, floats


class Factors(NamedTuple):
    """(A (n_in + 1, n_in + 1), G (n_out, n_out)) of each layer, the first first."""

    layers: list[tuple[Array, Array]]


def factors(policy: Policy, theta: Array, obs: Array) -> Factors:
    """E48 A and G of the policy on these observations (N, D), all weighted alike."""
    eta, tape = policy.forward(theta, obs)
    tape = tape.kept()
    root = policy.head.fisher_root(eta)[..., : policy.num_outputs, :]  # (N, outputs, K)
    if policy.value_head:
        root = np.concatenate([root, np.zeros_like(root[:, :1])], 1)
    return network_factors(policy.network, policy.split(theta)[0], tape, np.moveaxis(root, -1, 0))


def network_factors(network: MLP, theta: Array, tape: Tape, columns: Array) -> Factors:
    """E48 A and G from the tape of a forward pass and a backward pass a column of M's root.

    columns (K, N, outputs): Σ_k columns_k columns_kᵀ is the Fisher matrix M of the outputs; of a
    critic, the mean of a Gaussian with σ = 1, it is 1: one column of ones.
    """
    n = columns.shape[1]

    def of_column(column: Array) -> list[Array]:
        """E δδᵀ of each layer, the last first."""
        return [delta @ delta.T / n for _, delta in network.backward(theta, tape, column)]

    with np.errstate(over="ignore", invalid="ignore"):
        g = [sum(of_layer) for of_layer in zip(*map(of_column, columns), strict=True)]
        found = [(h @ h.T / n, x) for h, x in zip(tape.inputs, reversed(g), strict=True)]
    for a, g_of_layer in found:
        check_finite("Kronecker factor (smaller observations?)", a)
        check_finite("Kronecker factor of a layer's outputs", g_of_layer)
    return Factors(found)


def average(old: Factors | None, new: Factors, decay: float) -> Factors:
    """decay · old + (1 − decay) · new, of each factor; old None: new."""
    decay = check_range("decay", decay, 0, 1)
    if old is None:
        return new
    layers = [
        (decay * a + (1 - decay) * a2, decay * g + (1 - decay) * g2)
        for (a, g), (a2, g2) in zip(old.layers, new.layers, strict=True)
    ]
    return Factors(layers)


def solve(policy: Policy, kronecker: Factors, gradient: Array, damping: float) -> Array:
    """(F̂ + damping)⁻¹ g (P,); log σ in θ, whose Fisher block is 2·1 exactly: g/(2 + damping)."""
    check_finite("gradient", gradient)
    net, log_std = policy.split(gradient)
    x = network_solve(policy.network, kronecker, net, damping)
    return np.concatenate([x, log_std / (2 + damping)])


def network_solve(network: MLP, kronecker: Factors, gradient: Array, damping: float) -> Array:
    """Block i is (A + π√λ)⁻¹ g_i (G + √λ/π)⁻¹, λ the damping, π² = mean diag A / mean diag G.

    Where G is 0, π is as large as leaves its products numbers, and the block g_i/λ.
    Source: Martens & Grosse 2015, section 6.3.
    """
    gradient, damping = floats(gradient), check_range("damping", damping, TINY)
    out = np.empty_like(gradient)
    blocks = zip(network.layers(gradient), network.layers(out), kronecker.layers, strict=True)
    for layer, x, (a, g) in blocks:
        of_a, of_g = np.trace(a) / len(a), np.trace(g) / len(g)
        split = np.sqrt(of_a / max(of_g, of_a * np.finfo(g.dtype).eps ** 4))
        root = np.sqrt(damping)
        try:
            left = np.linalg.solve(a + split * root * np.eye(len(a), dtype=a.dtype), layer)
            x[:] = np.linalg.solve(g + root / split * np.eye(len(g), dtype=g.dtype), left.T).T
        except np.linalg.LinAlgError as error:
            raise ValueError(f"damping: expected more than {damping}, H is singular") from error
    return out
