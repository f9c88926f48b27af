"""The audit: every window listed, the truth, and the names of formulas written by other hands."""

import dataclasses
import functools
import json
import re

import numpy as np
import pytest
from hypothesis import assume, example, given, settings, strategies as st
from strategies import RNGS, mdps

from minipg.audit import (
    Laboratory,
    Own,
    Probe,
    Window,
    chain,
    identify,
    lake,
    library,
    run,
    stream,
)
from minipg.audit.fits import fitted, plain, times, with_entropy
from minipg.audit.readings import Readings
from minipg.audit.report import Report
from minipg.audit.running import WINDOWS, telling
from minipg.commands import audit as command
from minipg.experience.rollout import collect, start_stream
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.truth import exact

LAB = lake()
SHORTER = dataclasses.replace(LAB, steps=LAB.steps - 1)
PICKED = [(lab, i) for lab in (LAB, SHORTER) for i in telling(lab)[: WINDOWS // 2]]
GAMMA = LAB.mdp.gamma


@functools.cache
def known():
    """The grammar's readings of twelve windows."""
    probes = [Probe(w, lab.scores(w), lab.entropy_gradient(w), lab.advantages(i))
              for lab, i in PICKED for w in [lab.window(i)]]  # fmt: skip
    return library(probes, GAMMA)


def named(coefficients, factor=1.0, entropy=0.0, clip=np.inf, dtype=np.float64):
    """What identify says of Σ c_t ∇log π, c from a function of a window."""
    gradients = []
    for lab, i in PICKED:
        w = lab.window(i)
        g = factor * np.asarray(coefficients(w)) @ lab.scores(w) + entropy * lab.entropy_gradient(w)
        gradients.append((g * min(1, clip / np.linalg.norm(g))).astype(dtype))
    return identify(known(), gradients)


# One estimator in plain loops, written without minipg's functions.
ENDINGS = {
    "": lambda w, i: 0.0 if w.terminated[i] else w.next_values[i],
    "truncation treated as termination":
        lambda w, i: 0.0 if w.terminated[i] or w.truncated[i] else w.next_values[i],
    "terminals bootstrapped": lambda w, i: w.next_values[i],
    "a terminal at the window's end bootstrapped":
        lambda w, i: 0.0 if w.terminated[i] and i < len(w.t) - 1 else w.next_values[i],
    "the next row's V":
        lambda w, i: 0.0 if w.terminated[i] else (w.values[i + 1] if i < len(w.t) - 1
                                                  else w.next_values[i]),
    "V of the state before the action": lambda w, i: 0.0 if w.terminated[i] else w.values[i],
    "the window's last value twice":
        lambda w, i: 0.0 if w.terminated[i] else w.next_values[i] * (1 + (i == len(w.t) - 1)),
    "nothing bootstrapped at the window's end":
        lambda w, i: 0.0 if w.terminated[i] or (i == len(w.t) - 1 and not w.truncated[i])
        else w.next_values[i],
    "truncation does not cut": None,
    "never cut": None,
}  # fmt: skip


def by_hand(ending, lam, normalised, kept, reduced):
    """ψ · γ^t · weight, row by row."""

    def coefficients(w):
        count, psi, running = len(w.t), np.zeros(len(w.t)), 0.0
        value = ENDINGS[ending] or ENDINGS["" if ending == "never cut" else "the next row's V"]
        for i in reversed(range(count)):
            cut = i == count - 1 or w.terminated[i] or w.truncated[i]
            if ending == "truncation does not cut":
                cut = i == count - 1 or w.terminated[i]
            if ending == "never cut":
                cut = i == count - 1
            delta = w.rewards[i] + GAMMA * value(w, i) - w.values[i]
            running = delta + (0.0 if cut else GAMMA * lam * running)
            psi[i] = running
        if normalised:
            mean = sum(psi) / count
            std = (sum((x - mean) ** 2 for x in psi) / (count - (normalised == "n − 1"))) ** 0.5
            psi = np.array([(x - mean) / (std + 1e-8) for x in psi])
        episodes = 1 + sum(bool(w.terminated[i] or w.truncated[i]) for i in range(count - 1))
        weight = {"summed": 1.0, "mean over steps": 1 / count, "mean over episodes": 1 / episodes}
        return [x * (GAMMA ** w.t[i] if kept else 1.0) * weight[reduced]
                for i, x in enumerate(psi)]  # fmt: skip

    return coefficients


@given(
    st.sampled_from(sorted(ENDINGS)), st.sampled_from([0.0, 0.5, 0.9, 0.95, 1.0]),
    st.sampled_from(["", "n", "n − 1"]), st.booleans(),
    st.sampled_from(["summed", "mean over steps", "mean over episodes"]),
    st.sampled_from([0.0, 0.01]), st.sampled_from([np.inf, 0.3]),
    st.sampled_from([np.float64, np.float32]),
)  # fmt: skip
@example("", 0.0, "n", False, "summed", 0.01, 0.3, np.float32)  # its ε beside an equal reading's
def test_a_formula_of_other_hands_is_named(
    ending, lam, normalised, kept, reduced, entropy, clip, dtype
):
    """Uniquely, or with readings that are equal on every window; none is named wrongly."""
    got = named(by_hand(ending, lam, normalised, kept, reduced), 1.0, entropy, clip, dtype)
    summed = f"GAE λ = {lam:g}" + f", {ending}" * bool(ending)
    psi = f"ψ normalised over the batch ({normalised})" * bool(normalised)
    words = (summed, "", psi, "" if kept else "γ^t dropped", reduced)
    assert words in [reading[:5] for reading in got.readings], str(got)
    assert got.residual < (1e-12 if dtype == np.float64 else 1e-5)
    assert got.single == (dtype == np.float32)
    assert got.entropy == pytest.approx(entropy, rel=1e-2, abs=1e-9)
    assert got.hidden or got.factor == pytest.approx(1, rel=1e-4)


@settings(max_examples=10)
@given(RNGS, st.sampled_from(["", "n − 1"]), st.sampled_from([0.0, 0.01]), st.booleans(),
       st.sampled_from([np.float64, np.float32]))  # fmt: skip
def test_a_norm_clipped_with_a_critic_s_parameters_is_named(
    rng, normalised, entropy, always, dtype
):
    """By what stands in it; with its reduction too where some window was not clipped."""
    plain = by_hand("", 0.95, normalised, False, "mean over steps")
    factors = np.minimum(1, rng.uniform(0.2, 1.3, len(PICKED)))
    factors[:2] = 1
    gradients = []
    for (lab, i), factor in zip(PICKED, factors * (0.5 if always else 1), strict=True):
        w = lab.window(i)
        g = np.asarray(plain(w)) @ lab.scores(w) + entropy * lab.entropy_gradient(w)
        gradients.append((g * factor).astype(dtype))
    got = identify(known(), gradients)
    psi = f"ψ normalised over the batch ({normalised})" * bool(normalised)
    words = ("GAE λ = 0.95", "", psi, "γ^t dropped", "mean over steps")
    assert words in [reading[:5] for reading in got.readings], str(got)
    assert np.isnan(got.clipped)
    told = "times a factor of each window's own" if always else "norm clipped with other"
    assert told in str(got)
    if not always:
        assert got.readings[0][:5] == words, str(got)
        assert got.entropy == pytest.approx(entropy, rel=1e-2, abs=1e-9)


@given(RNGS, st.booleans())
def test_what_is_fitted_is_the_least_and_its_residual_is_told(rng, bonus):
    """Of every formula: ‖f x + c ∇entropy − y‖² as it is told, and no f or c near it has less."""
    windows = [Readings(rng.standard_normal((5, r)), bonus * rng.standard_normal(r), np.eye(r))
               for r in (3, 4)]  # fmt: skip
    ys = [rng.standard_normal(r) for r in (3, 4)]

    def off(factor, entropy):
        return sum(((factor[:, None] * w.x + np.outer(entropy, w.entropy) - y) ** 2).sum(1)
                   for w, y in zip(windows, ys, strict=True))  # fmt: skip

    for fit in (plain, with_entropy, times, fitted):
        left, factor, entropy, clip = fit(windows, ys)
        np.testing.assert_allclose(left, off(factor, entropy), rtol=1e-9)
        assert clip == np.inf
        for f in (-1e-3, 0, 1e-3) if fit in (times, fitted) else (0,):
            for c in (-1e-3, 0, 1e-3) if fit in (with_entropy, fitted) else (0,):
                assert (off(factor + f, entropy + c) >= left - 1e-12).all()
        assert fit in (times, fitted) or (factor == 1).all()
        assert fit in (with_entropy, fitted) or (entropy == 0).all()


@settings(max_examples=5)  # each looks for a λ in vain
@given(RNGS, st.sampled_from(["squared", "clipped", "other γ", "noise"]))
def test_what_is_outside_the_grammar_is_none_of_it(rng, kind):
    plain = by_hand("", 0.95, rng.choice(["", "n"]), bool(rng.integers(2)), "summed")

    def other(w):
        c = np.array(plain(w))
        if kind == "squared":
            return c * np.abs(c)
        if kind == "clipped":
            return np.clip(c, -0.2, 0.2)
        if kind == "other γ":
            return 0.8**w.t * by_hand("", 0.95, "", False, "summed")(w)
        return c * (1 + 0.05 * np.sin(37 * w.values + w.t))

    got = named(other)
    assert not got.readings, str(got)
    assert str(got).startswith(f"none of {got.compared} formulas")
    assert got.compared > 25_000


@pytest.mark.parametrize(("number", "ending"), [
    (1, "truncation treated as termination"), (2, "truncation does not cut"),
    (3, "terminals bootstrapped"), (4, "V of the state before the action"),
    (6, "the window's last value twice"), (31, "truncation does not cut"),
    (32, "a terminal at the window's end bootstrapped"),
])  # fmt: skip
def test_pitfalls_of_endings_are_named_in_the_first_line(number, ending):
    got = named(by_hand(ending, 0.95, "", True, "summed"))
    assert str(got) == f"GAE λ = 0.95, {ending} | summed"
    assert number in got.readings[0].pitfalls
    report = Report(LAB.truth, LAB.truth + 1, 1.0, named=got)
    first, *rest = str(report).splitlines()
    assert first == f"biased: {got}"
    assert rest[0].startswith(f"  pitfall {min(got.readings[0].pitfalls)}: ")
    report.assert_is(f"GAE λ = 0.95, {ending}")
    with pytest.raises(AssertionError, match="expected GAE λ = 0.95, got biased"):
        report.assert_is("GAE λ = 0.95")


@pytest.mark.parametrize(("number", "words", "kept", "normalised", "reduced"), [
    (8, "γ^t dropped", False, "", "summed"),
    (9, "ψ normalised over the batch (n − 1)", True, "n − 1", "summed"),
    (40, "mean over steps", True, "", "mean over steps"),
])  # fmt: skip
def test_other_pitfalls_are_named_too(number, words, kept, normalised, reduced):
    got = named(by_hand("", 0.95, normalised, kept, reduced))
    assert words in str(got)
    assert got.readings[0].pitfalls == (number,)


def test_a_baseline_of_the_own_sample_and_one_of_the_others():
    def returns(w):
        total, running = np.zeros(len(w.t)), 0.0
        for i in reversed(range(len(w.t))):
            over = i == len(w.t) - 1 or w.terminated[i] or w.truncated[i]
            running = w.rewards[i] + (0.0 if over else GAMMA * running)
            total[i] = running
        return total

    own = named(lambda w: GAMMA**w.t * (returns(w) - returns(w).mean()))
    assert str(own) == "G | less the mean over steps | summed"
    assert own.readings[0].pitfalls == (38,)
    bare = named(lambda w: GAMMA**w.t * (returns(w) - w.values))
    assert "G | less V(s) | summed" in map(str, bare.readings)


def test_right_code_is_unbiased_and_a_multiple_is_up_to_its_length():
    advantage = exact.advantages(LAB.mdp, LAB.pi)

    def right(w):
        return GAMMA**w.t * advantage[w.obs.argmax(1), w.actions]

    report = run(right, LAB)
    assert str(report).startswith("unbiased: A exact | summed\n")
    report.assert_unbiased()
    assert report.bias < 1e-12
    report = run(lambda w: 2 * right(w) @ LAB.scores(w), LAB)
    assert report.verdict == "unbiased up to its length"
    assert report.length == pytest.approx(2)
    assert report.cosine == pytest.approx(1)
    assert "times 2" in str(report)
    with pytest.raises(AssertionError, match="unbiased up to its length: A exact"):
        report.assert_unbiased()
    other = Report(-LAB.truth, LAB.truth, 1.0, named=report.named)
    assert other.verdict == "unbiased up to its sign"
    assert not other.unbiased
    assert str(named(lambda w: -right(w), factor=2)).endswith("| times -2")


def test_the_truth_in_parameters_of_one_s_own():
    """Another network, whose truth is Σ G · logits through it, without a mapping."""
    policy = softmax_policy(4, 2, (3,))
    theta = policy.init(np.random.default_rng(5), 1.0)
    lab = Laboratory(LAB.mdp, policy, theta, LAB.values, 4, 3)
    table = softmax_policy(4, 2)  # the same π as a table of logits: log π, and no bias
    logits = np.append(np.log(lab.pi).ravel(), np.zeros(2))
    twin = Laboratory(LAB.mdp, table, logits, LAB.values, 4, 3)
    _, tape = policy.forward(theta, lab.mdp.features)
    own = Own(policy.vjp(theta, tape, twin.logit_truth), lab.scores, lab.entropy_gradient)
    np.testing.assert_allclose(own.truth, lab.truth, atol=1e-14)
    advantage = exact.advantages(LAB.mdp, lab.pi)

    def right(w):
        return (GAMMA**w.t * advantage[w.obs.argmax(1), w.actions]) @ lab.scores(w)

    assert run(right, twin, own).unbiased


@given(mdps(), RNGS, st.integers(1, 3), st.integers(1, 3))
def test_windows_are_those_of_the_chain(mdp, rng, steps, limit):
    """Probabilities sum to 1, and each row's states and clocks are those of the chain."""
    pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
    assume(len(mdp.row) <= 12)
    c = chain.chain(mdp, pi, limit)
    rows, weight = chain.every(c, steps)
    assert weight.sum() == pytest.approx(1)
    assert len(weight) == chain.count(c, steps)
    alive = np.zeros((limit, mdp.num_states))  # by clock and state
    alive[0] = mdp.start
    go_on = mdp.chain(pi).T
    for t in range(steps):
        got = np.zeros_like(alive)
        np.add.at(got, (c.t[rows[t]], c.state[rows[t]]), weight)
        np.testing.assert_allclose(got, alive, atol=1e-12)
        after = np.zeros_like(alive)
        after[1:] = (go_on @ alive[:-1].T).T
        after[0] = mdp.start * (alive.sum() - after[1:].sum())  # whatever ended begins again
        alive = after
    np.testing.assert_array_equal(c.truncated, c.t + 1 == limit)


def test_on_whole_episodes_the_truth_is_grad_j_for_each():
    rng = np.random.default_rng(0)
    mdp = TabularMDP.from_arrays(
        rng.dirichlet(np.ones(2), (2, 2)), rng.standard_normal((2, 2)), np.array([1.0, 0]), 0.8
    ).unroll(2)
    policy = softmax_policy(mdp.features.shape[1], 2)
    theta = policy.init(rng, 1.0)
    lab = Laboratory(mdp, policy, theta, np.zeros(mdp.num_states), 4, 9)
    np.testing.assert_allclose(lab.truth, 2 * exact.policy_gradient(mdp, policy, theta), atol=1e-13)


def test_a_stream_of_a_batch_is_its_rows_without_resets():
    envs, rng = TabularVectorEnv(LAB.mdp, 3, max_episode_steps=3), np.random.default_rng(0)
    batch, _ = collect(envs, LAB.policy, LAB.theta, rng, 12, start_stream(envs, LAB.theta, rng))
    values = LAB.values[batch.obs.argmax(-1)]
    w = stream(batch, values)
    assert len(w.rewards) == batch.num_steps < 36
    assert w.last.sum() == 3
    assert w.truncated.any()
    assert w.terminated.any()
    np.testing.assert_array_equal(w.next_values, LAB.values[w.next_obs.argmax(1)])
    go_on = ~w.cuts[:-1]
    np.testing.assert_array_equal(w.next_obs[:-1][go_on], w.obs[1:][go_on])
    np.testing.assert_array_equal(w.t[1:], np.where(w.cuts[:-1], 0, w.t[:-1] + 1))


class Counter:
    """An estimator that keeps a state."""

    def __init__(self):
        self.calls = 0

    def __call__(self, w):
        self.calls += 1
        return self.calls * np.ones(10)


@pytest.mark.parametrize(("estimator", "message"), [
    (Counter(), "estimate: expected the same for the same window"),
    (lambda w: np.random.default_rng().random(10), "estimate: expected the same for the same"),
    (lambda w: np.ones(10), "estimate: expected some that differ"),
    (lambda w: np.ones(7), r"estimate: expected shape \(10,\), or \(5,\) of a row each, got"),
    (lambda w: np.full(10, np.nan), "estimate: expected finite numbers"),
    (lambda w: w.values * 0, "expected"),
])  # fmt: skip
def test_state_chance_constants_shapes_and_nan_are_refused(estimator, message):
    with pytest.raises(ValueError, match=message):
        run(estimator, LAB)


def test_windows_that_are_none_are_refused():
    w = LAB.window(0)
    parts = {f.name: getattr(w, f.name) for f in dataclasses.fields(w)}
    for name, value, message in (
        ("rewards", np.zeros((2, 2)), "rewards: expected shape"),
        ("terminated", np.zeros(5), "terminated: expected booleans"),
        ("values", np.full(5, np.nan), "values: expected finite"),
        ("next_values", np.zeros(4), "next_values: expected shape"),
        ("last", np.zeros(5, bool), "last: expected True in the last row"),
        ("t", np.array([-1, 0, 1, 2, 3]), "t: expected whole numbers from 0, got -1"),
        ("t", np.full(5, 0.5), "t: expected whole numbers from 0, got 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            Window(**parts | {name: value})
    many = {name: np.repeat(value, 200, 0) for name, value in parts.items()}
    with pytest.raises(ValueError, match="window: expected at most 512 rows, got 1000"):
        library([Probe(Window(**many))], 0.9)
    only = library([Probe(w)], 0.9)
    for gradients, message in (
        ([], "gradients: expected 1, got 0"),
        ([np.ones(3)], r"gradient: expected shape \(5,\)"),
        ([np.zeros(5)], "gradient: expected some that is not 0"),
    ):
        with pytest.raises(ValueError, match=message):
            identify(only, gradients)


def test_the_command_on_a_function_and_on_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "strangers.py").write_text(
        "import numpy as np\n"
        "from minipg.audit import lake\n"
        "LAB = lake()\n"
        "def no_discount(w):\n"
        "    d = w.rewards + 0.9 * np.where(w.terminated, 0, w.next_values) - w.values\n"
        "    return d @ LAB.scores(w) / len(d)\n"
        "number = 3\n"
        "def broken(w):\n"
        "    raise KeyError('lost')\n"
        "def leaves(w):\n"
        "    raise SystemExit(3)\n"
    )
    assert command.main(["strangers:no_discount"]) == 1
    assert capsys.readouterr().out.startswith(
        "biased: GAE λ = 0 | γ^t dropped | mean over steps\n  pitfall 8: "
    )
    assert command.main(["strangers:no_discount", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["pitfalls"] == [8, 40]
    assert found["verdict"] == "biased"
    for what, message in (("strangers:none", "has no attribute 'none'"), ("nowhere:f", "No module"),
                          ("strangers:number", "expected a function, got int"),
                          ("strangers:broken", "it raised KeyError: 'lost'"),
                          ("strangers:leaves", "it raised SystemExit: 3")):  # fmt: skip
        assert command.main([what]) == 2
        assert message in capsys.readouterr().err
    w = next(w for w in map(LAB.window, range(LAB.count))
             if w.truncated[:4].any() and w.terminated[:4].any())  # fmt: skip
    names = "rewards", "terminated", "truncated", "values", "next_values"
    arrays = {name: getattr(w, name) for name in names}
    row = by_hand("truncation treated as termination", 0.95, "n − 1", False, "mean over steps")
    path = tmp_path / "window.npz"
    np.savez(path, **arrays, gradient=row(w))
    assert command.main([str(path), "--gamma", "0.9"]) == 0
    assert capsys.readouterr().out.startswith("GAE λ = 0.95, truncation treated as termination | ")
    assert command.main([str(path)]) == 1
    default = capsys.readouterr().out
    for gamma, same in (("0.99", True), ("0.989", False)):
        assert command.main([str(path), "--gamma", gamma]) == 1
        assert (capsys.readouterr().out == default) == same
    np.savez(path, **arrays, gradient=np.arange(5.0))
    assert command.main([str(path), "--gamma", "0.9", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["readings"] == []
    assert command.main([str(tmp_path / "none.npz")]) == 2
    for name, value, message in (
        ("terminated", np.zeros(4), r"terminated: expected shape \(5,\)"),
        ("truncated", np.array(["a"] * 5), "truncated: expected booleans, or 0 and 1, got dtype"),
        ("last", np.full(5, 2), "last: expected booleans, or 0 and 1"),
        ("rewards", np.zeros((5, 1)), "rewards: expected shape"),
        ("rewards", np.zeros(0), "expected shape"),
    ):
        capsys.readouterr()
        np.savez(path, **arrays | {"gradient": np.arange(5.0), name: value})
        assert command.main([str(path)]) == 2
        assert re.search(message, capsys.readouterr().err)
