"""What a critic is, and V: its errors δ, its GAE, its semi-gradient. φ (P_c,) is passed.

Axes: `...` any leading axes, T steps, B columns, N samples, D observation. Every gradient is a
semi-gradient: the target y is a constant, its dependence on φ is not followed.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from minipg.estimators.returns import gae, td_error
from minipg.experience.batch import Batch
from minipg.policies.network import MLP, Tape
from minipg.policies.policy import Policy
from minipg.validate import Array, array, arrays, check_finite, check_shape, floats


class Critic(Protocol):
    """What actor-critic asks of a critic of the policy π_θ."""

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        """φ (P_c,)."""

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        """V (...) at obs (..., D)."""

    def gradient(self, phi: Array, theta: Array, batch: Batch, target: Array, adv: Array) -> Array:
        """∇_φ ½ mean (critic − y)² (P_c,): y (T, B) is V's or Q's target, adv (T, B) that of A."""

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """ψ_t (T, B) for the policy's gradient."""


def td_errors(
    critic: Critic, phi: Array, theta: Array, batch: Batch, gamma: float
) -> tuple[Array, Array]:
    """E14 δ (T, B) from a critic's V, and that V (T, B).

    V + GAE of these δ is the λ-return, the critic's target (E15): at λ = 0 it is r + γV(s′), at
    λ = 1 it is Σ γ^i r, and V where the window or a truncation cuts.
    """
    values = critic.values(phi, theta, batch.obs).astype(np.float64)
    delta = td_error(batch.rewards, values, batch.terminated, batch.valid, gamma)
    return delta, values[:-1]


def advantage(
    critic: Critic, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float
) -> Array:
    """E24 GAE (T, B) from a critic's V."""
    delta, _ = td_errors(critic, phi, theta, batch, gamma)
    return gae(delta, batch.ends, gamma, lam)


def checked_vjp(network: MLP, phi: Array, tape: Tape, error: Array) -> Array:
    """Σ_n J_nᵀ error_n (P_c,); ValueError where it is no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        gradient = network.vjp(phi, tape, error)
    check_finite("gradient of the critic (its parameters or errors are too large)", gradient)
    return gradient


@dataclass(frozen=True)
class VCritic:
    """V_φ(s): the state in, one number out, the least complex of the three (footnote 5)."""

    network: MLP

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return self.network.init(rng, 1.0, dtype)

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.network.at(phi)(obs)[..., 0]

    def gradient(self, phi: Array, theta: Array, batch: Batch, target: Array, adv: Array) -> Array:
        """E15 as error_gradient, over the batch."""
        obs, y = batch.obs[:-1][batch.valid], array(target)[batch.valid]
        return self.error_gradient(phi, obs, y)

    def error_gradient(self, phi: Array, obs: Array, target: Array) -> Array:
        """E15 ∇_φ ½ mean (V_φ(s) − y)² (P_c,) over samples: obs (N, D), y (N,)."""
        phi, obs, target = floats(phi), *arrays(obs, target)
        check_shape("target", target, (len(obs),))
        check_finite("target", target)
        y, tape = self.network.forward(phi, obs)
        with np.errstate(over="ignore"):
            error = (y[:, 0] - target).astype(phi.dtype) / len(obs)
        return checked_vjp(self.network, phi, tape, error[:, None])

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E16, E24 GAE."""
        return advantage(self, phi, theta, batch, gamma, lam)


@dataclass(frozen=True)
class SharedCritic:
    """V_θ(s) of the policy's own value head (E17): no parameters of its own."""

    policy: Policy

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return np.zeros(0, dtype)

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.policy.values(theta, obs)

    def gradient(self, phi: Array, theta: Array, batch: Batch, target: Array, adv: Array) -> Array:
        """φ itself, which is empty: the value's gradient is part of that in θ."""
        return array(phi)

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E24 GAE."""
        return advantage(self, phi, theta, batch, gamma, lam)


def value_critic(policy: Policy) -> VCritic:
    """A V with the policy's hidden layers."""
    return VCritic(MLP((*policy.network.sizes[:-1], 1)))
