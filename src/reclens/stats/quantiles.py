"""A quantile of a sample, with an interval that assumes nothing of the distribution."""

from __future__ import annotations

import numpy as np

from reclens.errors import UsageError
from reclens.stats.estimate import Estimate

__all__ = ["quantile"]


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
