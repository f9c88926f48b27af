"""Every claim of scripts/claims, on random tables, policies, γ; and not vacuously."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from strategies import problems

from minipg.claims import CLAIMS, Problem
from minipg.claims.problem import ALPHA
from minipg.policies.build import softmax_policy
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(c, marks=pytest.mark.equation(c.id), id=f"{c.id} {c.compare.__name__}")
        for c in CLAIMS
    ],
)
@given(problem=problems())
def test_claim(claim, problem):
    """A statistical claim fails by chance with probability at most 1e-6 a problem."""
    row = claim.compare(problem)
    assert row.error <= row.tolerance, row.compared
    assert ALPHA <= 1e-6


def problem() -> Problem:
    rng = np.random.default_rng(0)
    transition, start = rng.dirichlet(np.ones(3), (3, 2)), rng.dirichlet(np.ones(3))
    mdp = TabularMDP.from_arrays(transition, rng.standard_normal((3, 2, 3)), start, 0.9)
    return Problem(mdp, mdp.unroll(2), softmax_policy(3, 2), rng.standard_normal(8), 0, 1000)


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("E01", "total"), ("E04", "gradient"), ("E05", "estimates"), ("E07", "scores"),
        ("E08", "gradient"), ("E08", "estimates"),
        ("E09", "scores"), ("errata 9", "gradient"), ("E10", "to_go"), ("errata 7", "to_go"),
        ("E11", "action_values"), ("E11", "to_go"), ("E12", "values"), ("E28", "values"),
    ],
)  # fmt: skip
def test_power_a_claim_fails_where_one_of_its_numbers_is_off_by_a_thousandth(id, name):
    right, wrong = problem(), problem()
    number = getattr(right, name)
    wrong.__dict__[name] = number + 1e-3 * np.roll(np.abs(number), 1, axis=0)
    rows = [(c.compare(right), c.compare(wrong)) for c in CLAIMS if c.id == id]
    assert all(row.error <= row.tolerance for row, _ in rows)
    assert any(row.error > row.tolerance for _, row in rows)


def test_power_the_whole_table_s_gradient_is_refused_where_off_by_a_millionth(monkeypatch):
    claim = next(c for c in CLAIMS if c.compare.__name__ == "policy_gradient_theorem")
    row, plain = claim.compare(problem()), exact.policy_gradient
    assert row.error <= row.tolerance
    monkeypatch.setattr(exact, "policy_gradient", lambda *given: plain(*given) * (1 + 1e-6))
    row = claim.compare(problem())
    assert row.error > row.tolerance


def test_power_sampled_rows_refuse_wrong_variants():
    """200,000 episodes: half the gradient, the variance undivided, J off by a tenth, L of another
    π."""
    right = dataclasses.replace(problem(), episodes=200_000)
    wrong = dataclasses.replace(right)
    wrong.__dict__.update(directions=right.directions, gradient=right.gradient / 2,
                          total=right.total * 1.1, enumerated=right.enumerated,
                          pi=right.pi[:, ::-1])  # fmt: skip
    sampled = [c for c in CLAIMS if c.compare.__name__.endswith("_sampled")]
    assert len(sampled) == 4
    for c in sampled:
        row = c.compare(right)
        assert row.error <= row.tolerance
        assert "too few" not in row.compared
    for name in ("objective_sampled", "reinforce_sampled", "surrogate_sampled"):
        row = next(c for c in sampled if c.compare.__name__ == name).compare(wrong)
        assert row.error > row.tolerance


def test_dropping_the_discount_is_a_bias_that_shows():
    """Errata 7 where γ = 0.5: the exact answers differ by far more than any tolerance."""
    mdp = TabularMDP.from_env("CliffWalking-v1", 0.5)
    policy = softmax_policy(48, 4)
    theta = policy.init(np.random.default_rng(0), 1.0)
    right = exact.policy_gradient(mdp, policy, theta)
    dropped = exact.policy_gradient(mdp, policy, theta, discounted_visits=False)
    assert np.linalg.norm(dropped - right) > 0.1 * np.linalg.norm(right)
