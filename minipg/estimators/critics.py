"""Critics: V, Q and compatible A (E13), their targets and fits. φ (P_c,) is passed and returned.

Axes: `...` any leading axes, N samples, D observation, A actions, F linear features. Every
gradient is a semi-gradient: the target y is a constant, its dependence on φ is not followed.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from minipg.estimators.returns import gae, td_error
from minipg.experience.batch import Batch
from minipg.policies.heads import Softmax
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.validate import Array, check_shape


class Critic(Protocol):
    """What actor-critic asks of a critic of the policy π_θ."""

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        """φ (P_c,)."""

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        """V (...) at obs (..., D)."""

    def gradient(
        self, phi: Array, theta: Array, obs: Array, actions: Array, target: Array, adv: Array
    ) -> Array:
        """∇_φ ½ mean (critic − y)² (P_c,): y (N,) is V's or Q's target, adv (N,) that of A."""

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """ψ_t (T, B) for the policy's gradient."""


def td_errors(
    critic: Critic, phi: Array, theta: Array, batch: Batch, gamma: float
) -> tuple[Array, Array]:
    """E14 δ (T, B) from a critic's V, and that V (T, B).

    V + GAE of these δ is the λ-return, the critic's target (E15): at λ = 0 it is r + γV(s′), at
    λ = 1 it is Σ γ^i r, and V where the window or a truncation cuts.
    """
    values = critic.values(phi, theta, batch.obs).astype(np.float64)
    delta = td_error(batch.rewards, values, batch.terminated, batch.valid, gamma)
    return delta, values[:-1]


def advantage(
    critic: Critic, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float
) -> Array:
    """E24 GAE (T, B) from a critic's V."""
    delta, _ = td_errors(critic, phi, theta, batch, gamma)
    return gae(delta, batch.ends, gamma, lam)


@dataclass(frozen=True)
class VCritic:
    """V_φ(s): fewest inputs, one output, the least complex of the three (footnote 5)."""

    network: MLP

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return self.network.init(rng, 1.0, dtype)

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.network.at(phi)(obs)[..., 0]

    def gradient(
        self, phi: Array, theta: Array, obs: Array, actions: Array, target: Array, adv: Array
    ) -> Array:
        """E15 ∇_φ ½ mean (V_φ(s) − y)² (P_c,)."""
        check_shape("target", target, (len(obs),))
        y, tape = self.network.forward(phi, obs)
        error = (y[:, 0] - target).astype(phi.dtype) / len(obs)
        return self.network.vjp(phi, tape, error[:, None])

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E16, E24 GAE."""
        return advantage(self, phi, theta, batch, gamma, lam)


@dataclass(frozen=True)
class SharedCritic:
    """V_θ(s) of the policy's own value head (E17): no parameters of its own."""

    policy: Policy

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return np.zeros(0, dtype)

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.policy.values(theta, obs)

    def gradient(
        self, phi: Array, theta: Array, obs: Array, actions: Array, target: Array, adv: Array
    ) -> Array:
        """φ itself, which is empty: the value's gradient is part of that in θ."""
        return phi

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E24 GAE."""
        return advantage(self, phi, theta, batch, gamma, lam)


@dataclass(frozen=True)
class QCritic:
    """Q_φ(s, ·), one output an action; of π by expected SARSA, not of π* by Q-learning (E13)."""

    network: MLP
    policy: Policy

    def __post_init__(self) -> None:
        if not isinstance(self.policy.head, Softmax):
            raise ValueError(f"critic: expected Discrete actions for q, got {self.policy.head}")

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return self.network.init(rng, 1.0, dtype)

    def action_values(self, phi: Array, obs: Array) -> Array:
        """Q_φ (..., A) at obs (..., D)."""
        return self.network.at(phi)(obs)

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        """E12 V = Σ_a π(a|s) Q_φ(s, a): so r + γV(s′) is expected SARSA's target."""
        return (self.policy.probs(theta, obs) * self.action_values(phi, obs)).sum(-1)

    def gradient(
        self, phi: Array, theta: Array, obs: Array, actions: Array, target: Array, adv: Array
    ) -> Array:
        """E13, E15 ∇_φ ½ mean (Q_φ(s, a) − y)² (P_c,)."""
        check_shape("target", target, (len(obs),))
        q, tape = self.network.forward(phi, obs)
        rows = np.arange(len(obs))
        error = np.zeros_like(q)
        error[rows, actions] = (q[rows, actions] - target) / len(obs)
        return self.network.vjp(phi, tape, error)

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E12 Q_φ(s, a) − Σ_b π(b|s) Q_φ(s, b); γ is in the target, λ is not used."""
        obs = batch.obs[:-1]
        taken = np.take_along_axis(self.action_values(phi, obs), batch.actions[..., None], -1)
        return taken[..., 0] - self.values(phi, theta, obs)


@dataclass(frozen=True)
class CompatibleCritic:
    """A_w(s, a) = wᵀ∇_θ log π(a|s) (E13), fitted to the GAE of a V beside it; φ = (φ_V, w).

    E_a A_w = 0 for any w. Source: Sutton et al. 2000, theorem 2.
    """

    v: VCritic
    policy: Policy

    def init(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        return np.concatenate([self.v.init(rng, dtype), np.zeros(self.policy.num_params, dtype)])

    def split(self, phi: Array) -> tuple[Array, Array]:
        """(φ_V, w)."""
        return phi[: self.v.network.num_params], phi[self.v.network.num_params :]

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.v.values(self.split(phi)[0], theta, obs)

    def gradient(
        self, phi: Array, theta: Array, obs: Array, actions: Array, target: Array, adv: Array
    ) -> Array:
        """E13 ∇ ½ mean (V_φ − y)² and ∇_w ½ mean (A_w − adv)², side by side (P_c,)."""
        phi_v, w = self.split(phi)
        error = compatible_advantage(self.policy, theta, w, obs, actions) - adv
        dw = self.policy.weighted_score(theta, obs, actions, error / len(obs))
        return np.concatenate([self.v.gradient(phi_v, theta, obs, actions, target, adv), dw])

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E13 A_w; γ and λ are in the GAE it is fitted to."""
        w = self.split(phi)[1]
        return compatible_advantage(self.policy, theta, w, batch.obs[:-1], batch.actions)


def compatible_advantage(
    policy: Policy, theta: Array, w: Array, obs: Array, actions: Array
) -> Array:
    """E13 A_w(s, a) = wᵀ∇_θ log π(a|s) (...): one jvp, no matrix of scores."""
    eta, tape = policy.forward(theta, obs)
    return (policy.head.score(eta, actions) * policy.jvp(theta, tape, w)).sum(-1)


def value_critic(policy: Policy) -> VCritic:
    """A V with the policy's hidden layers."""
    return VCritic(MLP((*policy.network.sizes[:-1], 1)))


def make_critic(kind: str, policy: Policy) -> Critic:
    """The critic called v, q or compatible, with hidden layers as the policy's, or its own head."""
    obs_and_hidden, v = policy.network.sizes[:-1], value_critic(policy)
    if policy.value_head:
        if kind != "v":
            raise ValueError(f"critic: expected v for a network shared with the policy, got {kind}")
        return SharedCritic(policy)
    if kind == "v":
        return v
    if kind == "compatible":
        return CompatibleCritic(v, policy)
    if kind == "q":
        return QCritic(MLP((*obs_and_hidden, policy.head.size)), policy)
    raise ValueError(f"critic: expected v, q or compatible, got {kind!r}")
