"""What every laboratory is: windows with their probabilities, a policy, and the exact truth.

Axes: L rows of a window, N windows, P parameters, K head parameters, M points.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

from minipg.audit.window import Window
from minipg.policies.policy import Policy
from minipg.validate import Array

MOST = 200_000  # windows that are listed
SOME = 100  # are drawn, only to be asked what a formula says of them


class Windows(ABC):
    """Every window of a size, or so many drawn with a fixed seed (drawn > 0)."""

    policy: Policy
    theta: Array
    drawn: int

    @property
    @abstractmethod
    def size(self) -> int:
        """Rows of a stream; of windows of whole episodes, how many."""

    @property
    def told(self) -> tuple[int, str]:
        """How much a window has of what."""
        return self.size, "rows"

    @abstractmethod
    def sized(self, size: int, drawn: int = 0) -> "Windows":
        """The same with windows of another size, all or so many drawn."""

    @property
    @abstractmethod
    def gamma(self) -> float:
        """γ."""

    @property
    @abstractmethod
    def weight(self) -> Array:
        """The probability of each window (N,)."""

    @property
    @abstractmethod
    def pattern(self) -> Array:
        """What happens in each row (L, N): 0 goes on, 1 terminated, 2 truncated, 4 a reset."""

    @abstractmethod
    def window(self, i: int) -> Window:
        """The i-th."""

    @abstractmethod
    def advantages(self, i: int) -> Array:
        """The exact A^π of each row of the i-th window (L,), 0 where it is no data."""

    @abstractmethod
    def ratios(self, i: int) -> Array:
        """Π π/μ over the rows of its stream up to each of the i-th window's (L,); μ acted."""

    @property
    @abstractmethod
    def possible(self) -> float:
        """How many windows of this size there are."""

    @property
    @abstractmethod
    def points(self) -> Array:
        """The observations (M, D) at which head_truth stands."""

    @property
    @abstractmethod
    def head_truth(self) -> Array:
        """G (M, K): the truth in any parameters is the gradient of Σ_m G_m · η_θ(points_m).

        η are the logits, or (μ, log σ). The truth: E Σ_rows γ^t A^π(s, a) ∇log π, A^π exact, and
        so V^π bootstrapped at every cut. On windows of whole episodes that is ∇J for each.
        """

    @abstractmethod
    def truth_by(self, scores: Callable[[Window], Array]) -> Array:
        """The truth (P,) in the parameters of these scores, window ↦ ∇log π of its rows (L, P)."""

    def other(self) -> "Windows":
        """The same with windows of another size: all of them if not too many, else some drawn."""
        size = self.size - 1 if self.size > 2 else self.size + 1
        every = self.sized(size, self.drawn)
        return every if self.drawn or every.possible <= MOST else self.sized(size, SOME)

    @property
    def count(self) -> int:
        """N."""
        return len(self.weight)

    def windows(self) -> list[Window]:
        """Each."""
        return [self.window(i) for i in range(self.count)]

    @cached_property
    def truth(self) -> Array:
        """E Σ_rows γ^t A^π ∇log π (P,), in the laboratory policy's own parameters."""
        _, tape = self.policy.forward(self.theta, self.points)
        return self.policy.vjp(self.theta, tape, self.head_truth)

    def right(self, i: int, window: Window) -> Array:
        """What right code makes of the i-th window's rows, γ^t A^π (L,), weighted by its ratios."""
        return self.gamma**window.t * self.advantages(i) * self.ratios(i)

    def scores(self, window: Window) -> Array:
        """∇log π of each row (L, P)."""
        return self.policy.score(self.theta, window.obs, window.actions)

    def entropy_gradient(self, window: Window) -> Array:
        """∇ of the mean entropy over the rows that are data (P,)."""
        obs = window.obs[~window.reset]
        eta, tape = self.policy.forward(self.theta, obs)
        d_entropy = self.policy.head.entropy_gradient(eta) / len(obs)
        return self.policy.vjp(self.theta, tape, d_entropy)
