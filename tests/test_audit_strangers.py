"""Strangers' code with published bugs, in plain loops: the audit names each, or says not ∇J."""

import dataclasses
import functools
from types import SimpleNamespace

import numpy as np
import pytest

from minipg.audit import lake, plant, run
from minipg.estimators import critics, returns as returns_module
from minipg.experience.batch import Batch
from minipg.museum import BUGS
from minipg.museum.bug import planted, rebuilt
from minipg.problems.lqr import action_values, solve, state_values
from minipg.truth import exact

GAMMA = 0.9
LABS = {"lake": lake(), "next_step": lake(autoreset="next_step"),
        "same_step": lake(autoreset="same_step"), "plant": plant()}  # fmt: skip
LAKE, PLANT = LABS["lake"], LABS["plant"]
ACTED = dataclasses.replace(LAKE, acted=LAKE.policy.init(np.random.default_rng(9), 1.0))
ADVANTAGE = exact.advantages(LAKE.mdp, LAKE.pi)


def alive(w, i):
    """The true next V, unless it terminated."""
    return 0.0 if w.terminated[i] else w.next_values[i]


def ended(w, i):
    return w.terminated[i] or w.truncated[i]


def gae(w, after=alive, cut=ended, lam=0.95):
    """A = δ + γλ A of the next row, with this next V and these cuts."""
    count = len(w.rewards)
    out, running = [0.0] * count, 0.0
    for i in reversed(range(count)):
        delta = w.rewards[i] + GAMMA * after(w, i) - w.values[i]
        running = delta + (0.0 if i == count - 1 or cut(w, i) else GAMMA * lam * running)
        out[i] = running
    return np.array(out)


def kept(psi):
    """The estimator Σ γ^t ψ_t ∇log π of ψ(w)."""
    return lambda w: np.array([GAMMA ** w.t[i] * x for i, x in enumerate(psi(w))])


def returns(w):
    total, running = np.zeros(len(w.t)), 0.0
    for i in reversed(range(len(w.t))):
        running = w.rewards[i] + (0.0 if i == len(w.t) - 1 or ended(w, i) else GAMMA * running)
        total[i] = running
    return total


def at(step):
    """`done` of another row, 0 beyond the first and the last's own beyond the last."""

    def done(w, i):
        j = min(i + step, len(w.t) - 1)
        return j >= 0 and ended(w, j)

    return done


def normalised(psi):
    return (psi - psi.mean()) / (psi.std() + 1e-8)


NAMED = [
    (1, "lake", kept(lambda w: gae(w, lambda w, i: 0.0 if ended(w, i) else w.next_values[i])),
     "GAE λ = 0.95, truncation treated as termination"),
    (2, "lake", kept(lambda w: gae(w, cut=lambda w, i: False)), "GAE λ = 0.95, never cut"),
    (2, "same_step", kept(lambda w: gae(
        w, lambda w, i: 0.0 if w.terminated[i] else w.seen_next_values[i],
        lambda w, i: w.terminated[i])), "the next episode's first V after an end"),
    (3, "lake", kept(lambda w: gae(w, lambda w, i: w.next_values[i])),
     "GAE λ = 0.95, terminals bootstrapped"),
    (3, "lake", kept(lambda w: gae(
        w, lambda w, i: w.next_values[i] if w.truncated[i] else alive(w, i))),
     "GAE λ = 0.95, a terminal on the limit bootstrapped"),
    (4, "lake", kept(lambda w: gae(w, lambda w, i: 0.0 if w.terminated[i] else w.values[i])),
     "GAE λ = 0.95, V of the state before the action"),
    (5, "lake", kept(lambda w: gae(
        w, lambda w, i: 0.0 if at(1)(w, i) else w.next_values[i], at(1))),
     "GAE λ = 0.95, done of the next row, truncation treated as termination"),
    (5, "lake", kept(lambda w: gae(
        w, lambda w, i: 0.0 if at(-1)(w, i) else w.next_values[i], at(-1))),
     "GAE λ = 0.95, done of the row before, truncation treated as termination"),
    (6, "lake", kept(lambda w: gae(
        w, lambda w, i: alive(w, i) * (2 if i == len(w.t) - 1 else 1))),
     "GAE λ = 0.95, the window's last value twice"),
    (7, "next_step", kept(gae), "GAE λ = 0.95, reset rows as data"),
    (7, "next_step", lambda w: normalised(gae(w)) / len(w.t), "GAE λ = 0.95, reset rows as data"),
    (8, "lake", gae, "γ^t dropped"),
    (9, "lake", kept(lambda w: normalised(gae(w))), "ψ normalised over the batch (n)"),
    (31, "lake", kept(lambda w: gae(
        w, lambda w, i: (0.0 if w.terminated[i] else w.next_values[i] if i == len(w.t) - 1
                         else w.values[i + 1]), lambda w, i: w.terminated[i])),
     "GAE λ = 0.95, truncation does not cut"),
    (31, "same_step", kept(lambda w: gae(
        w, lambda w, i: 0.0 if w.terminated[i] else w.seen_next_values[i])),
     "GAE λ = 0.95, the next episode's first V after an end"),
    (32, "lake", kept(lambda w: gae(
        w, lambda w, i: w.next_values[i] if i == len(w.t) - 1 else alive(w, i))),
     "GAE λ = 0.95, a terminal at the window's end bootstrapped"),
    (38, "lake", kept(lambda w: returns(w) - returns(w).mean()), "less the mean over steps"),
    (40, "lake", kept(lambda w: gae(w) / len(w.t)), "mean over steps"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "lab", "estimator", "words"), NAMED,
                         ids=[f"{row[0]}-{row[1]}-{i}" for i, row in enumerate(NAMED)])  # fmt: skip
def test_published_bugs_are_named_in_the_first_line(number, lab, estimator, words):
    report = run(estimator, LABS[lab], sizes=())
    first, *rest = str(report).splitlines()
    assert first.startswith("biased: ")
    assert words in first
    assert number in report.named.readings[0].pitfalls, first
    assert any(line.startswith(f"  pitfall {number}: ") for line in rest)
    assert report.named.residual < 1e-12


def exactly(w):
    """A^π of each row of the lake."""
    return np.array([ADVANTAGE[int(np.argmax(w.obs[i])), a] for i, a in enumerate(w.actions)])


def of_plant(w):
    """A^π of each row of the plant."""
    solution = solve(PLANT.lqr, PLANT.theta)
    return (action_values(PLANT.lqr, solution, w.obs, w.actions)
            - state_values(PLANT.lqr, solution, w.obs))  # fmt: skip


def of_one_dimension(w):
    s = PLANT.scores(w).copy()
    s[:, [1, 3, 5]] = 0
    return kept(of_plant)(w) @ s


def ratio(w):
    """π/μ of each row."""
    now = LAKE.policy.log_prob(LAKE.theta, w.obs, w.actions)
    return np.exp(now - w.log_prob)


REFUSED = [
    (10, PLANT, lambda w: kept(of_plant)(w) @ PLANT.policy.score(
        PLANT.theta, w.obs, np.clip(w.actions, -0.3, 0.3))),
    (11, LAKE, lambda w: kept(exactly)(w) * np.exp(w.log_prob - w.log_prob[::-1])),
    (17, PLANT, lambda w: np.append((kept(of_plant)(w) @ PLANT.scores(w))[:4], [0, 0])),
    (18, PLANT, of_one_dimension),
    (20, LAKE, lambda w: (kept(gae)(w)[:, None] + np.zeros(len(w.t))).sum(0)),
    (28, ACTED, lambda w: kept(exactly)(w) * np.cumprod(ratio(w)) * ratio(w)),
]  # fmt: skip


@pytest.mark.parametrize(("number", "lab", "estimator"), REFUSED,
                         ids=[f"{row[0]}-{i}" for i, row in enumerate(REFUSED)])  # fmt: skip
def test_what_is_no_formula_is_refused_as_not_the_gradient(number, lab, estimator):
    report = run(estimator, lab, sizes=())
    assert str(report).startswith("not ∇J: none of "), f"{number}: {report}"
    with pytest.raises(AssertionError, match="not ∇J"):
        report.assert_unbiased()


@pytest.mark.parametrize("lab", ["lake", "next_step", "same_step"])
@pytest.mark.parametrize("lam", [0.0, 0.95, 1.0])
def test_right_code_is_unbiased_under_every_autoreset(lab, lam):
    """With V^π as critic, whatever V is where nothing comes after; the reset rows masked."""
    v = exact.state_values(LAKE.mdp, LAKE.pi)
    values = np.where(np.arange(4) == 3, 0.37, v)

    def right(w):
        data = np.flatnonzero(~w.reset)
        psi = np.zeros(len(w.t))
        psi[data] = gae(w.data(), lam=lam)
        return GAMMA**w.t * psi

    report = run(right, dataclasses.replace(LABS[lab], values=values), sizes=())
    assert str(report).startswith("unbiased: ")
    assert f": GAE λ = {lam:g} | summed\n" in str(report)  # λ = 1 is 3 steps at this limit
    assert not report.named.readings[0].pitfalls
    report.assert_unbiased()


def test_right_code_of_continuous_actions_and_of_another_s_actions():
    report = run(lambda w: kept(of_plant)(w) @ PLANT.scores(w), PLANT, sizes=())
    assert str(report).startswith("unbiased: A exact | summed\n")
    report = run(lambda w: kept(exactly)(w) * np.cumprod(ratio(w)), ACTED, sizes=())
    assert str(report).startswith("unbiased: A exact | summed\n")
    assert run(gae, PLANT, sizes=()).named.readings[0].summed == "GAE λ = 0.95"


@functools.cache
def of_lambda(lam, dtype=np.float64):
    def loop(w):
        psi = normalised(gae(w, lambda w, i: 0.0 if ended(w, i) else w.next_values[i], lam=lam))
        return (psi / len(psi)).astype(dtype)

    return run(loop, LAKE, sizes=()).named


@pytest.mark.parametrize(("lam", "dtype"), [
    (0.93, np.float64), (0.123456789, np.float64), (0.997, np.float32),
])  # fmt: skip
def test_a_lambda_off_the_grid_is_found(lam, dtype):
    named = of_lambda(lam, dtype)
    told = f"{lam:g}" if dtype == np.float64 else "0.997"
    assert str(named) == (
        f"GAE λ = {told}, truncation treated as termination | ψ normalised over the batch (n) | "
        "γ^t dropped | mean over steps"
    )
    assert named.single == (dtype == np.float32)


ENDINGS = [bug for bug in BUGS if 1 <= bug.number <= 6]
SAID = {1: "truncation treated as termination", 3: "a terminal on the limit bootstrapped",
        6: "the window's last value twice"}  # fmt: skip


def of_module(critics, lab):
    """γ^t times the module's advantages of the window as a batch of one column, its resets rows."""

    def estimator(w):
        obs = np.concatenate([w.obs, w.next_obs[-1:]])[:, None]
        batch = Batch(
            obs, *(x[:, None] for x in (w.actions, w.rewards, w.terminated, w.truncated,
                                        ~w.reset, w.log_prob)), np.ones(1),
        )  # fmt: skip
        values = np.append(w.values, w.next_values[-1])[:, None]
        critic = SimpleNamespace(values=lambda *_: values)
        psi = critics.advantage(critic, LAKE.theta, LAKE.theta, batch, GAMMA, 0.95)[:, 0]
        return np.where(w.reset, 0, GAMMA**w.t * psi)

    return estimator


@functools.cache
def as_it_is():
    """The report on our own module."""
    return run(of_module(critics, LABS["next_step"]), LABS["next_step"], sizes=())


@pytest.mark.parametrize("bug", ENDINGS, ids=[str(bug.number) for bug in ENDINGS])
def test_the_museum_s_bugs_of_endings_are_seen_by_the_audit(bug):
    """The right module is named without a pitfall, the planted one with its own or by none."""
    lab, right = LABS["next_step"], as_it_is()
    assert str(right.named) == "GAE λ = 0.95 | summed"
    wrong = planted(bug)
    if bug.module is returns_module:
        wrong = rebuilt(critics, td_error=wrong.td_error, gae=wrong.gae)
    report = run(of_module(wrong, lab), lab, sizes=())
    assert report.bias > 1e-3
    assert report.named.residual > 1e-9 or report.named.readings[0] not in right.named.readings
    if bug.number in SAID:
        assert SAID[bug.number] in str(report.named), str(report)
