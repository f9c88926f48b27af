"""The heads: distributions over actions with closed forms in their own parameters η.

Axes: `...` samples, K = `size` parameters of the head, n actions, d action dimensions.
Every KL is KL(p‖q) = E_p log p/q, first argument p. Finite for logits up to ±1e4 and
log σ up to ±20, in float32 and float64. Each formula is analytic, so complex-step holds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minipg.validate import Array, check_finite, check_shape

LOG_2PI = float(np.log(2 * np.pi))


def excess(x: Array) -> Array:
    """e^x − 1 − x, which is ≥ 0, with all its digits also where x is small.

    >>> excess(np.array([1e-9, 1.0, -1e4]))
    array([5.00000000e-19, 7.18281828e-01, 9.99900000e+03])
    """
    small = np.where(np.abs(x) < 0.5, x, 0.0)
    series = np.ones_like(small)
    for n in range(16, 2, -1):  # x²/2 (1 + x/3 (1 + x/4 (…)))
        series = 1 + series * small / n
    return np.where(np.abs(x) < 0.5, small**2 / 2 * series, np.exp(x) - 1 - x)


@dataclass(frozen=True)
class Softmax:
    """π(a) = e^{η_a} / Σ_b e^{η_b} over actions 0 … n−1; η are the logits (..., n)."""

    n: int

    @property
    def size(self) -> int:
        """K."""
        return self.n

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are whole numbers in [0, n) of shape `leading`."""
        check_shape("actions", actions, leading)
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions: expected whole numbers, got dtype {actions.dtype}")
        if actions.size and not (actions.min() >= 0 and actions.max() < self.n):
            raise ValueError(
                f"actions: expected 0 … {self.n - 1}, got {actions.min()} … {actions.max()}"
            )

    def log_probs(self, eta: Array) -> Array:
        """log π of every action (..., n)."""
        shifted = eta - eta.real.max(-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))

    def probs(self, eta: Array) -> Array:
        """π of every action (..., n)."""
        return np.exp(self.log_probs(eta))

    def sample(self, eta: Array, rng: np.random.Generator) -> Array:
        """Actions (...): whose exponential waiting time at rate π is the shortest.

        −log of a waiting time is Gumbel noise; here it is below 42, so that no action is drawn
        whose π is 0 in float32. Source: the Gumbel-max trick, Gumbel 1954.
        """
        waiting = rng.standard_exponential(eta.shape) + 2.0**-60
        return (eta - np.log(waiting)).argmax(-1)

    def mode(self, eta: Array) -> Array:
        """The most likely action (...), the first of several."""
        return eta.argmax(-1)

    def log_prob(self, eta: Array, actions: Array) -> Array:
        """log π(a) (...)."""
        return np.take_along_axis(self.log_probs(eta), actions[..., None], -1)[..., 0]

    def score(self, eta: Array, actions: Array) -> Array:
        """∂ log π(a) / ∂η = 1[a] − π (..., n)."""
        one_hot = actions[..., None] == np.arange(self.n)
        return np.subtract(one_hot, self.probs(eta), order="F")  # features first, as η

    def entropy(self, eta: Array) -> Array:
        """−Σ_a π log π (...), in nats."""
        log_p = self.log_probs(eta)
        return -(np.exp(log_p) * log_p).sum(-1)

    def entropy_gradient(self, eta: Array) -> Array:
        """∂H/∂η_a = −π_a (log π_a + H) (..., n)."""
        log_p = self.log_probs(eta)
        p = np.exp(log_p)
        return -p * (log_p - (p * log_p).sum(-1, keepdims=True))

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p‖q) = Σ_a p (log p − log q) (...), in nats.

        As Σ_a p (e^d − 1 − d) with d = log q − log p, for Σ_a q − p = 0: no term is negative, and
        near policies keep their digits, in float32 too, as it is summed in float64.
        """
        dtype = np.result_type(p, q)
        p, q = (x.astype(np.result_type(x, np.float64)) for x in (p, q))
        log_p, log_q = self.log_probs(p), self.log_probs(q)
        prob = np.exp(log_p)
        moved = (q - p) - (prob * (q - p)).sum(-1, keepdims=True)
        near = (np.abs(moved) < 1).all(-1, keepdims=True)  # there log q − log p cancels
        moved = np.where(near, moved, 0.0)
        change = moved - np.log1p((prob * excess(moved)).sum(-1, keepdims=True))
        d = np.where(near, change, log_q - log_p)
        with np.errstate(over="ignore", invalid="ignore"):
            kl = np.where(prob != 0, prob * excess(d), np.exp(log_q)).sum(-1)
        return kl.astype(dtype)

    def fisher(self, eta: Array) -> Array:
        """E score scoreᵀ = diag(π) − π πᵀ (..., n, n)."""
        p = self.probs(eta)
        return p[..., None] * np.eye(self.n, dtype=p.dtype) - p[..., None] * p[..., None, :]

    def fisher_root(self, eta: Array) -> Array:
        """B (..., n, n) with B Bᵀ = fisher(η): diag(√π) − π √πᵀ."""
        p = self.probs(eta)
        root = np.sqrt(p)
        return root[..., None] * np.eye(self.n, dtype=p.dtype) - p[..., None] * root[..., None, :]

    def fisher_product(self, eta: Array) -> Callable[[Array], Array]:
        """u ↦ fisher(η) u = π u − π (π·u) (..., n), without the matrix."""
        p = self.probs(eta)

        def product(u: Array) -> Array:
            pu = p * u
            return pu - p * pu.sum(-1, keepdims=True)

        return product


@dataclass(frozen=True)
class Gaussian:
    """π(a) = Π_i N(a_i; μ_i, σ_i²) over a ∈ R^d; η = (μ, log σ) side by side (..., 2d)."""

    d: int

    @property
    def size(self) -> int:
        """K."""
        return 2 * self.d

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are finite numbers of shape (*leading, d)."""
        check_shape("actions", actions, (*leading, self.d))
        check_finite("actions", actions)

    def split(self, eta: Array) -> tuple[Array, Array]:
        """(μ, log σ), each (..., d)."""
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
        return np.concatenate(
            [np.zeros_like(eta[..., : self.d]), np.ones_like(eta[..., self.d :])], -1
        )

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
        return diagonal[..., None] * np.eye(self.size, dtype=eta.dtype)

    def fisher_root(self, eta: Array) -> Array:
        """B (..., 2d, 2d) with B Bᵀ = fisher(η): diag(1/σ, √2)."""
        log_std = self.split(eta)[1]
        diagonal = np.concatenate([np.exp(-log_std), np.full_like(log_std, np.sqrt(2))], -1)
        return diagonal[..., None] * np.eye(self.size, dtype=eta.dtype)

    def fisher_product(self, eta: Array) -> Callable[[Array], Array]:
        """u ↦ fisher(η) u = (u_μ/σ², 2 u_log σ) (..., 2d), without the matrix."""
        log_std = self.split(eta)[1]
        diagonal = np.concatenate([np.exp(-2 * log_std), np.full_like(log_std, 2)], -1)
        return lambda u: diagonal * u
