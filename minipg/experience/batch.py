"""Batch: the one shape in which experience travels, from an environment or from enumeration.

Axes: T steps, B columns (one stream of experience each), D observation.
"""

from dataclasses import dataclass, fields

import numpy as np

from minipg.validate import Array, array, check_finite, check_shape, check_weight


@dataclass(frozen=True)
class Batch:
    """Experience, time-major; E f = Σ_b weight_b f(column b).

    obs (T+1, B, D): obs[t+1] is the true successor of obs[t], also where an episode ends.
    actions (T, B) or (T, B, d): what the policy drew, before any clipping or offset.
    rewards (T, B): rewards[t] is on the transition obs[t] → obs[t+1].
    terminated, truncated (T, B): the transition ended its episode; both set: it terminated.
    valid (T, B): False on rows that are no data (a reset, or after the column's last episode).
    log_prob (T, B): log π(a|s) of the policy that acted.
    weight (B,): 1/B from sampling, P(T|π) from enumeration.
    Raises ValueError for shapes that do not fit, NaN, or flags and rewards on invalid rows.
    """

    obs: Array
    actions: Array
    rewards: Array
    terminated: Array
    truncated: Array
    valid: Array
    log_prob: Array
    weight: Array

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, array(getattr(self, field.name)))
        if self.rewards.ndim != 2:
            raise ValueError(f"rewards: expected shape (T, B), got {self.rewards.shape}")
        steps, columns = self.rewards.shape
        if not (steps and columns):
            raise ValueError(f"rewards: expected a step and a column, got {self.rewards.shape}")
        check_shape("obs", self.obs, (steps + 1, columns, None))
        check_shape("actions", self.actions, (steps, columns, *self.actions.shape[2:]))
        check_shape("log_prob", self.log_prob, (steps, columns))
        check_shape("weight", self.weight, (columns,))
        for name in ("terminated", "truncated", "valid"):
            flags = getattr(self, name)
            check_shape(name, flags, (steps, columns))
            if flags.dtype != np.bool_:
                raise ValueError(f"{name}: expected booleans, got dtype {flags.dtype}")
        for name in ("obs", "actions", "rewards", "log_prob", "weight"):
            check_finite(name, getattr(self, name))
        object.__setattr__(self, "weight", check_weight(self.weight, columns))
        if (~self.valid & (self.terminated | self.truncated | (self.rewards != 0))).any():
            raise ValueError("valid: expected no flags and rewards 0 where it is False")

    @property
    def ends(self) -> Array:
        """(T, B): nothing after this row belongs to the episode before it."""
        return self.terminated | self.truncated | ~self.valid

    @property
    def num_steps(self) -> int:
        """How many transitions are data."""
        return int(self.valid.sum())


def columns(batch: Batch, chosen: Array) -> Batch:
    """The batch of the chosen columns (B′,), each weighted 1/B′, without rows that are no data."""
    chosen = array(chosen)
    last = np.flatnonzero(batch.valid[:, chosen].any(1)).max(initial=0) + 1
    parts = {
        name: getattr(batch, name)[:last, chosen]
        for name in ("actions", "rewards", "terminated", "truncated", "valid", "log_prob")
    }
    weight = np.full(len(chosen), 1 / len(chosen))
    return Batch(obs=batch.obs[: last + 1, chosen], weight=weight, **parts)


def moments(samples: Array, weight: Array) -> tuple[Array, Array]:
    """E06 mean (P,) and covariance (P, P) of samples (B, P) of probability weight (B,).

    A sample of weight 0 counts for nothing, whatever it holds. Under enumeration these are the
    exact moments of an estimator that gives one gradient a column.
    ValueError where a square of the samples is no number.
    """
    samples = array(samples)
    check_shape("samples", samples, (len(weight), None))
    weight = check_weight(weight, len(samples))
    samples = np.where(weight[:, None] > 0, samples, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = weight @ samples
        centred = samples - mean
        covariance = (centred * weight[:, None]).T @ centred
    check_finite("covariance (smaller rewards?)", covariance)
    return mean, covariance
