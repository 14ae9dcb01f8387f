"""Intervals from the replicates of a :class:`~reclens.stats.summary.Summary`.

A mean has the bias-corrected and accelerated interval (BCa; Efron 1987), which follows the skewness of the values, at
a level widened for small samples (Hesterberg 2015): plain percentiles are too narrow by about √((n-1)/n) and by
the difference between normal and t quantiles. A difference of two means has the widened percentile interval.

References: Efron (1987), Better bootstrap confidence intervals; Hesterberg (2015), What teachers should know about the
bootstrap, section 4.1; Chamandy et al. (2012).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from reclens.errors import UsageError
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Cell, Summary

__all__ = ["difference", "estimate", "interval", "largest_gap", "replicate_means"]

_ENOUGH = 100  # fewer usable replicates cannot place a tail


def estimate(summary: Summary, cell: Cell, column: str, *, level: float = 0.95) -> Estimate:
    """The mean of a column over a cell, with its interval.

    Args:
        summary: The sums.
        cell: The cell, such as ``("age", "25-44")``.
        column: The column.
        level: Confidence level.

    Returns:
        An estimate; without an interval where there are fewer than two units, too few replicates, or no variation.
    """
    i, j = summary.index(cell, column)
    n, total = int(summary.n[i, j]), float(summary.total[i, j])
    if not n:
        return Estimate(float("nan"), None, None, 0, level, "no user has a value")
    mean = total / n
    if n < 2:
        return Estimate(mean, None, None, n, level, "a single user has no interval")
    variance = summary.squares[i, j] / n - mean**2
    if variance <= 1e-12 * max(1.0, mean**2):
        return Estimate(mean, None, None, n, level, f"all {n:,} users have the same value: it has no interval")
    means = replicate_means(summary, cell, column)
    third = summary.cubes[i, j] / n - 3 * mean * summary.squares[i, j] / n + 2 * mean**3
    skewness = float(third / variance**1.5)
    ends = interval(means, mean, n=n, level=level, acceleration=skewness / (6 * np.sqrt(n)))
    if ends is None:
        return Estimate(mean, None, None, n, level, "too few bootstrap replicates for an interval")
    return Estimate(mean, *ends, n, level)


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
        raise UsageError(f"level is {level}, expected a number between 0 and 1 such as 0.95.")
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


def difference(
    ours: Summary, theirs: Summary, cell: Cell, column: str, *, level: float = 0.95
) -> tuple[Estimate, np.ndarray]:
    """Mean of ``ours`` minus mean of ``theirs`` over a cell, paired through the shared weights.

    Returns:
        The estimate, and the replicates of the difference, shape (B,).
    """
    i, j = ours.index(cell, column)
    a, b = theirs.index(cell, column)
    n, m = int(ours.n[i, j]), int(theirs.n[a, b])
    if not n or not m:
        return Estimate(float("nan"), None, None, min(n, m), level, "no user has a value"), np.zeros(0)
    value = float(ours.total[i, j] / n - theirs.total[a, b] / m)
    replicates = replicate_means(ours, cell, column) - replicate_means(theirs, cell, column)
    units = min(n, m)
    note = None if n == m else f"measured on different users ({n:,} and {m:,})"
    if units < 2:
        return Estimate(value, None, None, units, level, "a single user has no interval"), replicates
    if np.nanstd(replicates) <= 1e-12 * max(1.0, abs(value)):
        return Estimate(value, None, None, units, level, "the same for every user: it has no interval"), replicates
    ends = interval(replicates, value, n=units, level=level)
    if ends is None:
        return Estimate(value, None, None, units, level, "too few bootstrap replicates for an interval"), replicates
    return Estimate(value, *ends, units, level, note), replicates


def largest_gap(
    summary: Summary, by: str, column: str, *, level: float = 0.95, minimum: int = 2
) -> dict[str, Any] | None:
    """The largest difference between two segments, with an interval that holds for every pair at once.

    The width is the ``level`` quantile over replicates of the largest studentised deviation of any pair (the bootstrap
    max-t method: Romano and Wolf 2005, Stepwise multiple testing as formalized data snooping), so that looking for the
    largest gap does not make one.

    Args:
        summary: The sums.
        by: The segmentation.
        column: The column.
        level: Confidence level over all pairs together.
        minimum: Segments with fewer units are left out (and named in the note).

    Returns:
        ``highest, lowest, value, low, high, n_pairs, conclusive, note``, or None if fewer than two segments remain.
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
        "note": f"too small to compare: {', '.join(left_out)}" if left_out else None,
    }
    if draws.shape[1] < _ENOUGH:
        return found
    deviations = draws[first] - draws[second] - gaps[:, None]
    errors = deviations.std(axis=1, ddof=1)
    if errors[widest] <= 0:
        return found
    moving = errors > 0
    largest = np.abs(deviations[moving] / errors[moving, None]).max(axis=0)
    width = float(np.quantile(largest, level) * errors[widest])
    low, high = found["value"] - width, found["value"] + width
    return found | {"low": low, "high": high, "conclusive": bool(low > 0)}
