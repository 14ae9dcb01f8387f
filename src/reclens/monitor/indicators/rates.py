"""Rows of an indicator from sums: shares with their binomial noise, and means with the noise of their sample."""

from __future__ import annotations

import polars as pl

from reclens.monitor.summary import Summary

__all__ = ["mean", "share", "share_of"]


def share(
    summary: Summary, table: str, numerator: str, denominator: str, *, where: pl.Expr | None = None
) -> pl.DataFrame | None:
    """A share by slice, with its binomial standard error.

    The error is that of (x + 1/2) / (n + 1), which is not 0 for shares of 0 or 1.

    Args:
        summary: The day.
        table: Table with the counts.
        numerator: Column with the number of events.
        denominator: Column with the number of trials.
        where: Condition on the slices.
    """
    rolled = summary.rolled(table)
    if rolled is None or numerator not in rolled.columns:
        return None
    if where is not None:
        rolled = rolled.filter(where)
    return share_of(rolled, numerator, denominator)


def share_of(counts: pl.DataFrame, numerator: str, denominator: str) -> pl.DataFrame | None:
    """A share from counts by ``dimension`` and ``slice``; None without trials.

    Args:
        counts: One row per slice.
        numerator: Column with the number of events.
        denominator: Column with the number of trials.
    """
    x, n = pl.col(numerator).cast(pl.Float64), pl.col(denominator).cast(pl.Float64)
    near = (x + 0.5) / (n + 1)
    found = counts.filter(n > 0).select(
        "dimension",
        "slice",
        value=x / n,
        error=(near * (1 - near) / n).sqrt(),
        numerator=x,
        denominator=n,
        n=pl.col(denominator).cast(pl.Int64),
    )
    return found if found.height else None


def mean(summary: Summary, table: str, total: str, squared: str, count: str) -> pl.DataFrame | None:
    """A mean by slice with its standard error, from the sum, the sum of squares and the count."""
    rolled = summary.rolled(table)
    if rolled is None or total not in rolled.columns:
        return None
    x, n = pl.col(total).cast(pl.Float64), pl.col(count).cast(pl.Float64)
    average = x / n
    variance = pl.max_horizontal((pl.col(squared) - n * average**2) / (n - 1), pl.lit(0.0))
    found = rolled.filter(n > 0).select(
        "dimension",
        "slice",
        value=average,
        error=pl.when(n > 1).then((variance / n).sqrt()),
        numerator=x,
        denominator=n,
        n=pl.col(count),
    )
    return found if found.height else None
