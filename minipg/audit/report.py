"""An estimator's audit: the name of what it computes, its exact bias and variance, in one call.

Axes: L rows of a window, P parameters, S states, A actions.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from minipg.audit.laboratory import Laboratory
from minipg.audit.naming import EXACT, SINGLE, Named, identify
from minipg.audit.readings import Probe, library
from minipg.audit.window import Window
from minipg.museum.pitfalls import PITFALLS
from minipg.validate import Array, array, check_finite

Estimator = Callable[[Window], Array]
WINDOWS = 12


@dataclass(frozen=True)
class Report:
    """named: the formula. bias, length, cosine: of the exact mean against the truth, in units of
    ‖truth‖; across: what of the bias no factor would mend. variance: summed, in ‖truth‖²."""

    named: Named
    mean: Array
    truth: Array
    variance: float

    @property
    def size(self) -> float:
        return float(np.linalg.norm(self.truth))

    @property
    def bias(self) -> float:
        return float(np.linalg.norm(self.mean - self.truth)) / self.size

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.mean)) / self.size

    @property
    def cosine(self) -> float:
        return float(self.mean @ self.truth) / max(self.length * self.size**2, 1e-300)

    @property
    def across(self) -> float:
        along = float(self.mean @ self.truth) / self.size**2
        return float(np.linalg.norm(self.mean - along * self.truth)) / self.size

    @property
    def unbiased(self) -> bool:
        return self.bias <= (SINGLE if self.named.single else EXACT)

    @property
    def verdict(self) -> str:
        """unbiased, or in which way not."""
        if self.unbiased:
            return "unbiased"
        rounding = SINGLE if self.named.single else EXACT
        return (
            "unbiased up to its length" if self.across <= rounding and self.cosine > 0 else "biased"
        )

    def assert_unbiased(self) -> None:
        """AssertionError, with the report, unless it is."""
        if not self.unbiased:
            raise AssertionError(str(self))

    def assert_is(self, *words: str) -> None:
        """AssertionError, with the report, unless one reading has all these ingredients."""
        if not any(all(word in str(f).split(" | ") for word in words) for f in self.named.readings):
            raise AssertionError(f"expected {' | '.join(words)}, got {self}")

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.named}"]
        known = {pitfall.number: pitfall for pitfall in PITFALLS}
        told = self.named.readings[0].pitfalls if self.named.readings else ()
        lines += [f"  pitfall {n}: {known[n].bug}" for n in sorted(set(told)) if n in known]
        lines += [f"  or, equal on these windows: {other}" for other in self.named.distinct[1:4]]
        lines.append(
            f"  bias {self.bias:.3g} of ‖truth‖ ({self.across:.3g} of it across), length "
            f"{self.length:.4g}, cosine {self.cosine:.6f}, variance {self.variance:.4g}"
        )
        if self.named.single:
            lines.append(f"  in single precision, residual {self.named.residual:.1e}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Own:
    """Parameters of the estimator's own: the truth in them (P,), and what maps a window to the
    scores ∇log π (L, P) and to the gradient (P,) of the mean entropy over its rows.

    truth is the gradient of Σ lab.logit_truth(s, a) · logit(s)_a through one's own network.
    """

    truth: Array
    scores: Callable[[Window], Array]
    entropy: Callable[[Window], Array]


def run(estimator: Estimator, lab: Laboratory, own: Own | None = None) -> Report:
    """The report on an estimator, which is given one window and returns what it would ascend.

    That is a gradient (P,), in the laboratory policy's parameters or its own, or the derivative
    of its objective by each row's log π (L,). Its exact mean and variance over every window of the
    laboratory, against E Σ_rows γ^t A^π ∇log π, and the formula that its values on twelve windows
    are, six of them a row shorter. ValueError for another shape, NaN, chance or state (it is asked
    twice), and for an estimate that no window changes.
    """
    own = own or Own(lab.truth, lab.scores, lab.entropy_gradient)
    truth = array(own.truth)
    first, listed = _ask(estimator, lab.window(0), own), lab.listed
    rows = []
    for i in range(lab.count):
        w = lab.window(i)
        got = _ask(estimator, w, own)
        rows.append(got @ array(own.scores(w)) if got.shape == w.rewards.shape else got)
    for again in (_ask(estimator, lab.window(0), own), _ask(estimator, lab.window(0), own)):
        if not np.array_equal(again, first):
            raise ValueError(
                "estimate: expected the same for the same window, got another when asked again: "
                "it keeps a state or draws at random; begin each call anew, with a fixed seed"
            )
    every = np.array(rows)
    if (every == every[0]).all():
        raise ValueError("estimate: expected some that differ, got the same for every window")
    mean = listed.weight @ every
    variance = float(listed.weight @ ((every - mean) ** 2).sum(1)) / float(truth @ truth)
    probes, gradients = [], []
    for part in (lab, replace(lab, steps=lab.steps - 1)):
        for k in telling(part)[: WINDOWS // 2]:
            w = part.window(k)
            gradients.append(_ask(estimator, w, own))
            of_rows = gradients[-1].shape == w.rewards.shape
            scores, entropy = (None, None) if of_rows else (own.scores(w), own.entropy(w))
            probes.append(Probe(w, scores, entropy, part.advantages(k)))
    return Report(identify(library(probes, lab.mdp.gamma), gradients), mean, truth, variance)


def _ask(estimator: Estimator, window: Window, own: Own) -> Array:
    """What it says of the window, checked."""
    got = array(estimator(window))
    shapes = np.shape(own.truth), window.rewards.shape
    if got.shape not in shapes:
        raise ValueError(f"estimate: expected shape {shapes[0]}, or {shapes[1]} of a row each, got "
                         f"{got.shape}")  # fmt: skip
    check_finite("estimate", got)
    return got.astype(np.float64)


def telling(lab: Laboratory) -> list[int]:
    """Twelve windows whose endings differ most: by turns of each pattern, the likeliest first."""
    entry, listed = lab.listed.entry, lab.listed
    pattern = lab.mdp.terminated[entry] + 2 * listed.truncated  # (T, N): 0 goes on
    order = np.argsort(-listed.weight, kind="stable")
    seen: dict[tuple[int, ...], list[int]] = {}
    for i in order:
        seen.setdefault(tuple(pattern[:, i]), []).append(int(i))
    most = sorted(seen.values(), key=lambda group: -len(set(pattern[:, group[0]])))
    turns = [group[k] for k in range(max(map(len, most))) for group in most if k < len(group)]
    return turns[:WINDOWS]
