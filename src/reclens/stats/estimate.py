"""A number with its uncertainty, by Student's or the normal interval."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any, Literal

import numpy as np

from reclens.tabular import Tabular

__all__ = ["Estimate", "EstimateNote", "mean_estimate", "normal_estimate"]

EstimateNote = Literal[
    "no_value",
    "one_unit",
    "no_variation",
    "too_few_units",
    "too_few_rows",
    "too_few_replicates",
    "skewed_too_few",
    "skewed_few",
    "different_users",
    "every_user_ties",
    "catalogue_metric",
    "chosen_as_best",
    "control_is_zero",
    "control_reaches_zero",
    "control_near_zero",
    "mean_not_positive",
    "expected_below_five",
    "quantile_too_few",
    "quantile_at_end",
    "quantile_coarse",
    "repeated_interval",
    "msprt",
    "confidence_sequence",
    "median_unbiased",
    "larger_arm_drawn",
    "exposures_without_time",
    "no_catalogue",
    "rows_left_out",
    "one_untriggered_unit",
    "zero_weights",
    "biased",
    "repeats",
    "no_spread",
    "one_credit",
    "no_preference",
    "over_strategies",
    "one_side_constant",
    "effect_not_told",
    "one_replicate",
    "over_replicates",
    "over_learning_replicates",
]
"""Why an estimate has no interval, or what to keep in mind of it; its words are made in ``report``."""


@dataclass(frozen=True)
class Estimate(Tabular):
    """An estimate with its interval.

    Attributes:
        value: The point estimate; NaN if nothing could be measured.
        low: Lower end of the interval, or None if there is no valid one (``note`` has the reason).
        high: Upper end, or None.
        n: Number of units (users) behind the value.
        level: Confidence level of the interval.
        note: Code of the reason for a missing interval, or of a caveat; None otherwise.
        coverage: Coverage of such intervals in simulations, if below their level; None otherwise.

    Example:
        >>> print(Estimate(0.258, low=0.239, high=0.276, n=591))
        0.258 [0.239, 0.276]
        >>> print(Estimate(0.7, low=None, high=None, n=591, note="catalogue_metric"))
        0.7
    """

    value: float
    _: KW_ONLY
    low: float | None
    high: float | None
    n: int
    level: float = 0.95
    note: EstimateNote | None = None
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


def mean_estimate(values: np.ndarray, *, level: float = 0.95, note: EstimateNote | None = None) -> Estimate:
    """Mean of independent values, with Student's interval.

    Args:
        values: Shape (n,); below two of them there is no interval.
        level: Confidence level.
        note: Code of a caveat.

    Example:
        >>> print(mean_estimate(np.array([1.0, 2.0, 3.0])))
        2 [-0.4841, 4.484]
    """
    from scipy.special import stdtrit

    n, value = len(values), float(values.mean()) if len(values) else float("nan")
    if n < 2:
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_unit")
    half = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(value, low=value - half, high=value + half, n=n, level=level, note=note)


def normal_estimate(value: float, se: float, *, n: int, level: float = 0.95) -> Estimate:
    """A value whose error is normal with a known standard error.

    Example:
        >>> print(normal_estimate(0.5, 0.1, n=100))
        0.5 [0.304, 0.696]
    """
    from scipy.special import ndtri

    half = float(ndtri((1 + level) / 2)) * se
    return Estimate(value, low=value - half, high=value + half, n=n, level=level)
