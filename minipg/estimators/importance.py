"""Importance weights of games that another policy played (E04, E27).

Axes: T steps, B columns.
"""

import numpy as np

from minipg.experience.batch import Batch
from minipg.policies.policy import Policy
from minipg.validate import Array, array


def decision_weights(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E27 Π_{i≤t} π(a_i|s_i)/φ(a_i|s_i) (T, B), φ the policy that drew the batch.

    What happens up to step t needs no later factor: Σ_t ∇log π ψ_t keeps its mean if ψ_t is a sum
    of later rewards, each with the weight of its own step. Source: Precup, Sutton & Singh 2000.
    """
    log_ratio = policy.log_prob(theta, batch.obs[:-1], batch.actions) - batch.log_prob
    return np.exp(np.cumsum(log_ratio * batch.valid, 0))


def importance_weight(policy: Policy, theta: Array, batch: Batch) -> Array:
    """E04, E27 P(T|π)/P(T|φ) = Π_t π(a_t|s_t)/φ(a_t|s_t) (B,).

    The probabilities of transitions cancel; at φ ≡ π it is 1.
    """
    return decision_weights(policy, theta, batch)[-1]


def self_normalized(weight: Array) -> Array:
    """E27 B w/Σw (B,) of importance weights w: of mean 1, never above B, but biased, as 1/B.

    Source: Hesterberg 1995; Owen 2013, Monte Carlo theory, section 9.2.
    """
    weight = array(weight)
    return weight * (len(weight) / weight.sum())
