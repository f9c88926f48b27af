"""Estimators of windows: a library's answers on every window of a laboratory, and their audit.

Axes: N windows, L rows, S states, A actions, P parameters.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minipg.audit import Laboratory, Report, Window, run
from minipg.audit.running import WINDOWS, other_size, telling
from minipg.validate import Array

ARRAYS = ("obs", "next_obs", "actions", "rewards", "terminated", "truncated")
DRAWN = 1000  # windows of a size that has more


def fixed(lab: Laboratory) -> dict[str, Any]:
    """The laboratory's policy and critic, as linear layers of one-hot states have them."""
    named = lab.policy.named(lab.theta)
    return {"weight": named["W0"].T, "bias": named["b0"], "values": lab.values,
            "gamma": np.float64(lab.mdp.gamma)}  # fmt: skip


def stacked(windows: Sequence[Window]) -> dict[str, Array]:
    """Each array of all windows (N, L, …)."""
    return {name: np.stack([getattr(w, name) for w in windows]) for name in ARRAYS}


def key(w: Window) -> bytes:
    """What tells a window from the others."""
    return b"".join(np.ascontiguousarray(getattr(w, name)).tobytes() for name in ARRAYS)


def answering(windows: Sequence[Window], answers: Sequence[Array]) -> Callable[[Window], Array]:
    """The library as an estimator: what it answered to that window."""
    known = {key(w): answer for w, answer in zip(windows, answers, strict=True)}
    return lambda w: known[key(w)]


def asked(lab: Laboratory, sizes: Sequence[int]) -> list[list[Window]]:
    """What a report with the trend over these sizes asks: every window, the telling ones of a
    laboratory of another size, and of each of the sizes all or DRAWN."""
    other = lab.other()
    named = [other.window(i) for i in (0, *telling(other)[: WINDOWS // 2])]
    return [lab.windows(), named, *(other_size(lab, n, DRAWN).windows() for n in sizes)]


def audited(lab: Laboratory, answers: Sequence[Sequence[Array]], sizes: Sequence[int]) -> Report:
    """The report on a library's answers to what was asked."""
    windows = [w for part in asked(lab, sizes) for w in part]
    told = answering(windows, [one for part in answers for one in part])
    return run(told, lab, sizes=tuple(sizes), drawn=DRAWN)
