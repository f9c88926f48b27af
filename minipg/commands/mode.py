"""The policy that `--deterministic` plays."""

from collections.abc import Callable

import numpy as np

from minipg.policies.policy import Policy
from minipg.validate import Array


class Mode(Policy):
    """The policy that always takes the most likely action."""

    def actor(self, theta: Array) -> Callable[[Array, np.random.Generator], Array]:
        """(obs, rng) ↦ that action (...) or (..., d) at each observation."""
        eta = self.at(theta)
        return lambda obs, rng: self.head.mode(eta(obs))
