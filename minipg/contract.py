"""Bring your own estimator: what it is given, what it must return, its exact moments.

An estimator is any callable of a Batch of whole episodes, one a column, each weighted 1/B. It
returns one gradient (P,), or one for each episode (B, P), as NumPy array. Rows that are not
`valid` are no data; with one column there are none. P parameters in the policy's order.
"""

from collections.abc import Callable

import numpy as np

from minipg.batch import Batch, columns, moments
from minipg.borders import Array, check_range, finite_array

Estimator = Callable[[Batch], Array]


def estimates(estimator: Estimator, batch: Batch) -> Array:
    """What the estimator says of the batch, one row an estimate: (1, P), or (B, P) an episode.

    ValueError for another shape, for NaN, and where the estimate of an episode depends on others.
    """
    got = np.asarray(estimator(batch))
    if got.ndim == 1 and len(got):
        return finite_array("estimate", got, (len(got),))[None]
    each = finite_array("estimate", got, (len(batch.weight), None))
    alone = np.asarray(estimator(columns(batch, np.array([0]))))
    if not np.allclose(alone, each[:1], rtol=1e-6, atol=1e-9 * np.abs(each).max(initial=1.0)):
        raise ValueError(
            "estimate: expected one a batch (P,) where episodes share something, a baseline say; "
            "the first of (B, P) is another one when its episode is alone"
        )
    return each


def exact_moments(
    estimator: Estimator, batch: Batch, games: int = 1, most: int = 200_000
) -> tuple[Array, Array]:
    """Exact mean (P,) and covariance (P, P) of an estimator that is given `games` episodes.

    batch: every trajectory once (enumeration). The estimator is called with every `games` of its
    columns in every order, B^games calls; once, where it gives one estimate an episode.
    """
    check_range("games", games, 1)
    total = len(batch.weight) ** games
    if games == 1:
        each = estimates(estimator, batch)
        if len(each) == len(batch.weight) > 1:
            return moments(each, batch.weight)
    if total > most:
        raise ValueError(f"games: expected at most {most} calls, got {total}: a shorter table")
    chosen = np.indices((len(batch.weight),) * games).reshape(games, -1).T  # (B^games, games)
    rows = [estimates(estimator, columns(batch, c)).mean(0) for c in chosen]
    return moments(np.stack(rows), batch.weight[chosen].prod(1))
