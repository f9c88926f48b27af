"""Policies as they are usually built: a network of tanh layers and a head."""

from collections.abc import Sequence

import numpy as np

from minipg.policies.gaussian import Gaussian
from minipg.policies.heads import Head
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.validate import TINY, Array, check_counts, check_parameters, check_range, finite_array


def policy_with(
    head: Head,
    obs_size: int,
    hidden: Sequence[int] = (),
    state_dependent_std: bool = False,
    value_head: bool = False,
) -> Policy:
    """The head on a network of hidden tanh layers; log σ, if it has any, in θ or from there too."""
    if state_dependent_std and not head.num_log_std:
        raise ValueError(f"state_dependent_std: expected with a head that has σ, got {head}")
    outputs = head.size if state_dependent_std else head.size - head.num_log_std
    sizes = (obs_size, *check_counts("hidden", hidden, 0), outputs + value_head)
    return Policy(MLP(sizes), head, value_head)


def softmax_policy(
    obs_size: int, n: int, hidden: Sequence[int] = (), value_head: bool = False
) -> Policy:
    """Softmax over n actions; no hidden layer: linear, on one-hot observations a table."""
    return policy_with(Softmax(n), obs_size, hidden, value_head=value_head)


def multi_softmax_policy(
    obs_size: int, nvec: Sequence[int], hidden: Sequence[int] = (), value_head: bool = False
) -> Policy:
    """An independent softmax over nvec_i actions in each action dimension i."""
    head = MultiSoftmax(check_counts("nvec", nvec, 1))
    return policy_with(head, obs_size, hidden, value_head=value_head)


def gaussian_policy(
    obs_size: int,
    d: int,
    hidden: Sequence[int] = (),
    state_dependent_std: bool = False,
    value_head: bool = False,
) -> Policy:
    """Diagonal Gaussian over R^d; log σ in θ, or a second half of the network's outputs."""
    return policy_with(Gaussian(d), obs_size, hidden, state_dependent_std, value_head)


def absorb_normalization(policy: Policy, theta: Array, mean: Array, std: Array) -> Array:
    """θ′, in float64, that does with s what θ does with (s − mean)/std; mean, std (D,)."""
    size = policy.network.sizes[0]
    mean, std = finite_array("mean", mean, (size,)), finite_array("std", std, (size,))
    check_range("std", float(std.min()), TINY)
    theta = check_parameters("theta", theta, policy.num_params)
    absorbed = theta.astype(np.float64)
    first = policy.network.layers(absorbed)[0]  # W above b
    first[-1] -= (mean / std) @ first[:-1]
    first[:-1] /= std[:, None]
    return absorbed
