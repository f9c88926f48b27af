"""Every claim on random tables, policies, γ, and not vacuously; the lists of the lecture."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from strategies import problems

from minipg import claims
from minipg.algorithms import cem
from minipg.claims import (
    CLAIMS,
    EQUATIONS,
    ERRATA,
    QUESTIONS,
    STATEMENTS,
    Claim,
    Problem,
    claim as make_claim,
    s5_errata,
)
from minipg.claims.rows import ALPHA, Row
from minipg.claims.sections import SECTIONS
from minipg.commands import verify
from minipg.estimators.critics import VCritic
from minipg.museum import PITFALLS
from minipg.policies.build import softmax_policy
from minipg.policies.policy import Policy
from minipg.policies.softmax import Softmax
from minipg.problems.mdp import TabularMDP
from minipg.truth import exact, performance


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
    if row.skipped:
        assert problem.mdp.gamma == 1
        assert claim.id in ("E34", "E36")  # whose C is infinite then
        return
    assert row.error <= row.tolerance, row.compared


def test_the_stated_probability_of_a_false_alarm():
    assert ALPHA == 1e-6


def test_what_was_not_compared_is_told_and_neither_holds_nor_fails(capsys, monkeypatch):
    """A cliff without discount: C is infinite; NaN for the error alone fails."""
    assert verify.main(["CliffWalking-v1", "--gamma", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count(" skipped  ") == 2
    assert f"{len(CLAIMS) - 2} of {len(CLAIMS) - 2} hold on CliffWalking-v1, 2 skipped:" in out
    few = [claim for claim in CLAIMS if claim.id in ("E34", "E35", "E36")]
    monkeypatch.setattr(verify, "CLAIMS", few)
    assert verify.main(["CliffWalking-v1", "--gamma", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["id"] for row in rows if row["holds"] is None] == ["E34", "E36"]
    assert all(row["error"] is None for row in rows if row["holds"] is None)
    assert not Row("", np.nan, 1.0).skipped


def test_the_lists_are_whole_and_every_equation_has_a_claim():
    """Those of the slides first, in their order; errata 11 is about years: nothing to compute."""
    assert [x.id for x in EQUATIONS] == [f"E{n:02}" for n in range(1, len(EQUATIONS) + 1)]
    assert [x.id for x in ERRATA] == [f"errata {n}" for n in range(1, len(ERRATA) + 1)]
    assert len(EQUATIONS) >= 48
    assert len(ERRATA) >= 11
    assert [x.id.split(",")[0] for x in QUESTIONS] == [
        f"footnote {n}" for n in (2, 3, 4, 5, 6, 6, 7)
    ]
    assert {c.id for c in CLAIMS} == set(STATEMENTS) - {"errata 11"}
    assert {id for x in QUESTIONS for id in x.shown_by} <= set(STATEMENTS)
    for entries in (EQUATIONS, ERRATA, QUESTIONS):
        assert len({x[2] for x in entries}) == len(entries)
        assert all(all(x[:4]) and x[3].endswith(".") for x in entries)
    assert len({c.text for c in CLAIMS}) == len(CLAIMS)
    assert all(c.text.startswith(STATEMENTS[c.id].title) for c in CLAIMS)
    with pytest.raises(KeyError, match="E99"):
        make_claim("E99")


def test_every_file_of_claims_is_asked():
    """A section that is not in SECTIONS would never run, and nothing would say so."""
    files = {path.stem for path in Path(claims.__file__).parent.glob("s[0-9]_*.py")}
    assert files == {section.__name__.split(".")[-1] for section in SECTIONS}


@pytest.mark.parametrize(
    ("word", "id"),
    [("KKT", "E43"), ("Pinsker", "E34"), ("Fisher", "E39"), ("trust region", "E38"),
     ("importance sampling", "E27"), ("natural gradient", "E40"), ("baseline", "E08"),
     ("GAE", "E24"), ("likelihood ratio", "E03"), ("cross-entropy", "E02")],
)  # fmt: skip
def test_a_word_one_would_search_for_finds_its_equation(word, id):
    assert word.lower() in " ".join(STATEMENTS[id][:4]).lower()


def test_every_mark_names_an_entry_of_the_lists(request):
    """Of all tests that were collected: with the whole suite, all there are."""
    known = {"equation": set(STATEMENTS), "pitfall": {x.number for x in PITFALLS}}
    for item in request.session.items:
        for name, entries in known.items():
            for mark in item.iter_markers(name):
                assert mark.args, item.nodeid
                assert set(mark.args) <= entries, f"{item.nodeid}: {name}{mark.args}"


def problem() -> Problem:
    rng = np.random.default_rng(0)
    transition, start = rng.dirichlet(np.ones(3), (3, 2)), rng.dirichlet(np.ones(3))
    mdp = TabularMDP.from_arrays(transition, rng.standard_normal((3, 2, 3)), start, 0.9)
    return Problem(mdp, mdp.unroll(2), softmax_policy(3, 2), rng.standard_normal(8), 0, 1000)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("objective_enumerated", "total"), ("importance_view", "gradient"),
        ("reinforce_enumerated", "estimates"), ("score_has_mean_zero", "scores"),
        ("baseline_is_unbiased", "gradient"), ("baseline_changes_variance", "estimates"),
        ("optimal_per_parameter", "scores"), ("optimal_scalar", "scores"),
        ("two_readings", "gradient"), ("reward_to_go_is_unbiased", "to_go"),
        ("dropped_discount", "to_go"), ("reward_to_go_estimates_q", "action_values"),
        ("reward_to_go_estimates_q", "to_go"), ("gradient_with_q", "action_values"),
        ("gradient_with_advantage", "values"), ("objective_from_start_values", "values"),
    ],
)  # fmt: skip
def test_power_a_claim_fails_where_one_of_its_numbers_is_off_by_a_thousandth(name, number):
    """number: a field or cached property of Problem."""
    claim, right, wrong = claim_of(name), problem(), problem()
    value = getattr(right, number)
    assert number in vars(right)
    vars(wrong)[number] = value + 1e-3 * np.roll(np.abs(value), 1, axis=0)
    row = claim.compare(right)
    assert row.error <= row.tolerance
    row = claim.compare(wrong)
    assert row.error > row.tolerance


def claim_of(name: str) -> Claim:
    return next(c for c in CLAIMS if c.compare.__name__ == name)


def scaled(by):
    return lambda right: lambda *given: by * right(*given)


@pytest.mark.parametrize(
    ("name", "where", "attribute", "wrong"),
    [
        ("without_gradient", cem, "play_episodes", lambda right: lambda *given: (
            dataclasses.replace(b := right(*given), rewards=-b.rewards))),
        ("without_gradient", cem, "play_episodes", lambda right: lambda *given: (
            dataclasses.replace(b := right(*given), rewards=0 * b.rewards))),
        ("iteration_of_a2c", VCritic, "gradient", scaled(1.001)),
        ("iteration_of_a2c", VCritic, "psi", lambda right: lambda critic, phi, *given: (
            right(critic, 0.999 * phi, *given))),
        ("one_network_or_two", VCritic, "error_gradient", scaled(1.001)),
        ("one_network_or_two", Softmax, "score", scaled(1.001)),
        ("one_network_or_two", Policy, "vjp", lambda right: lambda *given: right(*given[:4])),
        ("fisher_without_its_nabla", Softmax, "entropy", scaled(1.001)),
        ("fisher_without_its_nabla", s5_errata, "fisher_product", lambda right: lambda *given: (
            scaled(1.001)(right(*given)))),
        ("half_of_the_curvature", s5_errata, "trust_region_step", scaled(np.sqrt(0.5))),
        ("visits_of_which_policy", exact, "visits", scaled(1.001)),
        ("visits_of_which_policy", performance, "surrogate",
         lambda right: performance.performance_difference),
        ("surrogate_without_its_sum", s5_errata, "batch_surrogate", scaled(1.001)),
        ("surrogate_without_its_sum", exact, "visits", lambda right: lambda mdp, pi, gamma: (
            right(mdp, pi, 1.0))),
        ("either_direction", performance, "kl", lambda right: lambda p, q: right(q, p)),
        ("either_direction", Softmax, "kl", scaled(1.001)),
    ],
)  # fmt: skip
def test_power_a_claim_fails_where_the_code_it_compares_is_wrong(
    name, where, attribute, wrong, monkeypatch
):
    claim = claim_of(name)
    row = claim.compare(problem())
    assert row.error <= row.tolerance
    monkeypatch.setattr(where, attribute, wrong(getattr(where, attribute)))
    row = claim.compare(problem())
    assert row.error > row.tolerance


def test_power_pinsker_s_inequality_fails_for_half_the_divergence(monkeypatch):
    """Halved in the tables and in the heads alike, so that they agree."""
    claim, halved = claim_of("either_direction"), scaled(0.5)
    monkeypatch.setattr(performance, "kl", halved(performance.kl))
    monkeypatch.setattr(Softmax, "kl", halved(Softmax.kl))
    assert claim.compare(problem()).error == np.inf


DRAWN_IN_TURN = """
log_derivative_softmax log_derivative_gaussian importance_view reinforce_enumerated
baseline_is_unbiased optimal_per_parameter optimal_scalar policy_gradient_theorem
gradient_with_advantage bias_of_the_table off_policy off_policy_weights performance_identity
over_visits over_visits_weighted surrogate_of_a_batch surrogate_sampled error_bound mean_below_max
invariance fisher_two_ways kl_is_quadratic hessian_of_kl trust_region conjugate natural_step
line_search clipped kronecker
"""


def test_a_claim_that_came_later_moves_no_other_claim():
    """It draws from p.own_rng(id): only the old ones draw from p.rng, which moves what follows."""
    drawn_before = {name: getattr(problem(), name) for name in ("critic_error", "directions")}
    for c in CLAIMS:
        p = problem()
        state = p.rng.bit_generator.state
        p.__dict__.update(drawn_before, played=problem().played)
        c.compare(p)
        draws = p.rng.bit_generator.state != state
        assert draws == (c.compare.__name__ in DRAWN_IN_TURN.split()), c.compare.__name__


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


@pytest.mark.parametrize(("gamma", "scale", "message"), [
    (0.0, 1.0, "expected a ∇J that is not 0, got 0 with γ = 0, as no reward within a step"),
    (0.9, 0.0, "expected a ∇J that is not 0, got 0 with γ = 0.9, as no action matters"),
    (0.9, 1e100, "expected a largest reward from 1e-60 to 1e[+]60, .*, got 1e[+]100"),
    (0.9, 1e-200, "expected a largest reward from 1e-60 to 1e[+]60, .*, got 1e-200"),
])  # fmt: skip
def test_where_nothing_can_be_shown_verify_says_so_before_any_row(
    tmp_path, capsys, gamma, scale, message
):
    """The reward is two steps from the start; with rewards of 10⁶⁰ all rows hold."""
    transition = np.zeros((3, 2, 3))
    transition[0, :, 1] = transition[1, 0, 2] = transition[1, 1, 0] = transition[2, :, 2] = 1
    reward = scale * np.array([[0, 0], [1.0, 0], [0, 0]])
    path = tmp_path / "table.npz"
    arrays = {"transition": transition, "start": np.eye(3)[0], "terminal": np.arange(3) == 2}
    np.savez(path, **arrays, reward=reward, gamma=gamma)
    assert verify.main([str(path)]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert re.fullmatch(f"minipg verify: table: {message}.*\n", out.err)
    if scale == 1e100:
        np.savez(path, **arrays, reward=1e60 * np.sign(reward), gamma=0.3)
        assert verify.main([str(path)]) == 0, capsys.readouterr().out


@pytest.mark.equation("E38")
def test_the_trust_region_at_discounts_that_hide_what_matters(capsys):
    """States whose actions matter 10²⁸ times less than others; γ^t of six steps is no number."""
    claim = claim_of("trust_region_problem")
    for gamma in (1e-2, 1e-3, 1e-6):
        mdp, policy = TabularMDP.from_env("FrozenLake8x8-v1", gamma), softmax_policy(64, 4)
        theta = policy.init(np.random.default_rng(0), 1.0)
        row = claim.compare(Problem(mdp, mdp, policy, theta, 0))
        assert row.error <= row.tolerance
        gain = float(re.search(r"gain (\S+) of the most possible", row.compared)[1])
        assert 0.6 < gain < 0.62 or gamma != 1e-2  # of the most possible, not of less
    for gamma, message in (
        ("1e-100", "γ^t underflows before an action matters"),
        ("1e-45", "expected a ∇J of 1e-150 or more, as claims need its square"),
    ):
        assert verify.main(["FrozenLake-v1", "--gamma", gamma]) == 2
        assert message in capsys.readouterr().err
    stay = np.eye(2)[:, None].repeat(2, 1)
    mdp = TabularMDP.from_arrays(stay, np.array([[0, 1], [0, 1e-310]]), np.full(2, 0.5), 0.5)
    p = dataclasses.replace(problem(), mdp=mdp, policy=softmax_policy(2, 2), theta=np.zeros(6))
    row = claim.compare(p)
    assert row.error <= row.tolerance
