"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """One number, the interval around it, and what they rest on.

    Attributes:
        value: The point estimate; NaN when nothing could be measured.
        low: Lower end of the interval, or None when there is no honest one (``note`` says why).
        high: Upper end, or None.
        n: Number of units (users) behind the value.
        level: Confidence level of the interval.
        note: Why there is no interval, or what to keep in mind; None when there is nothing to say.

    Example:
        >>> print(Estimate(0.258, 0.239, 0.276, n=591))
        0.258 [0.239, 0.276]
        >>> print(Estimate(0.7, None, None, n=591, note="no interval"))
        0.7
    """

    value: float
    low: float | None
    high: float | None
    n: int
    level: float = 0.95
    note: str | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]
