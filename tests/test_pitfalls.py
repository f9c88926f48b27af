"""The bug museum: every planted bug is caught and costs something; the right code never is."""

import json
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from minipg import museum
from minipg.commands import verify
from minipg.museum import BUGS, PITFALLS
from minipg.museum.advantages import stream_bias_of_returns
from minipg.museum.bug import LEAST, ROUNDING, Bug, examine, passes, planted, rebuilt, told_apart
from minipg.museum.toy import Toy

SEEDS = range(4)
NAMES = [f"{bug.number} {bug.title}" for bug in BUGS]


@pytest.mark.parametrize(
    "bug",
    [pytest.param(bug, marks=pytest.mark.pitfall(bug.number), id=name)
     for bug, name in zip(BUGS, NAMES, strict=True)],
)  # fmt: skip
def test_the_property_holds_and_catches_the_planted_bug(bug):
    """On four random problems each: caught always, no false alarm, harm where there is a bug."""
    for seed in SEEDS:
        row = examine(bug, seed)  # anything but an AssertionError of the planted copy is raised
        assert row["right_passes"]
        assert row["caught"]
        if row["harm"] is None:
            assert row["measure"].startswith("no size: ")
        else:
            assert row["harm_of_right"] <= ROUNDING
            assert LEAST < row["harm"] < np.inf
        assert told_apart(row)


def test_the_first_thirty_pitfalls_are_planted_once_under_each_title():
    assert {bug.number for bug in BUGS} == set(range(1, 31))
    assert len(set(NAMES)) == len(BUGS)


def test_the_list_of_pitfalls_is_whole_and_a_bug_was_seen_where_its_pitfall_was():
    assert [pitfall.number for pitfall in PITFALLS] == list(range(1, 41))
    assert len({pitfall.bug for pitfall in PITFALLS}) == 40
    assert all(all(pitfall) and pitfall.property.endswith(".") for pitfall in PITFALLS)
    published = {pitfall.number: pitfall.published.split("; ") for pitfall in PITFALLS}
    for bug in BUGS:
        assert set(bug.published.split("; ")) <= set(published[bug.number])


def test_verify_leaves_the_museum_alone_unless_it_is_asked_for():
    """In a fresh process, of one claim."""
    code = ("import sys\nfrom minipg.commands import verify\ndel verify.CLAIMS[1:]\n"
            "verify.main(['FrozenLake-v1'])\n"
            "print([x for x in sys.modules if x.startswith('minipg.museum')])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1 of 1 hold" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_name_that_is_gone_is_no_bug_and_a_crash_is_no_catch():
    bug = BUGS[0]
    with pytest.raises(ValueError, match=r"estimators.critics: expected to hold gone, it does not"):
        planted(bug._replace(wrong=lambda right: {"gone": None}))
    broken = bug._replace(wrong=lambda right: {"td_errors": lambda *given: given["no index"]})
    with pytest.raises(TypeError):
        passes(broken, planted(broken), 0)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.harm is stream_bias_of_returns],
                         ids=lambda bug: bug.title)  # fmt: skip
def test_the_museum_does_not_see_that_a_function_is_written_otherwise(bug):
    """The bugs are told by behaviour: GAE as a plain loop is as right, and each is still caught."""

    def gae(delta, ends, gamma, lam):
        out, last = np.empty_like(delta), np.zeros_like(delta[0])
        for t in reversed(range(len(delta))):
            last = out[t] = delta[t] + gamma * lam * np.where(ends[t], 0, last)
        return out

    rewritten = rebuilt(bug.module, gae=gae)
    for seed in SEEDS:
        assert passes(bug, rewritten, seed)
        assert not passes(bug, rebuilt(rewritten, **bug.wrong(rewritten)), seed)


@pytest.mark.parametrize(
    "wrong",
    [{"holds": lambda module, seed: None}, {"wrong": lambda right: {}},
     {"harm": lambda module, seed: (0.0, "")}, {"harm": lambda module, seed: (1.0, "")},
     {"harm": lambda module, seed: (np.nan, "")}],
)  # fmt: skip
def test_the_museum_itself_has_power(wrong):
    """A blind property, a bug that is none, no harm, harm of the right code, NaN."""
    bug: Bug = BUGS[0]
    assert told_apart(examine(bug, 0))
    assert not told_apart(examine(bug._replace(**wrong), 0))


def test_the_toy_says_what_it_is_told():
    """The action check that row 26 relies on."""
    env = Toy(action_space=Discrete(2, start=-1))
    env.reset(seed=0)
    with pytest.raises(AssertionError):
        env.step(1)


def test_verify_prints_a_row_a_bug():
    """As the command, in a process of its own."""
    command = [sys.executable, "-m", "minipg", "verify", "--bugs"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(BUGS) + 1
    assert lines[0].startswith(" 1  truncation treated as termination [SB3 #633")
    assert lines[1].startswith("    right code passes, planted caught by: a constant reward leaves")
    assert lines[-1].startswith(f"{len(BUGS)} of {len(BUGS)} planted bugs caught, 0 false alarms")


def test_verify_fails_where_a_bug_is_not_told_from_the_right_code(capsys, monkeypatch):
    def never(module, seed):
        raise AssertionError

    blind = BUGS[0]._replace(holds=lambda module, seed: None)
    for chosen in (blind, BUGS[0]._replace(holds=never)):
        monkeypatch.setattr(museum, "BUGS", [chosen])
        assert verify.main(["--bugs"]) == 1
    out = capsys.readouterr().out
    assert "right code passes, planted NOT CAUGHT" in out
    assert "RIGHT CODE FAILS" in out
    assert "1 of 1 planted bugs caught, 1 false alarms" in out
    monkeypatch.setattr(museum, "BUGS", BUGS[:1])
    assert verify.main(["--bugs", "--json", "--seed", "3"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["caught"]
    assert row["harm"] > 0.1
    assert verify.main(["--bugs", "--gamma", "0.5"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("minipg verify: --bugs: expected no table and no --gamma")
