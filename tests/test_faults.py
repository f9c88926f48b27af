"""Whatever happens to a run: its files are whole, one line says what it was, and it goes on."""

import errno
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from test_resume import content

from minipg import files
from minipg.algorithms.state import load_tree
from minipg.commands import evaluate, runs, train, writer
from minipg.policies.policy_file import load_policy

TRAIN = [sys.executable, "-m", "minipg", "train"]
A2C = ["actor_critic", "CartPole-v1", "--num-envs", "2", "--n-steps", "8", "--hidden", "4"]
LONG = [*A2C, "--steps", "1000000"]


def assert_quiet(stderr):
    """Nothing but what runs, a progress bar and at last what went wrong."""
    *lines, _ = stderr.splitlines()
    known = ("steps/s" in x or " seed 0: the " in x or not x for x in lines)
    assert all(known), stderr


def python():
    """How the shell finds this interpreter."""
    names = [name for name in ("python", "python3") if shutil.which(name) == sys.executable]
    return names[0] if names else sys.executable


def check_whole(run):
    """Every file of a run folder is whole and they belong together; how many iterations."""
    json.loads((run / "config.json").read_text())
    _, theta = load_policy(run / "parameters.npz")
    assert np.isfinite(theta).all()
    state = runs.read_checkpoint(run)
    table = (run / "progress.csv").read_bytes()
    assert len(table) >= state["csv_bytes"]
    for text in (table, table[: state["csv_bytes"]]):
        assert text.endswith(b"\n")
        rows = text.decode().splitlines()
        assert {row.count(",") for row in rows} == {rows[0].count(",")}
    assert len(rows) - 1 == state["iterations"]
    assert int(rows[-1].split(",")[0]) == state["state"].env_steps
    return state["iterations"]


def kill_fifty(run):
    """kill -9 at fifty random moments of a run that does little but write; prints what came.

    Forked from this process, which has imported train once.
    """
    writer.SECONDS_BETWEEN_WRITES, writer.SHARE_OF_WRITES = 0.0, np.inf
    chance, halves, before = random.Random(0), 0, 0
    for _ in range(50):
        child = os.fork()
        if not child:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115
            words = ["--resume", str(run)] if run.exists() else [*LONG, "--out", str(run)]
            os._exit(train.main(words))
        time.sleep(chance.uniform(0, 0.12))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        if run.exists():
            iterations = check_whole(run)
            assert iterations >= before
            before = iterations
            halves += any(run.glob(".*.tmp"))
    print(before, halves)


def test_kill_9_at_fifty_random_moments(tmp_path):
    """Every file whole after each, resumed from each; at the end what an undisturbed run has."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    code = "import sys, pathlib, test_faults as t; t.kill_fifty(pathlib.Path(sys.argv[1]))"
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, "-c", code, run], capture_output=True, text=True,
                          check=False, env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    assert done.returncode == 0, done.stderr
    iterations, halves = map(int, done.stdout.split())
    assert halves  # some kills were in the middle of a write
    stop_after(iterations, [*LONG, "--out", str(whole)])
    stop_after(0, ["--resume", str(run)])
    assert state_and_figures(run) == state_and_figures(whole)


def stop_after(iterations, words):
    """Ctrl-C as soon as so many iterations are done."""
    add = writer.Writer.add

    def stop(self, *args, **more):
        if self.iterations >= iterations:
            raise KeyboardInterrupt
        add(self, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "add", stop)
        assert train.main(words) == 130


def state_and_figures(run):
    """All but the seconds."""
    state = load_tree(run / "state.npz")
    rows = (run / "progress.csv").read_text().splitlines()
    del state["seconds"], state["csv_bytes"]
    parameters = (run / "parameters.npz").read_bytes()
    return repr(state), parameters, [row.rsplit(",", 1)[0] for row in rows]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("mode", [[], ["--mode", "async"]], ids=["", "async"])
def test_ctrl_c_finishes_writing_and_says_how_to_resume(tmp_path, name, mode):
    """Sent to the whole group as a terminal does, workers included."""
    run = tmp_path / "a run"
    process = subprocess.Popen([*TRAIN, *LONG, *mode, "--out", run],
                               stderr=subprocess.PIPE, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                               )  # fmt: skip  # a background job of a shell ignores it
    seen = b""
    while b"mean_return" not in seen:  # the progress bar, once it moves
        seen += process.stderr.read(20)
    os.killpg(process.pid, getattr(signal, name))
    error = (seen + process.stderr.read()).decode().splitlines()[-1]
    process.stderr.close()
    assert process.wait() == 130
    go_on = f"go on with: {python()} -m minipg train --resume '{run}'"
    assert error == f"minipg train: interrupted; {go_on}"
    iterations = check_whole(run)
    assert runs.read_checkpoint(run)["iterations"] == iterations > 1
    stop_after(iterations + 3, ["--resume", str(run)])
    assert check_whole(run) == iterations + 3


def test_ctrl_c_before_the_first_iteration_leaves_nothing(tmp_path, capsys):
    stop_after(0, [*A2C, "--out", str(tmp_path / "run")])
    assert capsys.readouterr().err == "minipg train: interrupted; nothing was written\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("at", range(5, 9))
def test_a_folder_that_cannot_be_written_any_more(tmp_path, monkeypatch, capsys, code, at):
    """From the at-th file on each write fails at its end: what stood there stays and goes on."""
    run, whole, count, fsync = tmp_path / "run", tmp_path / "whole", [0], os.fsync
    words = [*A2C, "--steps", "300"]
    assert train.main([*words, "--out", str(whole)]) == 0

    def full(file):
        count[0] += 1
        if count[0] >= at:
            raise OSError(code, os.strerror(code))
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "SECONDS_BETWEEN_WRITES", 0)
        patch.setattr(writer, "SHARE_OF_WRITES", np.inf)
        patch.setattr(files.os, "fsync", full)
        assert train.main([*words, "--out", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    check_whole(run)
    assert error == (
        f"minipg train: {run}: cannot be written, {os.strerror(code)}; its files are whole; once "
        f"it can be, go on with: minipg train --resume {run}"
    )
    assert not list(run.glob(".*"))
    assert train.main(["--resume", str(run)]) == 0
    assert content(run) == content(whole)


@pytest.mark.parametrize("at", range(1, 5))
def test_a_disk_full_from_the_start_leaves_nothing(tmp_path, monkeypatch, capsys, at):
    count, fsync = [0], os.fsync

    def full(file):
        count[0] += 1
        if count[0] >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)

    monkeypatch.setattr(files.os, "fsync", full)
    assert train.main([*A2C, "--out", str(tmp_path / "run")]) == 2
    assert "--out: expected a folder that can be made, got [Errno 28]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kilobytes", [4, 16])
def test_a_write_that_fails_half_way_through_a_file(tmp_path, kilobytes):
    """The system's own error, of a limit on the size of files: in state.npz or in progress.csv."""
    run, short = tmp_path / "run", ["--n-steps", "1", "--max-episode-steps", "9"]
    words = [*A2C, *short, "--steps", "600"]
    limit = (1024 * kilobytes, resource.RLIM_INFINITY)
    done = subprocess.run([*TRAIN, *words, "--out", run], capture_output=True,
                          text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
                          )  # fmt: skip
    assert done.returncode == 2
    assert_quiet(done.stderr)
    error = done.stderr.splitlines()[-1]
    assert os.strerror(errno.EFBIG) in error
    if kilobytes == 4:  # not even the first iteration
        assert "--out: expected a folder that can be made" in error
        assert not list(tmp_path.iterdir())
        return
    check_whole(run)
    assert not list(run.glob(".*"))
    assert train.main(["--resume", str(run)]) == 0
    check_whole(run)
    assert train.main([*words, "--out", str(tmp_path / "whole")]) == 0
    ours, whole = (runs.read_checkpoint(tmp_path / name)["state"] for name in ("run", "whole"))
    assert ours.env_steps == whole.env_steps
    np.testing.assert_array_equal(ours.theta, whole.theta)


class Faulty(CartPoleEnv):
    """Breaks in some way at the 200th step after `how` is set."""

    how, count = "", 0

    def step(self, action):
        Faulty.count += bool(Faulty.how)
        if Faulty.count == 200:
            Faulty.count = 0
            if Faulty.how == "raise":
                raise RuntimeError("the simulator\nfell over")
            if Faulty.how == "value":
                raise ValueError("no such joint")
            if Faulty.how == "exit":
                sys.exit("window closed")
            if Faulty.how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
        obs, reward, *rest = super().step(action)
        if Faulty.count == 199 and Faulty.how == "inf":
            obs = obs * np.float32(np.inf)
        return obs, float("nan") if Faulty.count == 199 and Faulty.how == "nan" else reward, *rest


@pytest.fixture
def faulty(monkeypatch):
    gym.register("Faulty-v0", Faulty, max_episode_steps=9)
    monkeypatch.setattr(Faulty, "how", "")
    monkeypatch.setattr(Faulty, "count", 0)
    yield [*A2C[:1], "Faulty-v0", *A2C[2:], "--steps", "600"]
    gym.registry.pop("Faulty-v0")


@pytest.mark.parametrize(
    ("how", "mode", "message"),
    [("raise", "sync", r"14: environment: step raised RuntimeError: the simulator fell over \(/"),
     ("value", "sync", r"14: environment: step raised ValueError: no such joint \(/.*:"),
     ("exit", "sync", r"14: environment: step raised SystemExit: window closed \(/.*:"),
     ("nan", "sync", "14: reward: expected finite numbers to .*, got nan in env"),
     ("inf", "sync", r"14: observation: expected finite numbers to .*, got \[.*\] in env"),
     ("nan", "async", "28: reward: expected finite numbers to .*, got nan in environment 0"),
     pytest.param("raise", "async", "28: environment: step raised RuntimeError: the simulator fell",
                  marks=pytest.mark.filterwarnings("ignore:.*ERROR")),  # its worker's traceback
     ("die", "async", "28: environment: a worker process died at step, exit code -9: --mode")],
)  # fmt: skip
def test_an_environment_that_breaks_in_the_middle(
    tmp_path, monkeypatch, capsys, faulty, how, mode, message
):
    run = tmp_path / "run"
    monkeypatch.setattr(Faulty, "how", how)
    assert train.main([*faulty, "--mode", mode, "--out", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(f"stopped in iteration {message}", error), error
    assert ("go on with" in error) == (how not in ("nan", "inf"))
    assert "diverged" not in error
    assert f"iteration {check_whole(run) + 1}:" in error
    monkeypatch.setattr(Faulty, "how", "")
    assert train.main(["--resume", str(run)]) == 0
    assert check_whole(run) >= 37
    assert evaluate.main([str(run)]) == 0


def test_an_environment_that_raises_at_once_or_in_the_evaluation(
    tmp_path, monkeypatch, capsys, faulty
):
    monkeypatch.setattr(Faulty, "how", "raise")
    monkeypatch.setattr(Faulty, "count", 198)
    assert train.main([*faulty, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "minipg train: environment: step raised RuntimeError: the simulator fell over ("
    )
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Faulty, "count", -500)
    assert train.main([*faulty, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "minipg train: stopped after training: environment: step raised RuntimeError"
    )
    monkeypatch.setattr(Faulty, "how", "")
    assert train.main(["--resume", str(tmp_path / "run")]) == 0


def test_one_process_at_a_time_trains_in_a_folder(tmp_path, capsys):
    """Else each writes progress.csv from its own count of bytes."""
    run, whole, add, asked = tmp_path / "run", tmp_path / "whole", writer.Writer.add, []
    words = [*A2C, "--steps", "300", "--evaluation-episodes", "0"]

    def resume(self, *args, **more):
        add(self, *args, **more)
        if self.begun and not asked:  # from another process, as another descriptor is
            asked.append(train.main(["--resume", str(run)]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "add", resume)
        assert train.main([*words, "--out", str(run)]) == 0
    assert asked == [2]
    assert f"{run}: expected a run that nobody trains, another" in capsys.readouterr().err
    assert train.main([*words, "--out", str(whole)]) == 0
    assert state_and_figures(run) == state_and_figures(whole)
    assert train.main(["--resume", str(run), "--steps", "400"]) == 0  # it has been let go


def test_resuming_on_an_environment_that_changed_leaves_the_folder_as_it_was(
    tmp_path, capsys, faulty
):
    """Other observations, actions or number of copies: found before anything is written."""
    run = tmp_path / "run"
    words = [*faulty, "--normalize-observations", "--out", str(run)]
    stop_after(3, words)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    for change in (
        lambda env: setattr(env, "observation_space", gym.spaces.Box(-1, 1, (3,))),
        lambda env: setattr(env, "action_space", gym.spaces.Discrete(5)),
    ):

        def changed(change=change):
            env = Faulty()
            change(env)
            return env

        gym.registry.pop("Faulty-v0")
        gym.register("Faulty-v0", changed, max_episode_steps=9)
        capsys.readouterr()
        assert train.main(["--resume", str(run)]) == 2
        error = capsys.readouterr().err
        assert "Faulty-v0: expected observations and actions" in error
        assert error.endswith("the environment has changed; train anew\n")
        assert before == {path.name: path.read_bytes() for path in run.iterdir()}


@pytest.mark.parametrize("how", ["raise", "value", "exit"])
def test_an_environment_that_fails_first_thing_on_going_on(
    tmp_path, monkeypatch, capsys, faulty, how
):
    run = tmp_path / "run"
    stop_after(3, [*faulty, "--out", str(run)])
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    monkeypatch.setattr(Faulty, "how", how)
    monkeypatch.setattr(Faulty, "count", 198)
    capsys.readouterr()
    assert train.main(["--resume", str(run)]) == 2
    assert "stopped in iteration 4: " in capsys.readouterr().err
    assert before == {path.name: path.read_bytes() for path in run.iterdir()}
    monkeypatch.setattr(Faulty, "how", "")
    assert train.main(["--resume", str(run)]) == 0


def test_a_table_that_a_spreadsheet_changed_is_not_written_over(tmp_path, capsys):
    run = tmp_path / "run"
    stop_after(3, [*A2C, "--out", str(run)])
    text = (run / "progress.csv").read_bytes().replace(b",", b";")
    (run / "progress.csv").write_bytes(text)
    assert train.main(["--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{run}: expected a run folder, got ValueError(" in error
    assert "16;" in error
    assert (run / "progress.csv").read_bytes() == text


def test_a_table_that_was_edited_to_another_length_is_refused(tmp_path, capsys):
    """It would be cut in the middle of a row."""
    run = tmp_path / "run"
    stop_after(3, [*A2C, "--out", str(run)])
    table = run / "progress.csv"
    rows = table.read_text().splitlines(keepends=True)
    cells = rows[1].split(",")
    table.write_text("".join([rows[0], ",".join(["1000000", *cells[1:]]), *rows[2:]]))
    kept = {path: path.read_bytes() for path in run.iterdir()}
    assert train.main(["--resume", str(run)]) == 2
    assert "expected a run folder, got " in capsys.readouterr().err.splitlines()[-1]
    assert {path: path.read_bytes() for path in run.iterdir()} == kept


def test_a_folder_that_is_gone_is_told_as_that(tmp_path, capsys):
    run, add = tmp_path / "run", writer.Writer.add

    def remove(self, *args, **more):
        if self.iterations == 3:
            shutil.rmtree(run)
            self.due = 0
        add(self, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "add", remove)
        assert train.main([*A2C, "--out", str(run)]) == 2
    assert capsys.readouterr().err.endswith(f"{run}: expected the run's folder, it is gone\n")


def test_a_worker_that_dies_between_two_steps(tmp_path, capsys):
    run, add = tmp_path / "run", writer.Writer.add

    def kill(self, *args, **more):
        add(self, *args, **more)
        if self.iterations == 5:
            worker = multiprocessing.active_children()[0]
            worker.kill()
            worker.join()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "add", kill)
        assert train.main([*A2C, "--mode", "async", "--steps", "300", "--out", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    wanted = (
        "^minipg train: stopped in iteration 6: environment: a worker process died .*; go on with"
    )
    assert re.search(wanted, error)
    assert check_whole(run) == 5
    assert not multiprocessing.active_children()
    assert train.main(["--resume", str(run)]) == 0


def test_an_environment_that_raises_in_a_worker_process_is_one_line(tmp_path):
    """In a process of its own, where Gymnasium would print the worker's traceback."""
    (tmp_path / "broken.py").write_text(
        "import gymnasium as gym\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "class Broken(CartPoleEnv):\n"
        "    def step(self, action):\n"
        "        raise KeyError('lost')\n"
        "gym.register('Broken-v0', Broken, max_episode_steps=9)\n"
    )
    words = ["ppo", "broken:Broken-v0", "--mode", "async", "--num-envs", "2", "--steps", "64"]
    done = subprocess.run([*TRAIN, *words], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "ERROR" not in done.stderr
    assert re.search(r"^minipg train: environment: step raised KeyError: 'lost' \(.*broken.py:5\)",
                     done.stderr.splitlines()[-1])  # fmt: skip


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_module_in_a_run_folder_is_not_imported(tmp_path, command):
    """Not even with the folder as the current one."""
    run = tmp_path / "run"
    stop_after(2, [*A2C, "--out", str(run)])
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "env": "payload:CartPole-v1"}))
    (run / "payload.py").write_text("open('boom', 'w')")
    words = ["--resume", "."] if command == "train" else ["."]
    done = subprocess.run([sys.executable, "-m", "minipg", command, *words], cwd=run,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert "No module named 'payload'" in done.stderr
    assert not (run / "boom").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [(["actor_critic", "--optimiser", "sgd", "--learning-rate", "1e300"], "parameters|gradient"),
     (["actor_critic", "--critic-learning-rate", "1e300"], "critic after the step|gradient"),
     (["ppo", "--learning-rate", "1e300"], "parameters|theta|gradient"),
     (["reinforce", "--learning-rate", "1e300"], "parameters after the step"),
     (["npg", "--delta", "1e300"], "step"),
     (["trpo", "--critic-learning-rate", "1e300"], "psi|gradient"),
     (["acktr", "--critic-delta", "1e300"], "Kronecker factor"),
     (["cem", "--std", "1e300"], "theta")],
    ids=str,
)  # fmt: skip
def test_a_diverging_learning_rate_stops_with_its_reason(tmp_path, capsys, words, named):
    run = tmp_path / "run"
    with np.errstate(all="ignore"):
        status = train.main([words[0], "CartPole-v1", *words[1:], "--out", str(run)])
    assert status == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(f"^minipg train: (stopped in iteration \\d+: )?({named})", error), error
    assert re.search(f"; the training diverged: a smaller .*{words[-2]}", error), error
    if run.exists():
        check_whole(run)


def test_what_numpy_says_of_a_diverging_run_is_not_printed(tmp_path):
    done = subprocess.run([*TRAIN, "ppo", "CartPole-v1", "--critic-learning-rate",
                           "1e300", "--out", tmp_path / "run"], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 2
    assert_quiet(done.stderr)
    assert "the training diverged" in done.stderr.splitlines()[-1]
