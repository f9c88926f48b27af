"""What a head is: a distribution over actions with closed forms in its own parameters η.

Softmax, Gaussian and MultiSoftmax are heads; registry.HEADS names them all. Axes: `...` samples,
K parameters of the head, A the shape of one action. Every KL is KL(p‖q) = E_p log p/q, first
argument p. Each formula is analytic, so complex-step holds.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np

from minipg.validate import Array


class Head(Protocol):
    """π(a) of one η (K,), or of many (..., K): a frozen dataclass, whose fields a file keeps.

    A new one is a file with such a class and a line in registry.HEADS. The tests named below, of
    tests/test_distributions.py unless they say otherwise, then hold it; HEADS there draws
    it, and tests/strategies.py is told how to draw a policy of it and to sum over its actions.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def size(self) -> int:
        """K."""

    @property
    def num_log_std(self) -> int:
        """How many of the last of η are log σ of a Gaussian: d, or 0 (the Fisher matrix 2·1).

        θ may hold them in place of the network's outputs. tests/test_policy.py: every test.
        """

    def check_actions(self, actions: Array, leading: tuple[int, ...]) -> None:
        """Raise ValueError unless actions are such, of shape (*leading, *A).

        tests/test_policy.py: test_bad_input_is_named.
        """

    def sample(self, eta: Array, rng: np.random.Generator) -> Array:
        """Independent a ∼ π (..., *A). test_samples_follow_the_distribution."""

    def mode(self, eta: Array) -> Array:
        """argmax_a π(a) (..., *A), for evaluation. test_no_action_is_likelier_than_the_mode."""

    def log_prob(self, eta: Array, actions: Array) -> Array:
        """log π(a) (...). test_expectations_under_the_head: Σ π = 1."""

    def score(self, eta: Array, actions: Array) -> Array:
        """∂ log π(a) / ∂η (..., K). test_score_is_the_derivative_of_log_prob: complex step."""

    def entropy(self, eta: Array) -> Array:
        """−E log π (...), in nats. test_expectations_under_the_head."""

    def entropy_gradient(self, eta: Array) -> Array:
        """∂ entropy / ∂η (..., K). test_entropy_gradient_is_the_derivative_of_entropy."""

    def kl(self, p: Array, q: Array) -> Array:
        """KL(p‖q) = E_p log p/q (...), in nats. test_expectations_under_the_head."""

    def fisher(self, eta: Array) -> Array:
        """E score scoreᵀ (..., K, K), ∇² of either KL. test_fisher_is_the_hessian_of_both_kls."""

    def fisher_root(self, eta: Array) -> Array:
        """B (..., K, K) with B Bᵀ = fisher. test_the_root_and_the_product_are_of_the_fisher_matrix.

        ACKTR's factors are made of its columns.
        """

    def fisher_product(self, eta: Array) -> Callable[[Array], Array]:
        """u ↦ fisher(η) u (..., K), without the matrix. As fisher_root."""


def kl_terms(p: Array, q: Array, log_ratio: Array) -> Array:
    """p (e^d − 1 − d) = p log p/q + q − p ≥ 0, q where p = 0: their sum is KL(p‖q), d = log q/p.

    Near probabilities keep their digits, and where e^d would overflow q stands for p e^d.
    """
    small = log_ratio.real < 100
    with np.errstate(invalid="ignore", over="ignore"):  # −∞ − −∞ where p = q = 0
        near = p * excess(np.where(small, log_ratio, 0))
        return np.where(p != 0, np.where(small, near, q - p - p * log_ratio), q)


def excess(x: Array) -> Array:
    """e^x − 1 − x, which is ≥ 0, with all its digits also where x is small: what KLs are made of.

    >>> excess(np.array([1e-9, 1.0, -1e4]))
    array([5.00000000e-19, 7.18281828e-01, 9.99900000e+03])
    """
    small = np.where(np.abs(x) < 0.5, x, 0.0)
    series = np.ones_like(small)
    for n in range(16, 2, -1):  # x²/2 (1 + x/3 (1 + x/4 (…)))
        series = 1 + series * small / n
    return np.where(np.abs(x) < 0.5, small**2 / 2 * series, np.exp(x) - 1 - x)
