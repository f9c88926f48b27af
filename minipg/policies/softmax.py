"""The softmax head: one of n actions.

Axes: `...` samples, K = n parameters η, the logits. Finite for logits up to ±1e4.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minipg.policies.heads import excess, kl_terms
from minipg.validate import Array, array, check_count, check_shape, floats


@dataclass(frozen=True)
class Softmax:
    """π(a) = e^{η_a} / Σ_b e^{η_b} over actions 0 … n−1; η are the logits (..., n)."""

    n: int
    num_log_std = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_count("n", self.n, 1))

    @property
    def size(self) -> int:
        """K."""
        return self.n

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are whole numbers in [0, n) of shape `leading`."""
        actions = array(actions)
        if actions.shape == (*leading, 1):
            raise ValueError(
                f"actions: expected shape {leading}, got {actions.shape}: take actions[..., 0]"
            )
        check_shape("actions", actions, leading)
        if actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions: expected whole numbers, got dtype {actions.dtype}: take "
                "actions.astype(int)"
            )
        if actions.size and not (actions.min() >= 0 and actions.max() < self.n):
            raise ValueError(
                f"actions: expected 0 … {self.n - 1}, got {actions.min()} … {actions.max()}"
            )

    def log_probs(self, eta: Array) -> Array:
        """log π of every action (..., n)."""
        eta = floats(eta)
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
        eta = array(eta)
        waiting = rng.standard_exponential(eta.shape) + 2.0**-60
        return (eta - np.log(waiting)).argmax(-1)

    def mode(self, eta: Array) -> Array:
        """The most likely action (...), the first of several."""
        return array(eta).argmax(-1)

    def log_prob(self, eta: Array, actions: Array) -> Array:
        """log π(a) (...)."""
        return np.take_along_axis(self.log_probs(eta), array(actions)[..., None], -1)[..., 0]

    def score(self, eta: Array, actions: Array) -> Array:
        """∂ log π(a) / ∂η = 1[a] − π (..., n)."""
        one_hot = array(actions)[..., None] == np.arange(self.n)
        return np.subtract(one_hot, self.probs(eta), order="F")  # features first, as η

    def entropy(self, eta: Array) -> Array:
        """−Σ_a π log π (...), in nats; an action of logit −∞ is none."""
        log_p = self.log_probs(eta)
        p = np.exp(log_p)
        return -(p * np.where(p != 0, log_p, 0)).sum(-1)

    def entropy_gradient(self, eta: Array) -> Array:
        """∂H/∂η_a = −π_a (log π_a + H) (..., n)."""
        log_p = self.log_probs(eta)
        p = np.exp(log_p)
        log_p = np.where(p != 0, log_p, 0)  # where π = 0 so is π log π
        return -p * (log_p - (p * log_p).sum(-1, keepdims=True))

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p‖q) = Σ_a p (log p − log q) (...), in nats.

        As Σ_a p (e^d − 1 − d) with d = log q − log p, for Σ_a q − p = 0: no term is negative, and
        near policies keep their digits, in float32 too, as it is summed in float64.
        """
        p, q = floats(p), floats(q)
        dtype = np.result_type(p, q)
        p, q = (x.astype(np.result_type(x, np.float64)) for x in (p, q))
        with np.errstate(invalid="ignore"):  # −∞ − −∞ where neither acts
            log_ratio = self.log_ratio(p, q)
        return kl_terms(self.probs(p), self.probs(q), log_ratio).sum(-1).astype(dtype)

    def log_ratio(self, p: Array, q: Array) -> Array:
        """log q − log p (..., n); of near logits by their change, which loses no digits.

        The change is taken from its mean under p, so that the rest is log Σ p e^change ≥ 0.
        """
        p, q = floats(p), floats(q)
        log_p, log_q = self.log_probs(p), self.log_probs(q)
        prob = np.exp(log_p)
        change = np.where(prob != 0, q - p, 0)
        change = change - (prob * change).sum(-1, keepdims=True)
        alike = (prob != 0) | (np.exp(log_q) == 0)  # no action that q takes and p does not
        near = (alike & ~(np.abs(change) >= 1)).all(-1, keepdims=True)
        change = np.where(near, change, 0)
        rest = np.log1p((prob * excess(change)).sum(-1, keepdims=True))
        return np.where(near, change - rest, log_q - log_p)

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
