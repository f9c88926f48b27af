"""The Gaussian head: d real numbers, independent of each other.

Axes: `...` samples, d action dimensions, K = 2d parameters η. Finite for log σ up to ±20.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minipg.policies.heads import excess
from minipg.validate import Array, array, check_count, check_finite, check_shape, floats

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Gaussian:
    """π(a) = Π_i N(a_i; μ_i, σ_i²) over a ∈ R^d; η = (μ, log σ) side by side (..., 2d)."""

    d: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "d", check_count("d", self.d, 1))

    @property
    def size(self) -> int:
        """K."""
        return 2 * self.d

    @property
    def num_log_std(self) -> int:
        """d: log σ."""
        return self.d

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are finite numbers of shape (*leading, d)."""
        actions = array(actions)
        if actions.shape == leading and self.d == 1:
            raise ValueError(
                f"actions: expected shape {(*leading, 1)}, got {leading}: take actions[..., None]"
            )
        check_shape("actions", actions, (*leading, self.d))
        check_finite("actions", actions)

    def split(self, eta: Array) -> tuple[Array, Array]:
        """(μ, log σ), each (..., d)."""
        eta = floats(eta)
        return eta[..., : self.d], eta[..., self.d :]

    def sample(self, eta: Array, rng: np.random.Generator) -> Array:
        """a = μ + σ ε (..., d)."""
        mu, log_std = self.split(eta)
        return mu + np.exp(log_std) * rng.standard_normal(mu.shape).astype(mu.dtype)

    def mode(self, eta: Array) -> Array:
        """The most likely action, μ (..., d)."""
        return self.split(eta)[0]

    def log_prob(self, eta: Array, actions: Array) -> Array:
        """Σ_i −½ z² − log σ − ½ log 2π with z = (a − μ)/σ (...)."""
        mu, log_std = self.split(eta)
        z = (actions - mu) * np.exp(-log_std)
        return (-0.5 * z**2 - log_std - 0.5 * LOG_2PI).sum(-1)

    def score(self, eta: Array, actions: Array) -> Array:
        """(∂/∂μ, ∂/∂log σ) log π(a) = (z/σ, z² − 1) (..., 2d)."""
        mu, log_std = self.split(eta)
        inverse = np.exp(-log_std)
        z = np.subtract(actions, mu, order="F") * inverse  # features first, as η
        return np.concatenate([z * inverse, z**2 - 1], -1)

    def entropy(self, eta: Array) -> Array:
        """Σ_i log σ_i + ½ log 2πe (...), in nats."""
        return (self.split(eta)[1] + 0.5 * (LOG_2PI + 1)).sum(-1)

    def entropy_gradient(self, eta: Array) -> Array:
        """∂H/∂(μ, log σ) = (0, 1) (..., 2d)."""
        mu, log_std = self.split(eta)
        return np.concatenate([np.zeros_like(mu), np.ones_like(log_std)], -1)

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p‖q) = Σ_i log σ_q/σ_p + (σ_p² + (μ_p − μ_q)²) / 2σ_q² − ½ (...), in nats.

        As ½ Σ_i (e^x − 1 − x) + z² with x = 2 log σ_p/σ_q and z = (μ_p − μ_q)/σ_q: no term is
        negative, and near policies keep their digits.
        """
        (mu_p, log_p), (mu_q, log_q) = self.split(p), self.split(q)
        z = (mu_p - mu_q) * np.exp(-log_q)
        return 0.5 * (excess(2 * (log_p - log_q)) + z**2).sum(-1)

    def fisher(self, eta: Array) -> Array:
        """E score scoreᵀ = diag(1/σ², 2) (..., 2d, 2d)."""
        log_std = self.split(eta)[1]
        diagonal = np.concatenate([np.exp(-2 * log_std), np.full_like(log_std, 2)], -1)
        return diagonal[..., None] * np.eye(self.size, dtype=log_std.dtype)

    def fisher_root(self, eta: Array) -> Array:
        """B (..., 2d, 2d) with B Bᵀ = fisher(η): diag(1/σ, √2)."""
        log_std = self.split(eta)[1]
        diagonal = np.concatenate([np.exp(-log_std), np.full_like(log_std, np.sqrt(2))], -1)
        return diagonal[..., None] * np.eye(self.size, dtype=log_std.dtype)

    def fisher_product(self, eta: Array) -> Callable[[Array], Array]:
        """u ↦ fisher(η) u = (u_μ/σ², 2 u_log σ) (..., 2d), without the matrix."""
        log_std = self.split(eta)[1]
        diagonal = np.concatenate([np.exp(-2 * log_std), np.full_like(log_std, 2)], -1)
        return lambda u: diagonal * u
