"""What an audit says of an estimator: the name of what it computes, its bias, in words.

Axes: P parameters.
"""

from dataclasses import dataclass, fields
from typing import Any

from minipg.audit.figures import Figures
from minipg.audit.naming import EXACT, SINGLE, Named
from minipg.museum.pitfalls import PITFALLS


@dataclass(frozen=True, kw_only=True)
class Report(Figures):
    """named: the formula. trend: the same figures for other numbers of rows. after: what had to be
    done to its parameters before they were ours; empty: nothing."""

    named: Named
    trend: tuple[Figures, ...] = ()
    after: str = ""

    @property
    def unbiased(self) -> bool:
        return not self.after and self._right

    @property
    def _rounding(self) -> float:
        return max(SINGLE if self.named.single else EXACT, self.radius)

    @property
    def _right(self) -> bool:
        """Its mean is the truth, once its parameters are in our order."""
        return self.bias <= self._rounding

    @property
    def verdict(self) -> str:
        """unbiased, or in which way not."""
        if self._right:
            return f"equal to ∇J after {self.after}" if self.after else "unbiased"
        if self.across <= max(self._rounding * min(self.length, 1), self.radius):
            way = "unbiased up to its length" if self.cosine > 0 else "unbiased up to its sign"
            way += " and length" * (self.cosine < 0 and abs(self.length - 1) > self._rounding)
        else:
            way = "biased" if self.named.readings else "not ∇J"
        return f"{way}, after {self.after}" if self.after else way

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
        lines += [f"  pitfall {n}: {known[n].bug}" for n in sorted(set(self.named.pitfalls))]
        lines += self.named.others()
        lines.append(
            f"  bias {self.bias:.3g} of ‖truth‖ ({self.across:.3g} of it across), length "
            f"{self.length:.4g}, cosine {self.cosine:.6f}, variance {self.variance:.4g}"
        )
        lines += [f"  {figures}" for figures in self.trend]
        if self.named.single:
            lines.append(f"  in single precision, residual {self.named.residual:.1e}")
        return "\n".join(lines)


def reported(figures: Figures, **more: Any) -> Report:
    """The report of these figures."""
    return Report(**{f.name: getattr(figures, f.name) for f in fields(Figures)}, **more)
