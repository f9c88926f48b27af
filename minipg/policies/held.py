"""A Gaussian whose σ follows a schedule instead of the gradient.

Axes: P parameters.
"""

from dataclasses import replace

import numpy as np

from minipg.policies.gaussian import Gaussian
from minipg.policies.policy import Policy
from minipg.validate import Array, check_range


class Held(Gaussian):
    """The Gaussian whose log σ is told, not learned: its score there counts as 0."""

    def score(self, eta: Array, actions: Array) -> Array:
        """(∂/∂μ log π(a), 0) = (z/σ, 0) (..., 2d)."""
        found = super().score(eta, actions)
        found[..., self.d :] = 0
        return found


def held(policy: Policy) -> Policy:
    """E03 the policy whose ∇log π has no part along log σ; all else is as it was.

    ValueError where log σ are no parameters.
    """
    if not policy.num_log_std:
        raise ValueError(f"final_std: expected a Gaussian with log σ in θ, got {policy.head}")
    return replace(policy, head=Held(policy.num_log_std))


def nearer_std(policy: Policy, theta: Array, log_std: Array, std: float, share: float) -> Array:
    """θ (P,) with log σ by a share of the way from log_std (d,) to log std.

    By (x′ − x)/(1 − x) from x to x′ it is a straight line that ends at 1, wherever it began.
    Source: Schulman et al. 2017, arXiv 1707.06347, table 4 (log σ from −0.7 to −1.6).
    """
    std, share = check_range("std", std, 1e-8, 1e8), check_range("share", share, 0, 1)
    near = theta.copy()
    near[policy.network.num_params :] = log_std + share * (np.log(std) - log_std)
    return near
