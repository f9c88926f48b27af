"""Rewards scaled by the deviation of the discounted return; statistics that stay; step sizes that
fall."""

from dataclasses import asdict

import drift
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers.utils import RunningMeanStd
from hypothesis import given, strategies as st
from strategies import mdps

from minipg.algorithms import acktr, npg, ppo, trpo
from minipg.algorithms.loop import learn
from minipg.algorithms.state import environment_state, load_tree, restore_environments
from minipg.commands import train
from minipg.experience.environments import make_envs
from minipg.experience.scaling import NormalizeObservation, NormalizeReward, deviation
from minipg.policies.build import softmax_policy
from minipg.policies.policy_file import load_policy
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.validate import TINY


class Constant(gym.Env):
    """Observations (steps so far, 1); a step gives 1."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gym.spaces.Discrete(2)

    def reset(self, **options):
        self.t = 0
        return np.array([0, 1], np.float32), {}

    def step(self, action):
        self.t += 1
        return np.array([self.t, 1], np.float32), 1.0, False, False, {}


@given(mdps(), st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 4), st.floats(0, 1))
def test_the_return_of_each_episode_counts_once_and_nothing_leaks(mdp, seed, copies, limit, gamma):
    """Against plain lists: every step's Σ γ^(t−k) r_k of its own episode, however that ends."""
    raw = TabularVectorEnv(mdp, copies, max_episode_steps=limit)
    envs, rng = NormalizeReward(raw, gamma), np.random.default_rng(seed)
    played, original = [], raw.step

    def step(actions):
        played.append(original(actions))
        return played[-1]

    raw.step = step
    envs.reset(seed=seed)
    current, over = [[] for _ in range(copies)], [False] * copies
    returns = [np.zeros(0)]
    for _ in range(12):
        actions = rng.integers(mdp.num_actions, size=copies)
        scaled = envs.step(actions)[1]
        _, rewards, terminated, truncated, _ = played[-1]
        for b in range(copies):
            if over[b]:  # a reset: no step of an episode
                current[b], over[b] = [], False
                continue
            current[b].append(rewards[b])
            discounts = gamma ** np.arange(len(current[b]))[::-1]
            returns.append([np.dot(discounts, current[b])])
            over[b] = bool(terminated[b] or truncated[b])
        every, few = np.concatenate(returns), 1e-4  # the weight of the wrapper's first guess, 0 ± 1
        mean = every.sum() / (len(every) + few)
        square = (few + (every**2).sum()) / (len(every) + few)
        expected = rewards / np.sqrt(square - mean**2 + envs.epsilon)
        np.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-6 * abs(mean))


def test_a_reset_begins_every_return_anew():
    """Also just after an end: the first reward after the reset counts."""
    envs = NormalizeReward(make_envs("CartPole-v1", 2), 0.5)
    for _ in range(2):
        envs.reset(seed=0)
        while not envs.step(np.zeros(2, int))[2].all():
            pass
        envs.reset(seed=0)
        envs.step(np.zeros(2, int))
        assert envs.accumulated_reward.tolist() == [1, 1]


@given(st.integers(1, 3), st.integers(2, 300), st.floats(-1e6, 1e6), st.floats(3e-3, 1e3))
def test_what_never_varied_is_centred_and_not_divided(copies, steps, constant, moves):
    """In single precision, as in training: a constant, and a number that alternates."""
    seen = RunningMeanStd(shape=(2,), dtype=np.float32)
    for t in range(steps):
        seen.update(np.array(copies * [[constant, moves * (-1) ** t]], np.float32))
    before = seen.var.copy()
    assert before[0] * copies * steps < 1.01e-4 * (1 + constant**2)  # what would be divided by
    found = deviation(seen, 1e-8)
    assert found.tolist() == [1, np.sqrt(before[1] + 1e-8)]
    assert (seen.var == before).all()


@pytest.mark.parametrize(("mean", "spread"), [(101325, 20), (1000, 0.2), (1e15, 1e14)])
def test_what_varies_little_beside_its_size_has_varied(mean, spread):
    seen, rng = RunningMeanStd(shape=(1,), dtype=np.float32), np.random.default_rng(0)
    for _ in range(300):
        seen.update(rng.normal(mean, spread, (8, 1)).astype(np.float32))
    assert deviation(seen, 1e-8)[0] == np.sqrt(seen.var[0] + 1e-8) != 1


def test_statistics_that_stay_divide_by_what_the_saved_policy_does():
    envs = NormalizeObservation(make_envs("CartPole-v1", 2))
    seen = envs.obs_rms
    for k in range(100):
        seen.update(np.array([[3, k, -k, k / 9]], np.float32))
    obs, before = np.array([[4, 4, 4, 4]], np.float32), seen.mean.copy()
    envs.update_running_mean = False
    wanted = (obs - before) / deviation(seen, envs.epsilon)
    assert wanted[0, 0] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(envs.observations(obs), wanted, rtol=1e-6)
    assert (seen.mean == before).all()
    envs.update_running_mean = True
    assert envs.observations(obs)[0, 0] > 9  # as Gymnasium's, which counts it
    assert (seen.mean != before).all()


@pytest.mark.parametrize("until", [[], ["--until", "9"]])
def test_a_constant_observation_leaves_no_large_parameter(tmp_path, until):
    """Also of a run that ends within the first quarter, and the statistics are as they were."""
    gym.register("Constant-v0", Constant, max_episode_steps=10)
    try:
        words = ["ppo", "Constant-v0", "--steps", "4000", "--n-steps", "16", "--hidden", "4"]
        out = tmp_path / "run"
        assert train.main([*words, *until, "--normalize-observations", "--out", str(out)]) == 0
    finally:
        gym.registry.pop("Constant-v0")
    policy, theta = load_policy(out / "parameters.npz")
    assert np.abs(policy.named(theta)["W0"]).max() < 10
    (layer,) = [x for x in load_tree(out / "state.npz")["envs"] if "obs_rms.count" in x]
    assert 0 < layer["obs_rms.var"][1] * layer["obs_rms.count"] < 2.1e-4


def test_a_copy_of_its_state_scales_alike_also_where_an_episode_has_just_ended():
    one, two = (NormalizeReward(make_envs("CartPole-v1", 3), 0.9) for _ in range(2))
    one.reset(seed=0)
    two.reset(seed=1)
    ended = np.zeros(3, bool)
    while not ended.any():
        ended = one.step(np.ones(3, int))[2]
    assert restore_environments(two, environment_state(one))
    for _ in range(3):
        first, second = one.step(np.ones(3, int))[1], two.step(np.ones(3, int))[1]
        assert first.tolist() == second.tolist()


@pytest.mark.parametrize("decay", [False, True])
@pytest.mark.parametrize(("kind", "name"), [
    (ppo.Settings, "learning_rate"), (trpo.Settings, "delta"), (npg.Settings, "delta"),
    (npg.Settings, "learning_rate"), (acktr.Settings, "delta"), (acktr.Settings, "learning_rate"),
    (acktr.Settings, "critic_delta"),
])  # fmt: skip
def test_rates_and_delta_fall_linearly_in_the_steps_or_do_not(kind, name, decay):
    """E43, E47, by the share of the steps that is left before the iteration."""
    envs = make_envs("CartPole-v1", 2)
    policy, rng = softmax_policy(4, 2), np.random.default_rng(0)
    theta, seen = policy.init(rng, 1.0), []

    def update(policy, theta, samples, settings, state, rng):
        seen.append(settings)
        return theta, state, {}

    def refit(critic, phi, state, obs, target, settings, rng):
        seen.append(settings)
        return phi, state

    settings = kind(**{name: 0.5, "n_steps": 5, "critic_learning_rate": 2.0, "decay": decay})
    records = [record for _, record in learn(envs, policy, theta, settings, 80, rng, update,
                                             refit=refit)]  # fmt: skip
    left = 1 - np.arange(8) / 8 if decay else np.ones(8)
    assert [record["env_steps"] for record in records] == list(range(10, 81, 10))
    both = [(getattr(x, name), x.critic_learning_rate) for x in seen]
    np.testing.assert_allclose(both, np.repeat(np.column_stack([0.5 * left, 2 * left]), 2, 0))


@pytest.mark.parametrize(("module", "falling"), [
    (npg, {"delta", "critic_learning_rate"}), (trpo, {"delta", "critic_learning_rate"}),
    (ppo, {"learning_rate", "critic_learning_rate"}),
    (acktr, {"learning_rate", "delta", "critic_learning_rate", "critic_delta"}),
])  # fmt: skip
def test_nothing_else_falls(module, falling):
    """NPG's learning_rate is 0 unless it is asked for."""
    first = module.Settings(decay=True)
    now = asdict(first.at(0.25))
    assert {name: now[name] / x for name, x in asdict(first).items() if now[name] != x} == {
        name: pytest.approx(0.25) for name in falling}  # fmt: skip


def test_a_region_shrinks_to_the_least_number_and_not_to_nothing():
    settings = npg.Settings(delta=1e-307, decay=True)
    assert [settings.at(left).delta for left in (1.0, 0.5, 0.001)] == [1e-307, 5e-308, TINY]
    assert settings.at(0.5).learning_rate == 0  # which is its word for δ


def test_a_policy_at_rest_is_moved_by_statistics_that_go_on_and_by_nothing_else(monkeypatch):
    """scripts/drift.py: the play is by one θ, normalised by statistics that move, then stay."""
    played, collect = [], drift.collect

    def spy(envs, policy, theta, *more):
        before = envs.obs_rms.mean.copy()
        batch = collect(envs, policy, theta, *more)
        played.append((theta, before, envs.obs_rms.mean.copy()))
        return batch

    monkeypatch.setattr(drift, "collect", spy)
    words = "npg CartPole-v1 --normalize-observations --num-envs 2 --n-steps 30 --steps 600"
    rows = list(drift.drift(words.split(), 120, 2, 50))
    assert [row[:2] for row in rows] == [("before", 0), ("go on", 100), ("go on", 200),
                                         ("of before", 300)]  # fmt: skip
    thetas, before, after = map(np.array, zip(*played, strict=True))
    assert (thetas == thetas[0]).all()
    assert (before[1] == after[0]).all()
    assert (after[:2] != before[:2]).any(1).all()
    assert (before[2] == before[0]).all()
    assert (after[2] == before[0]).all()
