"""The exact mean return that evaluation tells: where there is a table, and where it is not told."""

import json

import gymnasium as gym
import pytest
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from minipg.commands import evaluate, train


def within_fifty():
    return gym.wrappers.TimeLimit(gym.make("CliffWalking-v1"), 50)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("FrozenLake-v1", []),
        ("FrozenLake-v1", ["--deterministic"]),
        ("Within-v0", []),
    ],
)
@pytest.mark.parametrize("limit", [[], ["--max-episode-steps", "30"]])
def test_evaluate_says_the_exact_mean_where_a_table_knows_it(tmp_path, capsys, env, limit, words):
    """Within four standard errors of the sampled one: a false alarm in 16,000."""
    gym.register("Within-v0", within_fifty, max_episode_steps=200)
    try:
        run = str(tmp_path / "run")
        options = ["--steps", "3000", *limit, "--evaluation-episodes", "0", "--out", run]
        assert train.main(["ppo", env, *options]) == 0
        capsys.readouterr()
        assert evaluate.main([run, "--episodes", "500", "--json", *words]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert 0 < abs(shown["mean_return"] - shown["exact_return"]) < 4 * shown["stderr"]
        between = (shown["mean_return"] + shown["exact_return"]) / 2  # the exact one's verdict
        config = tmp_path / "run" / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "threshold": between}))
        assert evaluate.main([run, "--episodes", "500", *words]) == 0
    finally:
        gym.registry.pop("Within-v0")
    reached = "reached" if shown["exact_return"] > between else "not reached"
    told = capsys.readouterr().out
    assert f"exactly      {shown['exact_return']:.6g}, by the environment's table\n" in told
    assert told.endswith(f"threshold    {between:g}, {reached}\n")


class Costly(FrozenLakeEnv):
    """Its table is its parent's; a step costs 1."""

    def __init__(self, cost=1):
        super().__init__()
        self.cost = cost

    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, reward - self.cost, *rest


class Elsewhere(FrozenLakeEnv):
    """It begins beside the goal."""

    def reset(self, **options):
        _, info = super().reset(**options)
        self.s = 14
        return 14, info


class Coarse(gym.Env):
    """What it shows is the row, of 4, not the state of its table."""

    def __init__(self):
        self.lake = FrozenLakeEnv()
        self.P, self.initial_state_distrib = self.lake.P, self.lake.initial_state_distrib
        self.observation_space = gym.spaces.Discrete(4)
        self.action_space = self.lake.action_space

    def reset(self, **options):
        obs, info = self.lake.reset(**options)
        return obs // 4, info

    def step(self, action):
        obs, *rest = self.lake.step(action)
        return obs // 4, *rest


class Twice(gym.wrappers.TimeLimit):
    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, 2 * reward, *rest


def doubled():
    return Twice(gym.make("FrozenLake-v1"), 20)


def halved():
    return gym.wrappers.TransformReward(gym.make("FrozenLake-v1"), lambda r: r / 2)


FICKLE = ["--env-kwargs", '{"fickle_passenger": true}']


@pytest.mark.parametrize(
    ("entry_point", "more"),
    [
        (halved, []),
        (doubled, []),
        (Costly, []),
        (Elsewhere, []),
        (Coarse, []),
        ("gymnasium.envs.toy_text.taxi:TaxiEnv", FICKLE),
    ],
)
def test_what_plays_otherwise_than_its_table_is_not_told_exactly(tmp_path, entry_point, more):
    gym.register("Otherwise-v0", entry_point, max_episode_steps=20)
    try:
        run = tmp_path / "run"
        words = ["npg", "Otherwise-v0", "--steps", "300", "--evaluation-episodes", "2", *more]
        assert train.main([*words, "--out", str(run)]) == 0
        assert json.loads((run / "result.json").read_text())["exact_return"] is None
    finally:
        gym.registry.pop("Otherwise-v0")
