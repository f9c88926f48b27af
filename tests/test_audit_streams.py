"""Windows that begin anywhere in a long stream, and windows of several streams in any order."""

import dataclasses
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS
from test_audit_strangers import gae

from minipg.audit import Window, chain, lake, run
from minipg.estimators.group_moments import multisets
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact

STEPS = 20_000  # of a long stream
STREAMS = "apart", "next_step", "same_step"


@given(RNGS, st.sampled_from(STREAMS), st.integers(1, 3))
def test_shares_of_a_long_stream(rng, autoreset, limit):
    """x = xP on every node, and what a stream's first rows tend to be on average."""
    mdp = TabularMDP.from_arrays(
        rng.dirichlet(np.ones(3), (3, 2)), rng.standard_normal((3, 2)),
        np.array([0.5, 0.5, 0]), 0.9, np.array([False, False, True]),
    )  # fmt: skip
    pi = rng.dirichlet(np.ones(2), 3)
    c = chain.chain(mdp, pi, limit, autoreset)
    share = chain.long_run(c)
    assert share.min() >= 0
    assert share.sum() == pytest.approx(1)
    goes = np.bincount(c.target, share[c.source] * c.chance, len(share))
    np.testing.assert_allclose(goes, share, atol=1e-12)
    often = chain.visits(c, STEPS) / STEPS  # of each row, in one stream from its beginning
    np.testing.assert_allclose(np.bincount(c.source, often, len(share)), share, atol=20 / STEPS)
    begun = chain.begun(c, share)
    rows, weight = chain.every(begun, 2)
    assert weight.sum() == pytest.approx(1)
    first, second = np.zeros((2, *pi.shape, 2, limit, 2))
    for law, row in zip((first, second), rows, strict=True):
        at = begun.state[row], begun.action[row], begun.terminated[row] + 0, begun.t[row]
        np.add.at(law, (*at, begun.reset[row] + 0), weight)
    np.testing.assert_allclose(second, first, atol=1e-12)  # the stream is at rest


@pytest.mark.parametrize("autoreset", STREAMS)
@pytest.mark.parametrize(("anywhere", "streams"), [(True, 1), (False, 2), (True, 2)])
def test_the_truth_is_the_mean_of_right_code(autoreset, anywhere, streams):
    lab = lake(2, 2, autoreset, anywhere, streams)
    each = [lab.right(i, w) @ lab.scores(w) for i, w in enumerate(lab.windows())]
    np.testing.assert_allclose(lab.weight @ np.array(each), lab.truth, atol=1e-13)
    np.testing.assert_allclose(lab.truth_by(lab.scores), lab.truth, atol=1e-13)
    assert lab.count == lab.possible
    assert lab.weight.sum() == pytest.approx(1)
    other = dataclasses.replace(lab, acted=0.5 * lab.theta)  # weighted by its ratios
    each = [other.right(i, w) @ other.scores(w) for i, w in enumerate(other.windows())]
    np.testing.assert_allclose(other.weight @ np.array(each), other.truth, atol=1e-13)


@given(RNGS, st.integers(1, 4), st.integers(1, 4))
def test_multisets_are_the_ordered_draws(rng, kinds, size):
    chance = rng.dirichlet(np.ones(kinds))
    chosen, weight = multisets(chance, size)
    of = dict.fromkeys(map(tuple, chosen), 0.0)
    for draws in product(range(kinds), repeat=size):
        of[tuple(sorted(draws))] += chance[list(draws)].prod()
    np.testing.assert_allclose(weight, list(of.values()), rtol=1e-12)


def normalised(w):
    psi = gae(w, cut=lambda w, i: w.cuts[i])
    return (psi - psi.mean()) / (psi.std() + 1e-8) / len(psi)


def test_streams_counted_once_are_the_ordered_ones():
    """The mean of an estimator whose rows act on each other, over all ordered pairs."""
    one, two = lake(2, 2), lake(2, 2, streams=2)
    report = run(normalised, two, sizes=())
    mean = np.zeros_like(two.truth)
    parts = dataclasses.fields(Window)
    for (p, a), (q, b) in product(zip(one.weight, one.windows(), strict=True), repeat=2):
        w = Window(**{f.name: np.concatenate([getattr(a, f.name), getattr(b, f.name)])
                      for f in parts})  # fmt: skip
        mean += p * q * (normalised(w) @ two.scores(w))
    np.testing.assert_allclose(report.mean, mean, atol=1e-13)
    np.testing.assert_allclose(two.truth, 2 * one.truth, atol=1e-13)
    assert "ψ normalised over the batch (n)" in str(report).splitlines()[0]
    assert [w.last.tolist() for w in two.windows()[:1]] == [[False, True, False, True]]
    drawn = dataclasses.replace(two, drawn=3)
    assert drawn.window(2).last.tolist() == [False, True, False, True]
    with pytest.raises(ValueError, match="expected at most 200000 windows, got 850860"):
        lake(5, 3, streams=2).count  # noqa: B018


def test_an_order_of_streams_that_matters_is_refused():
    def over_the_end_of_a_stream(w):
        return gae(w)

    run(over_the_end_of_a_stream, lake(3, 2), sizes=())  # of one stream it is not
    with pytest.raises(ValueError, match="whatever the order of a window's streams, got another"):
        run(over_the_end_of_a_stream, lake(2, 2, streams=2), sizes=())


def returns(w):
    """G by t of each row, each episode by itself."""
    psi, running = np.zeros(len(w.t)), 0.0
    for i in reversed(range(len(psi))):
        running = w.rewards[i] + 0.9 * (0.0 if w.cuts[i] else running)
        psi[i] = running
    return psi


def test_of_whole_episodes_reinforce_is_right_and_a_second_discount_is_not():
    lab = lake(autoreset="never", streams=2)
    assert {bool(w.terminated[-1]) for w in lab.windows()} == {True}
    assert {int(w.terminated.sum()) for w in lab.windows()} == {2}
    assert {len(w.t) for w in lab.windows()} == {2, 3, 4, 5, 6}
    assert not any(w.truncated.any() or w.reset.any() for w in lab.windows())
    np.testing.assert_allclose(
        lab.truth, 2 * exact.policy_gradient(lab.mdp, lab.policy, lab.theta), atol=1e-14
    )

    def whole(w):  # E05: R = Σ_t γ^t r_t of the row's episode
        return np.array([sum(0.9 ** w.t[j] * w.rewards[j] for j in range(len(w.t))
                             if w.episode[j] == own) for own in w.episode])  # fmt: skip

    for estimator, words in ((whole, "R | summed"),
                             (lambda w: 0.9**w.t * returns(w), "G | summed")):  # fmt: skip
        report = run(estimator, lab, sizes=(1, 3))
        assert str(report).startswith(f"unbiased: {words}\n"), str(report)
        assert "pitfall" not in str(report)
        assert [one.told for one in report.trend] == [(1, "episodes"), (3, "episodes")]
    report = run(lambda w: 0.9**w.t * whole(w), lab, sizes=())
    assert str(report).startswith("biased: R | γ^t in front of R | summed\n"), str(report)
    assert "pitfall 8" in str(run(returns, lab, sizes=()))
    other = dataclasses.replace(lab, acted=0.5 * lab.theta)
    each = [other.right(i, w) @ other.scores(w) for i, w in enumerate(other.windows())]
    np.testing.assert_allclose(other.weight @ np.array(each), other.truth, atol=1e-13)
    with pytest.raises(ValueError, match="limit: expected at most steps where .*, got 5"):
        dataclasses.replace(lab, limit=5)


def joint(w, entropy, factor, critic=0.0, most=np.inf):
    """A normalised ψ and an entropy bonus, whose norm is clipped with what a critic has."""
    psi = gae(w)
    if np.ptp(psi) < 1e-12:
        psi = 0 * psi
    psi = (psi - psi.mean()) / (psi.std(ddof=1) + 1e-8)
    lab = lake()
    g = psi @ lab.scores(w) / len(psi) + entropy * lab.entropy_gradient(w)
    norm = np.sqrt(g @ g + critic * np.abs(w.values).sum() ** 2)
    return (factor * g * min(1, most / max(norm, 1e-300))).astype(np.float32)


@pytest.mark.parametrize(("entropy", "critic", "told"), [
    (0.02, 0.0, "| mean over steps | +0.02 ∇entropy | norm clipped at 0.05"),
    (0.02, 1.0, "| mean over steps | +0.02 ∇entropy | times a factor of each window's own, here "),
    (0.0, 1.0, "(n or n − 1) | γ^t dropped | summed or mean over "),
])  # fmt: skip
def test_what_a_clip_with_others_hides_and_what_it_does_not(entropy, critic, told):
    """Windows whose ψ are all equal have the bonus alone, which no clip of the policy shortens.

    Beside a bonus the divisor shows; without one it is hidden, and so is its pitfall.
    """
    report = run(lambda w: joint(w, entropy, 1.0, critic, 0.05), lake(), sizes=())
    first = str(report).splitlines()[0]
    assert first.startswith("biased: GAE λ = 0.95 | ψ normalised over the batch (n")
    assert told in first
    assert report.named.entropy == pytest.approx(entropy, rel=1e-3)
    assert ("pitfall 40" in str(report)) == (entropy > 0)
    assert "or, equal" not in str(report)


def test_a_divisor_of_each_window_s_own_hides_what_else_divides():
    """Here the mean absolute ψ: the kinds of normalisation that differ by a divisor, each told."""
    lab = lake()

    def scaled(w):
        return (gae(w) / np.abs(gae(w)).mean()) @ lab.scores(w)

    first, *others = str(run(scaled, lab, sizes=())).splitlines()
    words = "γ^t dropped | summed or mean over episodes or mean over steps or divided by the"
    assert first.startswith(f"biased: GAE λ = 0.95 | {words} longest"), first
    told = [line for line in others if "not centred" in line]
    kind = "ψ over its deviation, not centred (n or n − 1)"
    assert told[0].startswith(f"  or, equal on these windows: GAE λ = 0.95 | {kind} | {words}")


@pytest.mark.parametrize("factor", [1e-5, -1e-5])
def test_a_verdict_does_not_depend_on_the_estimate_s_length(factor):
    """In single precision, whose rounding is the estimate's own."""
    for dtype in (np.float32, np.float64):
        report = run(
            lambda w, dtype=dtype: (factor * normalised(w)).astype(dtype), lake(), sizes=()
        )
        assert report.verdict == "biased", str(report)
        assert report.named.single == (dtype == np.float32)


def test_rounding_is_no_state_and_what_differs_is_told():
    asked = []

    def shuffled(w, by=1e-7):
        asked.append(w)
        return normalised(w) * (1 + by * np.cos(len(asked)))

    assert run(shuffled, lake(), sizes=()).named.readings[0].summed == "GAE λ = 0.95"
    asked.clear()
    with pytest.raises(ValueError, match=r"got another, off by 0\.\d+ of the longest, when asked"):
        run(lambda w: shuffled(w, 0.1), lake(), sizes=())
    assert len(asked) < 50  # before the many


def test_other_readings_are_counted_and_what_no_scores_make_is_said():
    report = run(lambda w: 0.9**w.t * w.rewards, lake(1, 1), sizes=())
    assert len(report.named.distinct) > 4
    assert f"  or one of {len(report.named.distinct) - 4} more" in str(report).splitlines()
    lab = lake()

    def beside(w):
        return lab.scores(w).sum(0) ** 2

    assert re.search(
        r"; 0\.\d+ of it is no sum of its rows' scores", str(run(beside, lab, sizes=()))
    )
