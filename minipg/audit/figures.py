"""An estimator's mean and variance over a laboratory's windows, exact or drawn, beside the truth.

Axes: N windows, P parameters.
"""

from dataclasses import dataclass

import numpy as np

from minipg.validate import Array

WRONGLY = 1e-3  # how often a mean over drawn windows is farther off than its radius


@dataclass(frozen=True)
class Figures:
    """mean, truth (P,); variance, summed, in ‖truth‖²; told: how much a window has of what, and
    how many windows.

    radius: how far off the mean may be, in ‖truth‖; 0: it is exact.
    """

    mean: Array
    truth: Array
    variance: float
    told: tuple[int, str] = 0, "rows"
    windows: int = 0
    radius: float = 0.0

    @property
    def size(self) -> float:
        return float(np.linalg.norm(self.truth))

    @property
    def bias(self) -> float:
        """‖mean − truth‖ in ‖truth‖."""
        return float(np.linalg.norm(self.mean - self.truth)) / self.size

    @property
    def length(self) -> float:
        """‖mean‖ in ‖truth‖."""
        return float(np.linalg.norm(self.mean)) / self.size

    @property
    def cosine(self) -> float:
        return float(self.mean @ self.truth) / max(self.length * self.size**2, 1e-300)

    @property
    def across(self) -> float:
        """What of the bias no factor would mend, in ‖truth‖."""
        along = float(self.mean @ self.truth) / self.size**2
        return float(np.linalg.norm(self.mean - along * self.truth)) / self.size

    @property
    def cosine_radius(self) -> float:
        """How far off the cosine may be."""
        if not self.radius:
            return 0.0
        angle = np.arccos(np.clip(self.cosine, -1, 1))
        off = np.arcsin(min(self.radius / max(self.length, 1e-300), 1))
        least, most = np.cos(min(angle + off, np.pi)), np.cos(max(angle - off, 0))
        return float(max(self.cosine - least, most - self.cosine))

    def __str__(self) -> str:
        told = f"{self.told[0]} {self.told[1]}"
        if not self.radius:
            return (f"{told:>8}: bias {self.bias:.3g}, length {self.length:.4g}, cosine "
                    f"{self.cosine:.6f} (all {self.windows} windows)")  # fmt: skip
        return (f"{told:>8}: bias {self.bias:.3g} ± {self.radius:.1g}, length "
                f"{self.length:.4g}, cosine {self.cosine:.4f} ± {self.cosine_radius:.1g} "
                f"({self.windows} windows drawn)")  # fmt: skip


def exactly(told: tuple[int, str], estimates: Array, weight: Array, truth: Array) -> Figures:
    """From the estimate (N, P) of every window and its probability (N,)."""
    mean = weight @ estimates
    variance = float(weight @ ((estimates - mean) ** 2).sum(1)) / float(truth @ truth)
    return Figures(mean, truth, variance, told, len(weight))


def from_drawn(told: tuple[int, str], estimates: Array, right: Array, truth: Array) -> Figures:
    """From those of drawn windows, and what right code makes of each (N, P), whose mean is known.

    mean = f · truth + the mean of estimate − f · right, f from a tenth of the windows that is not
    used again: what the two have in common has no error. The radius is √(tr S/n) + √(2tλ/n) of
    these differences' covariance S, λ its largest eigenvalue, t = −log WRONGLY, by the normal law.
    """
    pilot = max(len(estimates) // 10, 1)
    f = float((estimates[:pilot] * right[:pilot]).sum() / max((right[:pilot] ** 2).sum(), 1e-300))
    rest = estimates[pilot:] - f * right[pilot:]
    n = len(rest)
    covariance = np.atleast_2d(np.cov(rest.T))
    most = float(np.linalg.eigvalsh(covariance)[-1])
    radius = np.sqrt(np.trace(covariance) / n) + np.sqrt(-2 * np.log(WRONGLY) * most / n)
    size = float(np.linalg.norm(truth))
    variance = float(estimates.var(0, ddof=1).sum()) / size**2
    least = 1e-15  # where the two agree to rounding
    return Figures(f * truth + rest.mean(0), truth, variance, told, len(estimates),
                   max(float(radius) / size, least))  # fmt: skip
