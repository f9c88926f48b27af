"""A policy π_θ(a|s) = head ∘ network: a frozen description that is passed its θ.

Axes: `...` any leading axes, N samples, D observation, K head parameters, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from minipg.policies.blocks import samples_first, sum_in_blocks
from minipg.policies.layout import Layout
from minipg.policies.network import Tape
from minipg.policies.softmax import Softmax
from minipg.validate import Array, all_finite, arrays, check_finite, check_shape, floats, product


@dataclass(frozen=True)
class Policy(Layout):
    """θ (P,) → η = head parameters at each observation → π(a|s).

    Raises ValueError where θ, observations, actions or ψ do not fit or θ is not finite.
    """

    def forward(self, theta: Array, obs: Array) -> tuple[Array, Tape]:
        """η (..., K) at obs (..., D), and the network's tape."""
        return self._forward(*self._check(theta, obs))

    def _forward(self, theta: Array, obs: Array) -> tuple[Array, Tape]:
        net, log_std = self.split(theta)
        y, tape = self.network.forward(net, obs)
        return self._append(y[..., : self.num_outputs], log_std), tape

    def at(self, theta: Array) -> Callable[[Array], Array]:
        """obs (..., D) ↦ η (..., K) alone, in less memory; θ is checked once, read as a view."""
        net, log_std = self.split(self._check_theta(theta))
        output, size = self.network.at(net), self.num_outputs

        def eta(obs: Array) -> Array:
            return self._append(output(self._check_obs(obs))[..., :size], log_std)

        return eta

    def eta(self, theta: Array, obs: Array) -> Array:
        """η (..., K) at obs (..., D)."""
        return self.at(theta)(obs)

    def values(self, theta: Array, obs: Array) -> Array:
        """E17 V(s) (...) of the value head; ValueError if there is none."""
        if not self.value_head:
            raise ValueError("policy: expected one with a value head")
        theta, obs = self._check(theta, obs)
        return self.network.at(self.split(theta)[0])(obs)[..., -1]

    def _append(self, y: Array, log_std: Array) -> Array:
        """The head's outputs (or their change) beside those of log σ."""
        if not self.num_log_std:
            return y
        both = np.empty((*y.shape[:-1], self.head.size), y.dtype, order="F")  # features first, as y
        both[..., : self.num_outputs] = y
        both[..., self.num_outputs :] = log_std
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
        deta = floats(deta)
        dy = deta[..., : self.num_outputs]
        if self.value_head:
            last = np.zeros_like(dy[..., 0]) if dvalue is None else dvalue
            dy = np.concatenate([dy, last[..., None]], -1)
        net, groups = self.network.num_params, deta.shape[:-2]
        grad = np.empty((self.num_params, prod(groups)), dy.dtype)
        self.network.write_vjp(self.split(theta)[0], tape, dy, grad[:net])
        if self.num_log_std:
            d_log_std = deta[..., self.num_outputs :].sum(-2)
            grad[net:] = d_log_std.reshape(-1, self.num_log_std).T
        return samples_first(grad, groups)

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
        self.head.check_actions(actions, eta.shape[:-1])
        return self.head.log_prob(eta, actions)

    def weighted_score(self, theta: Array, obs: Array, actions: Array, psi: Array) -> Array:
        """E03 Σ_n ψ_n ∇_θ log π(a_n|s_n) (..., P): one vjp; ψ (..., N), obs (..., N, D).

        With a_n ∼ π its mean is ∇_θ E ψ for any ψ that does not depend on θ.
        """
        (theta, obs), (actions, psi) = self._check(theta, obs), arrays(actions, psi)
        self.head.check_actions(actions, obs.shape[:-1])
        check_shape("psi", psi, obs.shape[:-1])
        check_finite("psi", psi)
        of = partial(self._weighted_score, theta)
        if obs.ndim != 2:
            return of(obs, actions, psi)
        return sum_in_blocks(of, self.network.blocks(len(obs), theta.dtype), obs, actions, psi)

    def _weighted_score(self, theta: Array, obs: Array, actions: Array, psi: Array) -> Array:
        """Σ_n J_nᵀ ψ_n ∂log π(a_n|s_n)/∂η (..., P), of all samples at once."""
        eta, tape = self._forward(theta, obs)
        with np.errstate(over="ignore", invalid="ignore"):
            weight, score = psi[..., None].astype(theta.dtype), self.head.score(eta, actions)
            gradient = self.vjp(theta, tape, weight * score)
        if all_finite(gradient):
            return gradient
        check_finite(f"psi, in the {theta.dtype} of θ", weight)
        with np.errstate(over="ignore", invalid="ignore"):
            gradient = self.vjp(theta, tape, product(weight, score))  # ψ = 0 counts for nothing
        check_finite(f"gradient, in {theta.dtype} (actions too far from the mean?)", gradient)
        return gradient

    def score(self, theta: Array, obs: Array, actions: Array) -> Array:
        """E07 ∇_θ log π(a_n|s_n) for each sample (N, P), of mean 0 under a ∼ π; obs (N, D)."""
        obs, actions = arrays(obs, actions)
        one_each = np.ones((len(obs), 1))
        return self.weighted_score(theta, obs[:, None], actions[:, None], one_each)

    def entropy(self, theta: Array, obs: Array) -> Array:
        """Entropy of π(·|s) (...), in nats."""
        return self.head.entropy(self.eta(theta, obs))

    def kl(self, theta_p: Array, theta_q: Array, obs: Array) -> Array:
        """KL(π_p(·|s) ‖ π_q(·|s)) (...), in nats: the expectation is under the first."""
        return self.head.kl(self.eta(theta_p, obs), self.eta(theta_q, obs))
