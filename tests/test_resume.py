"""A run that goes on is the run that was never interrupted; evaluate.py; what a folder may hold."""

import csv
import gc
import itertools
import json
import os
import re
import struct
import tracemalloc
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings, strategies as st
from strategies import RNGS, SEEDS
from test_lqr import problems
from test_reinforce import corridor

from minipg.algorithms.state import (
    ATTRIBUTES,
    State,
    environment_state,
    load_tree,
    restore_environments,
    save_tree,
)
from minipg.commands import evaluate, resume, runs, train, until, writer
from minipg.experience.environments import adapt, make_envs, policy_for, recent_returns
from minipg.experience.rollout import Stream, play_episodes
from minipg.experience.scaling import NormalizeObservation, NormalizeReward
from minipg.policies.policy_file import load_policy, save_policy
from minipg.policies.softmax import Softmax
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.kfac import Factors
from minipg.steps.optim import AdamState

PPO = ["ppo", "CartPole-v1", "--steps", "3000", "--num-envs", "4", "--epochs", "1"]


# one value, one file


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(["f4", "f8", "i8", "i4", "u1", "?"]))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    order = draw(st.sampled_from("CF"))
    values = 100 * draw(RNGS).standard_normal(shape)
    if dtype[0] == "f" and values.size:
        values.flat[0] = draw(st.sampled_from([np.nan, -np.inf, -0.0, 1e-310]))
    elif dtype == "u1":
        values = np.abs(values)
    array = np.array(values.astype(dtype), order=order)
    return array if array.ndim else array[()]


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(0, 2**128), st.floats(allow_nan=False),
                   st.text(), arrays())  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda x: st.one_of(
        st.lists(x, max_size=3),
        st.lists(x, max_size=3).map(tuple),
        st.dictionaries(st.text(), x, max_size=3),
        st.builds(State, x, x, x, x, x, x, x),
        st.builds(Stream, x, x),
        st.builds(AdamState, x, x, x),
        st.builds(Factors, st.lists(st.tuples(x, x), max_size=2)),
    ),
    max_leaves=10,
)


def same(a, b):
    """Of one type and the same to the bit, memory order included."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        assert a.flags.f_contiguous == b.flags.f_contiguous
    else:
        assert a == b or isinstance(a, float)
        assert not isinstance(a, float) or struct.pack("d", a) == struct.pack("d", b)


@given(TREES)
@example({"obs": np.asfortranarray(np.arange(6.0).reshape(2, 3))})
def test_a_tree_comes_back_from_its_file_to_the_bit(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("tree") / "tree.npz"
    save_tree(path, tree)
    same(load_tree(path), tree)


@pytest.mark.parametrize("leaf", [{1, 2}, np.array([{}]), np.array(["a"]), 1j, Softmax(2)], ids=str)
def test_what_is_no_number_is_not_written(tmp_path, leaf):
    with pytest.raises(ValueError, match=r"tree\.x\.1: expected arrays, numbers and tuples"):
        save_tree(tmp_path / "tree.npz", {"x": (1, leaf)})
    assert not list(tmp_path.iterdir())


class Bomb:
    """What a pickle would run on being read."""

    def __reduce__(self):
        return os.mkdir, ("boom",)


@pytest.mark.parametrize("name", ["state.npz", "parameters.npz"])
def test_a_run_folder_executes_nothing(tmp_path, monkeypatch, capsys, name):
    """A pickle in place of an array or of the file: one line, and it did not run."""
    monkeypatch.chdir(tmp_path)
    interrupt(tmp_path / "run", PPO)
    arrays = dict(np.load(tmp_path / "run" / name))
    bomb = np.empty(1, object)
    bomb[0] = Bomb()
    command = train.main if name == "state.npz" else evaluate.main
    words = ["--resume", "run"] if name == "state.npz" else ["run"]
    for key in arrays:
        np.savez(tmp_path / "run" / name, **{**arrays, key: bomb}, allow_pickle=True)
        assert command(words) == 2
        assert "expected a whole .npz file" in capsys.readouterr().err.splitlines()[-1]
    np.save(tmp_path / "bomb.npy", bomb, allow_pickle=True)
    (tmp_path / "bomb.npy").rename(tmp_path / "run" / name)
    assert command(words) == 2
    assert not (tmp_path / "boom").exists()
    np.savez(tmp_path / "x.npz", json=np.array('{"Popen": {"args": "ls"}}'))
    with pytest.raises(ValueError, match="expected the state of a run"):
        load_tree(tmp_path / "x.npz")


# to the bit


def tabular(lqr):
    return adapt(TabularVectorEnv(corridor(), 3, max_episode_steps=7))


def linear_quadratic(lqr):
    return adapt(LQRVectorEnv(lqr, 3, max_episode_steps=5))


def cart_pole(lqr):
    envs = make_envs("CartPole-v1", 3, max_episode_steps=20)
    return NormalizeReward(NormalizeObservation(envs), 0.9)


ENVIRONMENTS = [tabular, linear_quadratic, cart_pole]
METHODS = [
    ("reinforce", {}), ("cem", {"population": 4, "elite": 2}), ("npg", {}),
    ("trpo", {"decay": True}),
    ("ppo", {"minibatch": 8, "epochs": 2, "decay": True}),
    ("acktr", {"decay": True}), ("actor_critic", {}),
    ("actor_critic", {"critic": "compatible", "optimiser": "rmsprop"}),
    ("actor_critic", {"critic": "q", "optimiser": "sgd"}), ("actor_critic", {"shared": True}),
]  # fmt: skip


@pytest.mark.parametrize("make", ENVIRONMENTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("name", "options"), METHODS, ids=str)
@pytest.mark.pitfall(25)
def test_a_run_cut_anywhere_goes_on_as_if_it_were_not(tmp_path_factory, make, name, options):
    """Every figure and all of the state of the rest, in environments made anew, from the file."""
    if make is linear_quadratic and options.get("critic") == "q":
        return  # has no discrete actions
    path = tmp_path_factory.mktemp("cut") / "state.npz"

    @settings(max_examples=3, phases=[Phase.generate])
    @given(SEEDS, problems((None, 3)), st.integers(0, 5))
    def cut(seed, drawn, at):
        lqr = drawn[0]
        run, kind = train.ALGORITHMS[name]
        own = {k: v for k, v in options.items() if k != "shared"}
        if "n_steps" in kind.__dataclass_fields__:
            own["n_steps"] = 6
        chosen, rng, envs = kind(**own), np.random.default_rng(seed), make(lqr)
        policy = policy_for(envs, (4,), value_head="shared" in options)
        history = []
        for state, record in run(envs, policy, policy.init(rng, 1.0), chosen, 2000, rng):
            if len(history) == at:
                now = {"rng": rng.bit_generator.state, "envs": environment_state(envs)}
                save_tree(path, {"state": state, **now})
                now = {}
            history.append((state, record))
            if len(history) == at + 6:
                break
        saved, envs, rng = load_tree(path), make(lqr), np.random.default_rng()
        rng.bit_generator.state = saved["rng"]
        untouched = repr(saved)
        assert restore_environments(envs, saved["envs"])
        rest = run(envs, policy, saved["state"], chosen, 2000, rng)
        assert len(history) > at + 1
        for before, after in zip(history[at + 1 :], rest, strict=False):
            same(after[0], before[0])
            np.testing.assert_equal(after[1], before[1])
        assert repr(saved) == untouched

    cut()


def test_other_environments_begin_their_episodes_anew_and_keep_their_statistics():
    envs = NormalizeReward(NormalizeObservation(make_envs("Pendulum-v1", 2, None, 5)), 0.9)
    envs.reset(seed=0)
    for _ in range(14):
        envs.step(np.zeros((2, 1)))
    saved, again = environment_state(envs), []
    for _ in range(2):
        fresh = NormalizeReward(NormalizeObservation(make_envs("Pendulum-v1", 2, None, 5)), 0.9)
        assert not restore_environments(fresh, saved)
        assert recent_returns(fresh) == recent_returns(envs) != (0, np.nan, np.nan)
        same(environment_state(fresh), saved)
        again.append(fresh.reset(seed=1)[0])
        assert fresh.env.obs_rms.count == envs.env.obs_rms.count + 2
    same(*again)
    for other in (make_envs("Pendulum-v1", 2), NormalizeObservation(make_envs("CartPole-v1", 2))):
        with pytest.raises(ValueError, match="envs: expected those of the saved state"):
            restore_environments(other, saved)


def test_a_saved_state_is_a_copy():
    """CartPole and NormalizeReward change their arrays in place."""
    envs = cart_pole(None)
    envs.reset(seed=0)
    saved = [dict(layer) for layer in environment_state(envs)]
    before = [{k: np.array(v, object).tolist() for k, v in x.items()} for x in saved]
    for _ in range(30):
        envs.step(np.ones(3, int))
    assert before == [{k: np.array(v, object).tolist() for k, v in x.items()} for x in saved]


# the commands


def interrupt(out, words, at=5):
    """Ctrl-C as the iteration after the `at`th is added."""
    add = writer.Writer.add

    def stop(self, *args, **more):
        if self.iterations == at:
            raise KeyboardInterrupt
        add(self, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "add", stop)
        assert train.main([*words, "--out", str(out)]) == 130


def content(run):
    """All that does not depend on the clock."""
    rows = list(csv.DictReader((run / "progress.csv").read_text().splitlines()))
    result = json.loads((run / "result.json").read_text())
    state = load_tree(run / "state.npz")
    for x in (result, state, *rows):
        x.pop("seconds")
    state.pop("csv_bytes")
    return (run / "parameters.npz").read_bytes(), rows, result, repr(state)


OWN = """
import gymnasium as gym, numpy as np
from minipg.problems.lqr import LQR
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
def lqr(num_envs, max_episode_steps):
    one = np.eye(1)
    return LQRVectorEnv(LQR(0.9 * one, one, one, one, one, np.zeros(1), one, 0.9), num_envs,
                        max_episode_steps)
def lake(num_envs, max_episode_steps):
    return TabularVectorEnv(TabularMDP.from_env("FrozenLake-v1", 0.9), num_envs, max_episode_steps)
gym.register("LQR-v0", vector_entry_point=lqr, max_episode_steps=20)
gym.register("Lake-v0", vector_entry_point=lake, max_episode_steps=20)
"""


@pytest.mark.parametrize(
    "words",
    [PPO, [*PPO, "--normalize-observations", "--normalize-rewards", "--hidden", "3,2",
            "--n-steps", "64"],  # cut after a quarter of the steps
     ["actor_critic", "own_resume:LQR-v0", "--steps", "2000", "--no-normalize"],
     ["acktr", "own_resume:Lake-v0", "--steps", "5000", "--num-envs", "4"],
     ["reinforce", "Acrobot-v1", "--steps", "3000", "--num-envs", "2", "--max-episode-steps", "50"],
     ["cem", "CartPole-v1", "--steps", "3000", "--population", "5", "--elite", "2"]],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
@pytest.mark.pitfall(25)
def test_an_interrupted_and_resumed_run_folder_is_the_uninterrupted_one(
    tmp_path, monkeypatch, capsys, words
):
    (tmp_path / "own_resume.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train.main([*words, "--seed", "3", "--out", str(whole)]) == 0
    interrupt(cut, [*words, "--seed", "3"])
    assert len((cut / "progress.csv").read_text().splitlines()) == 6
    hint = f"minipg train: interrupted; go on with: minipg train --resume {cut}"
    assert capsys.readouterr().err.splitlines()[-1] == hint
    moved = cut.rename(tmp_path / "moved")
    assert train.main(["--resume", str(moved)]) == 0
    assert content(moved) == content(whole)
    evaluation = {"episodes", "mean_return", "stderr"}
    assert evaluate.main([str(moved), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    result = json.loads((whole / "result.json").read_text())
    assert {k: shown[k] for k in evaluation} == {k: result[k] for k in evaluation}


def test_rows_younger_than_the_state_are_cut_on_going_on(tmp_path):
    """A kill between progress.csv and state.npz."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train.main([*PPO, "--out", str(whole)]) == 0
    interrupt(cut, PPO)
    with (cut / "progress.csv").open("a") as file:
        file.write("1,2,3\n")
    (cut / ".state.npz.7.tmp").write_text("half")
    assert train.main(["--resume", str(cut)]) == 0
    assert content(cut) == content(whole)
    policy, theta = load_policy(cut / "parameters.npz")
    save_policy(cut / "parameters.npz", policy, 0 * theta)  # and between state.npz and this one
    (cut / "result.json").unlink()
    assert train.main(["--resume", str(cut)]) == 0
    assert content(cut) == content(whole)
    assert sorted(p.name for p in cut.iterdir()) == sorted(p.name for p in whole.iterdir())


@pytest.mark.parametrize("name", ["tree.state.theta", "json"])
def test_a_state_that_was_edited_is_refused(tmp_path, capsys, name):
    """It is a whole .npz file of the right shapes; yet another run's digits."""
    run = tmp_path / "run"
    interrupt(run, PPO)
    with np.load(run / "state.npz") as file:
        arrays = dict(file)
    value = arrays[name]
    arrays[name] = value + 1 if value.dtype.kind == "f" else np.array(f"{value} ")
    np.savez(run / "state.npz", **arrays)
    before = (run / "progress.csv").read_bytes()
    assert train.main(["--resume", str(run)]) == 2
    assert "expected the state of a run as minipg wrote it, got one edited" in (
        capsys.readouterr().err
    )
    assert (run / "progress.csv").read_bytes() == before


def test_other_columns_are_refused_before_the_result_is_taken_away(tmp_path, capsys):
    run = tmp_path / "run"
    assert train.main([*PPO, "--out", str(run)]) == 0
    table = run / "progress.csv"
    table.write_bytes(table.read_bytes().replace(b",kl,", b",KL,", 1))
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert train.main(["--resume", str(run), "--steps", "100000"]) == 2
    assert "progress.csv: expected the columns env_steps, " in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


EDITED = [("num_envs", -1), ("num_envs", 0), ("seed", -1), ("num_envs", True), ("seed", [1]),
          ("threshold", np.nan), ("threshold", 10**400)]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), EDITED, ids=range(len(EDITED)))
def test_a_config_that_was_edited_is_told_by_its_option(tmp_path, capsys, name, value):
    run = tmp_path / "run"
    assert train.main([*PPO, "--out", str(run)]) == 0
    edit(run / "config.json", lambda config: config.update({name: value}))
    assert evaluate.main([str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(f"config.json: ({name}: )?expected .*got", error)
    assert len(error) < 400


def edit(path, change):
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_a_field_longer_than_the_csv_module_reads_is_one_line(tmp_path):
    (tmp_path / "progress.csv").write_text("env_steps\n" + "1" * 200_000 + "\n")
    with pytest.raises(ValueError, match="expected a run folder, got Error.*limit.* of progress.c"):
        runs.read_table(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "config.json").unlink(), "expected a run folder"),
        (lambda run: (run / "config.json").write_text("[1]"), "expected a run folder"),
        (lambda run: (run / "config.json").write_text('{"a": 1'), "expected a run folder"),
        (lambda run: (run / "config.json").write_text("[" * 10**5), "RecursionError"),
        (lambda run: edit(run / "config.json", lambda c: c.update(algorithm="--help")),
         "config.json: algorithm: expected one of reinforce, "),
        (lambda run: edit(run / "config.json", lambda c: c.update(env="--help")), "env '--help': "),
        (lambda run: edit(run / "config.json", lambda c: c["spaces"].pop()),
         "CartPole-v1: expected observations and actions ['Box("),
        (lambda run: edit(run / "config.json", lambda c: c.update(decay=c.pop("gamma"))),
         "lacks ['gamma']: train anew"),  # a word that is now another option's
        (lambda run: edit(run / "config.json", lambda c: c.update(gamma=2)), "gamma: expected"),
        (lambda run: edit(run / "config.json", lambda c: c.update(num_envs=5)),
         "expected observations (4, 4) as in state.npz, got (5, 4)"),
        (lambda run: edit(run / "config.json", lambda c: c.update(hidden=[7])), "parameters as in"),
        (lambda run: edit(run / "config.json", lambda c: c.update(normalize_rewards=True)),
         "envs: expected those of the saved state"),
        (lambda run: (run / "state.npz").unlink(), "state.npz: expected a whole .npz file"),
        (lambda run: os.truncate(run / "state.npz", 5000), "expected a whole .npz file"),
        (lambda run: np.savez(run / "state.npz", json=np.array("3")), "the state of a run"),
        (lambda run: save_tree(run / "state.npz", {**load_tree(run / "state.npz"), "format": 0}),
         "expected the state of a run, format 1"),
        (lambda run: os.truncate(run / "progress.csv", 100), "expected a run folder"),
        (lambda run: (run / "progress.csv").unlink(), "progress.csv"),
        (lambda run: (run / "result.json").write_text("{}"), "it is finished"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_go_on_is_one_line(tmp_path, capsys, spoil, message):
    interrupt(tmp_path / "run", PPO)
    spoil(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("minipg train")
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}


def test_resume_takes_no_other_option_and_no_unknown_one_from_the_folder(tmp_path, capsys):
    interrupt(tmp_path / "run", PPO)
    edit(tmp_path / "run" / "config.json", lambda c: c.update(speed=3))
    for words in (["--resume", "x", "--gamma", "0.9"], ["--resume"],
                  ["--resume", str(tmp_path / "run")]):  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            train.main(words)
        assert stop.value.code == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("minipg train")


def test_another_version_of_a_library_is_said(tmp_path, capsys):
    interrupt(tmp_path / "run", PPO)
    edit(tmp_path / "run" / "config.json", lambda c: c["versions"].update(numpy="1.0"))
    assert train.main(["--resume", str(tmp_path / "run")]) == 0
    assert "'numpy': '1.0'" in capsys.readouterr().err


def test_memory_does_not_grow_with_the_run(tmp_path, monkeypatch):
    """Peak of 30 and of 600 iterations, a write every twentieth: the rows would be 400 kB."""
    ticks = itertools.count()

    def perf_counter():
        tick = next(ticks)
        if tick % 100 == 0:
            gc.collect()  # cycles of others wait the longer the more objects there are
        return tick / 10

    monkeypatch.setattr(writer, "time", SimpleNamespace(perf_counter=perf_counter))
    peaks = []
    for iterations in (10, 30, 600):  # the first loads what is loaded once
        steps = str(2 * 2 * iterations)
        words = ["actor_critic", "CartPole-v1", "--num-envs", "2", "--n-steps", "2", "--hidden",
                 "2", "--steps", steps, "--max-episode-steps", "9"]  # fmt: skip
        monkeypatch.setattr(train, "evaluate", lambda *args: np.zeros(2))
        tracemalloc.start()
        assert train.main([*words, "--out", str(tmp_path / steps)]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 100_000


# evaluate


class Painted(gym.Env):
    """The reward is the action; draws itself without any library."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(3)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.observation_space.low * 0, {}

    def step(self, action):
        self.t += 1
        return self.np_random.random(2, np.float32), float(action), False, False, {}

    def render(self):
        return np.full((8, 8, 3), 20 + 20 * self.t, np.uint8)  # brighter every step


@pytest.fixture
def painted(tmp_path):
    gym.register("Painted-v0", Painted, max_episode_steps=4, reward_threshold=5.5)
    yield train.main(["reinforce", "Painted-v0", "--steps", "200", "--out", str(tmp_path / "run")])
    gym.registry.pop("Painted-v0")


@pytest.mark.pitfall(22)
def test_evaluate_says_mean_error_and_quantiles_and_changes_nothing(tmp_path, painted, capsys):
    assert painted == 0
    run = tmp_path / "run"
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    capsys.readouterr()
    assert evaluate.main([str(run), "--episodes", "130", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    policy, theta = load_policy(run / "parameters.npz")
    rng, returns = np.random.default_rng([0, 1]), np.zeros(0)
    for n in (*[16] * 8, 2):  # as many side by side as in training
        batch = play_episodes(make_envs("Painted-v0", n), policy, theta, rng)
        returns = np.append(returns, batch.rewards.sum(0))
    assert shown["mean_return"] == pytest.approx(returns.mean())
    assert shown["stderr"] == pytest.approx(np.sqrt(((returns - returns.mean()) ** 2).sum()
                                                    / 129 / 130))  # fmt: skip
    ordered = np.sort(returns)
    for percent, value in shown["quantiles"].items():
        place = int(percent) / 100 * 129
        low, high = ordered[int(place)], ordered[min(int(place) + 1, 129)]
        assert value == pytest.approx(low + (place % 1) * (high - low))
    assert list(shown["quantiles"]) == ["5", "25", "50", "75", "95"]
    assert shown["threshold"] == 5.5
    assert shown["exact_return"] is None
    assert shown["finished"]
    assert evaluate.main([str(run)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{shown['algorithm']} on Painted-v0, seed 0: 100 episodes, actions d")
    (run / "result.json").rename(tmp_path / "aside")
    assert evaluate.main([str(run)]) == 0
    assert capsys.readouterr().out == told.replace("seed 0", "seed 0, not finished")
    assert evaluate.main([str(run), "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)["finished"]
    (tmp_path / "aside").rename(run / "result.json")
    verdict = "reached" if shown["mean_return"] >= 5.5 else "not reached"
    assert f"threshold    5.5, {verdict}" in told
    assert before == {p.name: p.read_bytes() for p in run.iterdir()}


def test_deterministic_takes_the_most_likely_action(tmp_path, painted, capsys):
    """θ whose logits are its last three numbers: four times the action 2, 1 or 0."""
    for best in range(3):
        policy, theta = load_policy(tmp_path / "run" / "parameters.npz")
        theta[:] = 0
        theta[-3 + best] = 0.1
        save_policy(tmp_path / "run" / "parameters.npz", policy, theta)
        assert evaluate.main([str(tmp_path / "run"), "--deterministic", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (shown["mean_return"], shown["stderr"]) == (4.0 * best, 0.0)


@pytest.mark.parametrize(("algorithm", "words", "falls"), [
    ("npg", [], "delta and critic_learning_rate"),
    ("npg", ["--learning-rate", "0.1"], "learning_rate and critic_learning_rate"),
    ("acktr", [], "learning_rate, delta, critic_learning_rate and critic_delta"),
])  # fmt: skip
def test_what_is_used_is_said_to_fall(tmp_path, capsys, algorithm, words, falls):
    finish(tmp_path / "run", algorithm, 300, "--decay", *words)
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run"), "--steps", "600"]) == 0
    assert f"begin: {falls} fall to 0 over --steps" in capsys.readouterr().err


def test_a_std_that_is_told_is_said_to_be_of_the_steps(tmp_path, capsys):
    run, words = str(tmp_path / "run"), ["--n-steps", "8", "--num-envs", "2", "--hidden", "2"]
    assert train.main(["ppo", "Pendulum-v1", *words, "--final-std", "0.2", "--steps", "64",
                       "--no-decay", "--no-normalize-observations", "--out", run]) == 0  # fmt: skip
    policy, theta = load_policy(tmp_path / "run" / "parameters.npz")
    assert np.exp(policy.split(theta)[1]) == pytest.approx([0.2])
    assert train.main(["--resume", run, "--steps", "96"]) == 0
    assert "begin: σ nears --final-std over --steps, till here 64\n" in capsys.readouterr().err


def test_what_observations_are_normalised_by_is_said_to_be_of_the_steps(tmp_path, capsys):
    finish(tmp_path / "run", "npg", 300, "--normalize-observations")
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run"), "--steps", "600"]) == 0
    told = "begin: observations are normalised by the first quarter of --steps, till here 300\n"
    assert told in capsys.readouterr().err


def test_evaluate_films_an_episode(tmp_path, painted, capsys):
    from PIL import Image

    for suffix in ("gif", "png", "webp"):
        path = tmp_path / f"film.{suffix}"
        assert evaluate.main([str(tmp_path / "run"), "--video", str(path)]) == 0
        with Image.open(path) as film:
            assert film.n_frames == 4
            grey = []
            for frame in range(4):  # the fourth is drawn before the fourth step
                film.seek(frame)
                grey.append(np.asarray(film.convert("RGB"))[0, 0, 0])
                assert film.info["duration"] == 100  # milliseconds, at render_fps 10
            assert np.abs(np.diff(np.array(grey, int)) - 20).max() <= 4  # in their order
        assert f"video        {path}" in capsys.readouterr().out
    assert evaluate.main([str(tmp_path / "run"), "--video", "x.mp4"]) == 2
    assert "expected a file .gif, .png, .webp" in capsys.readouterr().err
    Painted.metadata = {"render_modes": []}
    try:
        assert evaluate.main([str(tmp_path / "run"), "--video", "x.gif"]) == 2
    finally:
        Painted.metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    assert "expected an environment that draws rgb_array, got []" in capsys.readouterr().err


@pytest.mark.parametrize(("picture", "told"), [
    (None, "None"), ("x", "'x'"), (np.zeros((8, 8)), "shape (8, 8)"),
    (np.zeros((8, 8, 4), np.uint8), "shape (8, 8, 4)"),
    (np.full((8, 8, 3), 0.5), "shape (8, 8, 3)"),
    (np.full((8, 8, 3), 300), "shape (8, 8, 3)"), ([[[1, 2, 3]]], "[[[1, 2, 3]]]"),
], ids=str)  # fmt: skip
def test_a_picture_that_is_none_is_told(tmp_path, painted, monkeypatch, capsys, picture, told):
    monkeypatch.setattr(Painted, "render", lambda self: picture)
    assert evaluate.main([str(tmp_path / "run"), "--video", str(tmp_path / "x.gif")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("minipg evaluate: --video: render: expected a picture, whole numbers")
    assert f"got {told}" in line
    assert not (tmp_path / "x.gif").exists()


@pytest.mark.parametrize(
    ("library", "variable"),
    [("pygame", "SDL_VIDEODRIVER=dummy"), ("mujoco", "MUJOCO_GL=egl"), ("matplotlib", None)],
)
@pytest.mark.parametrize("how", ["kind", "place", "import"])
def test_a_film_that_cannot_be_drawn_says_which_variable_to_set(
    tmp_path, painted, monkeypatch, capsys, library, variable, how
):
    """By the kind of the error or the file that raises it, when drawing or when made to draw."""
    error = type("error", (RuntimeError,), {"__module__": library if how == "kind" else "x"})
    scope = {"error": error}
    place = "x.py" if how == "kind" else f"/lib/{library}/render.py"
    exec(compile("def render(self=None):\n raise error('no screen')", place, "exec"), scope)
    if how == "import":
        monkeypatch.setattr(Painted, "__init__", lambda self, render_mode=None: (
            scope["render"]() if render_mode else None))  # fmt: skip
    else:
        monkeypatch.setattr(Painted, "render", scope["render"])
    assert evaluate.main([str(tmp_path / "run"), "--video", str(tmp_path / "x.gif")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "minipg evaluate: --video: " in line
    assert "error: no screen" in line
    advice = f"; without a screen put {variable} before the command"
    assert line.endswith(advice) == (variable is not None)
    assert ("screen put" in line) == (variable is not None)
    assert not (tmp_path / "x.gif").exists()


@pytest.mark.parametrize("words", [["none"], [".", "--episodes", "1"], ["."]])
def test_evaluate_s_mistakes_are_one_line(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_layer_of_the_environments_is_of_a_known_kind():
    """So that a new wrapper in make_envs is not forgotten: these resume to the bit."""
    for make in ENVIRONMENTS[::2]:
        assert restore_environments(make(None), environment_state(make(None)))
    box = make_envs("Pendulum-v1", 2, rescale_actions=True)
    kinds = {f"{type(x).__module__}.{type(x).__qualname__}" for x in layers(box)}
    assert kinds - set(ATTRIBUTES) == {"gymnasium.vector.sync_vector_env.SyncVectorEnv"}


def layers(envs):
    yield envs
    while envs is not envs.unwrapped:
        envs = envs.env
        yield envs


def test_the_seconds_of_a_resumed_run_go_on_where_they_stood(tmp_path):
    """A run that took 1,000 seconds before it was stopped has taken more when it ends."""
    run, words = tmp_path / "run", ["npg", "CartPole-v1", "--steps", "9000", "--n-steps", "16"]
    interrupt(run, words)
    saved = load_tree(run / "state.npz")
    assert 0 < saved["seconds"] < 100
    save_tree(run / "state.npz", {**saved, "seconds": 1000.0})
    assert train.main(["--resume", str(run)]) == 0
    rows = list(csv.DictReader((run / "progress.csv").read_text().splitlines()))
    after = [float(row["seconds"]) for row in rows[saved["iterations"] :]]
    assert len(after) > 3
    assert after == sorted(after)
    result = json.loads((run / "result.json").read_text())
    assert 1000 <= after[0] <= after[-1] <= result["seconds"] + 0.001 < 1100


# beyond the end, and before it

TO = ["CartPole-v1", "--num-envs", "4", "--hidden", "4"]
SETTINGS = {"cem": ["--population", "4", "--elite", "2"], "reinforce": []}


def finish(out, algorithm, steps, *more):
    words = [algorithm, *TO, *SETTINGS.get(algorithm, ["--n-steps", "16"]), "--steps", str(steps)]
    assert train.main([*words, *more, "--out", str(out)]) == 0


def figures(run):
    """The iterations' rows, without the clock."""
    return [row.rsplit(",", 1)[0] for row in (run / "progress.csv").read_text().splitlines()]


@pytest.mark.parametrize(
    ("algorithm", "more"),
    [
        *((name, []) for name in train.ALGORITHMS),
        *(
            (name, ["--decay"])
            for name, (_, kind) in train.ALGORITHMS.items()
            if hasattr(kind, "decay")
        ),
    ],
)
def test_a_finished_run_goes_on_and_is_the_longer_one_unless_it_says_so(
    tmp_path, capsys, algorithm, more
):
    """Twice: said of just those algorithms where the longer run's iterations are others."""
    short, long = tmp_path / "short", tmp_path / "long"
    finish(short, algorithm, 300, *more)
    finish(long, algorithm, 1500, *more)
    begin = figures(short)
    same_begin = begin == figures(long)[: len(begin)]
    capsys.readouterr()
    for steps in ("700", "15e2"):
        assert train.main(["--resume", str(short), "--steps", steps]) == 0
        said = "minipg train: not the run that --steps" in capsys.readouterr().err
        assert said == (not same_begin)
    assert json.loads((short / "config.json").read_text())["steps"] == 1500
    assert figures(short)[: len(begin)] == begin
    assert (content(short) == content(long)) == same_begin


@pytest.mark.parametrize("algorithm", train.ALGORITHMS)
def test_what_is_said_to_fall_with_steps_is_all_that_does(tmp_path, algorithm):
    """With these settings at 0 the first iterations do not depend on the number of steps."""
    still = [f"--{name.replace('_', '-')}={1e-300 if 'delta' in name else 0}"
             for name in resume.ANNEALED.get(algorithm, ())]  # fmt: skip
    if hasattr(train.ALGORITHMS[algorithm][1], "decay"):
        still += ["--decay"]
    for steps in (300, 1500):
        finish(tmp_path / str(steps), algorithm, steps, *still)
    begin, long = figures(tmp_path / "300"), figures(tmp_path / "1500")
    assert len(begin) > 2
    assert begin == long[: len(begin)]


def test_from_a_quarter_of_the_steps_on_the_policy_moves_only_by_its_own_steps(tmp_path):
    """Statistics count a reset and the iterations begun before it; θ that rests acts the same."""
    counts = []
    for steps in (256, 512, 1024):  # of 4 games, 16 steps an iteration
        run = tmp_path / str(steps)
        finish(run, "ppo", steps, "--learning-rate", "0", "--normalize-observations")
        (layer,) = [x for x in load_tree(run / "state.npz")["envs"] if "obs_rms.count" in x]
        counts.append(round(float(layer["obs_rms.count"])))
    assert counts == [4 + 64, 4 + 128, 4 + 256]
    interrupt(
        tmp_path / "cut",
        [
            "ppo",
            *TO,
            "--n-steps",
            "16",
            "--steps",
            "1024",
            "--learning-rate",
            "0",
            "--normalize-observations",
        ],
        4,
    )
    assert load_policy(tmp_path / "cut" / "parameters.npz")[1].tobytes() == load_policy(
        tmp_path / "1024" / "parameters.npz")[1].tobytes()  # fmt: skip


@pytest.mark.parametrize(("words", "said"), [
    (["ppo", "CartPole-v1"], False), (["ppo", "FrozenLake-v1"], True),
    (["reinforce", "FrozenLake-v1"], False),  # its batches begin with a reset
])  # fmt: skip
def test_episodes_that_begin_anew_are_told(tmp_path, capsys, words, said):
    interrupt(tmp_path / "run", [*words, "--steps", "9000", "--num-envs", "4"], 1)
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run")]) == 0
    assert ("episodes in progress begin anew" in capsys.readouterr().err) == said


def test_what_falls_is_named(tmp_path, capsys):
    finish(tmp_path / "run", "actor_critic", 300)
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run"), "--steps", "600"]) == 0
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first == (
        "minipg train: not the run that --steps 600 would have been from its begin: learning_rate "
        "and critic_learning_rate fall to 0 over --steps, till here 300"
    )
    assert "the defaults" not in second  # CartPole-v1 has a preset
    assert "--steps 600" in second


def test_a_finished_run_says_how_to_go_on_and_to_what(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    finish("run", "npg", 300)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    assert train.main(["--resume", "run"]) == 2
    assert capsys.readouterr().err == ("minipg train: run: it is finished; to train it further: "
                                       "minipg train --resume run --steps 600\n")  # fmt: skip
    assert train.main(["--resume", "run", "--steps", "320"]) == 2  # 5 iterations of 64
    assert "--steps: expected more than the 320 that are done, got 320" in capsys.readouterr().err
    edit(tmp_path / "run" / "config.json", lambda c: c.update(env="CartPoole-v1"))
    changed = {**before, "config.json": (tmp_path / "run" / "config.json").read_bytes()}
    assert train.main(["--resume", "run", "--steps", "600"]) == 2
    assert changed == {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    (tmp_path / "run" / "config.json").write_bytes(before["config.json"])
    assert train.main(["--resume", "run", "--steps", "600"]) == 0


def test_an_interrupted_run_may_be_given_other_steps(tmp_path):
    interrupt(tmp_path / "run", PPO, 3)
    assert train.main(["--resume", str(tmp_path / "run"), "--steps", "4e3"]) == 0
    whole = [*PPO[:2], "--steps", "4000", *PPO[4:]]
    assert train.main([*whole, "--out", str(tmp_path / "whole")]) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_a_kill_in_the_middle_of_going_on_loses_nothing(tmp_path, monkeypatch):
    """After config.json has the new steps, before result.json is gone: the command is repeated."""
    finish(tmp_path / "run", "npg", 300)
    finish(tmp_path / "whole", "npg", 600)
    edit(tmp_path / "run" / "config.json", lambda c: c.update(steps=600))
    assert train.main(["--resume", str(tmp_path / "run"), "--steps", "600"]) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_an_interrupted_extension_is_an_interrupted_run(tmp_path, monkeypatch):
    """Not one that is finished: it goes on without --steps."""
    finish(tmp_path / "run", "npg", 300)
    finish(tmp_path / "whole", "npg", 600)
    add = writer.Writer.add

    def stop(self, *args, **more):
        if self.iterations == 7:
            raise KeyboardInterrupt
        add(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "add", stop)
        assert train.main(["--resume", str(tmp_path / "run"), "--steps", "600"]) == 130
    assert train.main(["--resume", str(tmp_path / "run")]) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(-100, 100)), min_size=1, max_size=300),
       st.sampled_from(["reinforce", "npg"]), st.integers(0, 300))  # fmt: skip
@example([(1, float(i)) for i in range(200)], "reinforce", 150)
@example([(50, float(i)) for i in range(9)], "reinforce", 0)
@example([(99, 1.0)], "npg", 0)
def test_the_mean_of_the_last_hundred_episodes(iterations, algorithm, cut):
    """Of the episodes one by one, from the first iteration of those that hold the last hundred.

    The others count the last hundred themselves; before there are a hundred there is no mean.
    """
    rows, returns, starts = [], [], []
    for count, mean in iterations:
        starts.append(len(returns))
        returns += [mean] * count
        rows.append((len(returns), mean))
    goal = until.Goal(algorithm, 0.0, rows[:cut])
    for episodes, mean in rows[cut:]:
        goal.add({"episodes": episodes, "mean_return": mean})
    if len(returns) < 100:
        assert np.isnan(goal.mean)
        assert not goal.reached
        return
    first = max(start for start in starts if len(returns) - start >= 100)
    wanted = np.mean(returns[first:]) if algorithm == "reinforce" else rows[-1][1]
    assert goal.mean == pytest.approx(wanted, abs=1e-9)
    assert goal.reached == (goal.mean >= 0)
    assert not until.Goal(algorithm, None, rows).reached


@pytest.mark.parametrize("algorithm", ["ppo", "reinforce", "cem"])
def test_until_stops_at_the_first_iteration_that_is_there_also_when_resumed(
    tmp_path, capsys, algorithm
):
    words = [algorithm, *TO, "--steps", "1e5", "--until", "40"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train.main([*words, "--out", str(whole)]) == 0
    out = capsys.readouterr().out
    assert "; --until 40 reached\n" in out
    columns = runs.read_run(whole)[1]
    goal, last = until.Goal(algorithm, 40.0, []), len(columns["episodes"]) - 1
    for i in range(last + 1):
        goal.add({name: columns[name][i] for name in ("episodes", "mean_return")})
        assert goal.reached == (i == last)
    assert json.loads((whole / "result.json").read_text())["env_steps"] < 100_000
    interrupt(cut, words, max(1, last - 3))
    assert train.main(["--resume", str(cut)]) == 0
    assert content(cut) == content(whole)
    more = 2 * int(columns["env_steps"][-1])
    capsys.readouterr()
    assert train.main(["--resume", str(cut), "--steps", str(more)]) == 0
    out, error = capsys.readouterr()
    assert "--until 40 was reached; from here without it" in error
    assert "--until" not in out
    assert json.loads((cut / "config.json").read_text())["until"] is None
    assert runs.read_run(cut)[1]["env_steps"][-1] >= more


def test_until_that_is_not_reached_says_so(tmp_path, capsys):
    out = tmp_path / "run"
    words = ["ppo", *TO, "--steps", "2000", "--until", "499", "--out", str(out)]
    assert train.main(words) == 0
    assert "; --until 499 not reached before the end\n" in capsys.readouterr().out


def test_environments_of_which_one_layer_is_another_are_not_restored():
    """A state with one attribute more in one layer, however alike the others are."""
    envs = adapt(TabularVectorEnv(corridor(), 2))
    state = environment_state(envs)
    assert restore_environments(envs, state)
    for layer in range(len(state)):
        other = [dict(values) for values in state]
        other[layer]["of_another_kind"] = 1
        with pytest.raises(ValueError, match="envs: expected those of the saved state"):
            restore_environments(envs, other)
