"""The benchmark: each section at a tiny size, clockwork and yardsticks; peers if installed."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import benchmark
import numpy as np
import pytest

from bench import acting, kernels, processes, scaling, shell, solving, timing, training
from bench.timing import Row
from bench.watch import Watch
from minipg.policies.policy import Policy

TINY = {
    "kernels": {"numbers": (8,), "rounds": 1},
    "scaling": {"numbers": (8, 16), "widths": (4, 8), "times": (8, 16), "sides": (3, 4),
                "rounds": 2},
    "gae": {"t": 16, "b": 2, "rounds": 2},
    "act": {"rounds": 2},
    "imports": {"rounds": 1},
    "memory": {"steps": (300, 600), "algorithms": ("actor_critic",)},
    "environments": {"numbers": (2,), "rounds": 1},
    "widest": {"rounds": 1, "words": "--num-envs 2 --n-steps 64 --steps 4000", "level": -2000},
    "same": {"iterations": {"actor_critic": 1}, "rounds": 1},
    "threshold": {"seeds": 1, "words": "--num-envs 4 --n-steps 64 --steps 2000", "level": 1},
    "learning": {"seeds": 2, "steps": 200, "cases": [("ppo", "CartPole-v1"),
                                                     ("trpo", "CartPole-v1")]},
}  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(timing, "LEAST", 0)


@pytest.fixture
def peers():
    pytest.importorskip("torch")
    pytest.importorskip("sb3_contrib")
    from bench import peers

    return peers


def check_rows(section, rows):
    assert {row.section for row in rows} == {section}
    assert len({(row.what, row.case) for row in rows}) == len(rows)
    for row in rows:
        assert row.samples.ndim == 1
        assert row.what.startswith("exponent") or (row.samples >= 0).all()
        assert row.what in benchmark.show(row)


@pytest.mark.parametrize("name", sorted(set(benchmark.SECTIONS) - {"same", "shell"}))
def test_each_section(name, quick):
    check_rows(name, benchmark.SECTIONS[name](None, **TINY[name]))


@pytest.mark.parametrize("name", ["kernels", "gae", "act", "same", "threshold", "learning"])
def test_each_section_with_peers(name, quick, peers):
    check_rows(name, benchmark.SECTIONS[name](peers, **TINY[name]))


def test_pieces_take_turns_and_each_has_its_own_seconds(monkeypatch):
    now, turns = 0.0, []

    def piece(name, seconds):
        def call():
            nonlocal now
            now += seconds
            turns.append(name)
            return 100

        return call

    monkeypatch.setattr(timing, "process_time", lambda: now)
    monkeypatch.setattr(timing, "LEAST", 0.5)
    pieces = {"a": piece("a", 0.25), "b": piece("b", 1.0)}
    took = timing.interleave("test", pieces, 3)
    np.testing.assert_allclose(took["a"], [0.25] * 3)
    np.testing.assert_allclose(took["b"], [1.0] * 3)
    assert "".join(turns) == "aabb" + "aab" * 3
    turns.clear()
    rates = timing.interleave_rates("test", pieces, 2)
    assert (rates["a"].tolist(), rates["b"].tolist()) == ([400, 400], [100, 100])
    assert "".join(turns) == "ab" * 3


def test_widest_compares_with_its_own_environment_and_a_run_that_solves_nothing_fails(monkeypatch):
    made, trained, reached = [], [], []
    monkeypatch.setattr(solving, "raw_piece", lambda env_id, n: made.append((env_id, n)))
    monkeypatch.setattr(solving, "training_piece", lambda *given: trained.append(given))

    def rates(name, pieces, rounds):
        return {key: np.full(rounds, 4.0 if key == "raw" else 3.0) for key in pieces}

    def reach(name, words, watch, env_id):
        assert watch.windows == (100,)
        reached.append((name, env_id, words, watch.threshold))
        if env_id == "Acrobot-v1":
            watch.found = {100: (2.0, 7)}
        return watch

    monkeypatch.setattr(solving, "interleave_rates", rates)
    monkeypatch.setattr(solving, "reach", reach)
    rows = {(row.what, row.case): row for row in solving.widest(None, words="--seed 3")}
    assert len(rows) == 5 * len(solving.WIDEST)
    numbers = {("CartPole-v1", 64), ("CartPole-v1", 256), ("Acrobot-v1", 64), ("Pendulum-v1", 128)}
    assert set(made) == numbers
    solved = {"CartPole-v1": 475, "Acrobot-v1": -100, "Pendulum-v1": -250}
    words = {key: f"{chosen} --seed 3" for key, chosen in solving.WIDEST.items()}
    assert reached == [(*key, words[key], solved[key[1]]) for key in solving.WIDEST]
    windows = [6, 1, 6, 1, 25, 1]  # as many as make about 100 steps
    assert trained == [(*key, words[key], n) for key, n in zip(words, windows, strict=True)]
    assert rows["seconds to -100, trpo", "Acrobot-v1 × 64"].quartiles[1] == 2
    assert rows["steps to -100, trpo", "Acrobot-v1 × 64"].quartiles[1] == 7
    for name, env_id in solving.WIDEST:
        for case in (f"{e} × {n}" for e, n in numbers if e == env_id):
            if (f"steps/s, {name}", case) not in rows:
                continue  # of the other algorithm on CartPole
            rate, share = rows[f"steps/s, {name}", case], rows[f"share of raw, {name}", case]
            assert (rate.limit, share.limit) == ("", "")
            assert (rate.quartiles[1], share.quartiles[1]) == (3, 0.75)
            assert (rows[f"failures, {name}", case].margin >= 1) == (env_id == "Acrobot-v1")


def test_from_the_shell_each_side_is_a_process_and_says_its_parts(monkeypatch, tmp_path):
    asked = []

    def seconds_of(command, **more):
        asked.append([str(word) for word in command])
        if "-m" in asked[-1]:
            return 1.0, ""
        assert more["JAX_PLATFORMS"] == "cpu"
        runs = [{"seconds": 0.5, "steps": 7, "reached": seed != 1}
                for seed in json.loads(command[-1])["seeds"]]  # fmt: skip
        parts = {"runs": runs} if "sbx" in command[1].name else {
            "runs": runs, "compile": 3.0, "together": 4.0}  # fmt: skip
        return 9.0, f"words\n{json.dumps(parts)}\n"

    monkeypatch.setattr(shell, "seconds_of", seconds_of)
    monkeypatch.setattr(shell, "environment", lambda *given: tmp_path / "python")
    rows = shell.shell(SimpleNamespace(), seeds=2, together=3)
    check_rows("shell", rows)
    found = {(row.what, row.case): row.samples.tolist() for row in rows}
    assert found["one seed, minipg ppo", "from the shell"] == [1.0, 1.0]
    side = "rejax, its cartpole.yaml"
    assert found[f"one seed, {side}", "from the shell"] == [9.0]
    assert found[f"one seed, {side}", "compilation"] == [3.0]
    assert found[f"one seed, {side}", "training alone, compiled before"] == [0.5, np.inf]
    assert found[f"3 seeds at once, {side}", "without compilation"] == [4.0]
    assert ("one seed, sbx, rl-zoo's PPO", "compilation") not in found
    ours = [words for words in asked if "-m" in words]
    assert [words[3] for words in ours] == ["train", "train", "sweep", "sweep"] * 2
    assert all(words[words.index("--until") + 1] == "475" for words in ours)
    assert [row.what for row in shell.shell(None, 1)] == [
        f"{many}, minipg {name}" for name in ("trpo", "ppo")
        for many in ("one seed", "10 seeds at once")
    ]  # fmt: skip


def test_a_process_is_timed_whole_and_its_error_told():
    took, said = shell.seconds_of([sys.executable, "-c", "print(3)"])
    assert (said, took > 0.005) == ("3\n", True)
    with pytest.raises(ValueError, match="SystemExit|oh no"):
        shell.seconds_of([sys.executable, "-c", "raise SystemExit('oh no')"])


def test_what_is_timed_is_all_of_it():
    p = kernels.problem(kernels.POLICIES["softmax 8-64-64-4"], 5, np.float64)
    got = {what: piece() for what, piece in kernels.minipg_pieces(p).items()}
    scores = p.policy.score(p.theta, p.obs, p.actions)
    np.testing.assert_array_equal(got["forward"], p.policy.eta(p.theta, p.obs))
    np.testing.assert_array_equal(got["score matrix"], scores)
    np.testing.assert_allclose(got["gradient"], scores.mean(0), atol=1e-12)
    assert got["Fisher product"].shape == p.theta.shape


def test_an_actor_of_a_rollout_and_one_made_anew(monkeypatch):
    made, plain = [], Policy.actor
    monkeypatch.setattr(Policy, "actor", lambda *given: made.append(1) or plain(*given))

    def interleave(name, pieces, rounds):
        counts = []
        for piece in (pieces["ours"], pieces["anew"]):
            made.clear()
            assert np.shape(piece()) in ((), (1,))
            counts.append(len(made))
        assert counts == [0, 1]
        return {"ours": np.array([1e-5]), "anew": np.array([9e-5])}

    monkeypatch.setattr(acting, "interleave", interleave)
    one, anew, *_ = acting.acting(None)
    assert [row.quartiles[1] for row in (one, anew)] == [pytest.approx(10), pytest.approx(90)]


def test_a_pinned_kernel_is_taken_out_and_the_running_one_named():
    """In a process of its own, as it is NumPy's import that reads them; nothing by an import."""
    run = (
        "import contextlib, runpy, sys; sys.argv = ['benchmark', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):\n"
        f"    runpy.run_path({str(processes.SCRIPTS / 'benchmark.py')!r}, run_name='__main__')\n"
    )
    code = (
        "import benchmark, os; print(os.environ.get('OPENBLAS_CORETYPE')); print(benchmark.blas())"
    )
    pinned = {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_L2_SIZE": "1"}
    path = {"PYTHONPATH": f"{processes.ROOT}{os.pathsep}{processes.SCRIPTS}"}
    said = [
        subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True,
                       env=os.environ | pinned | path, check=True).stdout.splitlines()
        for before in (run, "import numpy\n" + run, "")
    ]  # fmt: skip
    assert [lines[0] for lines in said] == ["None", "None", "Nehalem"]
    assert said[0][1] != said[1][1] or "openblas" not in said[0][1]
    assert "unknown" not in said[0][1]


def test_what_must_hold_of_the_kernels():
    """Nothing slower than PyTorch's best where the result fits; large products near the bare."""

    def limits(what, many, fits):
        took = {"ours": np.ones(3), "bare": np.ones(3), "torch": np.ones(3), "sb3": np.ones(3)}
        if what == "Fisher product":
            took = {"lean a" if x == "torch" else x: t for x, t in took.items()}
        return [row.limit for row in kernels.kernel_rows(what, "", took, many, fits)]

    assert limits("forward", True, True) == ["", "", "≥ 1", ""]
    assert limits("score matrix", True, False) == ["", "", "", ""]
    assert limits("Fisher product", True, True) == ["", "≤ 1.25", "", "≥ 1"]
    assert limits("Fisher product", False, True) == ["", "", "", "≥ 1"]


def test_blocks_are_the_score_matrix(monkeypatch):
    p = kernels.problem(kernels.POLICIES["softmax 8-64-64-4"], 10, np.float64)
    monkeypatch.setattr(kernels, "KEPT", 4 * p.theta.nbytes)
    parts = []

    def make(q):
        return {"score matrix": lambda: parts.append(q.policy.score(q.theta, q.obs, q.actions))}

    kernels.in_blocks(p, make)()
    assert [len(part) for part in parts] == [4, 4, 2]
    whole = p.policy.score(p.theta, p.obs, p.actions)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-14)


def test_exponents_are_slopes_of_each_round():
    sizes = [10, 100, 1000]
    seconds = [np.array([n**1.5, 7 * n**0.5]) for n in sizes]
    np.testing.assert_allclose(timing.exponents(sizes, seconds), [1.5, 0.5])


def test_the_yardstick_is_the_products_that_the_formulas_need(monkeypatch):
    """Operations of y = hW; + δWᵀ, hᵀδ; + the directional derivative, whose first layer has one."""
    p = kernels.problem(kernels.POLICIES["softmax 8-64-64-4"], 5, np.float64)
    operations = []

    def count(a, b, out):
        assert out.shape == (len(a), b.shape[1])
        operations.append(a.size * b.shape[1])

    monkeypatch.setattr(kernels.np, "matmul", count)
    every, later = 5 * (8 * 64 + 64 * 64 + 64 * 4), 5 * (64 * 64 + 64 * 4)
    wanted = {"forward": every, "gradient": 2 * every + later,
              "Fisher product": 2 * every + 2 * later, "score matrix": every + later}  # fmt: skip
    for what, piece in kernels.bare_pieces(p).items():
        operations.clear()
        piece()
        assert sum(operations) == wanted[what], what


@pytest.mark.parametrize(("name", "steps"), [("ppo", 256), ("actor_critic", 40), ("trpo", 1024)])
def test_an_iteration_at_the_peers_settings_is_theirs(name, steps):
    train = training.training_piece(name, "CartPole-v1", training.SAME[name, "CartPole-v1"])
    assert [train(), train()] == [steps, steps]


def test_watch_finds_the_first_time_of_each_window(monkeypatch):
    times = iter([10.0, 13.0, 14.0])
    monkeypatch.setattr("bench.watch.perf_counter", lambda: next(times))
    watch = Watch(5, (2, 4))
    watch.start()
    assert not watch.add([9.0], 1)
    assert not watch.add([9.0, 0.0], 2)
    assert not watch.add([9.0, 0.0, 10.0], 3)
    assert not watch.add([9.0, 0.0, 10.0, 0.0], 4)
    assert watch.add([0.0, 10.0, 1.0, 9.0], 5)
    assert watch.found == {2: (3.0, 3), 4: (4.0, 5)}


def test_the_fastest_peer_is_compared_by_medians_and_a_failure_is_infinite(monkeypatch):
    took = {"ppo": [40, 20, 30], "trpo": [90, 50, None]}  # seconds of each seed
    ours = {"trpo": [1, 2, 3], "ppo": [4, None, None]}

    def peers_reach(name, seed, watch, found=took):
        if seconds := found.get(name, [5, 5, 5])[seed]:
            watch.found = {20: (seconds, 7), 100: (seconds, 8)}

    def reach(name, words, watch):
        peers_reach(name, int(words.split()[1]), watch, ours)

    monkeypatch.setattr(solving, "reach", reach)
    rows = solving.threshold(SimpleNamespace(ZOO=took, reach=peers_reach), seeds=3)
    found = {row.what: row for row in rows if row.case == "last 100 episodes"}
    ratio = {name: found[f"fastest peer / minipg {name}, medians"] for name in ("trpo", "ppo")}
    assert [ratio[name].quartiles[1] for name in ("trpo", "ppo")] == [30 / 2, 0]
    assert [ratio[name].limit for name in ("trpo", "ppo")] == ["", ""]
    failures = [found[f"failures of 3, minipg {name}"] for name in ("trpo", "ppo")]
    assert [(row.quartiles[1], row.margin >= 1) for row in failures] == [(0, True), (2, False)]
    assert found["failures of 3, SB3 trpo"].limit == ""


def test_the_peak_of_a_process_is_not_its_parent_s():
    here = np.ones(2**26)  # 512 MiB
    assert processes.last_number("from bench.processes import peak; print(peak())") < 200
    assert processes.peak() > here.nbytes / 2**20


def test_requirements_hold_by_their_medians_and_failures_are_infinite():
    rows = [
        Row("s", "a", "1", np.array([1.0, 3.0, 9.0]), "×", at_least=3),
        Row("s", "a", "2", np.array([1.0, 2.0, 9.0]), "×", at_least=3),
        Row("s", "b", "1", np.array([0.0]), at_most=0),
        Row("s", "c", "1", np.array([1.0, np.inf, np.inf]), "s"),
    ]
    assert [row.margin for row in rows[:3]] == [1, 2 / 3, np.inf]
    assert [row.limit for row in rows] == ["≥ 3", "≥ 3", "≤ 0", ""]
    assert np.isnan(rows[3].margin)
    first, second = benchmark.summary(rows).splitlines()
    assert first.split()[:4] == ["FAILS", "1", "of", "2"]
    assert second.split()[:4] == ["holds", "1", "of", "1"]
    found = benchmark.document(rows, None)["rows"]
    assert [row["holds"] for row in found] == [True, False, True, None]
    assert (found[3]["low"], found[3]["median"], found[3]["high"]) == (1, None, None)
    json.dumps(found, allow_nan=False)


def test_command(tmp_path, capsys, monkeypatch):
    def act(peers):
        """Nothing."""
        return [Row("act", "one action", "here", np.array([20.0]), "µs", at_most=25)]

    monkeypatch.setitem(benchmark.SECTIONS, "act", act)
    out = [tmp_path / "figures.json", tmp_path / "picture.png"]
    words = ["--only", "act", "--json", str(out[0]), "--plot", str(out[1])]
    assert benchmark.main(words) == 0
    told = capsys.readouterr().out
    assert "act: one action ≤ 25" in told
    found = json.loads(out[0].read_text())
    assert found["rows"][0]["at_most"] == 25
    assert told.startswith(f"{found['machine']['cpu']}, {found['machine']['blas']}, one thread\n")
    assert out[1].read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)  # not installed
    monkeypatch.delitem(sys.modules, "bench.peers", raising=False)
    monkeypatch.delattr("bench.peers", raising=False)
    assert benchmark.main(["--peers"]) == 2
    assert "pip install -r scripts/peers.txt" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(["--only", "nothing"])
    with pytest.raises(ValueError, match="No module named 'nothing'"):
        processes.last_number("import nothing")
    with pytest.raises(ValueError, match="--plot: expected"):
        benchmark.draw([], tmp_path / "x.png")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("policy", kernels.POLICIES.values(), ids=kernels.POLICIES)
def test_peers_compute_what_minipg_does(policy, dtype, peers):
    n = 16
    p = kernels.problem(policy, n, dtype)
    ours = {what: piece() for what, piece in kernels.minipg_pieces(p).items()}
    seen = set()
    for side, found in peers.kernels(p).items():
        for what, piece in found.items():
            theirs, wanted = piece(), ours[what]
            if isinstance(theirs, tuple):  # a tensor a parameter
                axis = -1 if what == "score matrix" else 0
                shape = (n, -1) if what == "score matrix" else (-1,)
                theirs = np.concatenate([x.detach().numpy().reshape(shape) for x in theirs], axis)
            else:  # of a Gaussian η has log σ too
                theirs = theirs.detach().numpy()
                wanted = wanted[:, : theirs.shape[1]] if what == "forward" else wanted
            assert theirs.dtype == dtype
            np.testing.assert_allclose(theirs, wanted, atol=1e3 * np.finfo(dtype).eps,
                                       err_msg=f"{side} {what}")  # fmt: skip
            seen.add(what)
    assert seen == set(ours)


def test_the_peers_buffer_computes_our_gae(peers):
    rewards, values, terminated = scaling.trajectories(300, 3)
    adv, target = scaling.gae_piece(rewards, values, terminated)()
    np.testing.assert_allclose(peers.gae_piece(rewards, values, terminated)(), adv, atol=1e-4)
    np.testing.assert_allclose(target, adv + values[:-1])
