"""A policy and its θ in one .npz file, which is never unpickled."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from minipg.files import read_npz, write_whole
from minipg.policies.heads import Gaussian, Softmax
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.network import MLP
from minipg.policies.policy import Head, Policy
from minipg.validate import Array, check_finite, check_shape


def save_policy(path: str | os.PathLike[str], policy: Policy, theta: Array) -> None:
    """Write θ and the description of its policy to one .npz, whole or not at all."""
    content: dict[str, Any] = {
        "theta": theta,
        "sizes": np.array(policy.network.sizes),
        "head": np.array(type(policy.head).__name__),
        "value_head": np.array(policy.value_head),
    }
    if isinstance(policy.head, MultiSoftmax):
        content["nvec"] = np.array(policy.head.nvec)
    write_whole(Path(path), lambda file: np.savez(file, **content))


def _whole_numbers(name: str, array: Array) -> tuple[int, ...]:
    """A vector of them from a file; ValueError if it is none."""
    check_shape(name, array, (None,))
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected whole numbers, got dtype {array.dtype}")
    return tuple(array.tolist())


def load_policy(path: str | os.PathLike[str]) -> tuple[Policy, Array]:
    """The policy and θ that save_policy wrote; ValueError if the file is not whole or not such."""
    file = read_npz(path, "theta", "sizes", "head", "value_head")
    try:
        theta, name = file["theta"], str(file["head"])
        network = MLP(_whole_numbers("sizes", file["sizes"]))
        if name not in ("Softmax", "MultiSoftmax", "Gaussian"):
            raise ValueError(f"head: expected Softmax, MultiSoftmax or Gaussian, got {name}")
        if theta.dtype.kind != "f":
            raise ValueError(f"theta: expected floating-point numbers, got dtype {theta.dtype}")
        value_head = bool(file["value_head"])
        outputs = network.sizes[-1] - value_head
        if name == "Gaussian" and theta.size <= network.num_params:
            outputs //= 2  # the network gives log σ too
        head: Head = Softmax(outputs) if name == "Softmax" else Gaussian(outputs)
        if name == "MultiSoftmax":
            head = MultiSoftmax(_whole_numbers("nvec", file.get("nvec", np.zeros(0, int))))
        policy = Policy(network, head, value_head)
        check_shape("theta", theta, (policy.num_params,))
        check_finite("theta", theta)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    return policy, theta
