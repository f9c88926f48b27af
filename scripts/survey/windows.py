"""Estimators of windows: a library's answers on every window of a laboratory, and their audit.

Axes: N windows, L rows, S states, A actions, P parameters.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minipg.audit import Laboratory, Window, run
from minipg.audit.laboratory import Listed
from minipg.audit.report import WINDOWS, Report, telling
from minipg.truth import exact
from minipg.validate import Array

ARRAYS = ("obs", "next_obs", "actions", "rewards", "terminated", "truncated")


class Trend(NamedTuple):
    """Of windows of some rows: ‖mean‖/‖truth‖ and cosine; radius: of sampled ones, else 0."""

    rows: int
    length: float
    cosine: float
    radius: float


def fixed(lab: Laboratory) -> dict[str, Any]:
    """The laboratory's policy and critic, as linear layers of one-hot states have them."""
    named = lab.policy.named(lab.theta)
    return {"weight": named["W0"].T, "bias": named["b0"], "values": lab.values,
            "gamma": np.float64(lab.mdp.gamma)}  # fmt: skip


def stacked(windows: Sequence[Window]) -> dict[str, Array]:
    """Each array of all windows (N, L, …)."""
    return {name: np.stack([getattr(w, name) for w in windows]) for name in ARRAYS}


def every(lab: Laboratory) -> list[Window]:
    return [lab.window(i) for i in range(lab.count)]


def key(w: Window) -> bytes:
    """What tells a window from the others."""
    return b"".join(np.ascontiguousarray(getattr(w, name)).tobytes() for name in ARRAYS)


def answering(windows: Sequence[Window], answers: Sequence[Array]) -> Callable[[Window], Array]:
    """The library as an estimator: what it answered to that window."""
    known = {key(w): answer for w, answer in zip(windows, answers, strict=True)}
    return lambda w: known[key(w)]


def asked(lab: Laboratory) -> tuple[list[Window], list[Window]]:
    """What a report asks: every window, and the telling ones of a laboratory a row shorter."""
    shorter = replace(lab, steps=lab.steps - 1)
    return every(lab), [shorter.window(i) for i in telling(shorter)[: WINDOWS // 2]]


def audited(lab: Laboratory, answers: Sequence[Array]) -> Report:
    """The report on a library's answers to what was asked."""
    whole, short = asked(lab)
    return run(answering(whole + short, [*answers[0], *answers[1]]), lab)


def sampled(lab: Laboratory, rows: int, count: int, seed: int) -> list[Window]:
    """Windows (count,) of a laboratory too long to be listed, drawn."""
    rng, mdp, n = np.random.default_rng(seed), lab.mdp, count
    starts = np.flatnonzero(mdp.start)
    start = lambda: rng.choice(starts, n, p=mdp.start[starts])  # noqa: E731
    chance = lab.pi.ravel()[mdp.row] * mdp.prob
    of = mdp.row // mdp.num_actions  # the state of each entry
    state, clock, entries, clocks = start(), np.zeros(n, int), [], []
    for _ in range(rows):
        entry = np.array([rng.choice(np.flatnonzero(of == s), p=chance[of == s]) for s in state])
        entries.append(entry)
        clocks.append(clock)
        ended = mdp.terminated[entry] | (clock + 1 == lab.limit)
        state = np.where(ended, start(), mdp.next_state[entry])
        clock = np.where(ended, 0, clock + 1)
    long = replace(lab, steps=rows)
    entry, t = np.array(entries), np.array(clocks)
    truncated = (t + 1 == lab.limit) & ~mdp.terminated[entry]
    listed = Listed(entry, t, truncated, np.full(n, 1 / n))
    long.__dict__["listed"] = listed
    return every(long)


def truth(lab: Laboratory, rows: int) -> Array:
    """E Σ_rows γ^t A^π ∇log π (P,) of windows of any number of rows, by how often a state comes."""
    mdp, visits = lab.mdp, np.zeros((lab.limit, lab.mdp.num_states))
    now = np.zeros_like(visits)  # of each clock, the chance of each state
    now[0] = mdp.start
    of, chance = mdp.row // mdp.num_actions, lab.pi.ravel()[mdp.row] * mdp.prob
    for _ in range(rows):
        visits += now
        flow = now[:, of] * chance  # (clocks, entries)
        ends = mdp.terminated | (np.arange(lab.limit) == lab.limit - 1)[:, None]
        again, goes = (flow * ends).sum(), np.where(ends, 0, flow)
        now = np.zeros_like(now)
        for clock in range(lab.limit - 1):
            now[clock + 1] = np.bincount(mdp.next_state, goes[clock], mdp.num_states)
        now[0] += again * mdp.start
    weight = mdp.gamma ** np.arange(lab.limit) @ visits  # (S,)
    each = weight[:, None] * lab.pi * exact.advantages(mdp, lab.pi)
    each -= lab.pi * each.sum(1, keepdims=True)
    _, tape = lab.policy.forward(lab.theta, mdp.features)
    return lab.policy.vjp(lab.theta, tape, each)


def trend(lab: Laboratory, rows: int, answers: Array, weight: Array | None = None) -> Trend:
    """Exact where every window has its weight (N,), else of sampled ones.

    radius: of their mean, two standard errors, in units of its length.
    """
    true, radius = truth(lab, rows), 0.0
    mean = answers.mean(0) if weight is None else weight @ answers
    length = float(np.linalg.norm(mean))
    if weight is None:
        spread = ((answers - mean) ** 2).sum() / len(answers) / (len(answers) - 1)
        radius = 2 * float(np.sqrt(spread)) / length
    size = float(np.linalg.norm(true))
    return Trend(rows, length / size, float(mean @ true) / length / size, radius)
