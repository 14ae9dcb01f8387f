"""A quantile of a sample, with an interval that assumes nothing of the distribution, and the difference of two."""

from __future__ import annotations

import math

import numpy as np

from reclens.errors import UsageError
from reclens.stats.arms import gradient
from reclens.stats.difference import Difference, Relative, difference_of
from reclens.stats.estimate import Estimate
from reclens.stats.moments import Moments

__all__ = ["clustered_quantile", "quantile", "quantile_difference"]


def quantile(values: np.ndarray, q: float, *, level: float = 0.95) -> Estimate:
    """A quantile with an interval between two order statistics.

    The number of values below the true quantile is binomial(n, q); the interval ends at the order statistics that cut
    off at most (1 - level) ÷ 2 of that distribution on each side, so that it covers with at least ``level``.

    Args:
        values: Independent values, shape (n,); NaN is left out.
        q: Which quantile, between 0 and 1.
        level: Confidence level.

    Returns:
        The sample quantile (linear interpolation, Hyndman and Fan's type 7). Without an interval where n is too small
        for one: 2 values cannot bound a median, nor 50 a 95 % quantile.

    Raises:
        UsageError: If q or level lies outside 0 … 1.

    Example:
        >>> print(quantile(np.arange(1.0, 101.0), 0.5))
        50.5 [40, 61]

    References:
        Conover (1999), Practical nonparametric statistics, section 3.2; Hahn and Meeker (1991), Statistical intervals.
    """
    from scipy.stats import binom

    for name, value in (("q", q), ("level", level)):
        if not 0 < value < 1:
            raise UsageError(f"{name} is {value}, expected a number between 0 and 1.")
    ordered = np.sort(values[~np.isnan(values)])
    n, tail = len(ordered), (1 - level) / 2
    if not n:
        return Estimate(float("nan"), None, None, 0, level, "there is no value")
    value = float(np.quantile(ordered, q))
    # P(count < low) <= tail and P(count >= high) <= tail, for the count of values below the quantile.
    low, high = int(binom.ppf(tail, n, q)), int(binom.isf(tail, n, q)) + 1
    if low < 1 or high > n:
        return Estimate(value, None, None, n, level, f"{n:,} values are too few to bound this quantile")
    return Estimate(value, float(ordered[low - 1]), float(ordered[high - 1]), n, level)


def clustered_quantile(values: np.ndarray, clusters: np.ndarray, q: float, *, level: float = 0.95) -> Estimate:
    """A quantile of rows that come in clusters, such as the page-load times of users, by its outer interval.

    The share of rows at or below the sample quantile is a ratio of two sums over clusters; the delta method gives its
    standard error σ. The interval runs between the sample quantiles at q - zσ and q + zσ.

    Args:
        values: One value a row, shape (n,), finite.
        clusters: The cluster of each row, shape (n,): whole numbers or names.
        q: Which quantile, between 0 and 1.
        level: Confidence level.

    Returns:
        The sample quantile; ``n`` counts clusters. Without an interval where it would leave the data.

    References:
        Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics, section 4.
    """
    from scipy.special import ndtri

    for name, value in (("q", q), ("level", level)):
        if not 0 < value < 1:
            raise UsageError(f"{name} is {value}, expected a number between 0 and 1.")
    rows = np.asarray(values, np.float64)
    if len(rows) != len(clusters):
        raise UsageError(f"{len(rows):,} values and {len(clusters):,} clusters; expected one cluster a row.")
    if not len(rows):
        return Estimate(float("nan"), None, None, 0, level, "there is no value")
    codes = np.unique(clusters, return_inverse=True)[1]
    value = float(np.quantile(rows, q))
    sizes = np.bincount(codes).astype(np.float64)
    if len(sizes) < 2:
        return Estimate(value, None, None, len(sizes), level, "a single cluster has no interval")
    moments = Moments.of({"below": np.bincount(codes, rows <= value), "rows": sizes})
    slope = gradient(moments.mean, moments.columns, ("below", "rows"))
    sigma = math.sqrt(max(float(slope @ moments.covariances() @ slope), 0.0) / moments.n)
    width = float(ndtri(0.5 + level / 2)) * sigma
    if q - width <= 0 or q + width >= 1 or not width:
        return Estimate(value, None, None, len(sizes), level, f"{len(sizes):,} clusters are too few for this quantile")
    low, high = np.quantile(rows, [q - width, q + width])
    return Estimate(value, float(low), float(high), len(sizes), level)


def quantile_difference(control: Estimate, treatment: Estimate, *, relative: Relative = "delta") -> Difference:
    """The difference of two quantiles from their intervals: each half width ÷ z is a standard error.

    Args:
        control: Quantile of the control arm, from :func:`quantile` or :func:`clustered_quantile`.
        treatment: Likewise of the treated arm, at the same level.
        relative: How the interval of the lift is made, one of ``RELATIVE``.

    Raises:
        UsageError: If the levels differ.

    References:
        Deng, Knoblich and Lu (2018), section 4.
    """
    from scipy.special import ndtri

    level = control.level
    if treatment.level != level:
        raise UsageError(f"the quantiles have intervals of level {level} and {treatment.level}; expected one level.")
    z = float(ndtri(0.5 + level / 2))
    variances = [
        math.nan if each.low is None or each.high is None else ((each.high - each.low) / (2 * z)) ** 2
        for each in (control, treatment)
    ]
    return difference_of(
        control.value, treatment.value - control.value, variance=sum(variances), control_variance=variances[0],
        covariance=-variances[0], df=math.inf, n=(control.n, treatment.n), level=level, relative=relative,
        method="difference of quantiles, normal, standard errors from their intervals",
    )  # fmt: skip
