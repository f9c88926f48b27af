"""The command minipg as a user's process: what it changes there, whose modules it finds, its help.

Whatever changes a process is tried in one of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from minipg import __version__, commands
from minipg.algorithms import acktr, cem, npg, ppo, reinforce
from minipg.commands import cli, estimators, evaluate, main, plot, say, sweep, train
from minipg.commands.afterword import remarks
from minipg.commands.process import in_run

MINIPG = [sys.executable, "-m", "minipg"]
MODULES = sorted(path.stem for path in Path(main.__file__).parent.glob("[!_]*.py"))
SHORT = ["--steps", "100", "--num-envs", "2", "--evaluation-episodes", "2"]
OWN = """import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv
gym.register("My-v0", CartPoleEnv, max_episode_steps=9)
"""


def run(*words, cwd=None, **variables):
    """What a command prints, and its status, in a process of its own."""
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False,
                          env={**os.environ, **variables})  # fmt: skip


def python(code, *words, cwd=None, **variables):
    """The standard output of some lines, whose assertions hold."""
    done = run(sys.executable, "-c", code, *words, cwd=cwd, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_map_of_the_commands_is_whole():
    mapped = [line.split()[0] for line in (commands.__doc__ or "").splitlines()[3:] if line]
    assert sorted(mapped) == MODULES


# the process


STATE = """
import json, os, signal, sys
def state():
    import numpy as np
    return {"path": sys.path[:], "errors": np.geterr(), "environ": dict(os.environ),
            "signals": [str(signal.getsignal(x)) for x in (signal.SIGINT, signal.SIGTERM)]}
"""


def test_importing_a_command_changes_nothing():
    """Neither does calling its main: only the entry point has the process."""
    code = f"""
before = state()
for name in {MODULES}:
    __import__("minipg.commands." + name)
from minipg.commands import main
assert main.main(["groups"]) == 0
assert state() == before
"""
    python(STATE + code)


def test_the_entry_point_prepares_its_process(tmp_path):
    """One BLAS thread unless the user says otherwise, Ctrl-C for SIGTERM, silence, this folder."""
    code = """
from minipg.commands import main, process
calls = []
process.keep_freed_memory = lambda: calls.append("memory")
sys.argv = ["minipg", "groups", "--help"]
for number in (signal.SIGINT, signal.SIGTERM):  # the tests may run in a shell's background
    signal.signal(number, signal.SIG_DFL)
try:
    main.console()
except SystemExit:
    print(json.dumps([state(), calls, str(signal.default_int_handler)]))
"""
    for threads in ("1", "3"):
        given_ = f"os.environ.update(OPENBLAS_NUM_THREADS={threads!r})\n" * (threads == "3")
        first = f"import os; os.environ.pop('OPENBLAS_NUM_THREADS', None); {given_}\n"
        out = python(first + STATE + code, cwd=tmp_path)
        after, calls, handler = json.loads(out.splitlines()[-1])
        assert after["environ"]["OPENBLAS_NUM_THREADS"] == threads
        assert set(after["errors"].values()) == {"ignore"}
        assert after["signals"] == [handler, handler]
        assert after["path"][-1] == str(tmp_path)
        assert calls == ["memory"]


def test_the_help_is_shown_without_numpy_and_train_s_without_what_is_optional():
    """So they are there at once."""
    code = """
import sys
from minipg.commands.main import console
sys.argv = ["minipg", *sys.argv[1:]]
try:
    console()
except SystemExit as stop:
    assert stop.code == 0
print(sorted(sys.modules))
"""
    modules = python(code, "--help").splitlines()[-1]
    assert "'argparse'" in modules
    assert "'numpy" not in modules
    modules = python(code, "train", "--help").splitlines()[-1]
    assert "'numpy'" in modules
    for heavy in (
        "matplotlib",
        "PIL",
        "tqdm",
        "distributed",
        "multiprocessing.pool",
        "scipy.stats",
    ):
        assert f"'{heavy}'" not in modules


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_during_the_imports_is_silent(name, ignored):
    """While SciPy is imported; where a shell has it ignored (nohup, &), nothing happens."""
    code = f"""
import os, signal, sys
class Interrupted:
    def find_spec(self, name, *rest):
        if name == "scipy":
            os.kill(os.getpid(), signal.{name})
sys.meta_path.insert(0, Interrupted())
signal.signal(signal.{name}, signal.{"SIG_IGN" if ignored else "SIG_DFL"})
from minipg.commands.main import console
sys.argv = ["minipg", "train", "--help"]
console()
"""
    done = run(sys.executable, "-c", code)
    assert done.stderr == ""
    assert done.returncode == (0 if ignored else 130)
    assert ("usage" in done.stdout) == ignored


def test_a_pipe_that_is_closed_is_no_mistake():
    code = "import sys; from minipg.commands import groups; sys.exit(groups.main([]))"
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


# modules


@pytest.mark.parametrize("name", ["groups", "runs", "plot", "options", "cli", "process", "mine"])
def test_a_module_of_the_current_folder_whatever_its_name(tmp_path, name):
    """As one of our modules', or not; by both ways to call the command, from that folder."""
    (tmp_path / f"{name}.py").write_text(OWN)
    words = ["train", "ppo", f"{name}:My-v0", *SHORT, "--out", "out"]
    done = run(*MINIPG, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    code = "import sys; from minipg.commands.main import console; sys.exit(console())"
    done = run(sys.executable, "-c", code, "evaluate", "out", "--episodes", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_nothing_of_python_s_or_ours_is_hidden_by_the_current_folder(tmp_path):
    for name in ("json", "random", "numpy", "gymnasium", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hidden')")
    done = run(*MINIPG, "train", "ppo", "CartPole-v1", *SHORT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "code.py").write_text(OWN)
    done = run(*MINIPG, "train", "ppo", "code:My-v0", cwd=tmp_path)
    error = done.stderr.splitlines()[-1]
    python_s = shutil.__file__.replace("shutil", "code")
    assert f"; {tmp_path / 'code.py'} is hidden by {python_s}: give it another" in error
    done = run(*MINIPG, "train", "ppo", "mine:My-v0", cwd=tmp_path)
    assert done.stderr.splitlines()[-1].endswith(f"; there is no {tmp_path / 'mine.py'}")
    (tmp_path / "mine.py").write_text(OWN)
    done = run(*MINIPG, "train", "ppo", "My-v0", cwd=tmp_path)
    assert done.stderr.splitlines()[-1].endswith("is named my_module:ID")
    done = run(*MINIPG, "train", "ppo", "mine:My-v0", cwd=tmp_path, PYTHONSAFEPATH="1")
    assert "No module named 'mine'" in done.stderr


def test_a_run_folder_is_data_to_its_last_file(tmp_path):
    """A stranger's folder and a config.json that leads into it: nothing there is imported."""
    folder = tmp_path / "theirs"
    assert train.main(["ppo", "CartPole-v1", *SHORT, "--out", str(folder)]) == 0
    (folder / "payload.py").write_text(f"open({str(tmp_path / 'boom')!r}, 'w')")
    (folder / "PIL.py").write_text(f"open({str(tmp_path / 'boom')!r}, 'w')")
    (folder / "inner").mkdir()
    shutil.copy(folder / "payload.py", folder / "inner")
    config = json.loads((folder / "config.json").read_text())
    for env, here in (("theirs.payload", tmp_path), ("theirs.inner.payload.deep", tmp_path),
                      ("payload", folder), ("payload", folder / "inner"),
                      ("inner.payload", folder)):  # fmt: skip
        there = os.path.relpath(folder, here)
        (folder / "config.json").write_text(json.dumps({**config, "env": f"{env}:CartPole-v1"}))
        for words in (["evaluate", there], ["train", "--resume", there, "--steps", "999"]):
            done = run(*MINIPG, *words, cwd=here)
            assert done.returncode == 2
            assert "payload" in done.stderr.splitlines()[-1]
    (folder / "config.json").write_text(json.dumps(config))
    run(*MINIPG, "evaluate", ".", "--video", "x.gif", cwd=folder)
    assert not (tmp_path / "boom").exists()
    assert in_run(str(folder))
    assert in_run(str(folder / "inner"))
    assert not in_run(str(tmp_path))


# words


def shown(capsys, command, *words):
    """(status, standard output, standard error) of a command in this process."""
    try:
        status = command(list(words))
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


def test_help_shows_the_commands_and_each_has_examples_that_parse(capsys):
    status, out, _ = shown(capsys, main.main, "--help")
    assert status == 0
    assert all(f"  {name}" in out for name in main.COMMANDS)
    for name in main.COMMANDS:
        status, out, _ = shown(capsys, main.main, name, "--help")
        assert status == 0
        assert out.startswith(f"usage: minipg {name}")
        assert f"\n  minipg {name}" in out.split("examples:")[1]
    assert shown(capsys, main.main, "--version") == (0, f"minipg {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "minipg: the following arguments are required: COMMAND"),
        (["trian"], "minipg: argument COMMAND: invalid choice: 'trian' (choose from"),
        (["train", "ppo", "CartPole-v1", "--Learning_rates", "1"],
         "minipg train ppo: unknown: --Learning_rates 1 (--learning-rate?)"),
        (["train", "ppo", "CartPole-v1", "--hidden", "64", "32"],
         "minipg train ppo: unknown: 32; a value is one word, as 64,64; see"),
        (["train", "ppo", "CartPole-v1", "--fast"], "minipg train ppo: unknown: --fast; see"),
        (["train", "ppo", "CartPole-v1", "--steps", "ten"], "a whole number, as 1000 or 1e3, got"),
        (["train", "ppo", "CartPole-v1", "--steps", "1.5"], "a whole number, as 1000 or 1e3, got"),
        (["train", "ppo", "CartPole-v1", "--steps", "inf"], "a whole number, as 1000 or 1e3, got"),
        (["train", "ppo", "CartPole-v1", "--gamma", "1,5"], "a number, as 0.5 or 5e-1, got '1,5'"),
        (["train", "ppo", "CartPole-v1", "--until", "nan"], "a number, as 0.5 or 5e-1, got 'nan'"),
        (["train", "ppo", "CartPole-v1", "--hidden", "64:64"], "as 64,64 (none: ''), got '64:64'"),
        (["train", "ppo", "CartPole-v1", "--hidden", "64,0"], "as 64,64 (none: ''), got '64,0'"),
        (["train", "ppo", "CartPole-v1", "--env-kwargs", "n=3"],
         "a JSON object, as '{\"is_slippery\": false}' in quotes, got n=3"),
        (["train", "--resume", "x", "--gamma", "1"], "all other options are the folder's"),
        (["sweep", "ppo", "--env", "CartPole-v1", "--seeds", "1", "--steps", "9"],
         "unknown: --steps 9; options of minipg train stand after --"),
        (["evaluate", "nowhere"], "nowhere: expected a run folder of minipg train, there is none"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_beside_what_is_right(capsys, words, message):
    status, out, error = shown(capsys, main.main, *words)
    assert (status, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("text", "number"), [("100000", 100_000), ("1e5", 100_000), ("2.5e2", 250),
                                              ("-3", -3), (str(2**70 + 1), 2**70 + 1)])  # fmt: skip
def test_a_whole_number_as_people_write_it(text, number):
    assert cli.whole(text) == number
    assert type(cli.whole(text)) is int


def test_steps_as_people_write_them(tmp_path):
    words = ["ppo", "CartPole-v1", *SHORT, "--steps", "1e2", "--out", str(tmp_path / "run")]
    assert train.main(words) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps"] == 100


def test_the_command_is_named_as_it_was_called(tmp_path, monkeypatch):
    """So that what it says can be typed: as installed, by its path, by python -m."""
    program = tmp_path / "my bin" / "minipg"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.called() == f"'{program}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert cli.called() == "minipg"
    monkeypatch.setattr(sys, "argv", [str(Path(cli.__file__).parents[1] / "__main__.py")])
    assert cli.called() == f"{sys.executable} -m minipg"
    (program.parent / "python3").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(program.parent / "python3"))
    assert cli.called() == "python3 -m minipg"


# figures


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [(0.731, 0.0443, "0.73 ± 0.04"), (499.43, 0.57, "499.4 ± 0.6"), (59.21, 0.1234, "59.21 ± 0.12"),
     (-148.3, 8.2, "-148 ± 8"), (2781.0, 123.0, "2780 ± 120"), (500.0, 0.0, "500 ± 0"),
     (1.05, 0.0996, "1.05 ± 0.10"), (0.0, 0.95, "0.0 ± 0.9"), (1234.5, 1999.0, "1000 ± 2000")],
)  # fmt: skip
def test_figures_have_the_digits_of_their_error(mean, error, text):
    assert say.plus_minus(mean, error) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_rounding_costs_less_than_a_third_of_an_error_and_shows_no_digit_of_noise(mean, error):
    shown_mean, shown_error = map(float, say.plus_minus(mean, error).split(" ± "))
    unit = 10.0 ** -say.decimals(error)
    assert abs(shown_mean - mean) <= 0.501 * unit
    assert abs(shown_error - error) <= 0.501 * unit
    assert 0.05 * error < unit < 0.7 * error
    assert shown_error > 0


# what is not installed


def test_without_tqdm_there_is_a_plain_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    out = tmp_path / "run"
    words = ["ppo", "CartPole-v1", "--steps", "3000", "--evaluation-episodes", "20"]
    assert train.main([*words, "--out", str(out)]) == 0
    error = capsys.readouterr().err
    lines = [line.strip() for line in error.replace("\r", "\n").splitlines() if "%" in line]
    assert lines[0].startswith("51%  1536 of 3000 steps")
    assert any(line.startswith("100%  3000 of 3000 steps, mean_return=") for line in lines)
    assert lines[-1] == "100%  20 of 20 episodes"
    assert evaluate.main([str(out)]) == 0
    assert sweep.main(["ppo", "--env", "CartPole-v1", "--seeds", "1", "--jobs", "1", "--out",
                       str(tmp_path), "--", *SHORT]) == 0  # fmt: skip
    assert "100%  100 of 100 steps, runs=1/1" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plot", "video", "psi"])
def test_without_matplotlib_a_picture_says_what_to_install(tmp_path, monkeypatch, capsys, command):
    """In one line, before anything is computed."""
    out = tmp_path / "run"
    assert train.main(["ppo", "CartPole-v1", *SHORT, "--out", str(out)]) == 0
    for name in [name for name in sys.modules if name.split(".")[0] in ("matplotlib", "PIL")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "minipg.commands.panels", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    words, main_of, package = {
        "plot": ([str(out)], plot.main, "matplotlib"),
        "video": ([str(out), "--video", str(tmp_path / "x.gif")], evaluate.main, "pillow"),
        "psi": (["--plot", str(tmp_path / "x.png")], estimators.main, "matplotlib"),
    }[command]
    capsys.readouterr()
    assert main_of(words) == 2
    stdout, error = capsys.readouterr()
    assert error.endswith(f"needs {package}: pip install {package}\n")
    assert (error.count("\n"), stdout) == (1, "")
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize(("encoding", "words"), [
    ("ascii", ["verify", "--help"]), ("cp1252", ["groups"]), ("latin-1", ["evaluate", "--help"]),
])  # fmt: skip
def test_no_terminal_s_encoding_stops_a_command(words, encoding):
    """What it cannot show is a question mark."""
    done = subprocess.run([*MINIPG, *words], capture_output=True, check=False,
                          env={**os.environ, "PYTHONIOENCODING": encoding})  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_output_stops_nothing(tmp_path, closed):
    """As cron may leave it: the progress bar and the result are said to nobody."""
    words = ["train", "ppo", "CartPole-v1", *SHORT, "--out", "out"]
    done = subprocess.run([*MINIPG, *words], cwd=tmp_path, check=False,
                          preexec_fn=lambda: os.close(closed))  # fmt: skip
    assert done.returncode == 0
    assert (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "ppo", "quiet:My-v0"], "; does quiet call gymnasium.register('My-v0', …)?"),
        (["train", "ppo", "quiet.py:My-v0"], "; a module is named without .py: quiet:My-v0"),
        (["verify", "quiet.py"], "quiet.py: expected an .npz file with a table, or an env"),
        (["groups", "--seed", "-1"], "--seed: expected a whole number of 0"),
        (["estimators", "--plot", "no/x.png"], "--plot: expected a .png or .svg in a folder"),
        (["estimators", "--plot", "x.docx"], "--plot: expected a .png or .svg in a folder"),
    ],
)
def test_what_a_beginner_mistook_is_told_with_what_is_right(tmp_path, words, message):
    (tmp_path / "quiet.py").write_text("")
    done = run(*MINIPG, *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]


def test_a_pipe_of_another_s_that_breaks_is_no_reader_gone(monkeypatch, capfd):
    """Of the standard output's a command is silent and right; of any other it has failed."""

    def broken():
        raise BrokenPipeError(32, "Broken pipe")

    assert cli.run("minipg sweep", broken) == 2
    assert capfd.readouterr().err == "minipg sweep: [Errno 32] Broken pipe\n"


def rows_of(tmp_path, **columns):
    columns = {"env_steps": [9] * len(next(iter(columns.values())))} | columns
    path = tmp_path / "progress.csv"
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_end_of_a_training_says_what_its_record_shows(tmp_path):
    """KL of ten times δ counts from there; a policy that stands still with a weak gradient."""
    plain, normalized = (
        argparse.Namespace(algorithm="npg", normalize_rewards=x, steps=9) for x in (False, True)
    )
    far = rows_of(tmp_path, kl=[0.01, 0.1, 0.11, 7], entropy=[0.7, 0.6, 0.5, 0.4],
                  gradient_norm=[0.001] * 4)  # fmt: skip
    (line,) = remarks(plain, npg.Settings(delta=0.01), far)
    assert line == ("KL reached 7, above 10 δ in 2 of 4 iterations: --delta 0.001, or trpo, which "
                    "refuses such steps")  # fmt: skip
    assert remarks(plain, npg.Settings(delta=0.7), far) == []
    (line,) = remarks(plain, npg.Settings(learning_rate=4.0), far)
    assert ": --learning-rate 0.4, or trpo" in line
    other = argparse.Namespace(**{**vars(plain), "algorithm": "acktr"})
    (line,) = remarks(other, acktr.Settings(delta=0.01), far)  # its rate bounds the step of δ
    assert ": --delta 0.001, or trpo" in line
    certain = {"entropy": [0.7, 0, 0.1, 0, 0], "gradient_norm": [1, 0, 0, 0, 0]}
    (line,) = remarks(plain, ppo.Settings(), rows_of(tmp_path, **certain))
    assert "is 0 in the last 2 of 5 iterations: no more is learned" in line
    certain["gradient_norm"][-1] = 1e-300
    assert remarks(plain, ppo.Settings(), rows_of(tmp_path, **certain)) == []
    still = {"entropy": [0.69, 0.5, 0.685], "gradient_norm": [1, 0.009, 0.001]}
    (line,) = remarks(plain, reinforce.Settings(), rows_of(tmp_path, **still))
    assert "from 0.69 to 0.685, its gradient was below 0.01 in 2 of 3 iterations" in line
    assert line.endswith("--normalize-rewards")
    assert remarks(normalized, reinforce.Settings(), rows_of(tmp_path, **still)) == []
    for other in ({"entropy": [0.69, 0.5, 0.67]}, {"gradient_norm": [1, 0.02, 0.001]},
                  {"entropy": [0.009, 0.1, 0.004]}):  # fmt: skip
        assert remarks(plain, reinforce.Settings(), rows_of(tmp_path, **{**still, **other})) == []
    assert remarks(plain, cem.Settings(), rows_of(tmp_path, env_steps=[1], std=[1.0])) == []
    (line,) = remarks(plain, cem.Settings(), rows_of(tmp_path, env_steps=[10], std=[1.0]))
    assert line.startswith("the first iteration took 10 steps, more than --steps 9: ")
    assert remarks(plain, cem.Settings(), rows_of(tmp_path, env_steps=[9, 12], std=[1, 1])) == []
