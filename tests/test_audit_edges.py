"""Names where something is hidden or tiny: a sign, a bonus alone, λ near 1, a KL near rounding."""

import numpy as np
import pytest
from test_audit import PICKED, by_hand, known

from minipg.audit import Probe, Responses, identify, library

GAE = by_hand("", 0.95, "", True, "summed")
NORMALISED = by_hand("", 0.95, "n − 1", False, "mean over steps")
OWN = (1, 1, 0.5, 0.3, 0.7)  # factors of the windows, by turns


def nothing(w):
    return np.zeros(len(w.t))


def gradients(coefficients, factor=1.0, entropy=0.0, clip=np.inf, more=0.0, own=(1,), dtype="f8"):
    """Of the twelve windows: clipped by the norm + more, times factors of their own."""
    found = []
    for k, (lab, i) in enumerate(PICKED):
        w = lab.window(i)
        g = factor * np.asarray(coefficients(w)) @ lab.scores(w) + entropy * lab.entropy_gradient(w)
        g = g * min(1, clip / (np.linalg.norm(g) + more)) * own[k % len(own)]
        found.append(g.astype(dtype))
    return found


@pytest.mark.parametrize(("answers", "words"), [
    (gradients(GAE, -1, clip=1e-3), "its sign reversed | norm clipped at 0.001, of every window"),
    (gradients(NORMALISED, -1, 0.02, 1e-3), "mean over steps | its sign reversed | -0.02 ∇entropy"),
    (gradients(GAE, -1, own=OWN), "times a factor of each window's own, here -1 at most"),
    (gradients(NORMALISED, clip=0.05, more=1e-6), "norm clipped at 0.05, of every window"),
    (gradients(NORMALISED, clip=0.6), "dropped | mean over steps | norm clipped at 0.6"),
    (gradients(NORMALISED, clip=0.5, more=1e-6, dtype="f4"), "over steps | norm clipped at 0.5"),
    (gradients(NORMALISED, -2, clip=0.9),  # those of four rows alone are not: −2/4 summed, too
     "γ^t dropped | summed | times -0.5 | norm clipped at 0.9"),
    (gradients(nothing, entropy=0.3), "nothing | +0.3 ∇entropy"),
    (gradients(nothing, entropy=0.3, dtype="f4"), "nothing | +0.3 ∇entropy"),
    (gradients(GAE, 1.0005, dtype="f4"), "GAE λ = 0.95 | summed | times 1.0005"),
    (gradients(by_hand("", 0.9999, "", True, "summed")), "GAE λ = 0.9999 | summed"),
    (gradients(by_hand("", 0.9503, "n", True, "summed")), "GAE λ = 0.9503 | ψ normalised over"),
    (gradients(by_hand("", 0.93, "", True, "summed"), own=OWN),
     "GAE λ = 0.93 | summed | norm clipped with other parameters'"),
])  # fmt: skip
def test_what_is_hidden_or_near_something_else_is_told(answers, words):
    got = identify(known(), answers)
    assert words in str(got)
    assert got.residual < 1e-6


def batches(rng, count, scale):
    """Responses to three prompts, four each, of one to four tokens."""
    for _ in range(count):
        lengths = rng.integers(1, 5, 12)
        log_ratio = scale * rng.standard_normal(lengths.sum())
        prompt = np.repeat(np.arange(3), 4)
        yield Probe(Responses(rng.standard_normal(12), lengths, prompt, log_ratio))


def of_tokens(r, beta, slope, psi=1.0):
    """The group's mean off, a mean over all tokens, less β times a KL's slope."""
    means = np.bincount(r.prompt, r.returns) / 4
    return (psi * np.repeat(r.returns - means[r.prompt], r.lengths) - beta * slope) / r.rows


@pytest.mark.parametrize(("count", "scale", "beta", "kind"), [
    (4, 3e-4, 0.04, "k3"), (4, 1e-4, 0.5, "k2"), (4, 0.3, 0.04, "k3"), (1, 0.3, 0.04, "k3"),
])  # fmt: skip
def test_a_kl_term_is_named_however_small_and_by_the_loss_s_own_reduction(count, scale, beta, kind):
    probes = list(batches(np.random.default_rng(0), count, scale))
    answers = []
    for r in (probe.window for probe in probes):
        slope = 1 - np.exp(-r.log_ratio) if kind == "k3" else r.log_ratio
        answers.append(of_tokens(r, beta, slope))
    assert str(identify(library(probes, 1.0), answers)) == (
        f"R less the group's mean | mean over all tokens | − β {kind} of KL(π‖π_ref), "
        f"mean over all tokens | β = {beta:g}"
    )


def test_a_kl_term_alone_is_named():
    probes = list(batches(np.random.default_rng(1), 4, 0.3))
    answers = [of_tokens(r, 0.1, r.log_ratio, 0.0) for r in (probe.window for probe in probes)]
    got = str(identify(library(probes, 1.0), answers))
    assert got == "nothing | − β k2 of KL(π‖π_ref), mean over all tokens | β = 0.1"


def test_numbers_whose_squares_are_none_are_refused():
    with pytest.raises(ValueError, match="gradient: expected some whose squares are numbers"):
        identify(known(), [1e160 * g for g in gradients(GAE)])
    (probe,) = batches(np.random.default_rng(2), 1, 0.3)
    probe.window.log_ratio[0] = -750
    with pytest.raises(ValueError, match="log_ratio: expected at least −300, .*, got -750"):
        library([probe], 1.0)
