"""Intervals from the replicates of a :class:`~reclens.stats.summary.Summary`.

A mean has the bias-corrected and accelerated interval (BCa; Efron 1987), which follows the skewness of the values, at a
level widened for small samples (Hesterberg 2015): plain percentiles are too narrow by about √((n-1)/n) and by the
difference between normal and t quantiles. If an end of Hall's interval, the t interval corrected for skewness, is
farther out, that end is used: BCa alone is too narrow for skewed values of few units. A mean of zeros and ones has
Wilson's interval. A difference of two means has the widened percentile interval.

References: Efron (1987), Better bootstrap confidence intervals; Hall (1992), On the removal of skewness by
transformation; Hesterberg (2015), What teachers should know about the bootstrap, section 4.1; Chamandy et al. (2012).
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.stats.estimate import Estimate
from reclens.stats.pivot import hall_inverse
from reclens.stats.proportions import proportion
from reclens.stats.summary import Cell, Summary

__all__ = [
    "difference",
    "estimate",
    "interval",
    "largest_gap",
    "replicate_means",
    "simultaneous_intervals",
    "skewed_interval",
]

_ENOUGH = 100  # fewer usable replicates cannot place a tail
_EQUAL = 1e-11  # of the values: what sums of equal values in another order differ by stays below
_SMOOTH = 1e-5  # standard deviation ÷ mean: below, the third moment has lost its digits in the sums of powers


def estimate(summary: Summary, cell: Cell, column: str, *, level: float = 0.95, share: bool = False) -> Estimate:
    """The mean of a column over a cell, with its interval.

    Args:
        summary: The sums.
        cell: The cell, such as ``("age", "25-44")``.
        column: The column.
        level: Confidence level.
        share: Whether the values lie in 0 … 1 by definition. If all of them are 0 or 1, as for a hit rate, the interval
            is Wilson's, which is defined for zero successes; otherwise its ends are clipped to 0 … 1.

    Returns:
        An estimate; without an interval for fewer than two units, too few replicates, no variation, or fewer than 10
        units with skewed values. If the coverage of such intervals is known to be below their level, ``coverage``
        states it.
    """
    i, j = summary.index(cell, column)
    n, total = int(summary.n[i, j]), float(summary.total[i, j])
    if not n:
        return Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value")
    mean = total / n
    if share and math.isclose(total, summary.squares[i, j], rel_tol=1e-12):  # x = x² for all, as 0 ≤ x ≤ 1
        return proportion(round(total), n, level=level)
    if n < 2:
        return Estimate(mean, low=None, high=None, n=n, level=level, note="one_unit")
    means = replicate_means(summary, cell, column)
    if _constant(means, abs(mean)):
        return Estimate(mean, low=None, high=None, n=n, level=level, note="no_variation")
    variance = summary.squares[i, j] / n - mean**2
    skewness = 0.0
    if variance > (_SMOOTH * mean) ** 2:
        third = summary.cubes[i, j] / n - 3 * mean * summary.squares[i, j] / n + 2 * mean**3
        skewness = float(third / variance**1.5)
    skewed = abs(skewness) > (_SKEWED if n <= _FEW else _VERY_SKEWED)
    if skewed and n < min(_COVERED):
        return Estimate(mean, low=None, high=None, n=n, level=level, note="skewed_too_few")
    ends = interval(means, mean, n=n, level=level, acceleration=skewness / (6 * np.sqrt(n)))
    if ends is None:
        return Estimate(mean, low=None, high=None, n=n, level=level, note="too_few_replicates")
    low, high = ends
    if variance > (_SMOOTH * mean) ** 2:
        further = skewed_interval(mean, float(variance), skewness, n=n, level=level)
        low, high = min(low, further[0]), max(high, further[1])
    if share:
        return Estimate(mean, low=max(low, 0.0), high=min(high, 1.0), n=n, level=level)
    covered = _COVERED[max(size for size in _COVERED if size <= n)] if skewed else 1.0
    if covered >= level - 0.02:
        return Estimate(mean, low=low, high=high, n=n, level=level)
    return Estimate(mean, low=low, high=high, n=n, level=level, note="skewed_few", coverage=covered)


_FEW = 50
_SKEWED, _VERY_SKEWED = 1.0, 3.0  # skewness of the values of few units, and of more
_COVERED = {10: 0.86, 20: 0.89, 30: 0.91, 200: 0.92, 500: 0.93}
"""Units -> how often 95 % intervals of lognormal(0, 1.5) held the mean: ``benchmarks/rates_bca.py``."""


def _constant(replicates: np.ndarray, scale: float) -> bool:
    """Whether replicates differ by no more than rounding of values of that size."""
    usable = replicates[~np.isnan(replicates)]
    return bool(len(usable)) and float(np.ptp(usable)) <= _EQUAL * scale


def replicate_means(summary: Summary, cell: Cell, column: str) -> np.ndarray:
    """The mean in each replicate, shape (B,); NaN where a replicate drew no unit of the cell."""
    i, j = summary.index(cell, column)
    weights = summary.weights[i, j]
    return np.divide(summary.sums[i, j], weights, out=np.full(len(weights), np.nan), where=weights > 0)


def interval(
    replicates: np.ndarray, value: float, *, n: int, level: float = 0.95, acceleration: float | None = None
) -> tuple[float, float] | None:
    """Widened percentile interval; with an acceleration, the widened BCa interval.

    Args:
        replicates: Bootstrap replicates, shape (B,); NaN ones are left out.
        value: The estimate.
        n: Number of units behind it.
        level: Confidence level, between 0 and 1.
        acceleration: For a mean: skewness of the values ÷ (6 √n). None for plain percentiles.

    Returns:
        Lower and upper end, or None if fewer than 100 replicates are usable.

    Raises:
        UsageError: If the level is not between 0 and 1.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    usable = replicates[~np.isnan(replicates)]
    if len(usable) < _ENOUGH:
        return None
    z = -np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - level) / 2)
    ends = np.array([-z, z])
    if acceleration is not None:
        below = (np.sum(usable < value) + 0.5 * np.sum(usable == value)) / len(usable)
        bias = ndtri(np.clip(below, 1 / len(usable), 1 - 1 / len(usable)))
        shifted = bias + ends
        ends = bias + shifted / np.maximum(1 - acceleration * shifted, 0.1)
    low, high = np.quantile(usable, ndtr(ends))
    return float(low), float(high)


def skewed_interval(
    mean: float, variance: float, skewness: float, *, n: int, level: float = 0.95
) -> tuple[float, float]:
    """Student's interval of a mean, corrected for skewness by Hall's cubic transformation.

    Args:
        mean: The mean.
        variance: Of the values, ÷ n.
        skewness: Of the values, m3 / variance^1.5.
        n: Number of values.
        level: Confidence level.

    Returns:
        Lower and upper end.

    Example:
        >>> [round(end, 3) for end in skewed_interval(0.0, 1.0, 0.0, n=25)]  # 2.0639 / √24
        [-0.421, 0.421]
        >>> [round(end, 3) for end in skewed_interval(0.0, 1.0, 2.0, n=25)]
        [-0.331, 0.722]

    References:
        Hall (1992), On the removal of skewness by transformation.
    """
    from scipy.special import stdtrit

    error = np.sqrt(variance / (n - 1))
    t = -float(stdtrit(n - 1, (1 - level) / 2))
    low, high = (mean - error * hall_inverse(q, skewness / np.sqrt(n)) for q in (t, -t))
    return float(low), float(high)


def difference(
    ours: Summary, theirs: Summary, cell: Cell, column: str, *, level: float = 0.95
) -> tuple[Estimate, np.ndarray]:
    """Mean of ``ours`` minus mean of ``theirs`` over a cell, paired through the shared weights.

    Replicates pair if the same units have a value in both, which shows in equal sums of weights. If the sums differ,
    there is no interval, even for equal numbers of units.

    Returns:
        The estimate, and the replicates of the difference, shape (B,); none where the units differ.
    """
    i, j = ours.index(cell, column)
    a, b = theirs.index(cell, column)
    n, m = int(ours.n[i, j]), int(theirs.n[a, b])
    if not n or not m:
        return Estimate(float("nan"), low=None, high=None, n=min(n, m), level=level, note="no_value"), np.zeros(0)
    value = float(ours.total[i, j] / n - theirs.total[a, b] / m)
    if n != m or ours.seed != theirs.seed or not np.array_equal(ours.weights[i, j], theirs.weights[a, b]):
        return Estimate(value, low=None, high=None, n=min(n, m), level=level, note="different_users"), np.zeros(0)
    replicates = replicate_means(ours, cell, column) - replicate_means(theirs, cell, column)
    if n < 2:
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_unit"), replicates
    if _constant(replicates, max(abs(float(ours.total[i, j])), abs(float(theirs.total[a, b]))) / n):
        return Estimate(value, low=None, high=None, n=n, level=level, note="no_variation"), replicates
    ends = interval(replicates, value, n=n, level=level)
    if ends is None:
        return Estimate(value, low=None, high=None, n=n, level=level, note="too_few_replicates"), replicates
    return Estimate(value, low=ends[0], high=ends[1], n=n, level=level), replicates


def simultaneous_intervals(
    replicates: np.ndarray, values: np.ndarray, *, n: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Simultaneous intervals by the bootstrap max-t method, widened for small samples.

    The width is the ``level`` quantile over replicates of the largest studentised deviation of any of the estimates.
    It accounts for their dependence: equal estimates do not widen the intervals.

    Args:
        replicates: Bootstrap replicates drawn with the same weights, shape (estimates, B); NaN ones do not count.
        values: The estimates, shape (estimates,).
        n: Units behind each, shape (estimates,).
        level: Confidence level of all of them together.

    Returns:
        Lower and upper ends, shape (estimates,) each; NaN where replicates do not vary, or fewer than 100 are usable.

    References:
        Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping; Montiel Olea and Plagborg-Møller
        (2019), Simultaneous confidence bands: theory, implementation, and an application to SVARs.
    """
    from scipy.special import ndtr, stdtrit

    drawn = ~np.isnan(replicates)
    deviations = np.where(drawn, replicates - values[:, None], 0.0)
    errors = np.sqrt((deviations**2).sum(axis=1) / np.maximum(drawn.sum(axis=1), 1))
    largest = np.abs(np.where(drawn, replicates, 0.0)).max(axis=1, initial=0)
    moving = (errors > _EQUAL * largest) & (drawn.sum(axis=1) >= _ENOUGH)
    if not moving.any():
        return (nothing := np.full(len(values), np.nan)), nothing
    critical_value = float(np.quantile(np.abs(deviations[moving] / errors[moving, None]).max(axis=0), level))
    widened = np.sqrt(n / np.maximum(n - 1, 1)) * -stdtrit(np.maximum(n - 1, 1), ndtr(-critical_value))
    half = np.where(moving, widened * errors, np.nan)
    return values - half, values + half


def largest_gap(
    summary: Summary, by: str, column: str, *, level: float = 0.95, minimum: int = 2
) -> dict[str, Any] | None:
    """The largest difference between two segments, with an interval that is simultaneous over all pairs.

    The width is the ``level`` quantile over replicates of the largest studentised deviation of any pair (the bootstrap
    max-t method: Romano and Wolf 2005, Stepwise multiple testing as formalized data snooping), so selecting the largest
    gap does not bias the conclusion.

    Args:
        summary: The sums.
        by: The segmentation.
        column: The column.
        level: Confidence level over all pairs together.
        minimum: Segments with fewer units are left out, and listed in ``left_out``.

    Returns:
        ``highest, lowest, value, low, high, n_pairs, conclusive, left_out, note``, or None if fewer than two segments
        remain.
    """
    cells = [cell for cell in summary.cells if cell[0] == by]
    column_at = summary.columns.index(column)
    n = {cell: int(summary.n[summary.cells.index(cell), column_at]) for cell in cells}
    kept = [cell for cell in cells if n[cell] >= max(minimum, 1)]
    left_out = [cell[1] for cell in cells if cell not in kept]
    if len(kept) < 2:
        return None
    at = [summary.cells.index(cell) for cell in kept]
    means = summary.total[at, column_at] / summary.n[at, column_at]
    draws = np.stack([replicate_means(summary, cell, column) for cell in kept])
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    pairs = list(combinations(range(len(kept)), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    gaps = means[first] - means[second]
    widest = int(np.argmax(np.abs(gaps)))
    up, down = (first, second) if gaps[widest] >= 0 else (second, first)
    found: dict[str, Any] = {
        "highest": kept[up[widest]][1],
        "lowest": kept[down[widest]][1],
        "value": float(abs(gaps[widest])),
        "low": None,
        "high": None,
        "n_pairs": len(pairs),
        "conclusive": False,
        "left_out": tuple(left_out),
        "note": None,
    }
    if draws.shape[1] < _ENOUGH:
        return found
    deviations = draws[first] - draws[second] - gaps[:, None]
    errors = deviations.std(axis=1, ddof=1)
    moving = errors > _EQUAL * np.abs(means).max()
    if not moving[widest]:
        return found | {"note": "no_variation"}
    largest = np.abs(deviations[moving] / errors[moving, None]).max(axis=0)
    width = float(np.quantile(largest, level) * errors[widest])
    low, high = found["value"] - width, found["value"] + width
    return found | {"low": low, "high": high, "conclusive": bool(low > 0)}
