"""θ of a policy (P,): the network's parameters, then log σ where the head does not read it there.

Axes: `...` any leading axes, D observation, K head parameters, P parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from minipg.policies.heads import Head
from minipg.policies.network import MLP
from minipg.validate import Array, array, check_parameters, check_range, check_vectors


@dataclass(frozen=True)
class Layout:
    """Where what stands in θ, and a first θ; ValueError where network and head do not fit.

    value_head: the network's last output is V(s), on the same features (E17).
    """

    network: MLP
    head: Head
    value_head: bool = False

    def __post_init__(self) -> None:
        whole = self.head.size
        without = whole - self.head.num_log_std
        if self.num_outputs not in (whole, without):
            other = f" (or {without} with log σ in θ)" if without < whole else ""
            raise ValueError(
                f"network: expected {whole} outputs for {self.head}{other}, got {self.num_outputs}"
            )

    @property
    def num_outputs(self) -> int:
        """How many of the network's outputs are the head's."""
        return self.network.sizes[-1] - self.value_head

    @property
    def num_log_std(self) -> int:
        """How many log σ are parameters of θ: d, or 0 if they depend on the state."""
        return self.head.size - self.num_outputs

    @property
    def num_params(self) -> int:
        """P."""
        return self.network.num_params + self.num_log_std

    def init(
        self,
        rng: np.random.Generator,
        output_gain: float = 0.01,
        dtype: DTypeLike = np.float64,
        std: float = 1.0,
    ) -> Array:
        """A random θ (P,), orthogonal with gains √2 and `output_gain`; σ of a Gaussian is `std`."""
        std = check_range("std", std, float(np.finfo(np.float32).tiny))
        if std != 1 and not self.head.num_log_std:
            raise ValueError(f"std: expected with a Gaussian head, got {self.head}")
        eta = np.zeros(self.head.size, dtype)  # at first, but for the network's small outputs
        eta[self.head.size - self.head.num_log_std :] = np.log(std)
        net = self.network.init(rng, output_gain, dtype)
        self.network.layers(net)[-1][-1, : self.num_outputs] = eta[: self.num_outputs]
        return np.concatenate([net, eta[self.num_outputs :]])

    def split(self, theta: Array) -> tuple[Array, Array]:
        """(network's parameters, log σ) of θ or of a direction in it (..., P)."""
        theta = array(theta)
        return theta[..., : self.network.num_params], theta[..., self.network.num_params :]

    def named(self, theta: Array) -> dict[str, Array]:
        """W0, b0, … of the network, and log_std where θ holds it: read-only views of θ."""
        net, log_std = self.split(theta)
        names = self.network.named(net)
        if self.num_log_std:
            log_std.flags.writeable = False
            names["log_std"] = log_std
        return names

    def _check(self, theta: Array, obs: Array) -> tuple[Array, Array]:
        return self._check_theta(theta), self._check_obs(obs)

    def _check_theta(self, theta: Array) -> Array:
        return check_parameters("theta", theta, self.num_params)

    def _check_obs(self, obs: Array) -> Array:
        return check_vectors("obs", obs, self.network.sizes[0])
