"""How a difference was computed: a code and its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Method", "MethodCode"]

MethodCode = Literal[
    "welch",
    "welch_ratio",
    "score",
    "exact_score",
    "pooled_z",
    "unpooled_z",
    "pooled_t",
    "unpooled_t",
    "mid_quantiles",
    "group_jackknife",
]
"""``welch``: Welch's t of means; ``welch_ratio``: the same of ratios of means by the delta method. Of shares:
``score``, the test of Miettinen and Nurminen corrected for skewness; ``exact_score``, an exact test at the most likely
shares; z and t tests with a pooled or unpooled variance. ``mid_quantiles``: the inverted test of the shares below a
cut. ``group_jackknife``: a delete-a-group jackknife over users, of a statistic of a whole arm."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a difference was computed.

    Attributes:
        code: The test.
        skewness: Whether it is corrected for skewness (Hall).
        covariates: Covariates of the adjustment (CUPED); of a ratio ``"numerator/denominator"``.
        strata: Strata that it is post-stratified over; 1 for none.
        quantile: The quantile of ``mid_quantiles``.
        statistic: The statistic of ``group_jackknife``.
        groups: Groups of users of ``group_jackknife``.
        coverage: Coverage of such intervals of 95 % in simulated A/A tests; None if it is not known.
        rows: Rows per item in those tests.
    """

    code: MethodCode
    skewness: bool = False
    covariates: tuple[str, ...] = ()
    strata: int = 1
    quantile: float | None = None
    statistic: str | None = None
    groups: int | None = None
    coverage: float | None = None
    rows: float | None = None
