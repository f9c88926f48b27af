"""A policy π_θ(a|s) = head ∘ network: a frozen description that is passed its θ.

Axes: `...` any leading axes, N samples, D observation, K head parameters, P parameters.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from minipg.borders import Array, check_finite, check_shape, read_npz, write_whole
from minipg.distributions import Gaussian, Head, Softmax
from minipg.network import MLP


@dataclass(frozen=True)
class Policy:
    """θ (P,) → η = head parameters at each observation → π(a|s).

    θ is the network's, then (unless the head reads it from the network) log σ (d,).
    Raises ValueError where θ, observations, actions or ψ do not fit or θ is not finite.
    """

    network: MLP
    head: Head

    def __post_init__(self) -> None:
        if self.network.sizes[-1] not in (self.head.size, self.head.size - self.num_log_std):
            raise ValueError(
                f"network: expected {self.head.size} outputs for {self.head} "
                f"(or {self.head.size // 2} with log σ in θ), got {self.network.sizes[-1]}"
            )

    @property
    def num_log_std(self) -> int:
        """How many log σ are parameters of θ: d, or 0 if they depend on the state."""
        head = self.head
        if isinstance(head, Gaussian) and self.network.sizes[-1] == head.d:
            return head.d
        return 0

    @property
    def num_params(self) -> int:
        """P."""
        return self.network.num_params + self.num_log_std

    def init(
        self, rng: np.random.Generator, output_gain: float = 0.01, dtype: DTypeLike = np.float64
    ) -> Array:
        """A random θ (P,), orthogonal with gains √2 and `output_gain`; log σ = 0."""
        log_std = np.zeros(self.num_log_std, dtype)
        return np.concatenate([self.network.init(rng, output_gain, dtype), log_std])

    def split(self, theta: Array) -> tuple[Array, Array]:
        """(network's parameters, log σ) of θ or of a direction in it (..., P)."""
        return theta[..., : self.network.num_params], theta[..., self.network.num_params :]

    def named(self, theta: Array) -> dict[str, Array]:
        """W0, b0, … of the network, and log_std where θ holds it: read-only views of θ."""
        net, log_std = self.split(theta)
        names = self.network.named(net)
        if self.num_log_std:
            log_std.flags.writeable = False
            names["log_std"] = log_std
        return names

    def forward(self, theta: Array, obs: Array) -> tuple[Array, list[Array]]:
        """η (..., K) at obs (..., D), and the network's tape. θ and obs are checked here."""
        check_shape("theta", theta, (self.num_params,))
        check_finite("theta", theta)
        if obs.ndim < 1 or obs.shape[-1] != self.network.sizes[0]:
            raise ValueError(
                f"obs: expected {self.network.sizes[0]} numbers along the last axis, "
                f"got shape {obs.shape}"
            )
        net, log_std = self.split(theta)
        y, tape = self.network.forward(net, obs.astype(theta.dtype, copy=False))
        return self._append(y, log_std), tape

    def _append(self, y: Array, log_std: Array) -> Array:
        """The network's outputs (or their change) beside those of log σ."""
        if not self.num_log_std:
            return y
        return np.concatenate([y, np.broadcast_to(log_std, y.shape)], -1)

    def jvp(self, theta: Array, tape: list[Array], v: Array) -> Array:
        """J v (..., K): the change of η along the direction v (P,) in θ."""
        dnet, dlog_std = self.split(v)
        return self._append(self.network.jvp(self.split(theta)[0], tape, dnet), dlog_std)

    def vjp(self, theta: Array, tape: list[Array], deta: Array) -> Array:
        """Σ_n J_nᵀ dη_n (..., P) for dη (..., N, K): the sum runs over axis -2 only."""
        outputs = self.network.sizes[-1]
        grad = self.network.vjp(self.split(theta)[0], tape, deta[..., :outputs])
        return np.concatenate([grad, deta[..., outputs:].sum(-2)], -1)

    def probs(self, theta: Array, obs: Array) -> Array:
        """π(·|s) (..., n) of a softmax policy."""
        if not isinstance(self.head, Softmax):
            raise ValueError(f"policy: expected a softmax head, got {self.head}")
        return self.head.probs(self.forward(theta, obs)[0])

    def sample(self, theta: Array, obs: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Actions a ∼ π(·|s), (...) or (..., d), and their log π(a|s) (...)."""
        eta, _ = self.forward(theta, obs)
        actions = self.head.sample(eta, rng)
        return actions, self.head.log_prob(eta, actions)

    def log_prob(self, theta: Array, obs: Array, actions: Array) -> Array:
        """log π_θ(a|s) (...)."""
        eta, _ = self.forward(theta, obs)
        self.head.check_actions(actions, obs.shape[:-1])
        return self.head.log_prob(eta, actions)

    def weighted_score(self, theta: Array, obs: Array, actions: Array, psi: Array) -> Array:
        """E03 Σ_n ψ_n ∇_θ log π(a_n|s_n) (..., P): one vjp; ψ (..., N), obs (..., N, D).

        With a_n ∼ π its mean is ∇_θ E ψ for any ψ that does not depend on θ.
        """
        eta, tape = self.forward(theta, obs)
        self.head.check_actions(actions, obs.shape[:-1])
        check_shape("psi", psi, obs.shape[:-1])
        deta = psi.astype(theta.dtype, copy=False)[..., None] * self.head.score(eta, actions)
        return self.vjp(theta, tape, deta)

    def score(self, theta: Array, obs: Array, actions: Array) -> Array:
        """E07 ∇_θ log π(a_n|s_n) for each sample (N, P), of mean 0 under a ∼ π; obs (N, D)."""
        one_each = np.ones((len(obs), 1))
        return self.weighted_score(theta, obs[:, None], actions[:, None], one_each)

    def entropy(self, theta: Array, obs: Array) -> Array:
        """Entropy of π(·|s) (...), in nats."""
        return self.head.entropy(self.forward(theta, obs)[0])

    def kl(self, theta_p: Array, theta_q: Array, obs: Array) -> Array:
        """KL(π_p(·|s) ‖ π_q(·|s)) (...), in nats: the expectation is under the first."""
        return self.head.kl(self.forward(theta_p, obs)[0], self.forward(theta_q, obs)[0])


def softmax_policy(obs_size: int, n: int, hidden: tuple[int, ...] = ()) -> Policy:
    """Softmax over n actions; no hidden layer: linear, on one-hot observations a table."""
    return Policy(MLP((obs_size, *hidden, n)), Softmax(n))


def gaussian_policy(
    obs_size: int, d: int, hidden: tuple[int, ...] = (), state_dependent_std: bool = False
) -> Policy:
    """Diagonal Gaussian over R^d; log σ in θ, or a second half of the network's outputs."""
    return Policy(MLP((obs_size, *hidden, 2 * d if state_dependent_std else d)), Gaussian(d))


def save_policy(path: str | os.PathLike[str], policy: Policy, theta: Array) -> None:
    """Write θ and the description of its policy to one .npz, whole or not at all."""
    write_whole(
        Path(path),
        lambda file: np.savez(
            file,
            theta=theta,
            sizes=np.array(policy.network.sizes),
            head=np.array(type(policy.head).__name__),
        ),
    )


def load_policy(path: str | os.PathLike[str]) -> tuple[Policy, Array]:
    """The policy and θ that save_policy wrote; ValueError if the file is not whole or not such."""
    file = read_npz(path, "theta", "sizes", "head")
    sizes, theta = tuple(int(n) for n in file["sizes"].ravel()), file["theta"]
    try:
        network = MLP(sizes)
        name = str(file["head"])
        if name not in ("Softmax", "Gaussian"):
            raise ValueError(f"head: expected Softmax or Gaussian, got {name}")
        if name == "Softmax":
            policy = Policy(network, Softmax(sizes[-1]))
        else:  # d outputs and d more numbers in θ, or 2d outputs and none
            in_theta = theta.size > network.num_params
            policy = Policy(network, Gaussian(sizes[-1] if in_theta else sizes[-1] // 2))
        check_shape("theta", theta, (policy.num_params,))
        check_finite("theta", theta)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    return policy, theta
