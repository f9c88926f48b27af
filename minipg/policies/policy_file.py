"""A policy and its θ in one .npz file, which is never unpickled."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from minipg.files import read_npz, write_whole
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.policies.registry import head_fields, head_name, head_of
from minipg.validate import Array, check_parameters, check_shape


def save_policy(path: str | os.PathLike[str], policy: Policy, theta: Array) -> None:
    """Write θ and the description of its policy to one .npz, whole or not at all."""
    content: dict[str, Any] = {
        "theta": check_parameters("theta", theta, policy.num_params),
        "sizes": np.array(policy.network.sizes),
        "head": np.array(head_name(policy.head)),
        "value_head": np.array(policy.value_head),
        **head_fields(policy.head),
    }
    write_whole(Path(path), lambda file: np.savez(file, **content))


def load_policy(path: str | os.PathLike[str]) -> tuple[Policy, Array]:
    """The policy and θ that save_policy wrote; ValueError if the file is not whole or not such."""
    file = read_npz(path, "theta", "sizes", "head", "value_head")
    try:
        check_shape("sizes", file["sizes"], (None,))
        check_shape("value_head", file["value_head"], ())
        network, value_head = MLP(file["sizes"].tolist()), bool(file["value_head"])
        outputs = network.sizes[-1] - value_head
        in_theta = file["theta"].size > network.num_params
        older = {"n": np.array(outputs), "d": np.array(outputs if in_theta else outputs // 2)}
        policy = Policy(network, head_of(str(file["head"]), older | file), value_head)
        theta = check_parameters("theta", file["theta"], policy.num_params)
        if theta.dtype.kind != "f":
            raise ValueError(f"theta: expected real numbers, got dtype {theta.dtype}")
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    return policy, theta
