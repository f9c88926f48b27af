"""Importance weights of games that another policy played (E04, E27).

Axes: T steps, B columns.
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.policy import Policy
from minipg.validate import TINY, Array, check_finite, check_range, finite_array, power_of_two


def log_decision_weights(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E27 Σ_{i≤t} log π(a_i|s_i) − log φ(a_i|s_i) (T, B), φ the policy that drew the batch."""
    log_ratio = policy.log_prob(theta, batch.obs[:-1], batch.actions) - batch.log_prob
    return np.cumsum(np.where(batch.valid, log_ratio, 0), 0)


def decision_weights(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E27 Π_{i≤t} π(a_i|s_i)/φ(a_i|s_i) (T, B), φ the policy that drew the batch.

    What happens up to step t needs no later factor: Σ_t ∇log π ψ_t keeps its mean if ψ_t is a sum
    of later rewards, each with the weight of its own step. Source: Precup, Sutton & Singh 2000.
    """
    with np.errstate(over="ignore"):
        weights = np.exp(log_decision_weights(policy, theta, batch))
    check_finite("importance weight (self_normalized_weight has no overflow)", weights)
    return weights


def importance_weight(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E04, E27 P(T|π)/P(T|φ) = Π_t π(a_t|s_t)/φ(a_t|s_t) (B,).

    The probabilities of transitions cancel; at φ ≡ π it is 1.
    """
    return decision_weights(policy, theta, batch)[-1]


def self_normalized_weight(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E27 self_normalized of importance_weight (B,), by logarithms: at least one is above 0."""
    log_weight = log_decision_weights(policy, theta, batch)[-1]
    return self_normalized(np.exp(log_weight - log_weight.max()))


def self_normalized(weight: Array) -> Array:
    """E27 B w/Σw (B,) of importance weights w: of mean 1, never above B, but biased, as 1/B.

    ValueError where one is not finite or below 0, or all are 0.
    Source: Hesterberg 1995; Owen 2013, Monte Carlo theory, section 9.2.
    """
    weight = finite_array("weight", weight, (None,))
    check_range("weight", float(weight.min(initial=0)), 0)
    check_range("largest weight (self_normalized_weight takes logarithms)",
                float(weight.max(initial=0)), TINY)  # fmt: skip
    weight = weight / power_of_two(weight)  # their sum must not overflow
    return weight * (len(weight) / weight.sum())
