"""Many runs side by side: each folder is run by one at a time, to its end, whatever happens."""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_faults import check_whole, state_and_figures, stop_after
from test_resume import edit

from minipg.commands import say, sweep, train, workers

TINY = ["--num-envs", "2", "--n-steps", "8", "--hidden", "4"]
SHORT = [*TINY, "--steps", "300"]
LONG = [*TINY, "--steps", "3000"]
WAIT = 60  # seconds until a test that hangs fails
OWN = """import gymnasium as gym
gym.register("Elsewhere-v0", max_episode_steps=50,
             vector_entry_point="gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv")
"""


@pytest.fixture
def threads(monkeypatch):
    """Two threads of this process in place of two processes."""

    @contextlib.contextmanager
    def executor(args):
        with ThreadPoolExecutor(2) as pool:
            yield pool

    monkeypatch.setattr(sweep, "executor", executor)


def words(out, *more, seeds=2, algorithms=("actor_critic",), env=("CartPole-v1",)):
    return [*algorithms, "--env", *env, "--seeds", str(seeds), "--out", str(out), "--", *more]


def unfinished(out):
    """Run folders that are begun, but not finished."""
    folders = [path.parent for path in out.glob("a*/config.json")]
    return [folder for folder in folders if not (folder / "result.json").exists()]


def alone(folder, seed, *more, env="CartPole-v1"):
    """The run as minipg train does it."""
    command = ["actor_critic", env, "--seed", str(seed), "--out", str(folder), *more]
    assert train.main(command) == 0
    return state_and_figures(folder)


def test_a_sweep_is_its_runs_and_repeating_it_runs_only_what_is_missing(tmp_path, capsys):
    """In two processes: one run is finished, one interrupted, one not begun."""
    out, command = tmp_path / "out", words(tmp_path / "out", *SHORT, seeds=3)
    whole = [alone(tmp_path / str(seed), seed, *SHORT) for seed in range(3)]
    shutil.copytree(tmp_path / "0", out / "actor_critic-CartPole-v1-0")
    stop_after(9, ["actor_critic", "CartPole-v1", "--seed", "1", *SHORT, "--out",
                   str(out / "actor_critic-CartPole-v1-1")])  # fmt: skip
    finished = out / "actor_critic-CartPole-v1-0" / "result.json"
    before = finished.stat().st_mtime_ns
    capsys.readouterr()
    assert sweep.main([*command[:1], "--jobs", "2", *command[1:]]) == 0
    folders = [out / f"actor_critic-CartPole-v1-{seed}" for seed in range(3)]
    assert [state_and_figures(folder) for folder in folders] == whole
    assert finished.stat().st_mtime_ns == before
    results = [json.loads((f / "result.json").read_text()) for f in folders]
    means = [result["mean_return"] for result in results]
    shown = [say.rounded(mean, x["stderr"]) for mean, x in zip(means, results, strict=True)]
    middle = say.plus_minus(sum(means) / 3, statistics.stdev(means) / 3**0.5)
    assert capsys.readouterr().out.splitlines() == [
        "| algorithm, environment (steps) | threshold | seed 0 | seed 1 | seed 2 "
        "| interquartile mean |",
        "|---|---|---|---|---|---|",
        f"| actor_critic CartPole-v1 (304) | 475 | {' | '.join(shown)} | {middle} |",
    ]


def test_a_sweep_of_more_steps_says_how_runs_become_longer_and_takes_those(
    tmp_path, capsys, threads
):
    alone(tmp_path / "actor_critic-CartPole-v1-0", 0, *SHORT)
    more = [*SHORT, "--steps", "400"]
    capsys.readouterr()
    assert sweep.main(words(tmp_path, *more, seeds=1)) == 1
    *_, said = capsys.readouterr().err.splitlines()
    assert said.endswith("; another --out begins anew; minipg train --resume DIR --steps N makes "
                         "one longer, which is then taken")  # fmt: skip
    run = str(tmp_path / "actor_critic-CartPole-v1-0")
    assert train.main(["--resume", run, "--steps", "400"]) == 0
    assert sweep.main(words(tmp_path, *more, seeds=1)) == 0
    assert sweep.main(words(tmp_path, *SHORT, seeds=1)) == 1  # shorter: no run becomes so
    assert capsys.readouterr().err.endswith("; another --out begins anew\n")


def test_a_failing_run_stops_no_other(tmp_path, capsys, threads):
    (tmp_path / "actor_critic-CartPole-v1-0").write_text("in the way")
    alone(tmp_path / "actor_critic-CartPole-v1-1", 1, *SHORT, "--gamma", "0.5")
    alone(tmp_path / "actor_critic-CartPole-v1-2", 2, *SHORT)
    (tmp_path / "actor_critic-CartPole-v1-2" / "result.json").unlink()
    edit(tmp_path / "actor_critic-CartPole-v1-2" / "config.json", lambda c: c.update(speed=3))
    capsys.readouterr()
    assert sweep.main(words(tmp_path, *SHORT, seeds=5)) == 1
    out, err = capsys.readouterr()
    *_, row = out.splitlines()
    assert row.startswith("| actor_critic CartPole-v1 (304) | 475 | failed | failed | failed | ")
    first, second, third = err.splitlines()[-3:]
    assert first.startswith("minipg sweep: failed: actor_critic-CartPole-v1-0: ")
    assert first.endswith("expected a run folder of minipg train, it has no config.json")
    assert second == ("minipg sweep: failed: actor_critic-CartPole-v1-1: expected a folder of this "
                      "run, its config.json has gamma 0.5 for 0.99; "
                      "another --out begins anew")  # fmt: skip
    assert third.endswith("its config.json has speed 3 for None; another --out begins anew")
    for seed in (3, 4):
        check_whole(tmp_path / f"actor_critic-CartPole-v1-{seed}")


def test_a_damaged_result_is_named_and_made_anew_once_it_is_gone(tmp_path, capsys, threads):
    assert sweep.main(words(tmp_path, *SHORT, seeds=1)) == 0
    table = capsys.readouterr().out
    result = tmp_path / "actor_critic-CartPole-v1-0" / "result.json"
    result.write_text("")
    assert sweep.main(words(tmp_path, *SHORT, seeds=1)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"of {result}: without that file the same command makes it anew" in last
    result.unlink()
    assert sweep.main(words(tmp_path, *SHORT, seeds=1)) == 0
    assert capsys.readouterr().out == table


def test_a_run_that_diverges_is_one_line_without_warnings(tmp_path, capsys, threads):
    """Warnings are errors here: the reason would be one."""
    assert sweep.main(words(tmp_path, *SHORT, "--learning-rate", "1e39", seeds=1)) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert "expected finite numbers" in last
    assert "the training diverged: a smaller --learning-rate" in last


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--env", "NoSuchEnv-v0", "--seeds", "1"], "env 'NoSuchEnv-v0'"),
        (["--env", "CartPole-v1", "--seeds", "0"], "--seeds: expected 1 or more, got 0"),
        (["--env", "CartPole-v1", "--seeds", "1", "--jobs", "0"], "--jobs: expected 1 or more"),
        (["--env", "CartPole-v1", "--seeds", "1", "--", "--gamma", "2"], "gamma: expected"),
        (["--env", "CartPole-v1", "--seeds", "1", "--", "--seed", "3"], "expected before --"),
        (["--env", "CartPole-v1", "--seeds", "1", "--", "--out", "x"], "expected before --"),
        (
            ["--env", "CartPole-v1", "--seeds", "1", "--", "--fast"],
            "unknown: --fast",
        ),
        (["--env", "CartPole-v1"], "required: --seeds"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        sys.exit(sweep.main(["ppo", *more]))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_table_has_the_middle_half_of_those_that_did_not_fail():
    """Each to the digits of its own error; of the middle that is 0.422 / 0.6 √5 = 0.3."""
    first = {"algorithm": "ppo", "env": "Own-v0", "threshold": None, "episodes": 100}
    row = [{**first, "env_steps": 1000 + n, "mean_return": x, "stderr": error}
           for n, (x, error) in enumerate([(0.9, 0.04), (0.2, 0.2), (1.6, 0.0), (0.8, 0.013),
                                           (900.4, 31.0)])]  # fmt: skip
    last = {**first, "algorithm": "npg", "env_steps": 5, "mean_return": 7.25, "threshold": 7.5,
            "stderr": 0.03}  # fmt: skip
    none = {**last, "algorithm": "cem", "mean_return": None, "stderr": None, "episodes": 0}
    *_, one, two, three = sweep.table([
        [row[0], OSError(), *row[1:]], [OSError()] * 6, [last, *[OSError()] * 5], [none] * 6,
    ]).splitlines()  # fmt: skip
    assert (
        one == "| ppo Own-v0 (1,004) | none | 0.90 | failed | 0.2 | 1.6 | 0.800 | 900 | 1.1 ± 0.3 |"
    )
    assert two == "| npg Own-v0 (5) | 7.5 | 7.25" + " | failed" * 5 + " | 7.25 |"
    assert three == "| cem Own-v0 (5) | 7.5" + " | –" * 7 + " |"


def test_a_return_keeps_four_digits_and_has_no_exponent():
    for x, told in ((0.73014, "0.7301"), (-916.04, "-916"), (9999.4, "9999"), (10000.0, "10000"),
                    (-123456.7, "-123457"), (0.0, "0")):  # fmt: skip
        assert say.four_digits(x) == told


def test_what_has_a_table_is_told_exactly(tmp_path, capsys, threads):
    """In the run's own line and in the sweep's table, whose mean is of the exact ones."""
    assert sweep.main(["ppo", "--env", "FrozenLake-v1", "--seeds", "2", "--out", str(tmp_path),
                       "--", "--steps", "4000"]) == 0  # fmt: skip
    results = [json.loads((tmp_path / f"ppo-FrozenLake-v1-{seed}" / "result.json").read_text())
               for seed in range(2)]  # fmt: skip
    exact = [result["exact_return"] for result in results]
    for result in results:  # a false alarm in 16,000 runs
        assert 0 < abs(result["exact_return"] - result["mean_return"]) < 4 * result["stderr"] + 0.01
    assert exact[0] != exact[1]
    *_, row = capsys.readouterr().out.splitlines()
    middle = say.plus_minus(sum(exact) / 2, statistics.stdev(exact) / 2**0.5)
    assert row == (f"| ppo FrozenLake-v1 (4,096) | 0.7 | {exact[0]:.4g} | {exact[1]:.4g} | "
                   f"{middle} |")  # fmt: skip
    args = argparse.Namespace(algorithm="ppo", env="FrozenLake-v1", seed=0, until=None)
    told = say.summary(args, {**results[0], "mean_return": 0.9})
    assert told.endswith(f"; exactly {exact[0]:.6g}, by the environment's table; threshold 0.7, "
                         "not reached")  # fmt: skip


def test_the_progress_bar_counts_the_steps_that_are_written(tmp_path):
    run = sweep.argparse.Namespace(out=tmp_path, steps=5000)
    assert workers.steps_done(run) == 0
    table = tmp_path / "progress.csv"
    table.write_text("env_steps,mean_return\n")
    assert workers.steps_done(run) == 0
    for last, wanted in ((7, 7), (4999, 4999), (5008, 5000)):
        table.write_text("env_steps,mean_return\n" + "".join(
            f"{n},{'1' * 100}\n" for n in range(last - 60, last + 1)))  # fmt: skip
        assert workers.steps_done(run) == wanted


def test_until_stops_each_run_and_the_bar_counts_it_whole(tmp_path, capsys, threads):
    """Before -- or after it; repeated, the command finds the runs finished."""
    command = ["ppo", "--env", "CartPole-v1", "--seeds", "2", "--out", str(tmp_path)]
    more = ["--", "--num-envs", "4", "--steps", "1e5"]
    assert sweep.main([*command, "--until", "30", *more]) == 0
    table = capsys.readouterr().out
    for seed in (0, 1):
        folder = tmp_path / f"ppo-CartPole-v1-{seed}"
        result = json.loads((folder / "result.json").read_text())
        assert result["env_steps"] < 100_000
        run = sweep.argparse.Namespace(out=folder, steps=100_000)
        assert workers.steps_done(run) == 100_000
    assert sweep.main([*command, *more, "--until", "30"]) == 0
    assert capsys.readouterr().out == table


def test_presets_apply_and_options_win(tmp_path):
    args = sweep.argparse.Namespace(algorithms=["ppo"], env=["CartPole-v1", "Acrobot-v1"], seeds=2,
                                    out=tmp_path)  # fmt: skip
    rows = sweep.runs_of(args, [])
    assert [[(run.steps, run.seed) for run in row] for row in rows] == [
        [(98_000, 0), (98_000, 1)], [(100_000, 0), (100_000, 1)]
    ]  # fmt: skip
    args.out = Path("here")
    run = sweep.runs_of(args, ["--steps", "5"])[0][0]
    assert (run.steps, run.out) == (5, Path.cwd() / "here" / "ppo-CartPole-v1-0")  # Dask's is other


def test_the_lock_lets_one_run_into_a_folder(tmp_path, monkeypatch):
    """The second comes while the first trains, waits, and finds a finished folder."""
    (run,) = sweep.runs_of(
        sweep.argparse.Namespace(algorithms=["ppo"], env=["CartPole-v1"], seeds=1, out=tmp_path), []
    )[0]
    real_flock, real_train = fcntl.flock, train.train
    second_is_here, trained, asked = threading.Event(), [], []

    def flock(*args):
        asked.append(args)
        if len(asked) == 2:
            second_is_here.set()
        real_flock(*args)

    def slow_train(args, *more, **options):
        trained.append(args.out)
        assert second_is_here.wait(WAIT)
        args.steps = 1
        return real_train(args, *more, **options)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(train, "train", slow_train)
    copy = sweep.argparse.Namespace(**{**vars(run), "steps": 1})
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(workers.finish, [copy, sweep.argparse.Namespace(**vars(copy))]))
    assert results[0] == results[1]
    assert trained == [run.out]


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def leaves_ctrl_c_to_its_parent(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [re.search(f"{kind}:\\s*(\\w+)", status)[1] for kind in ("SigBlk", "SigIgn")]
    return any(int(mask, 16) & 1 << signal.SIGINT - 1 for mask in masks)


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_an_interrupted_sweep_leaves_whole_folders_and_no_process(tmp_path, name):
    """Ctrl-C reaches the whole group as from a terminal, kill -9 the parent alone."""
    command = words(tmp_path, *TINY, "--steps", "1000000")
    process = subprocess.Popen([sys.executable, "-m", "minipg", "sweep", *command],
                               stderr=subprocess.PIPE, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                               )  # fmt: skip  # a background job of a shell ignores it
    try:
        while not (begun := unfinished(tmp_path)):
            assert process.poll() is None, process.communicate()
        assert all(leaves_ctrl_c_to_its_parent(pid) for pid in children(process.pid))
        if name == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.kill()
        # to their end: it waits for all who hold the pipe
        _, error = process.communicate(timeout=WAIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if name == "SIGINT":
        assert process.returncode == 130
        *_, last = error.decode().splitlines()
        assert last == "minipg sweep: interrupted; repeat the command to go on"
        assert b"Traceback" not in error
    check_whole(begun[0])


def test_a_worker_process_that_is_killed(tmp_path, monkeypatch, capsys):
    """As by the kernel where memory runs out: said in one line, and repeating goes on."""
    (tmp_path / "killer.py").write_text(
        "import gymnasium as gym, os, pathlib\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "class Killer(CartPoleEnv):\n"
        "    steps = 0\n"
        "    def step(self, action):\n"
        "        Killer.steps += 1\n"
        f"        if Killer.steps == 200 and pathlib.Path({str(tmp_path / 'armed')!r}).exists():\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return super().step(action)\n"
        "gym.register('Killer-v0', Killer, max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "armed").touch()
    command = words(tmp_path / "out", *SHORT, env=["killer:Killer-v0"])
    command[1:1] = ["--jobs", "1"]
    assert sweep.main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == (
        "minipg sweep: failed: actor_critic-killer:Killer-v0-0, actor_critic-killer:Killer-v0-1: a "
        "worker process was killed (out of memory? then take fewer --jobs), which ends the others; "
        "repeat the command to go on"
    )
    folder = tmp_path / "out" / "actor_critic-killer:Killer-v0-0"
    assert 1 <= check_whole(folder) < 19
    (tmp_path / "armed").unlink()
    assert sweep.main(command) == 0
    assert check_whole(folder) == 19


def dask(*words, cwd):
    """A process of Dask's as a user starts it on some machine: in another folder, no PYTHONPATH."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = Path(sys.executable).with_name("dask")
    return subprocess.Popen([program, *words], cwd=cwd, env=plain, start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def addresses(scheduler_file):
    """That of the scheduler, once it has written its file."""
    text = scheduler_file.read_text() if scheduler_file.exists() else ""
    return re.findall('"address": "(tcp.*?)",', text)[:1]


def wait_until(done, *alive):
    """Until done(), while all these processes live."""
    end = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < end
        assert all(process.poll() is None for process in alive)


def test_a_dask_cluster_loses_a_worker(tmp_path, monkeypatch):
    """Two workers, one killed in the middle of a run: each run ends as if alone.

    The environment stands in a module of the command's folder, which bears the name of one of ours.
    """
    pytest.importorskip("distributed")
    mine, other, out = (tmp_path / name for name in ("mine", "other", "out"))
    mine.mkdir()
    other.mkdir()
    (mine / "plot.py").write_text(OWN)
    scheduler_file = tmp_path / "scheduler.json"
    with contextlib.ExitStack() as stack:

        def start(*words):
            process = dask(*words, cwd=other)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        scheduler = start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file",
                          str(scheduler_file))  # fmt: skip
        wait_until(lambda: addresses(scheduler_file), scheduler)
        (address,) = addresses(scheduler_file)
        first, second = (start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
                         for _ in range(2))  # fmt: skip
        command = words(out, *LONG, seeds=4, env=["plot:Elsewhere-v0"])
        command[1:1] = ["--dask", address]
        sweep_process = subprocess.Popen([sys.executable, "-m", "minipg", "sweep", *command],
                                         cwd=mine, stderr=subprocess.PIPE)  # fmt: skip
        stack.callback(sweep_process.kill)
        everyone = scheduler, first, second, sweep_process
        wait_until(lambda: len(unfinished(out)) == 2, *everyone)  # each is in the middle of one
        first.kill()
        _, error = sweep_process.communicate(timeout=WAIT)
        assert sweep_process.returncode == 0, error.decode()
    monkeypatch.syspath_prepend(mine)
    for seed in range(4):
        whole = alone(tmp_path / str(seed), seed, *LONG, env="plot:Elsewhere-v0")
        assert state_and_figures(out / f"actor_critic-plot:Elsewhere-v0-{seed}") == whole
    sys.modules.pop("plot")
