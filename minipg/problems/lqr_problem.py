"""What a linear-quadratic problem is: its matrices, checked. Its exact values: problems/lqr.py."""

from dataclasses import dataclass

import numpy as np

from minipg.validate import Array, check_count, check_range, finite_array

ROUNDING = 1e-9  # of a matrix that was computed, an inverse say, relative to its largest entry


def _rounding(matrix: Array) -> float:
    """That of a matrix, in units of what it is computed in: float32's is larger."""
    found = np.asarray(matrix)
    eps = float(np.finfo(found.dtype).eps) if found.dtype.kind == "f" else 0.0
    return max(ROUNDING, min(100 * eps, 1e-4)) * float(np.abs(found).max())


@dataclass(frozen=True)
class LQR:
    """F (n, n), G (n, d), Q (n, n) and R (d, d) symmetric, W (n, n) and C (n, n) covariances.

    Up to rounding, which is cleaned.
    mean (n,) of s_0; gamma in [0, 1], below 1 without a horizon. Ends after `horizon` steps.
    Raises ValueError where shapes do not fit or a matrix is not what it must be.
    """

    F: Array
    G: Array
    Q: Array
    R: Array
    W: Array
    mean: Array
    C: Array
    gamma: float
    horizon: int | None = None

    def __post_init__(self) -> None:
        n, d = finite_array("G", self.G, (None, None)).shape
        shapes: dict[str, tuple[int, ...]] = {
            "G": (n, d), "F": (n, n), "mean": (n,),
            "Q": (n, n), "R": (d, d), "W": (n, n), "C": (n, n),
        }  # fmt: skip
        given = {name: getattr(self, name) for name in "QRWC"}
        for name, shape in shapes.items():
            object.__setattr__(self, name, finite_array(name, getattr(self, name), shape))
        for name, computed in given.items():
            matrix, rounding = getattr(self, name), _rounding(computed)
            if np.abs(matrix - matrix.T).max() > rounding:
                raise ValueError(f"{name}: expected a symmetric matrix, got {matrix.tolist()}")
            matrix = matrix / 2 + matrix.T / 2
            if name in "WC":
                values, axes = np.linalg.eigh(matrix)
                if values.min() < -rounding:
                    raise ValueError(f"{name}: expected a covariance, got {matrix.tolist()}")
                if values.min() < 0:
                    matrix = axes * np.maximum(values, 0) @ axes.T
                    matrix = matrix / 2 + matrix.T / 2
            object.__setattr__(self, name, matrix)
        object.__setattr__(self, "gamma", check_range("gamma", self.gamma, 0, 1))
        if self.horizon is None and self.gamma == 1:
            raise ValueError("gamma: expected less than 1 without a horizon, got 1")
        if self.horizon is not None:
            object.__setattr__(self, "horizon", check_count("horizon", self.horizon, 1))
