"""Large tables: LGMRES against the direct solve, ∇J in the logits, and the grid world's command."""

import dataclasses
import re
import resource
import sys
from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st
from strategies import RNGS, mdps, problems

from minipg.commands import oracle
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact
from minipg.truth.check import complex_step


def never(*_, **__):
    raise AssertionError("a solver that is not meant to run")


def random_table(n, gamma, rng, successors=3):
    """No geometry: every pair's successors are drawn from all states, the first may end."""
    rows = 2 * n * successors
    return TabularMDP.from_entries(
        np.repeat(np.arange(2 * n), successors), rng.integers(n, size=rows),
        rng.dirichlet(np.ones(successors), 2 * n).ravel(), rng.standard_normal(rows),
        rng.random(rows) < 0.01, rng.dirichlet(np.ones(n)), gamma, None, 2,
    )  # fmt: skip


def solutions(mdp, pi):
    return exact.state_values(mdp, pi), exact.visits(mdp, pi, mdp.gamma)


def solutions_without(name, mdp, pi, direct):
    """V and visits with DIRECT = `direct` and one of the two solvers forbidden."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "DIRECT", direct)
        patch.setattr(exact, name, never)
        return solutions(mdp, pi)


def bound(mdp, pi):
    """‖error‖ ≤ ‖residual‖ ‖(I − γP)⁻¹‖₂, and ‖·‖₂² ≤ ‖·‖₁ ‖·‖_∞ ≤ column sums / (1 − γ).

    The factor 3 is two solves to 1e-12 (the direct one is better) and rounding.
    """
    ones = mdp.with_start(np.full(mdp.num_states, 1 / mdp.num_states))
    columns = mdp.num_states * solutions_without("lgmres", ones, pi, 10**9)[1].max()
    rights = (pi * mdp.expected_reward).sum(1), mdp.start
    return [3e-12 * np.linalg.norm(b) * np.sqrt(columns / (1 - mdp.gamma)) for b in rights]


@pytest.mark.parametrize("gamma", [0.5, 0.99, 0.999])
@pytest.mark.parametrize("table", [
    lambda gamma, rng: random_table(500, gamma, rng),
    lambda gamma, rng: oracle.grid_world(50, gamma, rng),  # > DIRECT states
])  # fmt: skip
@pytest.mark.equation("E01", "E30")
def test_lgmres_equals_the_direct_solve(table, gamma):
    rng = np.random.default_rng(0)
    mdp = table(gamma, rng)
    pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
    above = min(exact.DIRECT, mdp.num_states - 1)
    iterated = solutions_without("splu", mdp, pi, above)
    direct = solutions_without("lgmres", mdp, pi, 10**9)
    for got, truth, limit in zip(iterated, direct, bound(mdp, pi), strict=True):
        assert np.linalg.norm(got - truth) <= limit


@given(mdps(), RNGS)
@pytest.mark.equation("E01", "E30")
def test_either_solver_on_any_table_solves_the_equations(mdp, rng):
    """γ = 1 and rewards of 0 included; ‖error‖ ≤ ‖residual‖ ‖(I − γP)⁻¹‖, by a dense inverse."""
    pi = rng.dirichlet(np.ones(mdp.num_actions), mdp.num_states)
    inverse = np.linalg.inv(np.eye(mdp.num_states) - mdp.gamma * mdp.chain(pi).toarray())
    reward, size = (pi * mdp.expected_reward).sum(1), np.linalg.norm(inverse, 2)
    with pytest.MonkeyPatch.context() as patch:
        for direct in (10**9, 0):
            patch.setattr(exact, "DIRECT", direct)
            values, visits = solutions(mdp, pi)
            limit = 1e-11 * size * (1 + size)  # the dense inverse rounds too
            assert np.linalg.norm(values - inverse @ reward) <= limit * np.linalg.norm(reward)
            assert np.linalg.norm(visits - mdp.start @ inverse) <= limit
            unpaid = dataclasses.replace(mdp, reward=np.zeros_like(mdp.reward))
            assert not exact.state_values(unpaid, pi).any()


@given(mdps(), RNGS)
@pytest.mark.equation("E05", "E11", "E12")
def test_logit_gradient_is_the_gradient_of_j_in_every_logit(mdp, rng):
    """With complex π a large table is solved directly, so that complex-step holds there too."""
    shape = (mdp.num_states, mdp.num_actions)
    eta, head = rng.standard_normal(shape), Softmax(mdp.num_actions)

    def objective(x):
        return exact.objective(mdp, head.probs(x.reshape(shape)))

    with pytest.MonkeyPatch.context() as patch:
        for direct in (10**9, 0):
            patch.setattr(exact, "DIRECT", direct)
            numeric = [complex_step(objective, eta.ravel(), e) for e in np.eye(eta.size)]
            got = exact.logit_gradient(mdp, head.probs(eta)).ravel()
            atol = 1e-9 * np.abs(mdp.reward).max()
            np.testing.assert_allclose(got, numeric, rtol=1e-7, atol=atol)


@given(problems(), st.booleans())
@pytest.mark.equation("E20")
def test_expected_score_is_its_sum_over_states_and_actions(problem, discounted):
    """Score by score, for a ψ that is no advantage."""
    mdp, policy, theta = problem.mdp, problem.policy, problem.theta
    psi = problem.rng.standard_normal((mdp.num_states, mdp.num_actions))
    s, a = (x.ravel() for x in np.indices(psi.shape))
    pi = policy.probs(theta, mdp.features)
    visited = exact.visits(mdp, pi, mdp.gamma if discounted else 1.0)
    weight = visited[s] * pi[s, a] * psi[s, a]
    scores = policy.score(theta, mdp.features[s], a)
    got = exact.expected_score(mdp, policy, theta, psi, discounted)
    scale = np.abs(weight) @ np.abs(scores)
    assert (np.abs(got - weight @ scores) <= 1e-12 * scale + 1e-300).all()


def chain(n, gamma):
    """n states in a row, each step pays 1, the last ends: LGMRES sees 33 states far, no further."""
    s = np.arange(n)
    return TabularMDP.from_entries(s, np.minimum(s + 1, n - 1), np.ones(n), np.ones(n), s == n - 1,
                                   np.eye(1, n)[0], gamma, None, 1)  # fmt: skip


@pytest.mark.parametrize("gamma", [0.9999, 1.0])
def test_where_lgmres_stalls_the_solve_is_direct(gamma, monkeypatch):
    mdp, seen = chain(exact.DIRECT + 1, gamma), []

    def spy(*args, **options):
        seen.append(lgmres(*args, **options))
        return seen[-1]

    lgmres = exact.lgmres
    monkeypatch.setattr(exact, "lgmres", spy)
    values, visits = solutions(mdp, np.ones((mdp.num_states, 1)))
    assert [missed > 0 for _, missed in seen] == [True, True]  # it ran, and did not converge
    left = gamma ** np.arange(mdp.num_states)
    np.testing.assert_allclose(values, np.cumsum(left)[::-1], rtol=1e-11)
    np.testing.assert_allclose(visits, left, rtol=1e-11)


@pytest.mark.parametrize("wrong", [1 + 1e-7, np.nan])
def test_a_solution_with_a_residual_is_refused(wrong, monkeypatch):
    """Of LGMRES: the direct solve takes over. Of the direct solve: ValueError."""
    mdp = chain(exact.DIRECT + 1, 0.9)
    pi = np.ones((mdp.num_states, 1))
    right = solutions_without("lgmres", mdp, pi, 10**9)
    splu = exact.splu

    class Wrong:
        def __init__(self, matrix):
            self.factor = splu(matrix)

        def solve(self, b, transposed="N"):
            return self.factor.solve(b, transposed) * wrong

    monkeypatch.setattr(exact, "lgmres", lambda a, b, **_: (Wrong(sp.csc_array(a)).solve(b), 0))
    np.testing.assert_allclose(solutions(mdp, pi)[0], right[0], rtol=1e-12)
    monkeypatch.setattr(exact, "splu", Wrong)
    for solve in (exact.objective, exact.visitation, exact.logit_gradient):
        with pytest.raises(ValueError, match="mdp: expected a relative residual ≤ 1e-08, or"):
            solve(mdp, pi)


def test_without_discount_what_rounding_loses_is_refused_only_past_1e_6():
    """Episodes of 5e6 steps keep their digits; of those of 1e17 splu has not even the sign."""
    mdp = TabularMDP.from_env("CliffWalking-v1", 1.0)

    def left_with(p):
        return np.tile([p, p, p, 1 - 3 * p], (48, 1))

    assert exact.objective(mdp, left_with(0.2)) == pytest.approx(-5189573.0, rel=1e-6)
    for solve in (exact.objective, lambda mdp, pi: exact.visits(mdp, pi, 1.0)):
        with pytest.raises(ValueError, match="expected a relative residual ≤ 1e-08, or 1e-6"):
            solve(mdp, left_with(0.03))


def test_one_hot_features_are_made_only_where_they_are_read():
    mdp = oracle.grid_world(12, 0.9, np.random.default_rng(0))
    exact.logit_gradient(mdp, np.full((144, 4), 0.25))
    moved = mdp.with_start(np.eye(144)[3])
    for table in (mdp, moved):
        assert "features" not in vars(table)
        np.testing.assert_array_equal(table.features, np.eye(144))
        assert not table.features.flags.writeable
    given = TabularMDP.from_arrays(np.ones((1, 1, 1)), [[1.0]], [1.0], 0.9, features=[[2.0]])
    with pytest.raises(ValueError, match="read-only"):
        given.features[0] = 1


class OnDemand(Mapping):
    """Gymnasium's P of a table, each state's rows made when they are asked for."""

    def __init__(self, mdp):
        self.mdp = mdp

    def __len__(self):
        return self.mdp.num_states

    def __iter__(self):
        return iter(range(self.mdp.num_states))

    def __getitem__(self, s):
        m, a = self.mdp, self.mdp.num_actions
        entries = {b: range(m.first[s * a + b], m.first[s * a + b + 1]) for b in range(a)}
        return {b: [(m.prob[k], m.next_state[k], m.reward[k], m.terminated[k]) for k in ks]
                for b, ks in entries.items()}  # fmt: skip


@given(mdps())
def test_a_table_made_on_demand_is_the_table(mdp):
    env = gym.Env()
    env.P, env.initial_state_distrib = OnDemand(mdp), mdp.start
    got = TabularMDP.from_env(env, mdp.gamma)
    for name in ("row", "next_state", "reward", "terminated", "start"):
        np.testing.assert_array_equal(getattr(got, name), getattr(mdp, name))
    np.testing.assert_allclose(got.prob, mdp.prob, rtol=1e-15)


def test_the_grid_world_moves_as_gymnasium_s_frozen_lake():
    lake = TabularMDP.from_env(
        gym.make("FrozenLake-v1", desc=["SFFF", "FFFF", "FFFF", "FFFG"]), 0.9
    )
    grid = oracle.grid_world(4, 0.9, np.random.default_rng(0))
    difference = (lake.continuing - grid.continuing)[:-4]  # the goal's own rows do not matter
    assert np.abs(difference).max() <= 1e-15
    cell = np.unique(grid.reward[grid.next_state == 5])
    assert len(cell) == 1  # a cell pays the same from wherever it is entered


def peak():
    """GiB of this process so far, whatever other tests took."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@pytest.mark.parametrize("arguments", [["--side", "5", "--seed", "1"], ["--side", "50"],
                                       ["--side", "50", "--gamma", "0"],
                                       ["--side", "5", "--gamma", "0.9999"]])  # fmt: skip
def test_oracle_prints_seconds_memory_and_checks_that_hold(arguments, capsys):
    before = peak()
    assert oracle.main(arguments) == 0
    out = capsys.readouterr().out
    assert before - 0.01 <= float(re.search(r"peak memory (\S+) GiB", out)[1]) <= peak() + 0.01
    assert f"{int(arguments[1]) ** 2} states, " in out
    assert out.count("holds") == 5
    assert "FAILS" not in out


@pytest.mark.parametrize("name", ["state_values", "visitation", "logit_gradient"])
def test_oracle_fails_where_one_of_its_numbers_is_off(name, monkeypatch, capsys):
    right = getattr(exact, name)
    monkeypatch.setattr(exact, name, lambda *args: right(*args) * (1 + 1e-3))
    assert oracle.main(["--side", "5"]) == 1
    assert "FAILS" in capsys.readouterr().out


def test_oracle_refuses_a_mistake_in_one_line(capsys):
    for option, value in (("--side", "1"), ("--gamma", "1"), ("--gamma", "nan"), ("--seed", "-1"),
                          ("--side", "100000000")):  # fmt: skip
        try:
            status = oracle.main([option, value])
        except SystemExit as stop:  # argparse
            status = stop.code
        assert status == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert option in error or "Unable to allocate" in error
