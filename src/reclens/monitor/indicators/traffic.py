"""Indicators of the volume and composition of the traffic."""

from __future__ import annotations

import polars as pl

from reclens.monitor.indicators.registry import indicator
from reclens.monitor.summary import Summary

__all__ = ["requests", "traffic", "traffic_share"]


@indicator(caption="Impressions", unit="count", scale="log", direction="both", family="traffic")
def traffic(summary: Summary) -> pl.DataFrame | None:
    """Items that were shown.

    Formula: impressions; their error is the square root, as of events that come one by one.
    """
    return _counts(summary, "cells", "impressions")


@indicator(caption="Requests", unit="count", scale="log", direction="both", family="traffic")
def requests(summary: Summary) -> pl.DataFrame | None:
    """Lists that were asked for, empty ones too.

    Formula: requests; their error is the square root.
    """
    return _counts(summary, "lists", "requests")


@indicator(caption="Share of traffic", unit="share", scale="logit", direction="both", family="traffic")
def traffic_share(summary: Summary) -> pl.DataFrame | None:
    """Share of the impressions that a slice has: the mix of models, surfaces, variants and sources.

    Formula: impressions of the slice ÷ all impressions.
    """
    rolled = summary.rolled("cells")
    if rolled is None:
        return None
    total = float(rolled.filter(pl.col("dimension") == "overall")["impressions"].sum())
    value = pl.col("impressions") / total
    near = (pl.col("impressions") + 0.5) / (total + 1)
    return rolled.filter(pl.col("dimension") != "overall").select(
        "dimension",
        "slice",
        value=value,
        error=(near * (1 - near) / total).sqrt(),
        numerator=pl.col("impressions").cast(pl.Float64),
        denominator=pl.lit(total),
        n=pl.col("impressions"),
    )


def _counts(summary: Summary, table: str, column: str) -> pl.DataFrame | None:
    rolled = summary.rolled(table)
    if rolled is None:
        return None
    return rolled.select(
        "dimension",
        "slice",
        value=pl.col(column).cast(pl.Float64),
        error=pl.col(column).cast(pl.Float64).sqrt(),
        n=pl.col(column),
    )
