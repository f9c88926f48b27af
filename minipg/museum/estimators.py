"""Bugs of the estimator of ∇J: rows 8, 11, 20, 28."""

import numpy as np

from minipg.algorithms import ppo, reinforce
from minipg.claims import Problem
from minipg.estimators import importance, surrogate
from minipg.estimators.score_function import gradient
from minipg.experience import rollout
from minipg.experience.enumeration import enumerate_trajectories
from minipg.museum import wrong_data
from minipg.museum.bug import Bug, Module
from minipg.museum.play import play
from minipg.museum.problems import bias, lake, lake_samples, off
from minipg.museum.toy import vector
from minipg.policies import policy
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.steps.optim import adam_init
from minipg.truth import exact
from minipg.validate import Array


def small(seed: int) -> Problem:
    """A random table of two states, three steps."""
    rng = np.random.default_rng(seed)
    mdp = TabularMDP.from_arrays(rng.dirichlet(np.ones(2), (2, 2)), rng.standard_normal((2, 2)),
                                 np.full(2, 0.5), 0.5)  # fmt: skip
    return Problem(mdp, mdp.unroll(3), softmax_policy(2, 2), rng.standard_normal(6), seed)


def reinforce_mean(reinforce: Module, p: Problem) -> Array:
    settings = reinforce.Settings(gamma=p.start.gamma, baseline="none")
    return reinforce.estimate(p.policy, p.theta, p.batch, settings)


def the_mean_is_the_gradient_of_the_discounted_objective(reinforce: Module, seed: int) -> None:
    p = small(seed)
    np.testing.assert_allclose(reinforce_mean(reinforce, p), p.gradient, atol=1e-10)


def reinforce_bias(reinforce: Module, seed: int) -> tuple[float, str]:
    return bias(reinforce_mean(reinforce, lake(seed)), lake(seed).gradient)


def the_ratio_starts_at_one_to_the_bit(surrogate: Module, seed: int) -> None:
    policy, theta, batch = play(rollout, vector(8), seed)
    np.testing.assert_array_equal(surrogate.ratio(policy, theta, batch), 1)


def surrogate_bias(surrogate: Module, seed: int) -> tuple[float, str]:
    """Of ∇L at θ_k, which is ∇J."""
    p = lake(seed)
    psi = p.gamma_t * (p.q - p.v[:-1])
    mean = surrogate.batch_surrogate_gradient(p.policy, p.theta, p.batch, psi)
    return bias(mean, p.gradient)


def first_minibatch(ppo: Module, seed: int) -> tuple[Array, Array, float]:
    """The gradient PPO takes of all its samples at θ_k, what it must be, the share clipped."""
    p, samples = lake(seed), lake_samples(seed, 256)
    settings = ppo.Settings(epochs=1, minibatch=256, max_norm=1e9)
    _, state, figures = ppo.update(p.policy, p.theta, samples, settings, adam_init(p.theta),
                                   np.random.default_rng(seed))  # fmt: skip
    obs, actions, _, psi = samples
    truth = p.policy.weighted_score(p.theta, obs, actions, psi / len(obs))
    return state.mean / (1 - 0.9), truth, figures["clipped"]  # Adam's mean after one step


def the_first_minibatch_has_ratio_one(ppo: Module, seed: int) -> None:
    got, truth, clipped = first_minibatch(ppo, seed)
    assert clipped == 0
    np.testing.assert_allclose(got, truth, atol=1e-12)


def first_minibatch_error(ppo: Module, seed: int) -> tuple[float, str]:
    got, truth, _ = first_minibatch(ppo, seed)
    return off(got, truth), "error of PPO's first gradient"


def broadcast(policy: Module, seed: int) -> Array | None:
    """Σ ∇log π ψ with a column ψ (N, 1), averaged to one gradient; None where it is refused."""
    p = lake(seed)
    own = policy.Policy(p.policy.network, p.policy.head)
    obs, actions, _, psi = lake_samples(seed, 64)
    try:
        return own.weighted_score(p.theta, obs, actions, psi[:, None] / 64**2).sum(0)
    except ValueError as error:
        if "psi: expected shape (64,)" not in str(error):
            raise
        return None


def shapes_are_strict(policy: Module, seed: int) -> None:
    assert broadcast(policy, seed) is None


def broadcast_error(policy: Module, seed: int) -> tuple[float, str]:
    got, p = broadcast(policy, seed), lake(seed)
    obs, actions, _, psi = lake_samples(seed, 64)
    truth = p.policy.weighted_score(p.theta, obs, actions, psi / 64)
    return 0.0 if got is None else off(got, truth), "error of the gradient, psi (N, 1)"


def off_policy_mean(importance: Module, p: Problem, seed: int) -> Array:
    """E under another policy of Σ γ^t ∇log π Q times the trajectory's weight."""
    other = p.theta + 0.5 * np.random.default_rng(seed).standard_normal(len(p.theta))
    batch, states = enumerate_trajectories(p.start, p.policy.probs(other, p.start.features))
    gamma_t = p.start.gamma ** np.arange(len(batch.rewards))[:, None]
    psi = gamma_t * exact.action_values(p.start, p.values)[states[:-1], batch.actions]
    weight = importance.importance_weight(p.policy, p.theta, batch)
    return gradient(p.policy, p.theta, batch, psi * weight)


def off_policy_episodes_give_the_gradient(importance: Module, seed: int) -> None:
    p = small(seed)
    np.testing.assert_allclose(off_policy_mean(importance, p, seed), p.gradient, atol=1e-10)


def off_policy_bias(importance: Module, seed: int) -> tuple[float, str]:
    return bias(off_policy_mean(importance, lake(seed), seed), lake(seed).gradient)


BUGS = [
    Bug(8, reinforce, wrong_data.discount_dropped,
        the_mean_is_the_gradient_of_the_discounted_objective, reinforce_bias),
    Bug(11, surrogate, wrong_data.next_observation,
        the_ratio_starts_at_one_to_the_bit, surrogate_bias,
        "the ratio pairs actions with the next observation"),
    Bug(11, ppo, wrong_data.old_log_probs_in_another_order,
        the_first_minibatch_has_ratio_one, first_minibatch_error,
        "ratio ≠ 1 on the first minibatch: old log-probs not shuffled along"),
    Bug(20, policy, wrong_data.column_broadcasts, shapes_are_strict, broadcast_error),
    Bug(28, importance, wrong_data.weighted_twice,
        off_policy_episodes_give_the_gradient, off_policy_bias),
]  # fmt: skip
