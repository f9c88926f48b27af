"""Environments of one's own: their keyword arguments, MultiDiscrete and MultiBinary actions."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import MultiBinary, MultiDiscrete
from test_resume import interrupt

from minipg.commands import evaluate, train
from minipg.commands.options import ALGORITHMS
from minipg.estimators.action_critics import make_critic
from minipg.experience.environments import adapt, make_envs, policy_for, to_env
from minipg.experience.rollout import play_episodes
from minipg.policies.multi_softmax import MultiSoftmax
from minipg.policies.policy_file import load_policy

ROOT = Path(__file__).parents[1]


class Dials(gym.Env):
    """Turn each dial to where the observation says it should be: the share that is right."""

    def __init__(self, space):
        self.observation_space = self.action_space = space

    def target(self):
        if isinstance(self.action_space, MultiBinary):
            return self.np_random.integers(0, 2, self.action_space.shape, np.int8)
        above = self.np_random.integers(self.action_space.nvec)
        return self.action_space.start + above

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.aim = 0, self.target()
        return self.aim, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        right, self.t, self.aim = (action == self.aim).mean(), self.t + 1, self.target()
        return self.aim, float(right), self.t == 5, False, {}


SPACES = [
    MultiDiscrete([2, 3], start=[-1, 4]),
    MultiBinary(3),
    MultiDiscrete([[2, 1], [1, 2]], start=[[0, 7], [-3, 5]]),
    MultiBinary((1, 2)),
]


def dials(space, count):
    return adapt(gym.vector.SyncVectorEnv([lambda: Dials(space)] * count))


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.pitfall(26)
def test_every_action_reaches_the_environment_from_its_start_in_its_shape(space):
    """All of them, each once: in the space, and none twice."""
    envs = dials(space, 3)
    head = policy_for(envs, ()).head
    nvec = np.broadcast_to(getattr(space, "nvec", 2), space.shape)
    assert head == MultiSoftmax(tuple(nvec.ravel()))
    every = np.stack(np.meshgrid(*map(np.arange, head.nvec), indexing="ij"), -1)
    told = to_env(envs, every.reshape(-1, len(head.nvec)))
    assert all(space.contains(a) for a in told)
    assert len({a.tobytes() for a in told}) == len(told) == np.prod(head.nvec)


DIALS, BITS = SPACES[:2]
A2C = {"n_steps": 4, "learning_rate": 0.1, "critic_learning_rate": 0.1}
METHODS = [  # name, action space, options
    ("reinforce", DIALS, {"learning_rate": 0.1}),
    ("cem", BITS, {"std": 4.0, "population": 20, "elite": 4}),
    ("npg", BITS, {"n_steps": 8, "delta": 0.05}),
    ("trpo", DIALS, {"n_steps": 16, "delta": 0.2}),
    ("ppo", BITS, {"n_steps": 16, "learning_rate": 0.05}),
    ("acktr", DIALS, {"n_steps": 16, "delta": 0.2}),
    ("actor_critic", BITS, A2C),
    ("actor_critic", DIALS, {**A2C, "critic": "compatible"}),
    ("actor_critic", BITS, {**A2C, "shared": True}),
]


@pytest.mark.parametrize(("name", "space", "options"), METHODS, ids=str)
def test_each_algorithm_learns_every_dimension(name, space, options):
    """From the chance of 1/2 or less to above 0.85 of what can be had, by mere search above 0.6."""
    run, kind = ALGORITHMS[name]
    envs, rng = dials(space, 8), np.random.default_rng(0)
    own = {k: v for k, v in options.items() if k != "shared"}
    if name != "cem":
        own["gamma"] = 0.0  # a dial has no consequences
    policy = policy_for(envs, (), value_head="shared" in options)
    first = policy.init(rng, dtype=np.float32)
    last, _ = list(run(envs, policy, first, kind(**own), 4000, rng))[-1]
    before, after = (
        play_episodes(dials(space, 100), policy, theta, rng).rewards.sum(0).mean() / 5
        for theta in (first, last.theta)
    )
    assert before < 0.6
    assert after > (0.6 if name == "cem" else 0.85)


def test_a_q_critic_is_refused():
    with pytest.raises(ValueError, match="expected Discrete actions for q, got MultiSoftmax"):
        make_critic("q", policy_for(dials(BITS, 1), ()))


# keyword arguments


def example():
    """The documentation's environment of one's own, and the commands that use it."""
    text = "\n".join(path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md")))
    code = re.search("```python\n(# lights.py\n.*?)```", text, re.DOTALL)[1]
    commands = re.findall(r"^\s*(minipg (?:train|evaluate) .*\blights.*)$", text, re.MULTILINE)
    return code, [shlex.split(command) for command in commands]


@pytest.fixture
def lights(tmp_path, monkeypatch):
    (tmp_path / "lights.py").write_text(example()[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    gym.registry.pop("Lights-v0", None)
    sys.modules.pop("lights", None)


def test_the_documented_environment_trains_by_the_documented_commands(lights):
    _, commands = example()
    assert {words[1] for words in commands} == {"train", "evaluate"}
    for words in commands:
        done = subprocess.run([sys.executable, "-m", *words], check=True, text=True,
                              capture_output=True)  # fmt: skip
        mean = float(re.search(r"mean return +(\S+) ", done.stdout)[1])
        assert mean > 57  # of 60


def test_keyword_arguments_go_to_the_environment_the_folder_evaluation_and_resumption(
    tmp_path, lights, capsys
):
    words = ["ppo", "lights:Lights-v0", "--env-kwargs", '{"n": 3}', "--steps", "4000",
             "--n-steps", "32"]  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train.main([*words, "--out", str(whole)]) == 0
    assert json.loads((whole / "config.json").read_text())["env_kwargs"] == {"n": 3}
    policy, _ = load_policy(whole / "parameters.npz")
    assert (policy.network.sizes[0], policy.head) == (3, MultiSoftmax((2, 2, 2)))
    interrupt(cut, words, 2)
    assert json.loads((cut / "config.json").read_text())["env_kwargs"] == {"n": 3}
    assert train.main(["--resume", str(cut)]) == 0
    assert load_policy(cut / "parameters.npz")[0] == policy
    capsys.readouterr()
    assert evaluate.main([str(whole), "--json"]) == 0
    result = json.loads((whole / "result.json").read_text())
    assert json.loads(capsys.readouterr().out)["mean_return"] == result["mean_return"]


def test_keyword_arguments_reach_a_vectorised_environment_and_change_it():
    """Sutton and Barto's CartPole gives 0 a step and −1 at the end."""
    for mode in (None, "sync"):
        envs = make_envs("CartPole-v1", 4, mode, 50, env_kwargs={"sutton_barto_reward": True})
        policy = policy_for(envs, ())
        batch = play_episodes(envs, policy, np.zeros(policy.num_params), np.random.default_rng(0))
        np.testing.assert_array_equal(batch.rewards.sum(0), -batch.terminated.sum(0).astype(float))


def test_a_run_of_before_there_were_keyword_arguments_is_evaluated(tmp_path, lights):
    run = tmp_path / "run"
    assert train.main(["reinforce", "lights:Lights-v0", "--steps", "300", "--out", str(run)]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config.pop("env_kwargs") == {}
    (run / "config.json").write_text(json.dumps(config))
    assert evaluate.main([str(run)]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"n": 3', "env-kwargs"), ("[1]", "env-kwargs"), ("n=3", "env-kwargs"), ("", "env-kwargs"),
     ('{"n": NaN}', "env-kwargs"), ('{"n": 1e999}', "env-kwargs"),
     ('{"m": 3}', "with {'m': 3}: TypeError: .* unexpected keyword argument 'm'"),
     ('{"n": "x"}', "with {'n': 'x'}: "),
     ('{"n": 0}', "with {'n': 0}: (being made it raised )?(ValueError: n |AssertionError)"),
     ('{"num_envs": 3}', "multiple values for argument 'num_envs'"),
     ('{"id": "CartPole-v1"}', "multiple values for argument 'id'")],
)  # fmt: skip
def test_nonsense_is_one_line_and_status_2(tmp_path, lights, capsys, text, message):
    words = ["ppo", "lights:Lights-v0", "--env-kwargs", text, "--out", str(tmp_path / "run")]
    try:
        status = train.main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    assert status == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_environment_that_cannot_be_imported_or_made_is_one_line(tmp_path, lights, capsys):
    broken = tmp_path / "broken_env.py"
    for text, message in (("x = (", "SyntaxError"), ("1 / 0", "ZeroDivisionError"),
                          ("import no_such", "No module named"), ("", "Broken")):  # fmt: skip
        broken.write_text(text)
        assert train.main(["ppo", "broken_env:Broken-v0"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("minipg train: env 'broken_env:Broken-v0': ")
        assert message in error
        assert error.count("\n") == 1
        sys.modules.pop("broken_env", None)


def test_more_copies_than_are_ever_meant_are_refused_at_once(tmp_path, capsys):
    assert train.main(["ppo", "CartPole-v1", "--num-envs=1e6", f"--out={tmp_path / 'run'}"]) == 2
    assert "--num-envs: expected a whole number from 1 to 65536, got" in capsys.readouterr().err
