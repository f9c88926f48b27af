"""Gymnasium → Batch: the same data from every kind of vector environment, and no aliasing."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Sequence, Tuple

from minipg.experience.environments import adapt, make_envs, policy_for, to_env
from minipg.experience.rollout import collect, play_episodes, start_stream
from minipg.museum.toy import Toy, vector
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.truth.check import check_mean


def play(envs, seed=0, dtype=np.float64):
    envs = adapt(envs)
    policy = policy_for(envs, ())
    theta = policy.init(np.random.default_rng(seed), 1.0, dtype)
    return policy, theta, play_episodes(envs, policy, theta, np.random.default_rng(seed))


@pytest.mark.pitfall(3, 7)
def test_one_whole_episode_a_column_and_nothing_else():
    _, _, batch = play(vector(40))  # some end twice while the longest goes on
    lengths = batch.obs[0, :, 1].astype(int)
    assert len(set(lengths)) > 1
    assert batch.valid.sum(0).tolist() == lengths.tolist()
    for b, n in enumerate(lengths):
        np.testing.assert_array_equal(batch.obs[: n + 1, b, 0], np.arange(n + 1))  # true successors
        assert batch.rewards[:, b].tolist() == [1.0] * n + [0.0] * (lengths.max() - n)
        assert np.flatnonzero(batch.truncated[:, b]).tolist() == [n - 1]
        assert np.flatnonzero(batch.terminated[:, b]).tolist() == ([n - 1] if n % 2 == 0 else [])
    assert batch.weight.tolist() == [1 / 40] * 40


@pytest.mark.pitfall(7)
def test_a_vector_batch_is_the_single_environments_data():
    """Replay each column's actions in an environment of its own from the same seed."""
    policy, theta, batch = play(vector(5))
    seed = int(np.random.default_rng(0).integers(2**31))  # the batch's first draw
    for b in range(5):
        env = Toy()
        obs = [env.reset(seed=seed + b)[0].copy()]
        rewards = []
        for a in batch.actions[batch.valid[:, b], b]:
            o, r, terminated, truncated, _ = env.step(int(a))
            obs.append(o.copy())
            rewards.append(r)
        assert terminated or truncated
        np.testing.assert_array_equal(batch.obs[: len(obs), b], obs)
        assert batch.rewards[: len(rewards), b].tolist() == rewards


@pytest.mark.pitfall(23)
def test_observations_are_copied_out_of_the_environment_s_buffer():
    np.testing.assert_array_equal(play(vector(copy=False))[2].obs, play(vector())[2].obs)


@pytest.mark.pitfall(23)
def test_rewards_and_flags_are_copied_out_of_the_environment_s_buffers():
    class Buffers(gym.vector.VectorWrapper):
        def step(self, actions):
            obs, *others, info = super().step(actions)
            self.buffers = getattr(self, "buffers", others)
            for buffer, new in zip(self.buffers, others, strict=True):
                buffer[:] = new
            return obs, *self.buffers, info

    one, two = play(Buffers(vector(8)))[2], play(vector(8))[2]
    for name in ("rewards", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_actions_are_clipped_to_the_bounds_of_their_own_dimension():
    """The policy's own array stays as it was drawn."""
    space = Box(np.array([[-1, -3]], np.float32), np.array([[2, 0.5]], np.float32))
    actions = np.array([[-5, -5], [5, 5], [1, -2]], np.float32)
    told = to_env(vector(3, action_space=space), actions)
    assert told.tolist() == [[[-1, -3]], [[2, 0.5]], [[1, -2]]]
    assert actions.tolist() == [[-5, -5], [5, 5], [1, -2]]


@pytest.mark.pitfall(10)
def test_actions_of_whole_numbers_are_clipped_before_they_are_cast():
    """Cast first, −5.3 wraps to 251, which is clipped to 10."""
    envs = vector(3, action_space=Box(0, 10, (1,), np.uint8))
    np.testing.assert_array_equal(
        to_env(envs, np.array([[-5.3], [3.7], [300.0]]))[:, 0], [0, 4, 10]
    )


def test_log_prob_is_of_the_drawn_action_though_the_environment_gets_it_clipped():
    policy, theta, batch = play(vector(4, action_space=Box(-0.1, 0.1, (2,), np.float32)))
    assert batch.actions.shape[-1] == 2
    assert np.abs(batch.actions).max() > 0.1
    again = policy.log_prob(theta, batch.obs[:-1], batch.actions)
    np.testing.assert_array_equal(again[batch.valid], batch.log_prob[batch.valid])


@pytest.mark.pitfall(26)
@pytest.mark.parametrize("start", [-1, 0, 5])
def test_discrete_actions_start_where_the_space_starts(start):
    """The toy asserts that each action is in its space; the batch counts from 0."""
    _, _, batch = play(vector(4, action_space=Discrete(3, start=start)))
    assert set(batch.actions[batch.valid].tolist()) <= {0, 1, 2}
    assert len(set(batch.actions[batch.valid].tolist())) > 1


def test_box_actions_of_any_shape():
    _, _, batch = play(vector(4, action_space=Box(-1, 1, (2, 3), np.float32)))
    assert batch.actions.shape[2:] == (6,)
    _, _, batch = play(vector(4, action_space=Box(-np.inf, np.inf, (1,), np.float64)))
    assert batch.actions.shape[2:] == (1,)


SPACES = [
    (Discrete(4, start=2), lambda t: 2 + t % 4, 4),
    (Box(0, 255, (2, 2), np.uint8), lambda t: np.full((2, 2), t, np.uint8), 4),
    (MultiDiscrete([3, 5]), lambda t: np.array([t % 3, t % 5]), 8),
    (Tuple((Discrete(5), Box(0, 9, (2,), np.float32))),
     lambda t: (t % 5, np.full(2, t, np.float32)), 7),
    (Dict({"a": Discrete(5), "b": Dict({"c": Box(0, 9, (1,), np.float32)})}),
     lambda t: {"a": t % 5, "b": {"c": np.full(1, t, np.float32)}}, 6),
]  # fmt: skip


@pytest.mark.parametrize(("space", "observe", "size"), SPACES)
def test_observations_are_flattened_by_gymnasium_s_own_rule(space, observe, size):
    _, _, batch = play(vector(observation_space=space, observe=observe))
    assert batch.obs.shape[-1] == size
    for t, b in np.argwhere(batch.valid):
        np.testing.assert_array_equal(batch.obs[t, b], gym.spaces.flatten(space, observe(t)))


def test_unsupported_spaces_and_modes_are_refused():
    space = Sequence(Box(0, 1, (1,)))
    with pytest.raises(ValueError, match="observation space: expected one that flattens"):
        adapt(vector(observation_space=space, observe=lambda t: ()))
    with pytest.raises(ValueError, match="action space: expected Discrete, .* or Box, got Tuple"):
        policy_for(adapt(vector(action_space=Tuple((Discrete(2), Discrete(2))))), ())
    same_step = gym.vector.SyncVectorEnv([Toy], autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="expected next-step autoreset"):
        adapt(same_step)
    policy = softmax_policy(2, 2)
    with pytest.raises(ValueError, match="expected next-step autoreset"):
        play_episodes(same_step, policy, np.zeros(6), np.random.default_rng(0))


def test_rescaled_actions_cover_the_bounds():
    """−1 … 1 onto 2 … 6, what lies outside clipped to the bounds; log π is of the raw action."""
    told = []

    class Told(Toy):
        def step(self, action):
            told.append(float(action[0]))
            return super().step(action)

    space = Box(2, 6, (1,), np.float64)
    envs = adapt(gym.vector.SyncVectorEnv([lambda: Told(action_space=space)]), True)
    envs.reset(seed=0)
    for a in (-1.0, -0.5, 0.0, 1.0, 9.0, -9.0):
        envs.reset()
        envs.step(to_env(envs, np.array([[a]])))
    assert told == pytest.approx([2, 3, 4, 6, 6, 2])
    with pytest.raises(ValueError, match="rescale_actions: expected a bounded Box"):
        adapt(vector(action_space=Box(-np.inf, np.inf, (1,), np.float64)), True)


def test_parameters_are_checked_once_a_window(monkeypatch):
    checked = []
    plain = Policy._check_theta
    monkeypatch.setattr(
        Policy, "_check_theta", lambda self, theta: checked.append(1) or plain(self, theta)
    )
    envs = make_envs("CartPole-v1", 2)
    policy, rng = policy_for(envs, (4,)), np.random.default_rng(0)
    theta = policy.init(rng)
    stream, counts = start_stream(envs, theta, rng), []
    for steps in (1, 20):
        checked.clear()
        _, stream = collect(envs, policy, theta, rng, steps, stream)
        counts.append(len(checked))
    assert counts[0] == counts[1]


def test_nan_from_an_environment_is_named_with_its_step():
    rewards = iter([1.0] * 3 + [1.0, 1.0, float("nan")])  # of the third environment's second step
    with pytest.raises(ValueError, match="reward: .* nan in environment 2 at step 2"):
        play(vector(reward=lambda: next(rewards), least=2))

    for step in (0, 1):

        def observe(t, step=step):
            return np.array([0.0, np.inf if t == step else 0.0])

        with pytest.raises(ValueError, match=f"observation: .* in environment 0 at step {step}"):
            play(vector(observe=observe))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("NoSuchEnv-v0", 2), "env 'NoSuchEnv-v0'"),
        (("no_such_module:Env-v0", 2), "env 'no_such_module:Env-v0'"),
        (("CartPole-v1", 0), "num_envs"),
        (("CartPole-v1", 2, "parallel"), "mode: expected one of sync, async, got 'parallel'"),
        (("CartPole-v1", 2, None, 0), "max_episode_steps"),
    ],
)
def test_make_envs_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_envs(*arguments)


@pytest.mark.parametrize("mode", [None, "sync", "async"])
def test_every_kind_of_vector_environment(mode):
    envs = make_envs("CartPole-v1", 3, mode, 20)
    policy = policy_for(envs, (4,))
    theta = policy.init(np.random.default_rng(0), dtype=np.float32)
    batch = play_episodes(envs, policy, theta, np.random.default_rng(0))
    again = play_episodes(envs, policy, theta, np.random.default_rng(0))
    envs.close()
    assert batch.obs.dtype == np.float32
    assert len(batch.rewards) <= 20
    assert batch.valid.sum(0).tolist() == batch.rewards.sum(0).tolist()
    assert (batch.terminated | batch.truncated).sum() == 3
    np.testing.assert_array_equal(batch.obs, again.obs)


@pytest.mark.equation("E01")
def test_games_on_the_real_frozen_lake_have_the_exact_mean():
    """400 episodes through Gymnasium's own environment against J of the table unrolled to its
    time limit; false alarm ≤ 1e-6, and a J off by 0.25 is refused."""
    policy = softmax_policy(16, 4)
    theta = np.zeros(policy.num_params)
    theta[2:64:4] = theta[1:64:4] = 1.5  # down or right
    envs = make_envs("FrozenLake-v1", 400, "sync", 30)
    batch = play_episodes(envs, policy, theta, np.random.default_rng(0))
    mdp = TabularMDP.from_env("FrozenLake-v1", 1.0).unroll(30)
    truth = exact.objective(mdp, policy.probs(theta, mdp.features))
    won = batch.rewards.sum(0)[:, None]
    assert check_mean(won, np.array([truth]), np.ones(1), 1e-6).accepted
    assert not check_mean(won, np.array([truth + 0.25]), np.ones(1), 1e-6).accepted


def test_sync_and_async_give_the_same_batch():
    batches = []
    for mode in ("sync", "async"):
        envs = make_envs("Acrobot-v1", 2, mode, 15)
        policy = policy_for(envs, ())
        theta = policy.init(np.random.default_rng(0))
        batches.append(play_episodes(envs, policy, theta, np.random.default_rng(1)))
        envs.close()
    np.testing.assert_array_equal(batches[0].obs, batches[1].obs)
    np.testing.assert_array_equal(batches[0].actions, batches[1].actions)


def test_the_environment_does_not_share_the_policy_s_stream():
    """Gymnasium's seed n is default_rng(n): were the two streams one, actions would foretell the
    transitions. A fair coin against a fair coin agrees in half of 20,000 steps: |z| < 5 fails
    by chance with probability 6e-7."""
    transition = np.full((2, 2, 2), 0.5)
    mdp = TabularMDP.from_arrays(transition, np.zeros((2, 2)), np.full(2, 0.5), 0.9)
    envs = TabularVectorEnv(mdp, 20_000, max_episode_steps=1)
    policy: Policy = softmax_policy(2, 2)
    for seed in (0, 1):
        batch = play_episodes(envs, policy, np.zeros(6), np.random.default_rng(seed))
        agree = (batch.actions[0] == batch.obs[1].argmax(-1)).mean()
        assert abs(agree - 0.5) < 5 * 0.5 / np.sqrt(20_000)
        starts = (batch.actions[0] == batch.obs[0].argmax(-1)).mean()
        assert abs(starts - 0.5) < 5 * 0.5 / np.sqrt(20_000)
