"""Tables from arrays, files and Gymnasium; unrolled; and as a vector environment."""

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, strategies as st
from strategies import RNGS, mdps

from minipg.problems.lqr import LQR
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact
from minipg.truth.check import check_mean

TABLES = ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1",
          "Taxi-v4"]  # fmt: skip


def arrays(n=3, a=2, seed=0):
    rng = np.random.default_rng(seed)
    transition, start = rng.dirichlet(np.ones(n), (n, a)), rng.dirichlet(np.ones(n))
    return transition, rng.standard_normal((n, a, n)), start


@pytest.mark.parametrize("name", TABLES)
def test_an_environment_s_table_entry_by_entry(name):
    env = gym.make(name).unwrapped
    mdp = TabularMDP.from_env(name, 0.9)
    np.testing.assert_array_equal(mdp.start, env.initial_state_distrib)
    got = Counter()
    for row, s2, p, r, end in zip(
        mdp.row, mdp.next_state, mdp.prob, mdp.reward, mdp.terminated, strict=True
    ):
        got[divmod(int(row), mdp.num_actions) + (int(s2), float(r), bool(end))] += p
    expected = Counter()
    for s, by_action in env.P.items():
        for a, entries in by_action.items():
            for p, s2, r, end in entries:
                expected[s, a, int(s2), float(r), bool(end)] += p
    assert got.keys() == expected.keys()
    assert all(got[k] == pytest.approx(expected[k], rel=1e-12) for k in expected)
    assert len(mdp.row) == len(expected)  # a next state that stands twice is summed


@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 999))
def test_from_arrays_expected_rewards_and_chain(n, a, seed):
    transition, reward, start = arrays(n, a, seed)
    mdp = TabularMDP.from_arrays(transition, reward, start, 0.9)
    np.testing.assert_allclose(mdp.expected_reward, (transition * reward).sum(-1))
    np.testing.assert_allclose(mdp.continuing.toarray(), transition.reshape(n * a, n))
    pi = np.random.default_rng(seed).dirichlet(np.ones(a), n)
    np.testing.assert_allclose(mdp.chain(pi).toarray(), np.einsum("sa,sat->st", pi, transition))
    two = TabularMDP.from_arrays(transition, (transition * reward).sum(-1), start, 0.9)
    np.testing.assert_allclose(two.expected_reward, mdp.expected_reward)


def test_entering_a_terminal_state_ends_and_its_rows_do_not_matter():
    transition, reward, start = arrays()
    terminal = np.array([False, False, True])
    mdp = TabularMDP.from_arrays(transition, reward, start, 1.0, terminal)
    transition[2], reward[2] = transition[2, :, ::-1], 99.0
    other = TabularMDP.from_arrays(transition, reward, start, 1.0, terminal)
    np.testing.assert_array_equal(mdp.prob, other.prob)
    np.testing.assert_array_equal(mdp.reward, other.reward)
    assert not mdp.continuing.toarray()[:, 2].any()
    assert mdp.expected_reward[2].tolist() == [0, 0]


def test_npz_holds_the_arguments_of_from_arrays(tmp_path):
    transition, reward, start = arrays()
    path, features = tmp_path / "table.npz", np.ones((3, 2))
    np.savez(path, transition=transition, reward=reward, start=start, gamma=0.5, features=features,
             terminal=np.array([False, True, False]))  # fmt: skip
    mdp = TabularMDP.from_npz(path)
    np.testing.assert_array_equal(mdp.features, features)
    assert mdp.gamma == 0.5
    assert not mdp.continuing.toarray()[:, 1].any()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"table\.npz: expected a whole \.npz file"):
        TabularMDP.from_npz(path)
    np.savez(path, transition=transition, reward=reward, start=start, gamma=2.0)
    with pytest.raises(ValueError, match=r"table\.npz: gamma: expected a number from 0 to 1"):
        TabularMDP.from_npz(path)
    np.savez(path, transition=transition)
    with pytest.raises(ValueError, match=r"table\.npz: lacks \['reward', 'start', 'gamma'\]"):
        TabularMDP.from_npz(path)


def test_tables_that_are_none_are_refused():
    p, r, start = arrays()
    short, negative, stuck = p.copy(), p.copy(), np.tile(np.eye(3)[:, None], (1, 2, 1))
    short[1, 1] *= 0.9
    negative[0, 0] = [-0.5, 0.5, 1.0]
    end = np.array([False, False, True])
    for arguments, message in (
        (
            (short, r, start, 0.9),
            "transition table: expected rows that sum to 1, that of state 1, action 1 sums to 0.9",
        ),
        ((negative, r, start, 0.9), "transition table: expected probabilities, got -0.5"),
        ((p * np.nan, r, start, 0.9), "transition: expected finite"),
        ((p, r * np.nan, start, 0.9), "reward: expected finite"),
        ((p, r, start * 2, 0.9), "start: expected a sum of 1, got 2"),
        ((p[0], r, start, 0.9), "transition: expected shape"),
        ((p[:, :, :2], r, start, 0.9), "reward: expected shape"),  # (A, S, S) then
        ((p[:, :, :1], r, start, 0.9), r"transition: expected shape .S, A, S., or .A, S, S."),
        ((p, r[:2], start, 0.9), "reward: expected shape"),
        ((p, r, start[:2], 0.9), "start: expected shape"),
        ((p, "many", start, 0.9), "reward: expected"),
        ((p, r, start, 1.5), "gamma: expected a number from 0 to 1"),
        ((p, r, start, -0.1), "gamma: expected a number from 0 to 1"),
        ((p, r, start, np.nan), "gamma: expected a number from 0 to 1"),
        ((p, r, start, 1.0), "gamma: without discount every state must reach an end"),
        ((stuck, r, start, 1.0, end), "2 never do, the first is 0"),
        ((p, r, start, 0.9, np.ones(3)), "terminal: expected booleans"),
        ((p, r, start, 0.9, end[:2]), "terminal: expected shape"),
        ((p, r, start, 0.9, end, np.ones((2, 2))), "features: expected shape"),
    ):
        with pytest.raises(ValueError, match=message):
            TabularMDP.from_arrays(*arguments)


@pytest.mark.parametrize("name", ["CartPole-v1", "NoSuchEnv-v0", "Blackjack-v1"])
def test_an_environment_without_a_table_is_refused(name):
    with pytest.raises(ValueError, match="env: .*CartPole|env: .*NoSuch|env: expected a table P"):
        TabularMDP.from_env(name, 0.9)


def fake_env(table, start):
    env = gym.Env()
    env.P, env.initial_state_distrib = table, start
    return env


class RaisesItems(dict):
    """A mapping of somebody's own."""

    def items(self):
        raise RuntimeError("no\nitems")


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_table_that_raises_on_being_read_is_told_with_its_place(error):
    class Raises(gym.Env):
        @property
        def P(self):
            raise error("no\ntable")

    wanted = rf"^environment: P raised {error.__name__}: no table \(.*test_mdp.py:\d+\)$"
    with pytest.raises(ValueError, match=wanted):
        TabularMDP.from_env(Raises(), 0.9)


@pytest.mark.parametrize("env", [3, None])
def test_what_is_no_environment_is_refused(env):
    with pytest.raises(ValueError, match=f"env: expected an environment or its name, got {env}"):
        TabularMDP.from_env(env, 0.9)


def test_an_environment_s_broken_table_is_refused():
    end = [(1.0, 0, 1.0, True)]
    for table, start, message in (
        ({0: {0: [(1.0, 0, np.nan, True)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [(1.0, 0, 10**400, True)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [("1.0", 0, 1.0, True)]}}, [1.0], "at state 0, action 0"),
        *(
            ({0: {0: [(1.0, 0, 1.0, odd)]}}, [1.0], "at state 0, action 0")
            for odd in ("False", np.nan, None, 2)
        ),
        ({0: RaisesItems({0: end})}, [1.0], r"reading them raised RuntimeError: no items \("),
        ({0: {0: [(1.0, 7, 1.0, True)]}}, [1.0], r"got \[\(1.0, 7, .* at state 0, action 0"),
        ({0: {0: end, 2: end}}, [1.0], "actions 0 … 1, .* at state 0, action 2"),
        ({0: {"left": end}}, [1.0], "at state 0, action 'left'"),
        ({0: {0: [(1.0, 0, 1.0, True, {})]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [(1.0, 0, 1.0)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [(1.0, 0, "x", True)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [(1.0, 0, None, True)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: [(1.0, [0], 1.0, True)]}}, [1.0], "at state 0, action 0"),
        ({0: {0: 5}}, [1.0], "got 5 at state 0, action 0"),
        ({0: {0: end}, "b": {0: [(1.0, "c", 1.0, True)]}}, [1, 0], "at state 'b', action 0"),
        ([5], [1.0], r"env: expected P\[state\]\[action\] .* TypeError: .*int"),
        (7, [1.0], "env: expected a table"),
        ([], [1.0], "env: expected a table"),
        ({0: {0: end}, 1: {0: end, 1: end}}, [1.0, 0.0], "state 0, action 1 sums to 0"),
        ({0: {0: end}}, [0.5, 0.5], "start: expected shape"),
        ({0: {0: end}}, [[1.0]], "start: expected shape"),
        ({}, [1.0], "env: expected a table"),
    ):
        with pytest.raises(ValueError, match=message):
            TabularMDP.from_env(fake_env(table, start), 0.9)


def test_tables_of_sequences_and_of_any_states_are_the_same_table():
    """Rows as lists, tuple states in their own order; whole numbers are places in any order."""
    lake = gym.make("FrozenLake-v1", is_slippery=True).unwrapped
    start = lake.initial_state_distrib
    lists = [list(actions.values()) for actions in lake.P.values()]
    corner = {s: divmod(s, 4) for s in lake.P}
    named = {corner[s]: {} for s in lake.P}
    for s, actions in lake.P.items():
        for a, outcomes in actions.items():
            named[corner[s]][a] = [(p, corner[s2], r, end) for p, s2, r, end in outcomes]
    turned = dict(reversed(lake.P.items()))
    wanted = TabularMDP.from_env(fake_env(lake.P, start), 0.9)
    for table in (lists, tuple(map(tuple, lists)), named, turned):
        got = TabularMDP.from_env(fake_env(table, start), 0.9)
        for name in ("row", "next_state", "prob", "reward", "terminated", "start"):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))


def test_a_file_is_named_once(tmp_path):
    with pytest.raises(
        ValueError, match=r"^(?!.*none.npz: .*none.npz).*none.npz: expected .*, there is none$"
    ):
        TabularMDP.from_npz(tmp_path / "none.npz")


def test_a_table_is_a_copy_that_cannot_be_changed():
    transition, reward, start = arrays()
    mdp = TabularMDP.from_arrays(transition, reward, start, 0.9)
    start[:] = 5
    assert mdp.start.sum() == pytest.approx(1)
    for array in (mdp.reward, mdp.prob, mdp.start, mdp.features):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    single = TabularMDP.from_arrays(transition.astype(np.float32), reward, mdp.start, 0.9)
    sums = np.bincount(single.row, single.prob)
    np.testing.assert_allclose(sums, 1, rtol=1e-15)


@given(mdps(), st.integers(1, 3))
def test_unrolled_values_are_those_of_a_finite_horizon(mdp, horizon):
    """By backward induction on the table itself, γ = 1 included."""
    pi = np.full((mdp.num_states, mdp.num_actions), 1 / mdp.num_actions)
    chain, reward = mdp.chain(pi).toarray(), (pi * mdp.expected_reward).sum(1)
    expected = np.zeros(mdp.num_states)
    for _ in range(horizon):
        expected = reward + mdp.gamma * chain @ expected
    unrolled = mdp.unroll(horizon)
    values = exact.state_values(unrolled, np.tile(pi, (horizon + 1, 1)))
    np.testing.assert_allclose(values[: mdp.num_states], expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(unrolled.features[-mdp.num_states :], mdp.features)
    assert unrolled.start[: mdp.num_states].tolist() == mdp.start.tolist()
    with pytest.raises(ValueError, match="horizon: expected"):
        mdp.unroll(0)


class OneEnv(gym.Env):
    """A vector environment of one, as the single environment that Gymnasium's checker takes."""

    def __init__(self, envs):
        self.envs = envs
        self.observation_space = envs.single_observation_space
        self.action_space = envs.single_action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        obs, info = self.envs.reset(seed=seed, options=options)
        self.np_random = self.envs.np_random
        return obs[0], info

    def step(self, action):
        obs, reward, terminated, truncated, info = self.envs.step(np.array([action]))
        return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), info


@pytest.mark.parametrize("name", ["FrozenLake-v1", "Taxi-v4"])
def test_the_vector_environment_passes_gymnasium_s_checks(name):
    envs = TabularVectorEnv(TabularMDP.from_env(name, 0.9), 1)
    check_env(OneEnv(envs), skip_render_check=True)
    envs = TabularVectorEnv(TabularMDP.from_env(name, 0.9), 3)
    wrapped = gym.wrappers.vector.RecordEpisodeStatistics(envs)  # reads metadata and the spaces
    obs, _ = wrapped.reset(seed=1)
    assert obs in wrapped.observation_space
    for _ in range(20):
        obs, *_ = wrapped.step(wrapped.action_space.sample())
        assert obs in wrapped.observation_space


@given(mdps(), RNGS)
def test_the_vector_environment_draws_the_table(mdp, rng):
    """Counts of (s′, r, end) from every state, empirical Bernstein, false alarm ≤ 1e-6 a check."""
    n = 4000
    envs = TabularVectorEnv(mdp, n)
    envs.reset(seed=int(rng.integers(2**31)))
    state = rng.integers(mdp.num_states, size=n)
    envs._state = state.copy()
    action = int(rng.integers(mdp.num_actions))
    obs, reward, terminated, truncated, info = envs.step(np.full(n, action))
    np.testing.assert_array_equal(obs, mdp.features[info["state"]])
    assert not truncated.any()
    for s in range(mdp.num_states):
        here = state == s
        for k in np.flatnonzero(mdp.row == s * mdp.num_actions + action):
            hit = here & (info["state"] == mdp.next_state[k]) & (terminated == mdp.terminated[k])
            hit &= reward == mdp.reward[k]
            verdict = check_mean(hit[here, None], mdp.prob[[k]], np.ones(1), 1e-6)
            assert verdict.accepted


def test_next_step_autoreset_time_limit_and_seed():
    mdp = TabularMDP.from_env("CliffWalking-v1", 0.9)
    envs = TabularVectorEnv(mdp, 2, max_episode_steps=2)
    envs.reset(seed=0)
    up = np.zeros(2, int)
    for step in range(6):
        _, reward, terminated, truncated, info = envs.step(up)
        assert not terminated.any()
        assert truncated.tolist() == [step % 3 == 1] * 2
        if step % 3 == 2:  # the reset is no transition
            assert reward.tolist() == [0, 0]
            assert info["state"].tolist() == [36, 36]
        else:
            assert reward.tolist() == [-1, -1]
    lake = TabularVectorEnv(TabularMDP.from_env("FrozenLake-v1", 0.9), 4)

    def play(seed):
        lake.reset(seed=seed)
        return [lake.step(np.full(4, 2))[4]["state"].tolist() for _ in range(30)]

    assert play(3) == play(3) != play(4)


def test_the_vector_environment_refuses_what_is_no_action():
    envs = TabularVectorEnv(TabularMDP.from_env("FrozenLake-v1", 0.9), 2)
    envs.reset(seed=0)
    for actions in (np.array([0, 4]), np.array([-1, 0]), np.array([0]), np.array([0.5, 0.5])):
        with pytest.raises(ValueError, match="actions: expected 2 whole numbers in 0 … 3"):
            envs.step(actions)
    with pytest.raises(ValueError, match="expected a reset before"):
        TabularVectorEnv(envs.mdp, 2).step(np.zeros(2, int))
    for arguments in ((0,), (2, -1), (2, 0)):
        with pytest.raises(ValueError, match="num_envs|max_episode_steps"):
            TabularVectorEnv(envs.mdp, *arguments)


def test_probabilities_that_were_computed_are_cleaned_of_rounding():
    """1 − 0.9 − 0.1 is −2.8e-17, 1 − 0.8 − 0.2 in float32 −1e-8; what is less is refused still."""
    for dtype, pair in (("f4", (0.8, 0.2)), ("f8", (0.9, 0.1))):
        nine, one = np.array(pair, dtype)
        row = np.array([nine, one, 1 - nine - one], dtype)
        assert row[2] < 0
        start = np.roll(row, 1)
        mdp = TabularMDP.from_arrays(np.tile(row, (3, 2, 1)), np.ones((3, 2)), start, 0.9)
        assert set(mdp.next_state) == {0, 1}
        assert mdp.prob.min() > 0.09
        assert mdp.start.tolist()[0] == 0
        np.testing.assert_allclose(exact.state_values(mdp, np.full((3, 2), 0.5)), 10, rtol=1e-6)
        pi = np.tile(row.astype(float), (3, 1))
        wide = TabularMDP.from_arrays(np.tile(row, (3, 3, 1)), np.ones((3, 3)), start, 0.9)
        np.testing.assert_allclose(exact.state_values(wide, pi), 10, rtol=1e-6)
    with pytest.raises(ValueError, match="transition table: expected probabilities, got -1e-05"):
        TabularMDP.from_arrays(np.tile([1 + 1e-5, -1e-5], (2, 1, 1)), np.ones((2, 1)),
                               np.eye(2)[0], 0.9)  # fmt: skip
    with pytest.raises(ValueError, match="start: expected probabilities"):
        TabularMDP.from_arrays(np.tile([1.0, 0], (2, 1, 1)), np.ones((2, 1)),
                               np.array([1 + 1e-5, -1e-5]), 0.9)  # fmt: skip
    with pytest.raises(ValueError, match="pi: expected rows of probabilities"):
        exact.state_values(mdp, np.tile([1 + 1e-5, -1e-5], (3, 1)))


def test_rewards_near_the_largest_float_have_values_or_a_word():
    """A norm of them is infinite; V of −1e300 is not."""
    transition = np.full((2, 2, 2), 0.5)
    reward = np.array([[-1.0, 0.0], [0.0, 2.0]])
    pi = np.full((2, 2), 0.5)
    for unit in (1e-300, 1e-170, 1e170, 1e300):
        small, large = (TabularMDP.from_arrays(transition, x * reward, np.eye(2)[0], 0.5)
                        for x in (1.0, unit))  # fmt: skip
        expected = unit * exact.state_values(small, pi)
        with np.errstate(all="raise", under="ignore"):
            np.testing.assert_allclose(exact.state_values(large, pi), expected, rtol=1e-10)
    reward = np.full((2, 2), -1e308)
    mdp = TabularMDP.from_arrays(transition, reward, np.eye(2)[0], 0.9)
    with pytest.raises(ValueError, match="rewards are too large"):
        exact.state_values(mdp, pi)


def test_a_table_leaves_the_caller_s_arrays_as_they_are():
    """Not frozen, not changed, and no view of them."""
    row, next_state, prob = np.array([1, 0]), np.array([0, 0]), np.array([1.0, 1.0])
    reward, end, start = np.array([5.0, 4.0]), np.array([True, True]), np.ones(1)
    features = np.ones((1, 2))
    given = (row, next_state, prob, reward, end, start, features)
    before = [x.copy() for x in given]
    mdp = TabularMDP.from_entries(row, next_state, prob, reward, end, start, 0.9, features, 2)
    for array, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, was)
        assert array.flags.writeable
    for own in (mdp.row, mdp.next_state, mdp.prob, mdp.reward, mdp.start, mdp.features):
        assert not any(np.shares_memory(own, array) for array in given)
        assert not own.flags.writeable


@pytest.mark.parametrize("drawn", [0.0, 1 - 2**-53])
def test_the_first_and_the_last_number_a_generator_draws_stay_within_their_row(drawn):
    """Many rows and rounding between: no draw picks an entry of the row beside it."""
    rng = np.random.default_rng(0)
    mdp = TabularMDP.from_arrays(rng.dirichlet(np.ones(7), (7, 3)), np.zeros((7, 3)),
                                 rng.dirichlet(np.ones(7)), 0.9)  # fmt: skip
    envs = TabularVectorEnv(mdp, 7)

    class Same:
        def random(self, n):
            return np.full(n, drawn)

    envs._np_random = Same()
    envs._state = envs._starts(7)
    assert (envs._state == (0 if drawn == 0 else 6)).all()
    for action in range(3):
        envs._state = np.arange(7)
        row = envs._state * 3 + action
        envs.step(np.full(7, action))
        entry = mdp.first[row] if drawn == 0 else mdp.first[row + 1] - 1
        np.testing.assert_array_equal(envs._state, mdp.next_state[entry])


def test_a_matrix_for_each_action_is_known_where_there_are_fewer_states_or_more():
    """(A, S, S) gives the table that (S, A, S) gives; a cube is (S, A, S), as documented."""
    rng = np.random.default_rng(0)
    for n, a in ((3, 2), (2, 5)):
        p, r = rng.dirichlet(np.ones(n), (n, a)), rng.standard_normal((n, a, n))
        start, pi = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(a), n)
        expected = exact.state_values(TabularMDP.from_arrays(p, r, start, 0.9), pi)
        other = (r.swapaxes(0, 1), r, (p * r).sum(2))
        for reward in other:
            mdp = TabularMDP.from_arrays(p.swapaxes(0, 1), reward, start, 0.9)
            assert mdp.num_actions == a
            np.testing.assert_allclose(exact.state_values(mdp, pi), expected, rtol=1e-10)
    cube = rng.dirichlet(np.ones(2), (2, 2))
    mdp = TabularMDP.from_arrays(cube, np.zeros((2, 2)), np.eye(2)[0], 0.9)
    np.testing.assert_allclose(mdp.continuing.toarray().reshape(2, 2, 2), cube)


def test_entries_of_the_table_are_vectors_of_places_that_there_are():
    """first has no place beyond the last row; (K, 1) is no vector; the largest index counts."""
    columns = ([0, 1], [0, 1], [1.0, 1.0], [0.0, 1.0], [True, True])
    mdp = TabularMDP.from_entries(*columns, [0.5, 0.5], 0.9, None, 1)
    assert mdp.first.tolist() == [0, 1, 2]
    given = dict(zip(("row", "next_state", "prob", "reward", "terminated"), columns, strict=True))
    rest = {"start": [0.5, 0.5], "gamma": 0.9, "given_features": None, "num_actions": 1}
    TabularMDP(**given, **rest)
    for name in ("row", "next_state"):
        with pytest.raises(ValueError, match=f"{name}: expected 0 … 1, got 0 … 7"):
            TabularMDP(**{**given, name: [0, 7]}, **rest)
    with pytest.raises(ValueError, match=r"row: expected shape \(2,\), got \(2, 1\)"):
        TabularMDP(**{name: np.array(x)[:, None] for name, x in given.items()}, **rest)


def lake_and_lqr(count):
    lqr = LQR(F=np.eye(2), G=np.ones((2, 1)), Q=np.eye(2), R=np.eye(1), W=np.eye(2),
              mean=np.ones(2), C=np.eye(2), gamma=0.9, horizon=3)  # fmt: skip
    return (
        (
            TabularVectorEnv(TabularMDP.from_env("FrozenLake-v1", 0.9), count, 7),
            np.zeros(count, int),
        ),
        (LQRVectorEnv(lqr, count), np.zeros((count, 1))),
    )


def test_a_reset_of_some_leaves_the_others_where_they_are():
    """As Gymnasium's reset_mask; an ended copy that is reset goes on playing, its clock at 0."""
    for envs, actions in lake_and_lqr(4):
        with pytest.raises(ValueError, match="reset_mask: expected all copies at the first reset"):
            envs.reset(options={"reset_mask": np.array([True, False, True, True])})
        envs.reset(seed=0, options={"reset_mask": np.ones(4, bool)})
        for _ in range(7):  # to the end of some
            before, _, terminated, truncated, _ = envs.step(actions)
        mask, ended = np.array([True, False, True, False]), terminated | truncated
        obs, _ = envs.reset(options={"reset_mask": mask})
        np.testing.assert_array_equal(obs[~mask], before[~mask])
        assert envs._steps[mask].tolist() == [0, 0]
        assert (envs._steps[~mask] > 0).all()
        np.testing.assert_array_equal(envs._ended, ended & ~mask)
        for bad in (mask[:3], np.zeros(4, bool), np.ones(4)):
            with pytest.raises(ValueError, match="reset_mask: expected 4 booleans, one True"):
                envs.reset(options={"reset_mask": bad})


def test_a_reset_is_told_what_it_cannot_use():
    for envs, _ in lake_and_lqr(3):
        envs.reset(seed=np.array(3))
        for options, message in (
            ({"options": [1]}, r"options: expected a dict, got \[1\]"),
            ({"seed": [1, 2]}, "seed: expected one for each of 3 copies"),
            ({"seed": [1, None, 2]}, "seed: expected a whole number .*, got None"),
            ({"seed": np.array(0.5)}, "seed: expected a whole number .*, got 0.5"),
            ({"seed": "abc"}, "seed: expected a whole number .*, got 'abc'"),
        ):
            with pytest.raises(ValueError, match=message):
                envs.reset(**options)


def test_an_lqr_that_leaves_the_numbers_says_so():
    """inf − inf would be NaN a step later, and a NaN state was one that had not begun."""
    envs = lake_and_lqr(2)[1][0]
    with pytest.raises(ValueError, match="envs: expected a reset before the first step"):
        envs.step(np.zeros((2, 1)))
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="reward .s or a is too large.: expected finite numbers"):
        envs.step(np.array([[1e308], [0.0]]))
    assert np.isfinite(envs.step(np.zeros((2, 1)))[0]).all()
    one = np.eye(1)
    envs = LQRVectorEnv(LQR(one, 1e300 * one, one, one, one, [0], one, 0.9, 3), 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="state: expected a finite one, left it by actions up"):
        envs.step(np.array([[1e10], [0.0]]))


def test_a_seed_for_each_copy_determines_all_of_them():
    for envs, actions in lake_and_lqr(3):

        def played(seed, envs=envs, actions=actions):
            envs.reset(seed=seed)
            return np.array([envs.step(actions)[0] for _ in range(9)])

        same = played([1, 2, 3])
        np.testing.assert_array_equal(played((1, 2, 3)), same)
        np.testing.assert_array_equal(played(np.array([1, 2, 3])), same)
        assert (played([1, 2, 4]) != same).any()
        assert (played([2, 1, 3]) != same).any()
        for wrong in ([1, 2], [1, 2, -1], [1, 2, None], "abc", -1, 1.0):
            with pytest.raises(ValueError, match="seed: expected"):
                envs.reset(seed=wrong)
