"""Critics that see the action: Q, and the compatible A (E13). φ (P_c,) is passed and returned.

Axes: `...` any leading axes, T steps, B columns, N samples, D observation, A actions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from minipg.estimators.critics import Critic, SharedCritic, VCritic, checked_vjp, value_critic
from minipg.experience.batch import Batch
from minipg.policies.network import MLP
from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.validate import Array, array


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

    def gradient(self, phi: Array, theta: Array, batch: Batch, target: Array, adv: Array) -> Array:
        """E13, E15 ∇_φ ½ mean (Q_φ(s, a) − y)² (P_c,)."""
        obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
        q, tape = self.network.forward(phi, obs)
        taken = np.arange(len(obs)), actions
        error = np.zeros_like(q)
        error[taken] = (q[taken] - array(target)[batch.valid]) / len(obs)
        return checked_vjp(self.network, phi, tape, error)

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
        phi = array(phi)
        return phi[: self.v.network.num_params], phi[self.v.network.num_params :]

    def values(self, phi: Array, theta: Array, obs: Array) -> Array:
        return self.v.values(self.split(phi)[0], theta, obs)

    def gradient(self, phi: Array, theta: Array, batch: Batch, target: Array, adv: Array) -> Array:
        """E13 ∇ ½ mean (V_φ − y)² and ∇_w ½ mean (A_w − adv)², side by side (P_c,)."""
        phi_v, w = self.split(phi)
        obs, actions = batch.obs[:-1][batch.valid], batch.actions[batch.valid]
        a = compatible_advantage(self.policy, theta, w, obs, actions)
        error = (a - array(adv)[batch.valid]) / len(obs)
        dw = self.policy.weighted_score(theta, obs, actions, error)
        return np.concatenate([self.v.gradient(phi_v, theta, batch, target, adv), dw])

    def psi(self, phi: Array, theta: Array, batch: Batch, gamma: float, lam: float) -> Array:
        """E13 A_w; γ and λ are in the GAE it is fitted to."""
        w = self.split(phi)[1]
        return compatible_advantage(self.policy, theta, w, batch.obs[:-1], batch.actions)


def compatible_advantage(
    policy: Policy, theta: Array, w: Array, obs: Array, actions: Array
) -> Array:
    """E13 A_w(s, a) = wᵀ∇_θ log π(a|s) (...): one jvp, no matrix of scores."""
    eta, tape = policy.forward(theta, obs)
    policy.head.check_actions(actions, eta.shape[:-1])
    return (policy.head.score(eta, actions) * policy.jvp(theta, tape, w)).sum(-1)


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
