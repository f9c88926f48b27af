"""Bugs of the advantage: rows 1–6, 9."""

from typing import Any

import numpy as np

from minipg.algorithms import actor_critic, loop
from minipg.algorithms.loop import Samples
from minipg.estimators import critics, returns
from minipg.estimators.returns import discounts
from minipg.estimators.score_function import gradient
from minipg.experience.batch import Batch
from minipg.experience.environments import adapt
from minipg.museum import wrong_data
from minipg.museum.bug import Bug, Module, rebuilt
from minipg.museum.problems import GAMMA, bias, lake, off, stream
from minipg.policies.policy import Policy
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.validate import Array


def ending_batch(rewards: float = 1.0) -> Batch:
    """Two columns of five steps: a truncation, a termination, both at once, resets between."""
    terminated, truncated, valid = (np.zeros((5, 2), bool) for _ in range(3))
    truncated[1, 0] = terminated[2, 1] = terminated[4, 0] = truncated[4, 0] = True
    valid[:] = True
    valid[2, 0] = valid[3, 1] = False
    zeros = np.zeros((5, 2))
    return Batch(np.zeros((6, 2, 2)), zeros.astype(int), np.where(valid, rewards, 0.0),
                 terminated, truncated, valid, zeros, np.full(2, 0.5))  # fmt: skip


class Table:
    """A critic that says these values (T+1, B)."""

    def __init__(self, values: Array):
        self.table = values

    def values(self, phi: object, theta: object, obs: object) -> Array:
        return self.table


def advantages_of(critic: Module, values: Array) -> Array:
    """The module's λ = 0.5, γ = 0.9 advantages of ending_batch."""
    return critic.advantage(Table(values), None, None, ending_batch(), 0.9, 0.5)


def a_constant_reward_leaves_no_advantage_at_a_truncation(critic: Module, seed: int) -> None:
    scale = 1 + np.random.default_rng(seed).random()
    batch, values = ending_batch(scale), np.full((6, 2), 10 * scale)  # V = c/(1 − γ)
    got = critic.advantage(Table(values), None, None, batch, 0.9, 0.5)
    np.testing.assert_allclose(got[:2, 0], 0, atol=1e-12)


def episodes_do_not_leak(critic: Module, seed: int) -> None:
    """What happens after an ending does not change what came before."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((6, 2))
    later = values.copy()
    later[3:, 0] += 100 * (1 + rng.random())
    np.testing.assert_allclose(advantages_of(critic, values)[:2, 0],
                               advantages_of(critic, later)[:2, 0])  # fmt: skip


def a_terminal_on_the_time_limit_has_no_value_after_it(critic: Module, seed: int) -> None:
    values = np.zeros((6, 2))
    values[5, 0] = 100 * (1 + np.random.default_rng(seed).random())
    np.testing.assert_allclose(advantages_of(critic, values)[4, 0], 1)


def gae_is_its_sum(returns: Module, seed: int) -> None:
    """δ and Σ (γλ)^i δ written out with a V that differs in every state; the window cuts."""
    rng = np.random.default_rng(seed)
    r, v = rng.standard_normal((4, 1)), rng.standard_normal((5, 1))
    ends = np.array([[False], [False], [True], [False]])
    delta = returns.td_error(r, v, ends, np.ones((4, 1), bool), 0.5)
    one = [r[t, 0] + 0.5 * v[t + 1, 0] * (t != 2) - v[t, 0] for t in range(4)]
    np.testing.assert_allclose(delta[:, 0], one)
    sums = [one[0] + 0.25 * one[1] + 0.0625 * one[2], one[1] + 0.25 * one[2], one[2], one[3]]
    np.testing.assert_allclose(returns.gae(delta, ends, 0.5, 0.5)[:, 0], sums)


def stream_bias(critic: Module, seed: int) -> tuple[float, str]:
    """Of E Σ γ^t ∇log π GAE with λ = 1, over every pair of episodes."""
    s = stream(seed)
    psi = critic.advantage(Table(s.values), None, None, s.batch, GAMMA, 1.0)
    psi = discounts(s.batch.ends, GAMMA) * psi
    return bias(gradient(s.policy, s.theta, s.batch, psi), s.truth)


def stream_bias_of_returns(returns: Module, seed: int) -> tuple[float, str]:
    names = {"td_error": returns.td_error, "gae": returns.gae}
    return stream_bias(rebuilt(critics, **names), seed)


def one_sample_normalizes_to_zero(returns: Module, seed: int) -> None:
    psi = np.random.default_rng(seed).standard_normal((1, 1))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(returns.normalize(psi, np.array([[True]])), 0)


def psi_of_the_update(loop: Module, seed: int) -> Array:
    """ψ (N,) that the loop hands to a method's update on FrozenLake."""
    p, seen = lake(seed), []

    def update(policy: Policy, theta: Array, samples: Samples, *rest: Any) -> tuple[Any, ...]:
        seen.append(samples.psi)
        return theta, None, {}

    envs = adapt(TabularVectorEnv(p.mdp, 8))
    next(loop.learn(envs, p.policy, p.theta, loop.AdamSettings(gamma=GAMMA), 1,
                    np.random.default_rng(seed), update))  # fmt: skip
    return seen[0]


def the_update_sees_mean_0_and_deviation_1(loop: Module, seed: int) -> None:
    psi = psi_of_the_update(loop, seed)
    np.testing.assert_allclose([psi.mean(), psi.std()], [0, 1], atol=1e-6)


def deviation_error(loop: Module, seed: int) -> tuple[float, str]:
    off_one = abs(float(psi_of_the_update(loop, seed).std()) - 1)
    return round(off_one, 6), "|deviation of ψ − 1|"  # normalize adds 1e-8 to it


def first_step(algorithm: Module, seed: int, normalize: bool) -> Array:
    """The first step of A2C by plain ascent on FrozenLake."""
    p, envs = lake(seed), adapt(TabularVectorEnv(lake(seed).mdp, 8))
    settings = algorithm.Settings(GAMMA, optimiser="sgd", max_norm=1e9, normalize=normalize)
    rng = np.random.default_rng(seed)
    state, _ = next(algorithm.actor_critic(envs, p.policy, p.theta, settings, 128, rng))
    return state.theta - p.theta


def normalization_is_used(algorithm: Module, seed: int) -> None:
    one, other = (first_step(algorithm, seed, normalize) for normalize in (False, True))
    assert off(one, other) > 1e-3


def first_step_error(algorithm: Module, seed: int) -> tuple[float, str]:
    truth = first_step(actor_critic, seed, True)
    return off(first_step(algorithm, seed, True), truth), "error of the first step"


BUGS = [
    Bug(1, critics, wrong_data.truncation_as_termination,
        a_constant_reward_leaves_no_advantage_at_a_truncation, stream_bias),
    Bug(2, critics, wrong_data.gae_into_the_next_episode, episodes_do_not_leak, stream_bias),
    Bug(3, critics, wrong_data.bootstrap_at_a_terminal_on_the_limit,
        a_terminal_on_the_time_limit_has_no_value_after_it, stream_bias),
    Bug(4, returns, wrong_data.state_before_the_last_action,
        gae_is_its_sum, stream_bias_of_returns),
    Bug(5, returns, wrong_data.done_of_the_next_step,
        gae_is_its_sum, stream_bias_of_returns, "GAE cut by the `done` of the next step"),
    Bug(6, returns, wrong_data.last_value_twice, gae_is_its_sum, stream_bias_of_returns),
    Bug(9, returns, wrong_data.deviation_of_one_sample,
        one_sample_normalizes_to_zero, "no size: the gradient is NaN",
        "normalisation of one sample divides by 0", "SB3 #325"),
    Bug(9, loop, wrong_data.normalised_in_vain,
        the_update_sees_mean_0_and_deviation_1, deviation_error,
        "normalised advantages computed, not used", "baselines PR #64"),
    Bug(9, actor_critic, wrong_data.normalised_in_vain, normalization_is_used, first_step_error,
        "normalised advantages computed, not used (A2C)", "baselines PR #64"),
]  # fmt: skip
