"""σ that follows a schedule: the line it is on, what is not learned, where it cannot be."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS
from test_lqr import problems

from minipg.algorithms import acktr, npg, ppo, trpo
from minipg.algorithms.loop import learn
from minipg.experience.environments import make_envs
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.gaussian import Gaussian
from minipg.policies.held import Held, held, nearer_std
from minipg.problems.lqr_env import LQRVectorEnv

STDS = st.floats(0.01, 10)
LOOPS = [(npg.npg, npg.Settings), (trpo.trpo, trpo.Settings), (ppo.ppo, ppo.Settings),
         (acktr.acktr, acktr.Settings)]  # fmt: skip


@given(st.integers(1, 3), STDS, STDS, st.lists(st.floats(0.01, 5), min_size=1, max_size=9), RNGS)
def test_log_std_is_on_a_straight_line_and_nothing_else_moves(d, first, last, parts, rng):
    """By parts of any length, each of what is left, from log_std and not from θ's; θ stays."""
    policy = gaussian_policy(2, d, (3,))
    theta = rng.standard_normal(policy.num_params)
    kept, log_std, whole, done = theta.copy(), np.full(d, np.log(first)), sum(parts), 0.0
    for part in parts:
        near = nearer_std(policy, theta, log_std, last, min(1, part / (whole - done)))
        assert (theta == kept).all()
        net, log_std = policy.split(near)
        done += part
        wanted = np.log(first) + done / whole * (np.log(last) - np.log(first))
        np.testing.assert_allclose(log_std, np.full(d, wanted), rtol=0, atol=1e-9)
        assert (net == policy.split(theta)[0]).all()


@given(st.integers(1, 3), st.integers(1, 4), RNGS)
@pytest.mark.equation("E03")
def test_what_is_held_is_not_learned_and_all_else_is_the_gaussian_s(d, n, rng):
    policy = gaussian_policy(2, d, (3,))
    other = held(policy)
    theta, obs = rng.standard_normal(policy.num_params), rng.standard_normal((n, 2))
    actions, psi = rng.standard_normal((n, d)), rng.standard_normal(n)
    full = policy.weighted_score(theta, obs, actions, psi)
    part = other.weighted_score(theta, obs, actions, psi)
    assert (part[:-d] == full[:-d]).all()
    assert (part[-d:] == 0).all()
    for name in ("log_prob", "entropy"):
        args = (theta, obs, actions)[: 3 if name == "log_prob" else 2]
        assert (getattr(other, name)(*args) == getattr(policy, name)(*args)).all()
    one, two = (x.sample(theta, obs, np.random.default_rng(0))[0] for x in (policy, other))
    assert (one == two).all()


@given(problems(), st.sampled_from(LOOPS), STDS, STDS, st.integers(40, 90), RNGS)
def test_every_loop_ends_at_the_std_it_was_told(problem, method, first, last, steps, rng):
    """From half of the steps on log σ is on a line, by the steps; before it is learned as ever."""
    (loop, kind), (lqr, policy, start) = method, problem
    d = policy.head.d
    start[-d:] = np.log(first)

    def states(**more):
        envs, seeded = LQRVectorEnv(lqr, 2, max_episode_steps=5), np.random.default_rng(0)
        return [state for state, _ in loop(envs, policy, start, kind(n_steps=7, **more), steps,
                                            seeded)]  # fmt: skip

    found, plain = states(final_std=last), states()
    half = min(k for k, state in enumerate(found) if state.env_steps >= steps / 2)
    for one, two in zip(found[: half + 1], plain, strict=False):
        assert (one.theta == two.theta).all()
    begin = found[half]
    for state in found[half + 1 :]:
        share = min(1, (state.env_steps - begin.env_steps) / (steps - begin.env_steps))
        wanted = begin.theta[-d:] + share * (np.log(last) - begin.theta[-d:])
        np.testing.assert_allclose(state.theta[-d:], wanted, rtol=0, atol=1e-9)
        assert (state.theta[:-d] != begin.theta[:-d]).any()
    np.testing.assert_allclose(np.exp(found[-1].theta[-d:]), last, rtol=1e-9)


def test_an_update_learns_no_std_that_is_held():
    """From half of the steps on its policy is the one whose score along log σ is 0; kl is the
    update's, entropy what is played with next, σ's line included."""
    envs, rng = make_envs("Pendulum-v1", 2), np.random.default_rng(0)
    policy, heads, moved = gaussian_policy(3, 1), [], []

    def update(policy, theta, samples, settings, state, rng):
        heads.append(type(policy.head))
        moved.append(policy.kl(theta + 0.01, theta, samples.obs).mean())
        return theta + 0.01, state, {}

    settings = ppo.Settings(n_steps=5, final_std=0.1)
    rows = list(learn(envs, policy, policy.init(rng), settings, 80, rng, update))
    assert heads == [Gaussian] * 4 + [Held] * 4
    np.testing.assert_allclose([record["kl"] for _, record in rows], moved)
    log_std = [policy.split(state.theta)[1].item() for state, _ in rows]
    entropy = np.add(log_std, 0.5 * np.log(2 * np.pi * np.e))
    np.testing.assert_allclose([record["entropy"] for _, record in rows], entropy, rtol=1e-6)


def test_a_policy_without_log_std_in_theta_is_refused():
    for policy in (softmax_policy(2, 3), gaussian_policy(2, 1, state_dependent_std=True)):
        with pytest.raises(ValueError, match="final_std: expected a Gaussian with log σ in θ, got"):
            held(policy)
