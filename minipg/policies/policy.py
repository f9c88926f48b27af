"""A policy π_θ(a|s) = head ∘ network: a frozen description that is passed its θ.

Axes: `...` any leading axes, N samples, D observation, K head parameters, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import DTypeLike

from minipg.policies.heads import Gaussian, Softmax
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.network import MLP, Tape
from minipg.validate import Array, check_finite, check_range, check_shape

Head = Softmax | MultiSoftmax | Gaussian


@dataclass(frozen=True)
class Policy:
    """θ (P,) → η = head parameters at each observation → π(a|s).

    θ is the network's, then (unless the head reads it from the network) log σ (d,).
    value_head: the network's last output is V(s), on the same features (E17).
    Raises ValueError where θ, observations, actions or ψ do not fit or θ is not finite.
    """

    network: MLP
    head: Head
    value_head: bool = False

    def __post_init__(self) -> None:
        if self.num_outputs not in (self.head.size, self.head.size - self.num_log_std):
            raise ValueError(
                f"network: expected {self.head.size} outputs for {self.head} "
                f"(or {self.head.size // 2} with log σ in θ), got {self.num_outputs}"
            )

    @property
    def num_outputs(self) -> int:
        """How many of the network's outputs are the head's."""
        return self.network.sizes[-1] - self.value_head

    @property
    def num_log_std(self) -> int:
        """How many log σ are parameters of θ: d, or 0 if they depend on the state."""
        head = self.head
        return head.d if isinstance(head, Gaussian) and self.num_outputs == head.d else 0

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
        check_range("std", std, float(np.finfo(np.float32).tiny))
        if std != 1 and not isinstance(self.head, Gaussian):
            raise ValueError(f"std: expected with a Gaussian head, got {self.head}")
        net = self.network.init(rng, output_gain, dtype)
        if isinstance(self.head, Gaussian) and not self.num_log_std:  # σ = e^output: its bias
            self.network.layers(net)[-1][-1, self.head.d : self.num_outputs] = np.log(std)
        return np.concatenate([net, np.full(self.num_log_std, np.log(std), dtype)])

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

    def forward(self, theta: Array, obs: Array) -> tuple[Array, Tape]:
        """η (..., K) at obs (..., D), and the network's tape."""
        self._check(theta, obs)
        return self._forward(theta, obs)

    def _forward(self, theta: Array, obs: Array) -> tuple[Array, Tape]:
        net, log_std = self.split(theta)
        y, tape = self.network.forward(net, obs)
        return self._append(y[..., : self.num_outputs], log_std), tape

    def at(self, theta: Array) -> Callable[[Array], Array]:
        """obs (..., D) ↦ η (..., K) alone, in less memory; θ is checked once, read as a view."""
        self._check_theta(theta)
        net, log_std = self.split(theta)
        output, size = self.network.at(net), self.num_outputs

        def eta(obs: Array) -> Array:
            self._check_obs(obs)
            return self._append(output(obs)[..., :size], log_std)

        return eta

    def eta(self, theta: Array, obs: Array) -> Array:
        """η (..., K) at obs (..., D)."""
        return self.at(theta)(obs)

    def values(self, theta: Array, obs: Array) -> Array:
        """E17 V(s) (...) of the value head; ValueError if there is none."""
        if not self.value_head:
            raise ValueError("policy: expected one with a value head")
        self._check(theta, obs)
        return self.network.at(self.split(theta)[0])(obs)[..., -1]

    def _check(self, theta: Array, obs: Array) -> None:
        self._check_theta(theta)
        self._check_obs(obs)

    def _check_theta(self, theta: Array) -> None:
        check_shape("theta", theta, (self.num_params,))
        check_finite("theta", theta)
        if theta.dtype.kind not in "fc":
            raise ValueError(f"theta: expected floating-point numbers, got dtype {theta.dtype}")

    def _check_obs(self, obs: Array) -> None:
        if obs.ndim < 1 or obs.shape[-1] != self.network.sizes[0]:
            raise ValueError(
                f"obs: expected {self.network.sizes[0]} numbers along the last axis, "
                f"got shape {obs.shape}"
            )
        check_finite("obs", obs)

    def _append(self, y: Array, log_std: Array) -> Array:
        """The head's outputs (or their change) beside those of log σ."""
        d = self.num_log_std
        if not d:
            return y
        both = np.empty((*y.shape[:-1], 2 * d), y.dtype, order="F")  # features first, as y
        both[..., :d] = y
        both[..., d:] = log_std
        return both

    def jvp(self, theta: Array, tape: Tape, v: Array) -> Array:
        """J v (..., K): the change of η along the direction v (P,) in θ."""
        dnet, dlog_std = self.split(v)
        dy = self.network.jvp(self.split(theta)[0], tape, dnet)
        return self._append(dy[..., : self.num_outputs], dlog_std)

    def vjp(self, theta: Array, tape: Tape, deta: Array, dvalue: Array | None = None) -> Array:
        """Σ_n J_nᵀ dη_n (..., P) for dη (..., N, K): the sum runs over axis -2 only.

        dvalue (..., N) adds that of the value head (none: 0).
        """
        dy = deta[..., : self.num_outputs]
        if self.value_head:
            last = np.zeros_like(dy[..., 0]) if dvalue is None else dvalue
            dy = np.concatenate([dy, last[..., None]], -1)
        grad = self.network.vjp(self.split(theta)[0], tape, dy, self.num_log_std)
        if self.num_log_std:
            deta[..., self.num_outputs :].sum(-2, out=grad[..., -self.num_log_std :])
        return grad

    def probs(self, theta: Array, obs: Array) -> Array:
        """π(·|s) (..., n) of a softmax policy."""
        if not isinstance(self.head, Softmax):
            raise ValueError(f"policy: expected a softmax head, got {self.head}")
        return self.head.probs(self.eta(theta, obs))

    def actor(self, theta: Array) -> Callable[[Array, np.random.Generator], Array]:
        """(obs, rng) ↦ actions a ∼ π(·|s), (...) or (..., d), for many steps with one θ."""
        eta, sample = self.at(theta), self.head.sample
        return lambda obs, rng: sample(eta(obs), rng)

    def sample(self, theta: Array, obs: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Actions a ∼ π(·|s), (...) or (..., d), and their log π(a|s) (...)."""
        eta = self.eta(theta, obs)
        actions = self.head.sample(eta, rng)
        return actions, self.head.log_prob(eta, actions)

    def log_prob(self, theta: Array, obs: Array, actions: Array) -> Array:
        """log π_θ(a|s) (...)."""
        eta = self.eta(theta, obs)
        self.head.check_actions(actions, obs.shape[:-1])
        return self.head.log_prob(eta, actions)

    def weighted_score(self, theta: Array, obs: Array, actions: Array, psi: Array) -> Array:
        """E03 Σ_n ψ_n ∇_θ log π(a_n|s_n) (..., P): one vjp; ψ (..., N), obs (..., N, D).

        With a_n ∼ π its mean is ∇_θ E ψ for any ψ that does not depend on θ.
        """
        self._check(theta, obs)
        self.head.check_actions(actions, obs.shape[:-1])
        check_shape("psi", psi, obs.shape[:-1])
        check_finite("psi", psi)
        whole, parts = slice(None), self.network.blocks(len(obs), theta.dtype)

        def of(i: slice) -> Array:
            eta, tape = self._forward(theta, obs[i])
            deta = psi[i, ..., None].astype(theta.dtype) * self.head.score(eta, actions[i])
            return self.vjp(theta, tape, deta)

        return reduce(np.add, map(of, parts if obs.ndim == 2 else [whole]))

    def score(self, theta: Array, obs: Array, actions: Array) -> Array:
        """E07 ∇_θ log π(a_n|s_n) for each sample (N, P), of mean 0 under a ∼ π; obs (N, D)."""
        one_each = np.ones((len(obs), 1))
        return self.weighted_score(theta, obs[:, None], actions[:, None], one_each)

    def entropy(self, theta: Array, obs: Array) -> Array:
        """Entropy of π(·|s) (...), in nats."""
        return self.head.entropy(self.eta(theta, obs))

    def kl(self, theta_p: Array, theta_q: Array, obs: Array) -> Array:
        """KL(π_p(·|s) ‖ π_q(·|s)) (...), in nats: the expectation is under the first."""
        return self.head.kl(self.eta(theta_p, obs), self.eta(theta_q, obs))
