"""One window of experience as real code sees it: rows of streams, one after the other.

Axes: L rows, D observation.
"""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from minipg.estimators.returns import steps_since_start
from minipg.experience.batch import Batch
from minipg.validate import Array, check_finite, check_shape, floats


def _not_given() -> Array:
    return np.zeros(0)


@dataclass(frozen=True)
class Window:
    """Rows (L,) of transitions, each stream's in the order of time.

    rewards, terminated, truncated: of the transition of that row. last: it is the last row of its
    stream, where the window cuts it. t: steps since its episode began. values, next_values: the
    critic's V of the observation before and of the true one after (0 without a critic). obs,
    next_obs (L, D), actions (L, …), log_prob: what else an estimator may want. reset: the row is no
    data, its action was ignored (next-step autoreset; by default none is). seen_next_obs (L, D),
    seen_next_values (L,): what the environment returned, where an episode ended the next one's
    first observation (same-step autoreset; by default the true one).
    Raises ValueError for shapes that do not fit, NaN, flags that are none, and no rows.
    """

    rewards: Array
    terminated: Array
    truncated: Array
    last: Array
    t: Array
    values: Array
    next_values: Array
    obs: Array
    next_obs: Array
    actions: Array
    log_prob: Array
    reset: Array = field(default_factory=_not_given)
    seen_next_obs: Array = field(default_factory=_not_given)
    seen_next_values: Array = field(default_factory=_not_given)

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, np.asarray(getattr(self, each.name)))
        count = len(self.rewards) if self.rewards.ndim == 1 else 0
        if not count:
            raise ValueError(f"rewards: expected shape (L,), one or more, got {self.rewards.shape}")
        given = {"reset": np.zeros(count, bool), "seen_next_obs": self.next_obs,
                 "seen_next_values": self.next_values}  # fmt: skip
        for name, usual in given.items():
            if not getattr(self, name).shape[0]:
                object.__setattr__(self, name, usual)
        for name in ("terminated", "truncated", "last", "reset"):
            flags = getattr(self, name)
            check_shape(name, flags, (count,))
            if flags.dtype != np.bool_:
                raise ValueError(f"{name}: expected booleans, got dtype {flags.dtype}")
        for name in ("rewards", "t", "values", "next_values", "log_prob", "seen_next_values"):
            check_shape(name, getattr(self, name), (count,))
            check_finite(name, floats(getattr(self, name)))
        if self.t.dtype.kind not in "iu" or self.t.min() < 0:
            raise ValueError(f"t: expected whole numbers from 0, got {self.t.min()}")
        for name in ("obs", "next_obs", "actions", "seen_next_obs"):
            check_shape(name, getattr(self, name), (count, *getattr(self, name).shape[1:]))
        if not self.last[-1]:
            raise ValueError("last: expected True in the last row, where the window ends")
        if (self.reset & (self.ended | (self.rewards != 0))).any() or self.reset.all():
            raise ValueError("reset: expected no flags and reward 0 where True, and some data")

    @cached_property
    def ended(self) -> Array:
        """(L,): an episode ended with this row."""
        return self.terminated | self.truncated

    @cached_property
    def cuts(self) -> Array:
        """(L,): nothing after this row belongs to the episode before it."""
        return self.ended | self.last

    @cached_property
    def episode(self) -> Array:
        """Which episode of the window a row is of (L,), 0 first."""
        return np.cumsum(self.cuts) - self.cuts

    def with_rewards(self, rewards: Array) -> "Window":
        """The same with other rewards (L,)."""
        return replace(self, rewards=rewards)

    def data(self) -> "Window":
        """The rows that are data; a stream's last of them is its last."""
        stream = (np.cumsum(self.last) - self.last)[~self.reset]
        return self.rows(~self.reset, np.append(stream[1:] != stream[:-1], True))

    def reordered(self) -> list[tuple["Window", Array]]:
        """The same with its first stream put last, and with its first two swapped, of which every
        order of streams is made; and which row each was (L,). None where there is one stream."""
        streams = np.split(np.arange(len(self.t)), np.flatnonzero(self.last)[:-1] + 1)
        ways = [*streams[1:], streams[0]], [*streams[1::-1], *streams[2:]]
        orders = [np.concatenate(way) for way in ways[: len(streams) - 1]]
        return [(self.rows(order, self.last[order]), order) for order in orders]

    def rows(self, index: Array, last: Array) -> "Window":
        """Those rows, with other flags of where a stream ends."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name)[index] for f in fields(self)}
        return Window(**parts | {"last": last})


def stream(batch: Batch, values: Array | None = None) -> Window:
    """The rows of a batch that are data, column after column; values (T+1, B) of a critic."""
    steps, count = batch.rewards.shape
    v = np.zeros((steps + 1, count)) if values is None else floats(values)
    check_shape("values", v, (steps + 1, count))
    b, t = np.nonzero(batch.valid.T)  # column by column
    since = steps_since_start(batch.ends)[t, b]
    last = np.append(b[1:] != b[:-1], True)
    return Window(
        batch.rewards[t, b], batch.terminated[t, b], batch.truncated[t, b], last, since,
        v[t, b], v[t + 1, b], batch.obs[t, b], batch.obs[t + 1, b], batch.actions[t, b],
        batch.log_prob[t, b],
    )  # fmt: skip
