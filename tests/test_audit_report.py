"""The report: its trend over rows, another order of parameters, chance at any window, the plant."""

import dataclasses
import json

import numpy as np
import pytest
from test_audit_strangers import LAKE, exactly, gae, kept, normalised

from minipg.audit import Own, Window, lake, plant, run
from minipg.audit.figures import from_drawn
from minipg.audit.mapping import mappings
from minipg.audit.running import other_size
from minipg.commands import audit as command
from minipg.policies.build import gaussian_policy, softmax_policy
from minipg.problems.lqr import LQR, policy_gradient

PLANT = plant()


def mean(lab):
    """That of right code over the windows (P,)."""
    windows = lab.windows()
    each = [lab.right(i, w) @ lab.scores(w) for i, w in enumerate(windows)]
    return lab.weight @ np.array(each)


@pytest.mark.parametrize("autoreset", ["apart", "next_step", "same_step"])
def test_the_truth_is_the_mean_of_right_code_however_it_is_told(autoreset):
    lab = lake(4, 2, autoreset)
    np.testing.assert_allclose(mean(lab), lab.truth, atol=1e-13)
    np.testing.assert_allclose(lab.truth_by(lab.scores), lab.truth, atol=1e-13)
    rows, weight = lab.listed
    assert weight.sum() == pytest.approx(1)
    assert lab.count == lab.possible
    assert len(np.unique(rows, axis=1).T) == lab.count  # none twice
    for w in lab.windows()[::7]:
        over = np.flatnonzero(w.ended[:-1])
        go_on = np.setdiff1d(np.arange(3), over)
        np.testing.assert_array_equal(w.next_obs[go_on], w.obs[go_on + 1])
        assert w.reset.any() == (autoreset == "next_step" and len(over) > 0)
        if autoreset == "next_step":
            np.testing.assert_array_equal(w.next_obs[over], w.obs[over + 1])
            assert w.reset[over + 1].all()
        if autoreset == "same_step":
            np.testing.assert_array_equal(w.seen_next_obs[over], w.obs[over + 1])
        else:
            np.testing.assert_array_equal(w.seen_next_obs, w.next_obs)
    with pytest.raises(
        ValueError, match="autoreset: expected one of apart, next_step, same_step, never"
    ):
        lake(autoreset="sometimes").count  # noqa: B018


def test_drawn_windows_have_the_listed_ones_probabilities():
    """Each pattern's frequency is within 5 deviations: a false alarm in a million."""
    listed = lake(3, 2, "next_step")
    drawn = dataclasses.replace(listed, drawn=20_000)
    keys, counts = np.unique(drawn.listed[0], axis=1, return_counts=True)
    of = {tuple(column): p for column, p in zip(listed.listed[0].T, listed.weight, strict=True)}
    assert {tuple(key) for key in keys.T} <= set(of)
    for key, count in zip(keys.T, counts, strict=True):
        p = of[tuple(key)]
        assert abs(count - 20_000 * p) < 5 * np.sqrt(20_000 * p) + 3


def test_the_trend_is_exact_where_countable_and_within_its_radius_where_drawn():
    """A normalised advantage points along the truth on large windows, not on small ones."""

    def estimator(w):
        return normalised(gae(w, lam=1.0))

    report = run(estimator, LAKE, sizes=(2, 4, 64), drawn=100)
    small, middle, large = report.trend
    assert [one.told for one in report.trend] == [(2, "rows"), (4, "rows"), (64, "rows")]
    assert small.radius == 0
    assert small.windows == lake(2).count
    assert middle.radius > 0
    assert middle.windows == 100
    assert small.cosine < 0.9 < large.cosine
    exact_one = run(estimator, lake(4), sizes=())
    off = np.linalg.norm(middle.mean - exact_one.mean) / middle.size
    assert off < middle.radius  # of one draw, fixed by its seed
    assert abs(middle.cosine - exact_one.cosine) < middle.cosine_radius
    np.testing.assert_allclose(middle.truth, exact_one.truth, atol=1e-13)
    right = run(kept(exactly), LAKE, sizes=(64,)).trend[0]
    assert right.bias < 1e-12
    assert "64 rows: bias" in str(report)
    assert "(100 windows drawn)" in str(report)


def test_a_radius_holds_as_often_as_it_says():
    """Of 400 means of 60, at most a handful are farther off: 1e-3 each, and it is wide."""
    rng, truth, wrong = np.random.default_rng(0), np.ones(3), 0
    for _ in range(400):
        right = truth + rng.standard_normal((60, 3))
        estimates = 0.5 * right + rng.standard_normal((60, 3))
        got = from_drawn(1, estimates, right, truth)
        wrong += np.linalg.norm(got.mean - 0.5) / got.size > got.radius
        assert got.radius < 1
    assert wrong <= 4


def test_the_cost_is_told_before_it_is_paid():
    calls, asked = [], 0

    def estimator(w):
        nonlocal asked
        asked += 1
        return kept(gae)(w)

    def told(done, of):
        calls.append((done, of, asked))

    run(estimator, LAKE, sizes=(2, 8), drawn=50, told=told)
    total = LAKE.count + lake(2).count + 50
    assert calls[0] == (0, total, 0)
    assert calls[-1][:2] == (total, total)
    assert asked <= total + 40
    assert other_size(LAKE, 8, 50).count == 50


@pytest.mark.parametrize(("change", "words"), [
    (lambda g: g[:8].reshape(4, 2).T.ravel().tolist() + g[8:].tolist(), "transposing W0"),
    (lambda g: np.append(g[8:], g[:8]), "moving all biases from the front behind their weights"),
    (lambda g: np.concatenate([g, np.full(5, 3.0)]),
     "leaving out the last 5 numbers (a critic's?)"),
    (lambda g: np.concatenate([np.ones(2), g[8:], g[:8].reshape(4, 2).T.ravel(), g[:3]]),
     "transposing W0 and moving all biases from the front behind their weights and leaving out "
     "the first 2 and the last 3 numbers (a critic's?)"),
])  # fmt: skip
def test_another_order_of_parameters_is_guessed(change, words):
    report = run(lambda w: np.array(change(kept(exactly)(w) @ LAKE.scores(w))), LAKE, sizes=(2,))
    assert report.verdict == f"equal to ∇J after {words}"
    assert report.bias < 1e-12
    assert report.trend[0].bias < 1e-12
    assert not report.unbiased
    with pytest.raises(AssertionError, match="equal to ∇J after"):
        report.assert_unbiased()
    report = run(lambda w: -2 * np.array(change(gae(w) @ LAKE.scores(w))), LAKE, sizes=())
    assert str(report).startswith(f"biased, after {words}: GAE λ = 0.95 | γ^t dropped | summed | ")


def test_orders_of_deeper_policies_are_tried_each_once_as_it_is_first():
    for policy in (softmax_policy(3, 2, (4,)), gaussian_policy(3, 2, (2,))):
        named = policy.named(np.arange(float(policy.num_params)))
        places = {m.words: m.places for m in mappings(policy, policy.num_params)}
        assert next(iter(places)) == ""
        np.testing.assert_array_equal(places[""], np.arange(policy.num_params))
        theirs = np.concatenate([named[k].T.ravel() for k in ("b0", "W0", "b1", "W1")]
                                + [named[k] for k in named if k == "log_std"])  # fmt: skip
        words = "transposing W0 and W1 and moving each bias behind its weights"
        np.testing.assert_array_equal(theirs[places[words]], np.arange(policy.num_params))


def test_parameters_that_do_not_match_and_shapes_that_fit_nothing_are_refused():
    own = Own(LAKE.truth[::-1], LAKE.scores, LAKE.entropy_gradient)
    with pytest.raises(ValueError, match=r"own.truth: expected the gradient in .* off by"):
        run(kept(gae), LAKE, own)
    own = Own(np.ones(3), LAKE.scores, LAKE.entropy_gradient)
    with pytest.raises(ValueError, match=r"own.truth: .* shape \(3,\), where scores have \(10,\)"):
        run(kept(gae), LAKE, own)
    with pytest.raises(ValueError, match=r"expected shape \(10,\), or one a row, got \(12,\)"):
        run(lambda w: np.sin(np.arange(12) * (1 + w.rewards.sum())), LAKE)


def test_chance_and_state_at_other_windows_than_the_first_are_refused():
    rng, first = np.random.default_rng(0), LAKE.window(0)
    same = [f.name for f in dataclasses.fields(Window)]

    def is_first(w):
        return len(w.t) == 5 and all(
            np.array_equal(getattr(w, name), getattr(first, name)) for name in same
        )

    with pytest.raises(ValueError, match="expected the same for the same window"):
        run(lambda w: kept(gae)(w) + (0 if is_first(w) else rng.random()), LAKE, sizes=())


def test_a_plant_s_truth_is_its_gradient_and_bad_ones_are_refused():
    np.testing.assert_allclose(mean(PLANT), PLANT.truth, atol=1e-13)
    np.testing.assert_allclose(PLANT.truth_by(PLANT.scores), PLANT.truth, atol=1e-13)
    noisy = LQR(PLANT.lqr.F, PLANT.lqr.G, PLANT.lqr.Q, PLANT.lqr.R, 0.1 * np.eye(1),
                np.array([0.7]), 0.2 * np.eye(1), 0.9)  # fmt: skip
    other = dataclasses.replace(PLANT, lqr=noisy, steps=2)
    assert other.count == other.possible == 3**7
    np.testing.assert_allclose(mean(other), other.truth, atol=1e-12)
    more = dataclasses.replace(other, nodes=4, steps=1, limit=1)
    fewer = dataclasses.replace(other, steps=1, limit=1)
    np.testing.assert_allclose(fewer.truth, more.truth, atol=1e-12)  # a polynomial: exact
    with pytest.raises(ValueError, match="steps: expected at most 200000 windows, got"):
        dataclasses.replace(other, steps=8).count  # noqa: B018
    with pytest.raises(ValueError, match="lqr: expected no horizon, got 3"):
        dataclasses.replace(PLANT, lqr=dataclasses.replace(noisy, horizon=3))
    short = dataclasses.replace(PLANT.lqr, gamma=1e-4)  # after two steps there is γ² left of ∇J
    whole = dataclasses.replace(PLANT, lqr=short, steps=2)
    np.testing.assert_allclose(whole.truth, policy_gradient(short, PLANT.theta), atol=1e-6)


def test_the_command_knows_its_laboratories(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "right_code.py").write_text(
        "import numpy as np\n"
        "from minipg.audit import plant\n"
        "from minipg.problems.lqr import action_values, solve, state_values\n"
        "P = plant()\n"
        "def exact(w):\n"
        "    v = solve(P.lqr, P.theta)\n"
        "    a = action_values(P.lqr, v, w.obs, w.actions) - state_values(P.lqr, v, w.obs)\n"
        "    return 0.9**w.t * a\n"
        "def decayed(w, gamma=0.6):\n"
        "    ends = w.terminated | w.truncated | w.last\n"
        "    delta = w.rewards + gamma * w.next_values * ~w.terminated - w.values\n"
        "    a = np.zeros(len(delta))\n"
        "    for t in reversed(range(len(a))):\n"
        "        a[t] = delta[t] + (0 if ends[t] else gamma * a[t + 1])\n"
        "    return gamma**w.t * a\n"
        "def none(w): pass\n"
        "def fails(w): return {}['k']\n"
    )
    assert command.main(["right_code:exact", "--lab", "plant"]) == 0
    assert capsys.readouterr().out.startswith("unbiased: A exact | summed\n")
    assert command.main(["right_code:exact", "--lab", "plant", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["rows"] for one in found["trend"]] == [2, 16, 128]
    assert found["after"] == ""
    for words in ([], ["--lab", "plant"]):
        assert command.main(["right_code:decayed", *words]) == 1
        told = capsys.readouterr().out
        assert told.startswith("not ∇J: ")
        assert told.endswith("  asked at γ = 0.9: --gamma, if the estimator's own is another\n")
        assert command.main(["right_code:decayed", "--gamma", "0.6", *words]) == 1
        told = capsys.readouterr().out
        assert told.startswith("biased: ")  # by the critic, where the window ends
        assert " steps | summed\n" in told
        assert "asked at γ" not in told
    for words, said in ((["right_code.py:exact"], "; did you mean right_code:exact?"),
                        (["right_code:none"], "right_code:none: expected an estimate, it returned"),
                        (["right_code:fails"], f"KeyError: 'k' ({tmp_path}/right_code.py:17)"),
                        (["right_code:exact", "--lam", "0.3"], "--lam: expected with a window.npz"),
                        (["right_code:exact", "--gamma", "3"], "--gamma: expected")):  # fmt: skip
        assert command.main(words) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        command.main(["right_code:exact", "--lab", "sea"])
    assert stopped.value.code == 2
    assert "lake-next-step" in capsys.readouterr().err
    assert set(command.LABORATORIES) >= {"lake", "lake-next-step", "lake-same-step", "plant"}
