"""What the audit refuses, and laboratories at their edges: each a word, none a wrong verdict."""

import numpy as np
import pytest
from test_audit_streams import returns

from minipg.audit import lake, run


def less_its_neighbours(w):
    """REINFORCE less the mean return of the episodes before and after: the same backwards."""
    first = returns(w)[w.t == 0]
    rows = np.arange(len(first))
    near = np.abs(rows[:, None] - rows) == 1
    return 0.9**w.t * (returns(w) - (near @ first / near.sum(1))[w.episode])


def of_the_middle(w):
    """REINFORCE of the middle episode alone."""
    return 0.9**w.t * returns(w) * (w.episode == w.episode[-1] // 2)


@pytest.mark.parametrize("estimator", [less_its_neighbours, of_the_middle])
def test_any_order_of_three_streams_is_tried(estimator):
    with pytest.raises(ValueError, match="whatever the order of a window's streams"):
        run(estimator, lake(autoreset="never", streams=3), sizes=())


def warmed(calls):
    """Nothing but zeros for so many calls, as with a memory that is to be filled first."""
    yield from (lambda w: np.zeros(len(w.t)) for _ in range(calls))
    while True:
        yield returns


def test_a_state_that_says_nothing_at_first_is_refused():
    kinds = warmed(20)
    with pytest.raises(ValueError, match="got another, when asked again: it keeps a state"):
        run(lambda w: next(kinds)(w), lake(3, 3), sizes=())


def test_what_changes_its_window_is_named_as_what_leaves_it_alone():
    """Rewards by their largest: another formula than those of the grammar."""

    def scaled(w):
        w.rewards[:] /= max(np.abs(w.rewards).max(), 1e-9)
        return returns(w)

    assert not run(scaled, lake(3, 3), sizes=()).named.readings


@pytest.mark.parametrize("lab", [lake(2, 2, streams=4), lake().sized(16, 300)])
def test_where_another_size_has_too_many_windows_some_are_drawn(lab):
    assert str(run(returns, lab, sizes=()).named) == "G | γ^t dropped | summed"
    assert lab.other().count in (100, 300)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_same_for_every_row_is_refused_whatever_the_windows_lengths(value):
    with pytest.raises(ValueError, match="got the same for every window"):
        run(lambda w: np.full(len(w.t), value), lake(autoreset="never", streams=2), sizes=())


@pytest.mark.parametrize(("options", "words"), [
    ({"steps": 1, "autoreset": "next_step", "anywhere": True}, "steps: expected 2 or more"),
    ({"limit": 10**5, "anywhere": True}, "limit: expected at most 3000 clocks and states"),
    ({"streams": 0}, "streams: expected a whole number of 1 or more, got 0"),
    ({"streams": 2.0}, "streams: expected a whole number"),
    ({"autoreset": "never", "anywhere": True}, "anywhere: expected False"),
])  # fmt: skip
def test_laboratories_that_cannot_be_are_refused_by_name(options, words):
    with pytest.raises(ValueError, match=words):
        _ = lake(**options).weight
