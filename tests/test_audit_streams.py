"""Windows that begin anywhere in a long stream, and windows of several streams in any order."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import RNGS
from test_audit_strangers import gae

from minipg.audit import Window, chain, lake, run
from minipg.estimators.group_moments import multisets
from minipg.problems.mdp import TabularMDP

STEPS = 20_000  # of a long stream


@given(RNGS, st.sampled_from(chain.AUTORESETS), st.integers(1, 3))
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


@pytest.mark.parametrize("autoreset", chain.AUTORESETS)
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
