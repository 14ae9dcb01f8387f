"""A number with its uncertainty, and the two textbook ways to it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reclens.tabular import Tabular

__all__ = ["Estimate", "mean_estimate", "normal_estimate"]


@dataclass(frozen=True)
class Estimate(Tabular):
    """One number, the interval around it, and what they rest on.

    Attributes:
        value: The point estimate; NaN when nothing could be measured.
        low: Lower end of the interval, or None when there is no honest one (``note`` says why).
        high: Upper end, or None.
        n: Number of units (users) behind the value.
        level: Confidence level of the interval.
        note: Why there is no interval, or what to keep in mind; None when there is nothing to say.
        coverage: How often such intervals held the truth in simulations, where that is less than their level; None
            where they keep it.

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
    coverage: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def __repr__(self) -> str:
        interval = "" if self.low is None or self.high is None else f", low={self.low:.4g}, high={self.high:.4g}"
        return f"Estimate({self.value:.4g}{interval}, n={self.n})"

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def mean_estimate(values: np.ndarray, *, level: float = 0.95, note: str | None = None) -> Estimate:
    """Mean of independent values, with Student's interval.

    Args:
        values: Shape (n,); below two of them there is no interval.
        level: Confidence level.
        note: What to keep in mind.

    Example:
        >>> print(mean_estimate(np.array([1.0, 2.0, 3.0])))
        2 [-0.4841, 4.484]
    """
    from scipy.special import stdtrit

    n, value = len(values), float(values.mean()) if len(values) else float("nan")
    if n < 2:
        return Estimate(value, None, None, n, level, "a single user has no interval")
    half = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(value, value - half, value + half, n, level, note)


def normal_estimate(value: float, se: float, *, n: int, level: float = 0.95) -> Estimate:
    """A value whose error is normal with a known standard error.

    Example:
        >>> print(normal_estimate(0.5, 0.1, n=100))
        0.5 [0.304, 0.696]
    """
    from scipy.special import ndtri

    half = float(ndtri((1 + level) / 2)) * se
    return Estimate(value, value - half, value + half, n, level)
