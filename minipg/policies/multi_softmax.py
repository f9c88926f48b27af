"""The third head: a product of softmax heads, for actions of several discrete dimensions.

Axes: `...` samples, d action dimensions, n the most actions of one, K = Σ nvec parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minipg.policies.softmax import Softmax
from minipg.validate import Array, array, check_counts, check_shape, floats

NEVER = -1e30  # a logit of probability 0 to the bit, and finite: 0 · log 0 is 0


@dataclass(frozen=True)
class MultiSoftmax:
    """π(a) = Π_i softmax_i(a_i), a_i in 0 … nvec_i − 1; η are all logits (..., Σ nvec).

    Each formula is Softmax's on logits padded to (..., d, n), n the largest of nvec: log π, entropy
    and KL are summed over the d action dimensions, the Fisher matrix has a block for each.
    """

    nvec: tuple[int, ...]
    num_log_std = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "nvec", check_counts("nvec", self.nvec, 1))

    @property
    def size(self) -> int:
        """K."""
        return sum(self.nvec)

    @cached_property
    def one(self) -> Softmax:
        """The head of each action dimension, padded."""
        return Softmax(max(self.nvec))

    @cached_property
    def places(self) -> tuple[Array, Array]:
        """(dimension, action) of each parameter, each (K,)."""
        dimension, action = np.nonzero(np.arange(self.one.n) < np.array(self.nvec)[:, None])
        return dimension, action

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are whole numbers in [0, nvec) of shape (*leading, d)."""
        actions = array(actions)
        check_shape("actions", actions, (*leading, len(self.nvec)))
        if actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions: expected whole numbers, got dtype {actions.dtype}: take "
                "actions.astype(int)"
            )
        outside = ((actions < 0) | (actions >= np.array(self.nvec))).any(-1)
        if outside.any():
            raise ValueError(
                f"actions: expected from 0 to below {self.nvec}, got {actions[outside][0]}"
            )

    def split(self, eta: Array) -> Array:
        """(..., K) as (..., d, n), NEVER where there is no such action."""
        eta = floats(eta)
        padded = np.full((*eta.shape[:-1], len(self.nvec), self.one.n), NEVER, eta.dtype)
        padded[..., *self.places] = eta
        return padded

    def join(self, padded: Array) -> Array:
        """(..., d, n) as (..., K)."""
        return array(padded)[..., *self.places]

    def _blocks(self, padded: Array) -> Array:
        """(..., d, n, n) along the diagonal of (..., K, K)."""
        i, a = self.places
        return padded[..., i[:, None], a[:, None], a] * (i[:, None] == i)

    def sample(self, eta: Array, rng: np.random.Generator) -> Array:
        """Independent a_i (..., d)."""
        return self.one.sample(self.split(eta), rng)

    def mode(self, eta: Array) -> Array:
        """The most likely action (..., d), in each dimension the first of several."""
        return self.one.mode(self.split(eta))

    def log_prob(self, eta: Array, actions: Array) -> Array:
        """Σ_i log π_i(a_i) (...)."""
        return self.one.log_prob(self.split(eta), actions).sum(-1)

    def score(self, eta: Array, actions: Array) -> Array:
        """∂ log π(a) / ∂η, those of all dimensions side by side (..., K)."""
        return self.join(self.one.score(self.split(eta), actions))

    def entropy(self, eta: Array) -> Array:
        """Σ_i H(π_i) (...), in nats."""
        return self.one.entropy(self.split(eta)).sum(-1)

    def entropy_gradient(self, eta: Array) -> Array:
        """∂H/∂η (..., K)."""
        return self.join(self.one.entropy_gradient(self.split(eta)))

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p‖q) = Σ_i KL(p_i‖q_i) (...), in nats."""
        return self.one.kl(self.split(p), self.split(q)).sum(-1)

    def fisher(self, eta: Array) -> Array:
        """E score scoreᵀ (..., K, K), 0 between dimensions: their scores are independent."""
        return self._blocks(self.one.fisher(self.split(eta)))

    def fisher_root(self, eta: Array) -> Array:
        """B (..., K, K) with B Bᵀ = fisher(η)."""
        return self._blocks(self.one.fisher_root(self.split(eta)))

    def fisher_product(self, eta: Array) -> Callable[[Array], Array]:
        """u ↦ fisher(η) u (..., K), without the matrix."""
        of_each = self.one.fisher_product(self.split(eta))
        return lambda u: self.join(of_each(self.split(u)))
