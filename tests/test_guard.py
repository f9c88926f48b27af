"""An environment that does not keep to what it declared: one line names what, by whom, and how."""

import importlib
import io
import multiprocessing
import signal
import sys
import time
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple

from minipg.commands import cli, evaluate, train
from minipg.experience.declared import fits
from minipg.experience.environments import adapt, make_envs, policy_for, to_env
from minipg.problems import faults

ROOT = Path(__file__).parents[1]
DEEP = Dict({"a": Discrete(3), "b": Tuple([Box(-1, 1, (2,)), MultiDiscrete([2, 2])])})
BOX = Box(-1, 1, (3,))


class Unfit(Exception):
    """It cannot leave its process."""

    def __reduce__(self):
        raise TypeError("no")


class Own(gym.Env):
    """Its third step does or returns what `wrong` says."""

    def __init__(self, wrong=None, at="step", space=BOX):
        self.observation_space, self.action_space = space, Discrete(2)
        self.wrong, self.at, self.t = WRONG[wrong] if wrong else (lambda _: _), at, 0

    def _maybe(self, got, at):
        return self.wrong(got) if self.at == at and (at != "step" or self.t == 3) else got

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._maybe((self._obs(), {"episode": 1}), "reset")

    def _obs(self):
        if isinstance(self.observation_space, Dict):
            return {"a": 2, "b": (np.zeros(2, np.float32), np.zeros(2, np.int64))}
        return np.zeros(3, np.float32)

    def step(self, action):
        self.t += 1
        return self._maybe((self._obs(), 1.0, False, self.t == 5, {"episode": {"r": 1}}), "step")

    def close(self):
        self._maybe(None, "close")


def raises(error):
    def wrong(_):
        raise error

    return wrong


def told(place, value):
    """The tuple with this value at that place."""
    return lambda got: (*got[:place], value, *got[place + 1 :])


WRONG = {
    "raises": raises(ZeroDivisionError("by\nzero")),
    "exits": raises(SystemExit("bye")),
    "unfit": raises(Unfit("mine")),
    "nothing": lambda _: None,
    "four": lambda got: got[:4],
    "reward (1,)": told(1, np.ones(1)),
    "reward text": told(1, "1.0"),
    "reward none": told(1, None),
    "reward huge": told(1, 1e300),
    "reward nan": told(1, np.nan),
    "terminated none": told(2, None),
    "truncated array": told(3, np.zeros(1, bool)),
    "terminated 2": told(2, 2),
    "observation (2,)": told(0, np.zeros(2)),
    "observation text": told(0, "up"),
    "observation none": told(0, None),
    "observation rows": told(0, [[1.0], [1.0, 2.0], 3.0]),
    "observation huge": told(0, np.full(3, 1e200)),
    "observation far": told(0, np.array([0, 1e38, 0], np.float32)),
    "observation key": told(0, {"a": 2}),
    "observation of 7": told(0, {"a": 7, "b": (np.zeros(2, np.float32), np.zeros(2, np.int64))}),
    "sleeps": lambda got: time.sleep(60),
}


@pytest.fixture(autouse=True)
def own():
    gym.register("Own-v0", Own, max_episode_steps=9)
    yield
    gym.registry.pop("Own-v0")


CASES = [
    ("raises", r"environment: step raised ZeroDivisionError: by zero \(.*test_guard.py:\d+\)$"),
    ("exits", r"environment: step raised SystemExit: bye \(.*test_guard.py:\d+\)$"),
    ("unfit", r"environment: step raised Unfit: mine \(.*test_guard.py:\d+\)$"),
    ("nothing", "environment: step raised TypeError.*; expected of reset .*, of step "),
    ("four", "environment: step raised ValueError.*; expected of reset .*, of step "),
    ("reward (1,)", r"reward: expected a number, got shape \(1,\), array\(\[1.\]\)"),
    ("reward text", "reward: expected a number, got '1.0'"),
    ("reward none", "reward: expected a number, got None"),
    ("reward huge", r"reward: expected finite numbers to 1.8e\+19, got 1e\+300 in env.* 0 at step"),
    ("reward nan", "reward: expected finite numbers to .*, got nan in environment 0 at step 3"),
    ("terminated none", "terminated: expected True or False, got None"),
    ("truncated array", r"truncated: expected True or False, got shape \(1,\)"),
    ("terminated 2", "terminated: expected True or False, got 2"),
    ("observation (2,)", r"observation: expected shape \(3,\), got shape \(2,\)"),
    ("observation text", r"observation: expected one of Box\(.*, got 'up'"),
    ("observation none", r"observation: expected one of Box\(.*, got None"),
    ("observation rows", r"observation: expected one of Box\(.*, got \[\[1.0\], \["),
    ("observation huge", r"observation: expected finite numbers to .*, got \["),
    ("observation far", r"observation: expected finite numbers to .*, got \["),
]


def play(envs, steps=9):
    envs.reset(seed=0)
    for _ in range(steps):
        envs.step(np.zeros(2, int))


@pytest.mark.parametrize(("wrong", "message"), CASES)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_what_an_environment_does_is_told_by_name(wrong, message, mode):
    """Whatever the vector mode; a worker's own traceback is not what is told."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # as the command's process
        envs = make_envs("Own-v0", 2, mode, env_kwargs={"wrong": wrong})
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=message):
            play(envs)
        for process in getattr(envs.unwrapped, "processes", []):
            process.kill()
            process.join()
    envs.unwrapped.closed = True


@pytest.mark.parametrize(("wrong", "message"), [
    ("raises", "environment: reset raised ZeroDivisionError"),
    ("nothing", "environment: expected of reset .*, got NoneType"),
    ("observation (2,)", "observation: expected shape"),
])  # fmt: skip
def test_a_reset_is_told_as_a_step_is(wrong, message):
    with pytest.raises(ValueError, match=message):
        play(make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": wrong, "at": "reset"}))


@pytest.mark.parametrize(("wrong", "message"), [
    (None, None),
    ("observation key", "observation: expected one of Dict"),
    ("observation of 7", "observation: expected one of Dict"),
])  # fmt: skip
def test_nested_observations_are_of_their_space(wrong, message):
    envs = make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": wrong, "space": DEEP})
    if message is None:
        play(envs)
        return
    with pytest.raises(ValueError, match=message):
        play(envs)


def test_bounds_are_not_held_against_an_observation_and_flags_may_be_numbers():
    """Gymnasium's own environments leave their bounds, and some return 0 and 1."""
    WRONG["lenient"] = lambda got: (np.full(3, 5.0), np.array(2), 0, np.bool_(True), "no dict")
    envs = make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": "lenient"})
    envs.reset(seed=0)
    for _ in range(3):
        obs, rewards, terminated, truncated, _ = envs.step(np.zeros(2, int))
    assert (obs.max(), rewards.max()) == (5, 2)
    assert truncated.all()
    assert not terminated.any()


def test_what_is_not_used_stops_nothing():
    """An info that is no dictionary's, and statistics recorded below."""
    envs = adapt(gym.vector.SyncVectorEnv(
        [lambda: gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1"))] * 2))  # fmt: skip
    play(envs, 30)
    play(make_envs("Own-v0", 2, "sync"))


def test_an_environment_that_fails_to_close_loses_nothing(tmp_path):
    """A finished training has its result, an evaluation its figures."""
    run = tmp_path / "run"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert train.main(["ppo", "Own-v0", "--steps", "99", "--num-envs", "2", "--n-steps", "8",
                           "--evaluation-episodes", "2", "--out", str(run),
                           "--env-kwargs", '{"wrong": "raises", "at": "close"}']) == 0  # fmt: skip
        assert evaluate.main([str(run), "--episodes", "2"]) == 0
    texts = {str(one.message) for one in said}
    assert any("environment: close raised ZeroDivisionError" in text for text in texts)
    assert (run / "result.json").exists()


@pytest.mark.parametrize("wrong", ["raises", "exits", "four", "reward text", "observation none"])
def test_the_evaluation_is_guarded_as_the_training_is(tmp_path, capsys, wrong):
    run = tmp_path / "run"
    words = ["ppo", "Own-v0", "--steps", "99", "--num-envs", "2", "--n-steps", "8"]
    assert train.main([*words, "--evaluation-episodes", "0", "--out", str(run)]) == 0
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(
        config.replace('"env_kwargs": {}', f'"env_kwargs": {{"wrong": "{wrong}"}}')
    )
    assert evaluate.main([str(run), "--episodes", "2"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("minipg evaluate: ") and "expected" in error or "raised" in error


def test_a_worker_that_never_answers_is_told_and_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faults, "SECONDS", 2.0)
    words = ["ppo", "Own-v0", "--steps", "99", "--num-envs", "2", "--n-steps", "8", "--mode"]
    run, stuck = tmp_path / "run", ["--env-kwargs", '{"wrong": "sleeps"}']
    assert train.main([*words, "async", *stuck, "--out", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "environment: step got no answer from a worker process within 2 s" in error
    assert not multiprocessing.active_children()


class Hangs(Own):
    """In its worker process it never comes back from being made, or from being closed."""

    def __init__(self, at):
        super().__init__()
        self.at = at
        self._maybe_hang("made")

    def _maybe_hang(self, at):
        if self.at == at and multiprocessing.parent_process():
            time.sleep(60)

    def close(self):
        self._maybe_hang("closed")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # pytest-xdist's threads
def test_a_worker_that_hangs_on_being_made_or_closed_costs_no_result(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faults, "SECONDS", 2.0)
    gym.register("Hangs-v0", Hangs, max_episode_steps=9)
    words = ["ppo", "Hangs-v0", "--steps", "16", "--num-envs", "2", "--n-steps", "8", "--mode",
             "async", "--evaluation-episodes", "2"]  # fmt: skip
    assert train.main([*words, "--env-kwargs", '{"at": "made"}', "--out", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "environment: being made got no answer from a worker process within 2 s" in error
    words += ["--env-kwargs", '{"at": "closed"}', "--out", str(tmp_path / "b")]
    with pytest.warns(UserWarning, match="close got no answer from a worker process within 2 s: i"):
        assert train.main(words) == 0
    assert (tmp_path / "b" / "result.json").exists()
    assert not multiprocessing.active_children()
    gym.registry.pop("Hangs-v0")


class Steps(CartPoleVectorEnv):
    """Copies that step themselves, wrongly."""

    wrong = staticmethod(lambda got: got)

    def step(self, actions):
        return Steps.wrong(super().step(actions))


@pytest.mark.parametrize(("place", "value", "message"), [
    (0, np.zeros((4, 2)), r"observation: expected shape \(2, 4\), got shape \(4, 2\)"),
    (1, np.zeros((2, 1)), r"reward: expected 2 numbers, got shape \(2, 1\)"),
    (1, ["a", "b"], r"reward: expected 2 numbers, got \['a', 'b'\]"),
    (1, [[1.0], [1.0, 2.0]], r"reward: expected 2 numbers, got \[\[1.0\], \[1.0, 2.0\]\]"),
    (2, np.zeros(2), r"terminated: expected 2 booleans, got shape \(2,\), array\(\[0., 0.\]\)"),
    (2, [[True], []], r"terminated: expected 2 booleans, got \[\[True\], \[\]\]"),
    (3, np.zeros(3, bool), r"truncated: expected 2 booleans, got shape \(3,\)"),
    (4, {"episode": {"r": 1}}, None),
])  # fmt: skip
def test_copies_that_step_themselves_are_held_to_it_too(monkeypatch, place, value, message):
    monkeypatch.setattr(Steps, "wrong", told(place, value))
    envs = adapt(Steps(2))
    if message is None:
        play(envs)
        return
    with pytest.raises(ValueError, match=message):
        play(envs)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_an_integer_box_gets_the_nearest_integer_in_its_bounds(dtype):
    """σ = 2 on Box(−5, 5, int32): every integer as often as the Gaussian has it nearest."""
    info = np.iinfo(dtype)
    for low, high in ((info.min, info.max), (max(info.min, -5), 5)):
        space = Box(low, high, (1,), dtype)
        envs = adapt(gym.vector.SyncVectorEnv([lambda space=space: Acts(space)] * 5))
        got = to_env(envs, np.array([[-1e30], [1e30], [0.5], [1.5], [-0.6]]))
        assert got.dtype == dtype
        wanted = [low, high, 0, 2, max(low, -1)]
        assert got.ravel().tolist() == wanted
        assert all(space.contains(x) for x in got)


class Acts(gym.Env):
    observation_space = BOX

    def __init__(self, space):
        self.action_space, self.came = space, []

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.came.append(action)
        return np.zeros(3, np.float32), 0.0, False, False, {}


BOUNDS = [
    (dtype, *bounds)
    for dtype in (np.float16, np.float32, np.float64)
    for bounds in ((0.1, 0.7), (-1e-3, 1e-3), (3.3, 3.4), (-3e4, 2e4))
] + [(np.float32, -3e38, 3e38), (np.float64, -1e308, 1e308), (np.float32, 1e-30, 3e-30)]


@pytest.mark.parametrize(("dtype", "low", "high"), BOUNDS)
def test_rescaled_actions_stay_in_their_bounds_whatever_they_round_to(dtype, low, high):
    space = Box(low, high, (1,), dtype)
    if dtype is np.float16 and high < 1e-20 or dtype is np.float16 and low == 3.3:
        with pytest.raises(
            ValueError, match=r"expected bounds that \[-1, 1\] maps onto in float16"
        ):
            adapt(gym.vector.SyncVectorEnv([lambda: Acts(space)]), rescale_actions=True)
        return
    envs = adapt(gym.vector.SyncVectorEnv([lambda: Acts(space)]), rescale_actions=True)
    envs.reset()
    for action in (-1.0, 1.0, -1e30, 1e30, 0.3):
        envs.step(to_env(envs, np.array([[action]])))
    came = envs.unwrapped.envs[0].unwrapped.came
    assert all(space.contains(x) for x in came)
    assert [came[0], came[1]] == [came[2], came[3]]
    ends = np.array([low, high]) / np.abs([low, high]).max()
    np.testing.assert_allclose(came[:2] / np.abs(came[:2]).max(), ends[:, None], atol=0.01)


@pytest.mark.parametrize(("dtype", "most"), [(np.float16, 1e-7), (np.float32, 1e-40),
                                             (np.float64, 1e-320)])  # fmt: skip
def test_rescaled_actions_are_refused_where_their_range_is_no_number(dtype, most):
    envs = gym.vector.SyncVectorEnv([lambda: Acts(Box(-most, most, (1,), dtype))])
    with pytest.raises(ValueError, match=r"expected bounds that \[-1, 1\] maps onto in float"):
        adapt(envs, rescale_actions=True)


def test_as_many_copies_as_were_asked_for():
    made = gym.envs.registration.EnvSpec("Two-v0", vector_entry_point=lambda num_envs: Steps(2))
    gym.registry["Two-v0"] = made
    with pytest.raises(ValueError, match="env 'Two-v0': expected 3 copies, it made 2"):
        make_envs("Two-v0", 3)
    gym.registry.pop("Two-v0")


def test_infinity_in_half_precision_is_told():
    space = Box(-1, 1, (3,), np.float16)
    WRONG["half"] = told(0, np.array([0, np.inf, 0], np.float16))
    with pytest.raises(ValueError, match="observation: expected finite numbers to .*inf"):
        play(make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": "half", "space": space}))


@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
def test_rescaled_actions_are_refused_of_integers(dtype):
    envs = gym.vector.SyncVectorEnv([lambda: Acts(Box(0, 5, (1,), dtype))])
    with pytest.raises(ValueError, match="rescale_actions: expected a bounded Box of floating"):
        adapt(envs, rescale_actions=True)


def test_a_module_that_exits_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit('bye')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert train.main(["ppo", "leaves:My-v0"]) == 2
    error = capsys.readouterr().err
    assert "env 'leaves:My-v0': being made it raised SystemExit: bye (" in error
    assert error.endswith("leaves.py:2)\n")
    assert "leaves" not in sys.modules


def test_the_standard_streams_are_put_back_and_where_closed_that_is_told(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    WRONG["takes stdout"] = lambda got: (setattr(sys, "stdout", None), got)[1]
    WRONG["closes stdout"] = lambda got: (sys.stdout.close(), got)[1]
    play(make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": "takes stdout"}))
    assert sys.stdout is out
    with pytest.raises(ValueError, match="^environment: step closed sys.stdout or sys.stderr$"):
        play(make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": "closes stdout"}))


@pytest.mark.parametrize("name", ["observation", "action"])
def test_a_space_that_holds_nothing_is_named(name):
    env = Acts(Box(-1, 1, (2,)))
    setattr(env, f"{name}_space", Box(-1, 1, (0,)))
    envs = gym.vector.SyncVectorEnv([lambda: env])
    with pytest.raises(ValueError, match=f"^{name} space: expected one that holds a number, got B"):
        policy_for(adapt(envs), (8,))


def test_what_an_environment_sets_of_numpy_is_put_back():
    """np.seterr(all="raise") in it would make an underflow of ours an error."""
    WRONG["strict"] = lambda got: (np.seterr(all="raise"), got)[1]
    with np.errstate(all="ignore"):
        play(make_envs("Own-v0", 2, "sync", env_kwargs={"wrong": "strict"}))
        assert np.geterr()["under"] == "ignore"


@pytest.mark.parametrize(("raised", "message"), [
    (ZeroDivisionError("by\nzero"), r"being made it raised ZeroDivisionError: by zero \(.*guard"),
    (GeneratorExit(), r"being made it raised GeneratorExit: "),
    (RuntimeError("x" * 999), r"being made it raised RuntimeError: x{300} … \("),
])  # fmt: skip
def test_what_making_an_environment_raises_is_told_with_its_place(monkeypatch, raised, message):
    def make(self, *args, **more):
        raise raised

    monkeypatch.setattr(Own, "__init__", make)
    with pytest.raises(ValueError, match=f"env 'Own-v0': {message}"):
        make_envs("Own-v0", 2, "sync")


@pytest.mark.parametrize(("space", "good", "bad"), [
    (gym.spaces.Box(0, 5, (2,), np.int8), [1, 2], [300, 0]),
    (gym.spaces.Box(0, 5, (2,), np.uint8), np.array([1, 2]), np.array([-1, 0])),
    (gym.spaces.Box(0, 5, (2,), np.int64), [True, False], [0.5, 0]),
    (gym.spaces.Box(-1, 1, (2,), np.float32), [1, 2], [1j, 2]),
    (gym.spaces.Box(-1, 1, (2,), np.float16), np.ones(2), ["1", "2"]),
    (gym.spaces.Box(-1, 1, (), np.float32), 0.5, [0.5]),
    (gym.spaces.MultiBinary(2), np.array([1, 0]), np.array([np.nan, 0])),
    (gym.spaces.MultiDiscrete([2, 3]), np.array([1, 2]), np.array([1, 3])),
    (gym.spaces.Tuple([gym.spaces.Discrete(2)] * 2), (0, 1), (0, 2)),
    (gym.spaces.Dict(a=gym.spaces.Box(0, 1, (1,))), {"a": [0.5]}, {"a": [0.5], "b": 1}),
], ids=str)  # fmt: skip
def test_numbers_of_another_kind_are_of_a_box_where_nothing_is_lost(space, good, bad):
    """No integer that wraps, no fraction cut, no complex part dropped."""
    assert fits(space, good)
    assert not fits(space, bad)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("reward_threshold", "high", "reward_threshold of Own-v0: expected a number, got 'high'"),
    ("reward_threshold", float("nan"), "reward_threshold of Own-v0: expected a number, got nan"),
])  # fmt: skip
def test_what_an_environment_declares_is_checked_on_the_way_in(tmp_path, capsys, name, value,
                                                              message):  # fmt: skip
    setattr(gym.registry["Own-v0"], name, value)
    assert train.main(["ppo", "Own-v0", "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("declared", "message"), [
    ({"render_modes": None}, "expected an environment that draws rgb_array, got None"),
    ({"render_fps": 0}, "render_fps of Own-v0: expected a number from 0.001 to 1000, got 0"),
    ({"render_fps": "30"}, "render_fps of Own-v0: expected a number from 0.001 to 1000, got '30'"),
])  # fmt: skip
def test_frames_that_cannot_be_timed_are_refused_before_an_episode(
    tmp_path, capsys, monkeypatch, declared, message
):
    run = tmp_path / "run"
    assert train.main(["ppo", "Own-v0", "--steps=99", "--num-envs=2", "--n-steps=8",
                       "--evaluation-episodes=0", "--out", str(run)]) == 0  # fmt: skip
    monkeypatch.setattr(Own, "metadata", {"render_modes": ["rgb_array"]} | declared)
    monkeypatch.setattr(Own, "step", raises(AssertionError("played")), raising=False)
    film = tmp_path / "film.gif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium's own
        assert evaluate.main([str(run), "--video", str(film)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not film.exists()


def test_each_planted_fault_of_ours_has_its_place(monkeypatch):
    """Else scripts/plant.py, which takes an hour, is the first to notice."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    for fault in importlib.import_module("fuzzing.planted").PLANTED:
        assert (ROOT / fault.path).read_text().count(fault.right) == 1, fault.what


def test_an_alarm_that_was_set_before_is_there_again(monkeypatch):
    rung, before = [], signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 50)
        own = signal.getsignal(signal.SIGALRM)
        monkeypatch.setattr(faults, "SECONDS", 0.05)
        with faults.alarm(lambda *_: rung.append(1)):
            time.sleep(0.2)
        assert rung == [1]
        assert signal.getsignal(signal.SIGALRM) is own
        assert 49 < signal.getitimer(signal.ITIMER_REAL)[0] < 49.9
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with faults.alarm(lambda *_: None):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_long_message_keeps_its_begin_and_its_end():
    text = cli.one_line("begin " + "x\n" * 10**6 + "do this")
    assert len(text) < 1600
    assert text.startswith("begin x x")
    assert text.endswith("x do this")
    assert " … " in text
    assert cli.one_line("a\nb" * 300) == " ".join(("a\nb" * 300).split())


def test_an_evaluation_of_other_spaces_than_were_trained_on_is_refused(tmp_path, capsys):
    """As many numbers as before, so that the policy would fit."""
    run = tmp_path / "run"
    words = ["ppo", "Own-v0", "--steps", "16", "--num-envs", "2", "--n-steps", "8"]
    assert train.main([*words, "--evaluation-episodes", "0", "--out", str(run)]) == 0
    gym.registry.pop("Own-v0")
    gym.register("Own-v0", lambda: Own(space=Box(-9, 9, (3,))), max_episode_steps=9)
    capsys.readouterr()
    assert evaluate.main([str(run), "--episodes", "2"]) == 2
    error = capsys.readouterr().err
    assert "Own-v0: expected observations and actions ['Box(-1.0, 1.0, (3,), float32)'" in error
    assert error.endswith("the environment has changed; train anew\n")
