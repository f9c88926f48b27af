"""The commands: what they print and leave, how they refuse, and a kill at any moment."""

import csv
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import calibrate
import gymnasium as gym
import numpy as np
import pytest
import stress
from test_resume import interrupt

from minipg.algorithms import actor_critic, reinforce
from minipg.algorithms.state import load_tree
from minipg.claims.rows import Row
from minipg.commands import (
    cli,
    environments,
    estimators,
    evaluate,
    options,
    plot,
    progress,
    runs,
    train,
    verify,
)
from minipg.commands.options import ALGORITHMS
from minipg.commands.presets import PRESETS
from minipg.commands.say import plus_minus
from minipg.experience.environments import make_envs
from minipg.experience.rollout import play_episodes
from minipg.experience.scaling import NormalizeObservation, NormalizeReward
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.policies.policy_file import load_policy, save_policy
from minipg.truth.verdict import Verdict

SCRIPTS = Path(__file__).parents[1] / "scripts"
SHORT = ["reinforce", "CartPole-v1", "--steps", "500", "--num-envs", "4"]


def read_csv(run):
    return list(csv.DictReader((run / "progress.csv").read_text().splitlines()))


def run_short(out, *more):
    return train.main([*SHORT, "--out", str(out), *more])


def test_train_leaves_a_whole_run_folder(tmp_path, capsys):
    out = tmp_path / "run"
    assert run_short(out) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "config.json", "parameters.npz", "progress.csv", "result.json", "state.npz"
    ]  # fmt: skip
    result = json.loads((out / "result.json").read_text())
    assert list(result) == ["algorithm", "env", "seed", "env_steps", "seconds", "episodes",
                            "mean_return", "stderr", "exact_return", "threshold"]  # fmt: skip
    assert result["threshold"] == 475
    assert result["episodes"] == 100
    rows = read_csv(out)
    assert int(rows[-1]["env_steps"]) == result["env_steps"] >= 500
    config = json.loads((out / "config.json").read_text())
    assert config["baseline"] == "time"
    assert config["versions"]["gymnasium"] == gym.__version__
    policy, theta = load_policy(out / "parameters.npz")
    assert policy.network.sizes == (4, 32, 2)
    assert theta.dtype == np.float32
    assert f"run folder: {out}" in capsys.readouterr().out


@pytest.mark.pitfall(25)
def test_the_seed_determines_the_files_to_the_byte(tmp_path):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert run_short(tmp_path / name, "--seed", seed) == 0

    def content(name):
        rows = read_csv(tmp_path / name)
        figures = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        return (tmp_path / name / "parameters.npz").read_bytes(), figures

    assert content("a") == content("b")
    assert content("a")[0] != content("c")[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reinforce", "NoSuchEnv-v0"], "env 'NoSuchEnv-v0'"),
        (
            ["reinforce", "CartPole-v1", "--gamma", "2"],
            "--gamma: expected a number from 0 to 1, got",
        ),
        (["reinforce", "CartPole-v1", "--num-envs", "0"], "--num-envs: expected 1 or more, got 0"),
        (["reinforce", "CartPole-v1", "--steps", "0"], "--steps: expected 1 or more"),
        (
            ["reinforce", "CartPole-v1", "--learning-rate", "-1"],
            "--learning-rate: expected a number of 0 or more, got -1",
        ),
        (["trpo", "CartPole-v1", "--delta", "0"], "--delta: expected a number above 0, got 0"),
        (["ppo", "CartPole-v1", "--evaluation-episodes", "1"], "expected 2 or more, or 0 for none"),
        (["reinforce", "CartPole-v1", "--shared"], "--shared: expected with actor_critic"),
        (
            ["reinforce", "CartPole-v1", "--rescale-actions"],
            "--rescale-actions: expected a bounded",
        ),
        (["reinforce", "CartPole-v1", "--seed", "-1"], "--seed: expected 0 or more"),
        (
            ["reinforce", "CliffWalking-v1"],
            "CliffWalking-v1, which has no time limit: --max-episode-steps 200, say",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())  # and nothing was left behind


@pytest.mark.parametrize(
    "arguments", [["--fast"], ["--base", "none"], ["--baseline", "best"], ["--steps", "many"]]
)
def test_unknown_options_and_values_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        train.main([*SHORT, *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("minipg train")
    assert error.count("\n") == 1


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        train.main(["reinforce", "--help"])
    assert stop.value.code == 0
    assert "--learning-rate" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        train.main(["actor_critic", "CartPole-v1", "--help"])
    assert "environments side by side (8)" in " ".join(capsys.readouterr().out.split())
    commands = options.parser()._subparsers._group_actions[0].choices
    assert all(action.help for command in commands.values() for action in command._actions)


def test_an_existing_run_folder_is_refused_with_both_ways_out(tmp_path, monkeypatch, capsys):
    """To go on, if it is a run, and to another name; each is a command that works."""
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("kept")
    assert run_short("mine") == 2
    refused = "minipg train: --out: expected a folder that does not exist, got "
    assert capsys.readouterr().err == f"{refused}mine: take another, --out mine-2\n"
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes"]
    assert run_short("mine/notes/run") == 2
    assert "--out: expected a folder that can be made" in capsys.readouterr().err
    interrupt("run", SHORT, 2)
    assert run_short("mine-2") == 0
    capsys.readouterr()
    assert run_short("mine") == 2
    assert "take another, --out mine-3\n" in capsys.readouterr().err
    for folder, steps in (("run", ""), ("mine-2", " --steps N")):
        capsys.readouterr()
        assert run_short(folder) == 2
        other = {"run": "run-2", "mine-2": "mine-2-2"}[folder]
        go_on = f"minipg train --resume {folder}{steps}"
        wanted = f"{refused}{folder}: go on with it, {go_on}, or take another, --out {other}\n"
        assert capsys.readouterr().err == wanted
        assert train.main(go_on.replace("N", "1000").split()[2:]) == 0
        assert run_short(other) == 0
    assert train.main([*SHORT, "--gamma", "0.5"]) == 0
    capsys.readouterr()
    assert train.main([*SHORT, "--gamma", "0.9"]) == 2  # the second into the default folder
    assert "--out runs/reinforce-CartPole-v1-0-2" in capsys.readouterr().err


def test_how_to_go_on_is_right_where_the_user_stands(tmp_path, monkeypatch, capsys):
    """Also where the environment's module changes the current folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mover.py").write_text(
        "import gymnasium as gym, os\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('Mover-v0', CartPoleEnv, max_episode_steps=9)\n"
        f"os.chdir({str(tmp_path / 'elsewhere')!r})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    interrupt("a run", ["reinforce", "mover:Mover-v0", *SHORT[2:]], 2)
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("; go on with: minipg train --resume 'a run'")
    assert (tmp_path / "a run" / "state.npz").exists()
    monkeypatch.chdir(tmp_path)
    assert train.main(["--resume", "a run"]) == 0
    assert (tmp_path / "a run" / "result.json").exists()


def test_what_runs_is_said_before_it_does(tmp_path, capsys):
    """A preset or the defaults, and every option that is another."""
    for words, wanted in (
        (["npg", "CartPole-v1", "--seed", "3"],
         "npg on CartPole-v1, seed 3: the preset of npg for CartPole-v1, but --steps 500"),
        (["npg", "MountainCar-v0", "--hidden", "", "--no-shared", "--env-kwargs",
          '{"goal_velocity": 0.1}'],
         "npg on MountainCar-v0, seed 0: the defaults, no preset of npg for MountainCar-v0, but "
         "--env-kwargs '{\"goal_velocity\": 0.1}' --steps 500 --hidden ''"),
        (["ppo", "Pendulum-v1", "--no-rescale-actions"],
         "ppo on Pendulum-v1, seed 0: the preset of ppo for Pendulum-v1, but --steps 500 "
         "--no-rescale-actions"),
    ):  # fmt: skip
        out = str(tmp_path / words[1])
        more = ["--steps", "500", "--out", out]
        assert train.main([*words, *more]) == 0
        stdout, error = capsys.readouterr()
        assert error.splitlines()[0] == f"minipg train: {wanted}"
        assert re.search(r" steps in \d+\.\d s of training \(without imports and evaluation\)\n",
                         stdout)  # fmt: skip


def test_the_result_has_the_digits_of_its_error_and_says_what_it_is(tmp_path, capsys):
    out = tmp_path / "run"
    assert run_short(out) == 0
    result = json.loads((out / "result.json").read_text())
    text = plus_minus(result["mean_return"], result["stderr"])
    assert re.fullmatch(r"-?\d+(\.\d+)? ± \d+(\.\d+)?", text)
    line = f"mean return {text} (standard error) of 100 fresh episodes; threshold 475, not reached"
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("num_envs", "episodes"), [(4, 10), (16, 10), (1, 2)])
def test_the_evaluation_takes_no_more_copies_than_the_training_and_shows_its_progress(
    tmp_path, monkeypatch, num_envs, episodes
):
    """A bar to its end, moved by each episode of a copy once."""
    made, bars, real_make, real_bar = [], [], evaluate.environments, progress.bar

    def make(args, count, *more):
        made.append(count)
        return real_make(args, count, *more)

    def bar(*given, **more):
        bars.append(real_bar(*given, **more))
        return bars[-1]

    monkeypatch.setattr(evaluate, "environments", make)
    monkeypatch.setattr(progress, "bar", bar)
    out = tmp_path / "run"
    words = ["--num-envs", str(num_envs), "--evaluation-episodes", str(episodes)]
    assert run_short(out, *words) == 0
    assert sum(made) == json.loads((out / "result.json").read_text())["episodes"] == episodes
    assert max(made) <= num_envs
    training, evaluation = bars
    assert (training.n, training.total) == (500, 500)
    assert (evaluation.n, evaluation.total) == (episodes, episodes)


def test_no_evaluation(tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    monkeypatch.setattr(evaluate, "environments", None)
    assert run_short(out, "--evaluation-episodes", "0") == 0
    result = json.loads((out / "result.json").read_text())
    assert (result["episodes"], result["mean_return"], result["stderr"]) == (0, None, None)
    assert "\nno evaluation\n" in capsys.readouterr().out
    assert plot.main([str(out)]) == 0


BOXES = [  # low, high, σ at first, whether they are far apart
    (-2, 2, 1, False), (-1, 1, 1, False), (-4, 4, 1, True), (-4, 4, 2, False), (0, 1, 1, True),
    (-0.4, 0.4, 1, False), (-0.2, 0.2, 1, True), (-0.2, 0.2, 0.5, False), (0, 255, 1, True),
    (-1, 0.5, 1, False), (-np.inf, 1, 1, False), (-3e38, 3e38, 1, True),
]  # fmt: skip


@pytest.mark.parametrize(("low", "high", "std", "far"), BOXES)
def test_a_box_far_from_where_the_policy_begins_gets_a_hint(low, high, std, far):
    """In the second of two dimensions; none with --rescale-actions."""
    args = options.parse(["ppo", "Box-v0", "--initial-std", str(std)])
    space = gym.spaces.Box(np.array([-1, low], "f4"), np.array([1, high], "f4"))
    envs = SimpleNamespace(single_action_space=space)
    lines = environments.hint(args, envs)
    assert len(lines) == far
    if far:
        assert (
            f"between {low:g} and {high:g}, the policy begins at 0 ± {std}: --rescale" in lines[0]
        )
    args.rescale_actions = True
    assert environments.hint(args, envs) == []


def test_the_hint_is_printed_once_a_run_begins(tmp_path, capsys):
    words = ["ppo", "Pendulum-v1", "--steps", "100", "--initial-std", "0.1", "--no-rescale-actions"]
    assert train.main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "minipg train: actions lie between -2 and 2" in capsys.readouterr().err


def test_an_environment_without_a_time_limit_gets_one_that_trains(tmp_path, capsys):
    words = ["acktr", "CliffWalking-v1", "--steps", "500", "--out", str(tmp_path / "run")]
    assert train.main(words) == 2
    suggested = re.search(r"(--max-episode-steps \d+), say", capsys.readouterr().err)[1].split()
    assert train.main([*words, *suggested]) == 0


def test_the_saved_parameters_are_the_trained_and_evaluated_ones(tmp_path):
    """By the algorithm's own loop with these very options, and by playing the saved θ again."""
    out = tmp_path / "run"
    options = "--gamma 0.5 --baseline none --learning-rate 0.3 --seed 5 --hidden 3,2"
    assert run_short(out, *options.split(), "--max-episode-steps", "30") == 0
    policy, theta = load_policy(out / "parameters.npz")
    assert policy.network.sizes == (4, 3, 2, 2)
    envs, rng = make_envs("CartPole-v1", 4, None, 30), np.random.default_rng(5)
    settings = reinforce.Settings(gamma=0.5, baseline="none", learning_rate=0.3)
    initial = policy.init(rng, dtype=np.float32)
    *_, (trained, record) = reinforce.reinforce(envs, policy, initial, settings, 500, rng)
    np.testing.assert_array_equal(theta, trained.theta)
    last = read_csv(out)[-1]
    assert {name: float(last[name]) for name in record} == record
    fresh = np.random.default_rng([5, 1])
    returns = np.concatenate([
        play_episodes(make_envs("CartPole-v1", 4, None, 30), policy, theta, fresh).rewards.sum(0)
        for _ in range(25)
    ])  # fmt: skip
    result = json.loads((out / "result.json").read_text())
    assert result["mean_return"] == returns.mean() <= 30
    assert result["stderr"] == pytest.approx(returns.std(ddof=1) / 10)


def test_an_environment_of_one_s_own_by_its_module(tmp_path, monkeypatch):
    (tmp_path / "own_env.py").write_text(
        "import gymnasium as gym\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('Own-v0', CartPoleEnv, max_episode_steps=9, reward_threshold=8)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "run"
    assert train.main(["reinforce", "own_env:Own-v0", "--steps", "50", "--out", str(out)]) == 0
    assert json.loads((out / "result.json").read_text())["threshold"] == 8
    assert plot.main([str(out)]) == 0


@pytest.mark.parametrize("normalize", [[], ["--normalize-observations", "--normalize-rewards"]])
@pytest.mark.parametrize("algorithm", ["reinforce", "actor_critic"])
def test_a_run_that_breaks_says_where_and_keeps_what_it_saved(
    tmp_path, monkeypatch, capsys, algorithm, normalize
):
    """The reward is NaN from the 300th step of all environments on, that of the second of two."""
    (tmp_path / "nan_env.py").write_text(
        "import gymnasium as gym\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "class NanEnv(CartPoleEnv):\n"
        "    count = 0\n"
        "    def step(self, action):\n"
        "        NanEnv.count += 1\n"
        "        obs, r, *rest = super().step(action)\n"
        "        return obs, float('nan') if NanEnv.count == 300 else r, *rest\n"
        "gym.register('Nan-v0', NanEnv, max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "run"
    sys.modules.pop("nan_env", None)
    gym.registry.pop("Nan-v0", None)
    arguments = ["nan_env:Nan-v0", "--num-envs", "2", "--out", str(out), *normalize]
    assert train.main([algorithm, *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"stopped in iteration \d+: reward: .* in environment [01] at step \d", error)
    load_policy(out / "parameters.npz")
    rows = read_csv(out)
    assert f"stopped in iteration {len(rows) + 1}:" in error
    assert not (out / "result.json").exists()


def test_ctrl_c_is_one_line_and_status_130(capsys):
    def command():
        raise KeyboardInterrupt

    assert cli.run("minipg train", command) == 130
    assert capsys.readouterr().err.startswith("minipg train: interrupted")


@pytest.mark.pitfall(22)
def test_normalization_is_trained_with_frozen_and_saved(tmp_path):
    """Pendulum, normalised too, against the loop by hand; the saved θ is for raw observations."""
    out = tmp_path / "pendulum"
    words = "--num-envs 8 --rescale-actions --normalize-observations --steps 1000"
    assert train.main(["actor_critic", "Pendulum-v1", *words.split(), "--out", str(out)]) == 0
    config = json.loads((out / "config.json").read_text())
    preset = PRESETS["actor_critic", "Pendulum-v1"]
    assert config["optimiser"] == preset["optimiser"] == "rmsprop"
    policy, theta = load_policy(out / "parameters.npz")
    settings = actor_critic.Settings(**{k: v for k, v in preset.items() if k in vars(
        actor_critic.Settings())})  # fmt: skip
    scaler = NormalizeObservation(make_envs("Pendulum-v1", 8, rescale_actions=True))
    envs = NormalizeReward(scaler, settings.gamma)
    rng = np.random.default_rng(0)
    initial = policy.init(rng, dtype=np.float32)
    for trained, _ in actor_critic.actor_critic(envs, policy, initial, settings, 1000, rng):
        scaler.update_running_mean = trained.env_steps < 250
    obs = make_envs("Pendulum-v1", 5).reset(seed=0)[0]
    scaled = (obs - scaler.obs_rms.mean) / np.sqrt(scaler.obs_rms.var + 1e-8)
    expected = policy.forward(trained.theta, scaled)[0]
    np.testing.assert_allclose(policy.forward(theta, obs)[0], expected, rtol=1e-4, atol=1e-5)
    rng, returns = np.random.default_rng([0, 1]), []
    for n in (*[8] * 12, 4):
        raw = make_envs("Pendulum-v1", n, rescale_actions=True)
        returns.extend(play_episodes(raw, policy, theta, rng).rewards.sum(0))
    result = json.loads((out / "result.json").read_text())
    assert result["mean_return"] == pytest.approx(np.mean(returns))


@pytest.mark.parametrize(
    "algorithm", sorted(ALGORITHMS.keys() - {"reinforce", "actor_critic", "cem"})
)
@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_trust_region_methods_train(tmp_path, algorithm, env):
    out = tmp_path / "run"
    assert train.main([algorithm, env, "--steps", "3000", "--out", str(out)]) == 0
    kl = [float(row["kl"]) for row in read_csv(out)]
    assert all(0 <= x < (0.5 if algorithm == "ppo" else 0.05) for x in kl)
    assert max(kl) > 1e-4
    delta = json.loads((out / "config.json").read_text()).get("delta")
    assert algorithm != "trpo" or max(kl) <= delta
    assert json.loads((out / "result.json").read_text())["algorithm"] == algorithm


def test_actor_critic_trains_in_its_other_forms(tmp_path):
    shared = ["--shared", "--steps", "300", "--state-dependent-std", "--n-steps", "4"]
    assert train.main(["actor_critic", "Pendulum-v1", *shared, "--out", str(tmp_path / "s")]) == 0
    assert load_policy(tmp_path / "s" / "parameters.npz")[0].value_head


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CartPole-v1", "--lam", "1.5"], "--lam: expected a number from 0 to 1"),
        (["CartPole-v1", "--gamma", "-1"], "--gamma: expected a number from 0 to 1"),
        (["CartPole-v1", "--n-steps", "0"], "--n-steps: expected a whole number from 1 to 1e+06"),
        (["Pendulum-v1", "--critic", "q"], "critic: expected Discrete actions for q"),
        (["CartPole-v1", "--critic", "q", "--shared"], "critic: expected v for a network shared"),
        (["CartPole-v1", "--rescale-actions"], "--rescale-actions: expected a bounded Box"),
    ],
)
def test_actor_critic_s_mistakes_are_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert train.main(["actor_critic", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert not list(tmp_path.iterdir())


def test_gaussian_policies_and_async_train_too(tmp_path):
    out = ["--out", str(tmp_path / "run")]
    assert train.main(["reinforce", "Pendulum-v1", "--steps", "300", "--num-envs", "2",
                       "--mode", "async", "--max-episode-steps", "50", *out]) == 0  # fmt: skip
    assert json.loads((tmp_path / "run" / "result.json").read_text())["threshold"] is None


def test_plot_draws_the_curve_and_refuses_what_is_no_run(tmp_path, capsys):
    run_short(tmp_path / "run")
    assert plot.main([str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert plot.main([str(tmp_path / "run"), "--out", str(tmp_path / "x.nope")]) == 2
    assert plot.main([str(tmp_path / "run" / "none")]) == 2
    assert "expected a run folder" in capsys.readouterr().err
    (tmp_path / "run" / "progress.csv").write_text("env_steps,mean_return\n1,2\n3")
    with pytest.raises(ValueError, match="expected a run folder"):
        runs.read_run(tmp_path / "run")


def test_presets_are_those_of_the_environment_and_of_no_other_word():
    """Also of module:ID, and wherever the environment stands among the options."""
    wanted = PRESETS["ppo", "CartPole-v1"]
    for words in (["CartPole-v1"], ["module:CartPole-v1"], ["--out", "Acrobot-v1", "CartPole-v1"],
                  ["--seed", "1", "CartPole-v1", "--out", "Acrobot-v1"], ["CartPole"],
                  ["CartPole", "--out", "Acrobot-v1"]):  # fmt: skip
        assert vars(options.parse(["ppo", *words])).items() >= wanted.items()
    plain, named = (vars(options.parse(["ppo", "MountainCar-v0", *more]))
                    for more in ([], ["--out", "CartPole-v1"]))  # fmt: skip
    assert named == plain | {"out": Path("CartPole-v1")}


def test_a_name_without_its_version_is_the_latest_s():
    """As Gymnasium chooses; a name that is registered so, of a module or unknown is kept."""
    gym.register("Plain", "gymnasium.envs.classic_control:CartPoleEnv")
    for env, known in (("Taxi", "Taxi-v4"), ("Plain", "Plain"), ("NoSuch", "NoSuch"),
                       ("Taxi-v3", "Taxi-v3"), ("my.module:Own", "my.module:Own")):  # fmt: skip
        assert options.parse(["ppo", env]).env == known
    gym.registry.pop("Plain")


@pytest.mark.parametrize("table", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_verify_holds_on_gymnasium_s_tables(table, capsys):
    assert verify.main([table, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["id"] for row in rows} >= {"E01", "E12", "E26", "E28", "E30", "errata 7"}
    assert all(row["holds"] for row in rows)


def test_estimators_prints_the_table_of_psi(tmp_path, capsys):
    """Bias 0 to 1e-12 where the slides say so, the sampled moments within their errors."""
    picture = tmp_path / "psi.png"
    assert estimators.main(["FrozenLake-v1", "--json", "--plot", str(picture)]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["critic_error"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = {(row["critic"], row["psi"]): row for row in table["rows"]}
    biased = {psi for (critic, psi), row in rows.items() if row["bias"] > 1e-12}
    assert {k for k, row in rows.items() if k[0] == "exact" and row["bias"] > 1e-12} == set()
    unbiased = {"total reward R", "reward-to-go", "reward-to-go − V", "A_(N), N = ∞", "GAE, λ = 1"}
    assert biased == {psi for _, psi in rows} - unbiased
    for row in rows.values():
        assert abs(row["sampled_bias"] - row["bias"]) < row["sampled_bias_error"]
        assert abs(row["sampled_variance"] - row["variance"]) < 1.5 * row["sampled_variance_error"]
    exact_a = rows["exact", "A = Q − V"]
    assert exact_a["variance"] < rows["exact", "Q"]["variance"]
    errors = [rows["learned", f"GAE, λ = {lam}"]["bias"] for lam in ("0", "0.5", "0.9")]
    assert errors == sorted(errors, reverse=True)
    assert estimators.main(["FrozenLake-v1"]) == 0
    assert "A = Q − V" in capsys.readouterr().out
    save_policy(tmp_path / "p.npz", softmax_policy(16, 4, (3,)), np.ones(67, np.float32))
    assert estimators.main(["--policy", str(tmp_path / "p.npz")]) == 0
    save_policy(tmp_path / "p.npz", gaussian_policy(16, 4), np.ones(72))
    assert estimators.main(["--policy", str(tmp_path / "p.npz")]) == 2
    assert estimators.main(["--policy", str(tmp_path / "none.npz")]) == 2


def test_calibrate_counts_what_it_says(capsys, monkeypatch):
    """Right, all rows hold; a verdict that always refuses, or never does, is found out."""
    assert calibrate.main(["--repetitions", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count("false alarms: 0 of 1") == 10
    assert out.count("missed: 0 of 1") == 17
    assert "27 of 27 hold" in out
    verdict = Verdict(False, 1.0, 0.5, 0.9, 7, 0.05, 0.05, np.zeros(1))
    for unbiased, fails in ((False, 10), (True, 17)):
        monkeypatch.setattr(calibrate, "check_unbiased",
                            lambda *_, u=unbiased: verdict._replace(unbiased=u))  # fmt: skip
        assert calibrate.main(["--repetitions", "9"]) == 1
        out = capsys.readouterr().out
        assert out.count("FAILS") == fails
        assert f"{27 - fails} of 27 hold" in out
    assert calibrate.main(["--repetitions", "0"]) == 2
    assert "calibrate: --repetitions: expected at least 1, got 0" in capsys.readouterr().err


def test_stress_finds_nothing_broken_and_says_so(capsys):
    """A smaller draw of the 10,000 batches, 10,000 pairs and 200 loops."""
    assert stress.main(["--batches", "150", "--pairs", "150", "--loops", "2"]) == 0
    out = capsys.readouterr().out
    assert "E46: 150 batches" in out
    assert "0 of them broke a condition, 0 refused steps moved θ" in out
    assert "E34: 150 pairs, 0 above the bound" in out
    assert "E36: 2 tables, ten steps each, 0 lowered J" in out


def test_verify_prints_a_row_a_claim_and_fails_where_one_does(capsys, monkeypatch):
    assert verify.main(["FrozenLake-v1", "--gamma", "0.9"]) == 0
    assert (
        f"{len(verify.CLAIMS)} of {len(verify.CLAIMS)} hold on FrozenLake-v1: 16 states, γ = 0.9"
        in capsys.readouterr().out
    )
    false = verify.CLAIMS[0]._replace(compare=lambda p: Row("1 vs NaN", np.nan, 1.0))
    monkeypatch.setattr(verify, "CLAIMS", [false])
    assert verify.main([]) == 1
    out = capsys.readouterr().out
    assert "FAILS" in out
    assert "0 of 1 hold" in out


@pytest.mark.parametrize(("gamma", "scale", "shift", "features"), [
    (0.9999, 1.0, 0.0, 1.0), (0.9, 1e-7, 0.0, 1.0), (0.99, 1.0, 1e4, 1.0), (0.9, 1.0, 0.0, 100.0),
    (0.9, 1e6, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0),
])  # fmt: skip
def test_verify_holds_whatever_the_scale(tmp_path, capsys, gamma, scale, shift, features):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "table.npz", transition=rng.dirichlet(np.ones(3), (3, 2)).astype("f4"),
             start=np.eye(3)[0], gamma=gamma, features=features * rng.standard_normal((3, 2)),
             reward=scale * rng.standard_normal((3, 2, 3)) + shift)  # fmt: skip
    status = verify.main([str(tmp_path / "table.npz")])
    assert status == 0, capsys.readouterr().out


def test_verify_holds_without_discount(capsys):
    assert verify.main(["CliffWalking-v1", "--gamma", "1"]) == 0, capsys.readouterr().out


def test_verify_takes_a_table_of_one_s_own(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path = tmp_path / "table.npz"
    arrays = {"transition": rng.dirichlet(np.ones(3), (3, 2)), "start": np.eye(3)[0], "gamma": 0.9,
              "reward": rng.standard_normal((3, 2))}  # fmt: skip
    np.savez(path, **arrays)
    assert verify.main([str(path)]) == 0
    np.savez(path, **{**arrays, "transition": arrays["transition"] * 0.5})
    assert verify.main([str(path)]) == 2
    assert "state 0, action 0 sums to 0.5" in capsys.readouterr().err
    np.savez(path, **{**arrays, "reward": np.ones((3, 2))})
    assert verify.main([str(path)]) == 2
    assert "where the action matters" in capsys.readouterr().err
    assert verify.main(["CartPole-v1"]) == 2
    assert verify.main(["FrozenLake-v1", "--gamma", "1.5"]) == 2
    np.savez(path, **arrays)
    assert verify.main([str(path), "--gamma", "0.9"]) == 2
    np.savez(path, **arrays, terminals=np.zeros(3, bool))
    assert verify.main([str(path)]) == 2
    assert "terminals" in capsys.readouterr().err
    assert verify.main([str(tmp_path / "none.npz")]) == 2


def test_without_a_final_evaluation_there_is_a_result_without_a_return(tmp_path, capsys):
    out = tmp_path / "run"
    words = ["ppo", "CartPole-v1", "--steps", "2000", "--evaluation-episodes", "0"]
    assert train.main([*words, "--out", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    assert (result["episodes"], result["mean_return"]) == (0, None)
    assert result["env_steps"] >= 2000


class Faint(gym.Env):
    """Observations of deviation 3e-5, whose variance is as small as the ε of normalisation."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float64)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 1e-4 * self.np_random.random(2), {}

    def step(self, action):
        return 1e-4 * self.np_random.random(2), float(action), False, False, {}


@pytest.mark.pitfall(22)
def test_the_absorbed_deviation_has_the_epsilon_of_the_one_trained_with(tmp_path):
    """√(var + ε) where ε tells: the saved policy is the trained one, not a sharper one."""
    gym.register("Faint-v0", Faint, max_episode_steps=8)
    try:
        words = [
            "npg",
            "Faint-v0",
            "--normalize-observations",
            "--num-envs",
            "4",
            "--steps",
            "12000",
        ]
        assert train.main([*words, "--out", str(tmp_path / "run")]) == 0
        policy, theta = load_policy(tmp_path / "run" / "parameters.npz")
        saved = load_tree(tmp_path / "run" / "state.npz")
        (statistics,) = [layer for layer in saved["envs"] if "obs_rms.var" in layer]
        mean, var = statistics["obs_rms.mean"], statistics["obs_rms.var"]
        assert (var < 5e-8).all()
        obs = 1e-4 * np.random.default_rng(0).random((5, 2))
        scaled = (obs - mean) / np.sqrt(var + 1e-8)
        expected = policy.eta(saved["state"].theta, scaled)
        np.testing.assert_allclose(policy.eta(theta, obs), expected, rtol=1e-4, atol=1e-6)
    finally:
        gym.registry.pop("Faint-v0")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["CartPole-v1", "--state-dependent-std"], "--state-dependent-std: expected with a head"),
        (["CartPole-v1", "--initial-std", "0.5"], "--initial-std: expected with a Box of actions"),
        (["CartPole-v1", "--final-std", "0.5"], "--final-std: expected with a Box of actions"),
        (
            ["Pendulum-v1", "--final-std", "0.5", "--state-dependent-std"],
            "--final-std: expected with a Box of actions, whose Gaussian has σ in θ, got --state",
        ),
        (["CartPole-v1", "--rescale-actions"], "--rescale-actions: expected a bounded Box"),
        (["CartPole-v1", "--out", ""], "--out: expected the name of a new folder, got '.'"),
        (["CartPole-v1", "--out", "."], "--out: expected the name of a new folder, got '.'"),
    ],
)
def test_an_option_that_does_not_apply_is_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert train.main(["ppo", *words, "--steps", "99"]) == 2
    assert capsys.readouterr().err.startswith(f"minipg train: {message}")
    assert not list(tmp_path.iterdir())
