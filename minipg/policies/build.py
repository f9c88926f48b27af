"""Policies as they are usually built: a network of tanh layers and a head."""

import numpy as np

from minipg.policies.heads import Gaussian, Softmax
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.validate import Array


def softmax_policy(
    obs_size: int, n: int, hidden: tuple[int, ...] = (), value_head: bool = False
) -> Policy:
    """Softmax over n actions; no hidden layer: linear, on one-hot observations a table."""
    return Policy(MLP((obs_size, *hidden, n + value_head)), Softmax(n), value_head)


def multi_softmax_policy(
    obs_size: int, nvec: tuple[int, ...], hidden: tuple[int, ...] = (), value_head: bool = False
) -> Policy:
    """An independent softmax over nvec_i actions in each action dimension i."""
    head = MultiSoftmax(nvec)
    return Policy(MLP((obs_size, *hidden, head.size + value_head)), head, value_head)


def gaussian_policy(
    obs_size: int,
    d: int,
    hidden: tuple[int, ...] = (),
    state_dependent_std: bool = False,
    value_head: bool = False,
) -> Policy:
    """Diagonal Gaussian over R^d; log σ in θ, or a second half of the network's outputs."""
    outputs = (2 * d if state_dependent_std else d) + value_head
    return Policy(MLP((obs_size, *hidden, outputs)), Gaussian(d), value_head)


def absorb_normalization(policy: Policy, theta: Array, mean: Array, std: Array) -> Array:
    """θ′, in float64, that does with s what θ does with (s − mean)/std; mean, std (D,)."""
    absorbed = theta.astype(np.float64)
    first = policy.network.layers(absorbed)[0]  # W above b
    first[-1] -= (mean / std) @ first[:-1]
    first[:-1] /= std[:, None]
    return absorbed
