"""REINFORCE as it trains: its gradient is ∇J over every possible batch, and it learns."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from strategies import HIDDEN, RNGS

from minipg.algorithms.reinforce import BASELINES, Settings, estimate, reinforce
from minipg.experience import enumeration
from minipg.experience.batch import Batch
from minipg.experience.rollout import play_episodes
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.optim import adam, adam_init
from minipg.truth import exact


@st.composite
def two_step_tables(draw):
    """Two states, two actions, two outcomes of each, two steps: at most 16 trajectories."""
    rng = draw(RNGS)
    row = np.repeat(np.arange(4), 2)
    p = rng.dirichlet(np.ones(2), 4).ravel()
    mdp = TabularMDP.from_entries(
        row, rng.integers(2, size=8), p, rng.standard_normal(8), np.tile([False, True], 4),
        np.array([1.0, 0.0]), draw(st.sampled_from([0.5, 0.9, 1.0])), None, 2,
    )  # fmt: skip
    return mdp.unroll(2)


def games(batch: Batch, index: tuple[int, ...]) -> Batch:
    """These columns of an enumerated batch, as a sampled batch of as many games."""
    fields = {f.name: getattr(batch, f.name)[:, list(index)] for f in dataclasses.fields(batch)
              if f.name != "weight"}  # fmt: skip
    return Batch(**fields, weight=np.full(len(index), 1 / len(index)))


@given(two_step_tables(), HIDDEN, RNGS, st.sampled_from(BASELINES), st.booleans())
@pytest.mark.equation("E05", "E08", "E09", "E10", "errata 7")
@pytest.mark.pitfall(8)
def test_what_trains_has_mean_exactly_grad_j(mdp, hidden, rng, baseline, gamma_t):
    """Over every batch of two games, for every baseline; with γ^t dropped it is the other solve."""
    policy = softmax_policy(2, 2, hidden)
    theta = rng.standard_normal(policy.num_params)
    batch, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    settings = Settings(gamma=mdp.gamma, gamma_t=gamma_t, baseline=baseline)
    every = range(len(batch.weight))
    mean = sum(
        batch.weight[i] * batch.weight[j] * estimate(policy, theta, games(batch, (i, j)), settings)
        for i in every
        for j in every
    )
    truth = exact.policy_gradient(mdp, policy, theta, discounted_visits=gamma_t)
    np.testing.assert_allclose(mean, truth, rtol=1e-8, atol=1e-9)


@given(two_step_tables(), RNGS, st.sampled_from(BASELINES))
@pytest.mark.equation("E08", "E09", "E10")
def test_each_baseline_is_the_one_of_its_name(mdp, rng, baseline):
    """Game by game, from the others; each has mean ∇J, so that test tells none from another."""
    policy = softmax_policy(2, 2)
    theta = rng.standard_normal(policy.num_params)
    every, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    batch = games(every, tuple(rng.integers(len(every.weight), size=4)))
    played = []  # of each game γ^t, the reward-to-go, ∇log π
    for i in range(4):
        at = batch.valid[:, i]
        r, gamma_t = batch.rewards[at, i], mdp.gamma ** np.arange(at.sum())
        to_go = [gamma_t[: len(r) - t] @ r[t:] for t in range(len(r))]
        score = policy.score(theta, batch.obs[:-1][at, i], batch.actions[at, i])
        played.append((gamma_t, np.array(to_go), score))

    def b(i):
        others = [game for j, game in enumerate(played) if j != i]
        if baseline == "none":
            return 0.0
        if baseline == "constant":
            return np.mean(np.concatenate([to_go for _, to_go, _ in others]))
        if baseline == "time":
            at = [[x[t] for _, x, _ in others if len(x) > t] for t in range(len(played[i][1]))]
            return np.array([np.mean(x) if x else 0.0 for x in at])
        x = np.array([(gt * to_go) @ score for gt, to_go, score in others])
        y = np.array([gt @ score for gt, _, score in others])
        above, below = (x * y).sum(0), (y * y).sum(0)
        if baseline == "optimal":
            return above.sum() / below.sum()
        return np.divide(above, below, out=np.zeros_like(above), where=below > 0)

    def gradient_of(i):
        gamma_t, to_go, score = played[i]
        if baseline.startswith("optimal"):
            return (gamma_t * to_go) @ score - b(i) * (gamma_t @ score)
        return (gamma_t * (to_go - b(i))) @ score

    wanted = np.mean([gradient_of(i) for i in range(4)], 0)
    found = estimate(policy, theta, batch, Settings(gamma=mdp.gamma, baseline=baseline))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("baseline", BASELINES)
def test_no_bias_either_where_one_action_is_rare(baseline):
    """π(rare) = 8e-7, rewards 99 and 100: a cut-off that looks at the own game would show."""
    mdp = TabularMDP.from_arrays(np.ones((1, 2, 1)), np.array([[99.0, 100.0]]), np.ones(1), 0.9)
    mdp, policy, theta = mdp.unroll(1), softmax_policy(1, 2), np.array([-7.0, 7.0, 0.0, 0.0])
    batch, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    settings = Settings(gamma=0.9, baseline=baseline)
    mean = sum(
        batch.weight[[i, j, k]].prod() * estimate(policy, theta, games(batch, (i, j, k)), settings)
        for i in range(2) for j in range(2) for k in range(2)
    )  # fmt: skip
    np.testing.assert_allclose(mean, exact.policy_gradient(mdp, policy, theta), rtol=1e-6)


@given(two_step_tables(), RNGS)
@pytest.mark.equation("E08")
def test_power_a_baseline_that_sees_its_own_game_is_caught(mdp, rng):
    """The mean of R over both games, own included, halves the gradient: bias −∇J/2 exactly."""
    policy = softmax_policy(2, 2)
    theta = rng.standard_normal(policy.num_params)
    mdp = dataclasses.replace(mdp, gamma=1.0)
    batch, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    truth = exact.policy_gradient(mdp, policy, theta)
    assume(np.abs(truth).max() > 1e-3)
    from minipg.estimators.score_function import gradient

    mean = 0.0
    for i, p in enumerate(batch.weight):
        for j, q in enumerate(batch.weight):
            both = games(batch, (i, j))
            own_mean = both.rewards.sum(0).mean()
            psi = np.broadcast_to(both.rewards.sum(0) - own_mean, both.rewards.shape)
            mean = mean + p * q * gradient(policy, theta, both, psi)
    np.testing.assert_allclose(mean, truth / 2, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("baseline", BASELINES[1:])
@given(two_step_tables(), RNGS)
@pytest.mark.equation("E08", "E09")
def test_every_baseline_takes_a_constant_out_of_the_rewards(baseline, mdp, rng):
    """With 100 added to each reward the variance over sixty batches of twelve games falls."""
    mdp = dataclasses.replace(mdp, reward=mdp.reward + 100, gamma=1.0)
    policy = softmax_policy(2, 2)
    theta = 0.3 * rng.standard_normal(policy.num_params)
    batch, _ = enumeration.enumerate_trajectories(mdp, policy.probs(theta, mdp.features))
    picks = rng.choice(len(batch.weight), (60, 12), p=batch.weight / batch.weight.sum())

    def spread(name):
        settings = Settings(gamma=1.0, baseline=name)
        each = [estimate(policy, theta, games(batch, tuple(i)), settings) for i in picks]
        return np.sum(np.var(each, axis=0))

    assert spread(baseline) < 0.8 * spread("none")


def corridor() -> TabularMDP:
    """Action 1 walks right to the end and a reward of 1, action 0 ends with nothing."""
    transition = np.zeros((4, 2, 4))
    transition[:, 0, 3] = 1
    transition[range(3), 1, range(1, 4)] = 1
    transition[3, 1, 3] = 1
    reward = np.zeros((4, 2))
    reward[2, 1] = 1
    terminal = np.array([False, False, False, True])
    return TabularMDP.from_arrays(transition, reward, np.eye(4)[0], 1.0, terminal)


def run(seed, steps=4000, **options):
    mdp = corridor()
    policy = softmax_policy(4, 2)
    rng = np.random.default_rng(seed)
    settings = Settings(gamma=1.0, learning_rate=0.1, **options)
    theta = policy.init(rng, dtype=np.float32)
    return (
        mdp,
        policy,
        list(reinforce(TabularVectorEnv(mdp, 16), policy, theta, settings, steps, rng)),
    )


@pytest.mark.parametrize("baseline", BASELINES)
def test_it_learns_a_corridor(baseline):
    """From J ≈ 1/8 to above 0.9, by the exact J of the yielded θ."""
    mdp, policy, history = run(0, baseline=baseline)
    state, record = history[-1]
    theta = state.theta
    assert theta.dtype == np.float32
    pi = policy.probs(theta.astype(float), mdp.features)
    assert exact.objective(mdp, pi) > 0.9
    assert record["env_steps"] >= 4000 > history[-2][1]["env_steps"]
    assert record["episodes"] == 16 * len(history)


def test_the_loop_is_play_estimate_adam_and_its_record_says_what_was_played():
    """Two iterations again, written out; the step size falls linearly to 0."""
    _, policy, history = run(0, 100)
    envs, rng = TabularVectorEnv(corridor(), 16), np.random.default_rng(0)
    theta = policy.init(rng, dtype=np.float32)
    settings, state, played = Settings(gamma=1.0, learning_rate=0.1), adam_init(theta), 0
    for i, (got, record) in enumerate(history[:2]):
        batch = play_episodes(envs, policy, theta, rng)
        g = estimate(policy, theta, batch, settings)
        theta, state = adam(theta, g, state, 0.1 * (1 - played / 100))
        played += batch.rewards.size
        np.testing.assert_array_equal(got.theta, theta)
        obs = batch.obs[:-1][batch.valid]
        assert record == {
            "env_steps": played,
            "episodes": 16 * (i + 1),
            "mean_return": pytest.approx(batch.rewards.sum() / 16),
            "mean_length": batch.num_steps / 16,
            "entropy": pytest.approx(policy.entropy(theta, obs).sum() / len(obs)),
            "gradient_norm": pytest.approx(np.sqrt((g**2).sum())),
        }


@pytest.mark.pitfall(25)
def test_the_seed_determines_the_run_to_the_bit():
    first, again, other = run(1, 500)[2], run(1, 500)[2], run(2, 500)[2]
    assert [r for _, r in first] == [r for _, r in again] != [r for _, r in other]
    ends = [history[-1][0].theta.tobytes() for history in (first, again, other)]
    assert ends[0] == ends[1] != ends[2]


def test_one_game_a_batch_stays_finite():
    """The others' mean of no others is 0."""
    mdp, policy = corridor(), softmax_policy(4, 2)
    for baseline in BASELINES:
        loop = reinforce(TabularVectorEnv(mdp, 1), policy, np.zeros(10),
                         Settings(baseline=baseline), 10, np.random.default_rng(0))  # fmt: skip
        for state, record in loop:
            assert np.isfinite(state.theta).all()
            assert np.isfinite(list(record.values())).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.1}, "gamma: expected a number from 0 to 1"),
        ({"gamma": float("nan")}, "gamma"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"baseline": "best"}, "baseline: expected one of"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)
