"""Losses of language models, written in loops: the audit names statistic, reduction, KL term."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import RNGS

from minipg.audit import Probe, Responses, identify, lake, library


def groups(rng, prompts=3):
    """Groups of two to four responses, of one to six tokens, one of them without a reward."""
    prompt = np.repeat(np.arange(prompts), rng.integers(2, 5, prompts))
    returns = rng.standard_normal(len(prompt)) * (np.arange(len(prompt)) > 0)
    return Responses(returns, rng.integers(1, 7, len(prompt)), prompt)


@given(
    RNGS, st.sampled_from(["mean", "others", "group n", "group n − 1", "batch n − 1"]),
    st.sampled_from(["tokens", "responses", "sum"]), st.sampled_from([np.float64, np.float32]),
)  # fmt: skip
@pytest.mark.pitfall(33)
def test_a_language_model_s_loss_is_named(rng, statistic, reduced, dtype):
    """By its derivatives by each token's log π, over several batches, written in loops."""
    words = {"mean": "R less the group's mean", "others": "R less the mean of the others (RLOO)",
             "group n": "normalised over the group (n, ε = 1e-06)",
             "group n − 1": "normalised over the group (n − 1, ε = 1e-06)",
             "batch n − 1": "normalised over the batch (n − 1, ε = 1e-06)",
             "tokens": "mean over all tokens", "sum": "sum over tokens, mean over responses",
             "responses": "mean over each response's tokens, then responses"}  # fmt: skip
    batches, gradients = [groups(rng) for _ in range(6)], []
    for r in batches:
        c = []
        for i, (own, length) in enumerate(zip(r.returns, r.lengths, strict=True)):
            group = [x for x, p in zip(r.returns, r.prompt, strict=True) if p == r.prompt[i]]
            if statistic.startswith("batch"):
                group = list(r.returns)
            center = sum(group) / len(group)
            if statistic == "others":
                center = (sum(group) - own) / (len(group) - 1)
            psi = own - center
            if " n" in statistic:
                ddof = statistic.endswith("1")
                psi /= (sum((x - center) ** 2 for x in group) / (len(group) - ddof)) ** 0.5 + 1e-6
            weight = {"tokens": 1 / sum(r.lengths), "responses": 1 / length / len(r.returns),
                      "sum": 1 / len(r.returns)}[reduced]  # fmt: skip
            c += [psi * weight] * length
        gradients.append(np.array(c, dtype))
    got = identify(library([Probe(r) for r in batches], 1.0), gradients)
    told = {str(reading) for reading in got.readings}
    assert f"{words[statistic]} | {words[reduced]}" in told, str(got)
    assert got.single == (dtype == np.float32), got.residual  # an ε is told apart in float64
    assert len({reading.but_epsilon for reading in got.readings}) == 1
    off = [g * (1 + 0.1 * np.cos(np.arange(len(g)))) for g in gradients]
    assert not identify(library([Probe(r) for r in batches], 1.0), off).readings


@given(RNGS, st.sampled_from(["pass@k", "pass@k by its deviation", "GPG", "OPO", "RLOO by batch",
                              "whitened", "group off, whitened"]))  # fmt: skip
def test_statistics_of_released_losses_are_named(rng, statistic):
    """In loops; whitened is over the batch's tokens, n − 1."""
    words = {"pass@k": "the best's lead over the second (pass@k)",
             "pass@k by its deviation": "the best's lead, the group's deviation (n − 1, ε = 1e-06)",
             "GPG": "R less the group's mean, times responses / those with R ≠ 0",
             "OPO": "R less the group's mean over tokens",
             "RLOO by batch": "RLOO, then normalised over the batch (n − 1, ε = 1e-06)",
             "whitened": "normalised over the batch's tokens (n − 1, ε = 1e-06)",
             "group off, whitened":
                 "the group's mean off, then normalised over the batch's tokens (n − 1, ε = 1e-06)",
             }  # fmt: skip
    batches, gradients = [groups(rng) for _ in range(6)], []
    for r in batches:
        psi = []
        for own, prompt in zip(r.returns, r.prompt, strict=True):
            group = [x for x, p in zip(r.returns, r.prompt, strict=True) if p == prompt]
            tokens = [n for n, p in zip(r.lengths, r.prompt, strict=True) if p == prompt]
            if statistic.startswith("pass@k"):
                best, second = sorted(group)[:-3:-1]
                lead = best - second if own == best else 0.0
                psi.append(lead / (np.std(group, ddof=1) + 1e-6) if "by" in statistic else lead)
            elif statistic == "GPG":
                scored = sum(x != 0 for x in r.returns)
                psi.append((own - sum(group) / len(group)) * len(r.returns) / scored)
            elif statistic == "OPO":
                psi.append(own - np.dot(group, tokens) / sum(tokens))
            elif statistic == "RLOO by batch":
                psi.append(own - (sum(group) - own) / (len(group) - 1))
            else:
                psi.append(own - ("off" in statistic) * sum(group) / len(group))
        psi = np.array(psi)
        if statistic == "RLOO by batch":
            psi = (psi - psi.mean()) / (psi.std(ddof=1) + 1e-6)
        each = np.repeat(psi, r.lengths)
        if "whitened" in statistic:
            each = (each - each.mean()) / (each.std(ddof=1) + 1e-6)
        gradients.append(each / len(each))
    got = identify(library([Probe(r) for r in batches], 1.0), gradients)
    assert f"{words[statistic]} | mean over all tokens" in {str(x) for x in got.readings}, str(got)
    assert not got.single, got.residual
    assert len({reading.but_epsilon for reading in got.readings}) == 1


def test_responses_that_are_none_are_refused():
    r = groups(np.random.default_rng(0))
    for name, value, message in (
        ("returns", np.full(len(r.returns), np.nan), "returns: expected finite"),
        ("lengths", np.zeros(len(r.returns)), "lengths: expected whole numbers from 1"),
        ("lengths", np.full(len(r.returns), 1.5), "lengths: expected whole numbers from 1"),
        ("prompt", np.zeros(2), "prompt: expected shape"),
        ("log_ratio", np.zeros(r.rows + 1), "log_ratio: expected shape"),
        ("log_ratio", np.full(r.rows, np.inf), "log_ratio: expected finite"),
    ):
        with pytest.raises(ValueError, match=message):
            library([Probe(r._replace(**{name: value}))], 1.0)
    with pytest.raises(ValueError, match="probes: expected windows alone, or responses alone"):
        library([Probe(r), Probe(lake().window(0))], 0.9)


@settings(max_examples=12)
@given(RNGS, st.sampled_from(["k1", "|k1|", "k2", "k3"]), st.booleans(), st.sampled_from([1, -2.5]),
       st.sampled_from([np.float64, np.float32]))  # fmt: skip
def test_a_kl_term_is_named_with_its_coefficient(rng, kl, by_response, factor, dtype):
    """Its derivative by log π, in differences of the estimate itself; here R less the mean."""
    estimates = {"k1": lambda x: x, "|k1|": abs, "k2": lambda x: x**2 / 2,
                 "k3": lambda x: np.exp(-x) - 1 + x}  # fmt: skip
    beta, h = float(rng.uniform(0.01, 0.5)), 1e-5
    batches, gradients = [], []
    for _ in range(6):
        r = groups(rng)
        x = 0.5 * rng.standard_normal(r.rows)
        batches.append(r._replace(log_ratio=x))
        of = estimates[kl]
        slope = (of(x + h) - of(x - h)) / (2 * h)
        over = np.repeat(r.lengths * len(r.lengths), r.lengths) if by_response else r.rows
        psi = [y - np.mean(r.returns[r.prompt == p])
               for y, p in zip(r.returns, r.prompt, strict=True)]  # fmt: skip
        gradients.append(factor * (np.repeat(psi, r.lengths) / r.rows - beta * slope / over))
    got = identify(library([Probe(r) for r in batches], 1.0), [g.astype(dtype) for g in gradients])
    reduced = "mean over each response's tokens, then responses" if by_response else "mean over all"
    reading = next(f for f in got.readings if f.summed == "R less the group's mean")
    assert reading.added.startswith(f"− β {kl} of KL(π‖π_ref), {reduced}"), str(got)
    assert len({f.added for f in got.readings}) == 1
    assert str(got).endswith(f"| β = {-got.entropy:.6g}") or "times" in str(got)
    assert -got.entropy == pytest.approx(beta, rel=1e-3)
    assert got.factor == pytest.approx(factor, rel=1e-3)
    off = [g + 0.1 * np.cos(np.arange(len(g))) for g in gradients]
    assert "none of" in str(identify(library([Probe(r) for r in batches], 1.0), off))
