"""How lists were served: repeated rows, late rows, lost clicks, latency, empty and short lists, age of the model."""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from reclens.monitor.indicators.rates import mean, share, share_of
from reclens.monitor.indicators.registry import indicator
from reclens.monitor.summary import LIST_DIMENSIONS, Summary, rolled_up
from reclens.schema import LATENCY

__all__ = [
    "duplicates",
    "empty_lists",
    "first_place",
    "join_rate",
    "late",
    "latency_median",
    "latency_p95",
    "list_length",
    "model_age",
    "quantile_of_bins",
    "short_lists",
    "staleness",
]

PER_DOUBLING: Final = 8
"""Bins of latency in a doubling."""


@indicator(caption="Repeated rows", unit="share", scale="logit", direction="up", family="data")
def duplicates(summary: Summary) -> pl.DataFrame | None:
    """Share of impressions that repeat an item of the same list.

    Formula: (impressions - different items of each list) ÷ impressions.
    """
    cells, repeats = summary.rolled("cells"), summary.rolled("duplicates")
    if cells is None:
        return None
    whole = cells.filter(~pl.col("dimension").is_in(["position", "retriever"]))
    if repeats is None:
        joined = whole.with_columns(repeated=pl.lit(0.0))
    else:
        joined = whole.join(repeats, on=["dimension", "slice"], how="left").with_columns(
            pl.col("repeated").fill_null(0)
        )
    return share_of(joined, "repeated", "impressions")


@indicator(caption="Late rows", unit="share", scale="logit", direction="up", family="data")
def late(summary: Summary) -> pl.DataFrame | None:
    """Share of impressions that arrived in the log later than ``late_after``.

    Formula: late impressions ÷ impressions whose arrival is known. Rows that have not arrived yet are not in it.
    """
    return share(summary, "cells", "late", "received")


@indicator(caption="Clicks with an impression", unit="share", scale="logit", direction="down", family="data")
def join_rate(summary: Summary) -> pl.DataFrame | None:
    """Share of the clicks of a log of its own that belong to an impression.

    Formula: clicks with an impression within ``click_hours`` before ÷ clicks. Clicks of the first ``click_hours`` of
    the day, whose impression may be of the day before, are left out.
    """
    pipeline = summary.table("pipeline")
    joins = None if pipeline is None else pipeline.filter(pl.col("what") == "join")
    if joins is None or joins.is_empty() or not joins["n"].sum():
        return None
    return share_of(joins.with_columns(dimension=pl.lit("overall"), slice=pl.lit("all")), "total", "n")


@indicator(caption="Median latency", unit="ms", scale="log", direction="up", family="pipeline")
def latency_median(summary: Summary) -> pl.DataFrame | None:
    """Median milliseconds from a request to its list.

    From bins an eighth of a doubling wide, in proportion on the logarithmic scale within one.
    """
    return _latency(summary, 0.5)


@indicator(caption="Latency, 95 %", unit="ms", scale="log", direction="up", family="pipeline")
def latency_p95(summary: Summary) -> pl.DataFrame | None:
    """Milliseconds from a request to its list that 95 % of the lists keep to; from bins, as the median."""
    return _latency(summary, 0.95)


@indicator(caption="Empty lists", unit="share", scale="logit", direction="up", family="pipeline")
def empty_lists(summary: Summary) -> pl.DataFrame | None:
    """Share of requests that got no item.

    Formula: empty lists ÷ lists. A log of impressions has a row without an item for an empty list, or does not know.
    """
    return share(summary, "lists", "empty", "requests")


@indicator(caption="Short lists", unit="share", scale="logit", direction="up", family="pipeline")
def short_lists(summary: Summary) -> pl.DataFrame | None:
    """Share of requests that got fewer items than ``list_length``, empty ones among them.

    Formula: lists shorter than that ÷ lists. Without a setting it is the usual length on the first day.
    """
    return share(summary, "lists", "short", "requests")


@indicator(caption="Lists from the first place on", unit="share", scale="logit", direction="down", family="data")
def first_place(summary: Summary) -> pl.DataFrame | None:
    """Share of lists with items of which one stands at position 1: positions that are counted from 0 or 2 show here.

    Formula: impressions at position 1, at most one a list ÷ lists that are not empty.
    """
    cells, lists = summary.table("cells"), summary.rolled("lists")
    if cells is None or lists is None:
        return None
    sliced = [each for each in summary.dimensions if each in LIST_DIMENSIONS]
    first = cells.filter(pl.col("position") == "1").select(*LIST_DIMENSIONS, first="impressions")
    counts = rolled_up(first, sliced, names=summary.slices)
    filled = lists.with_columns(filled=pl.col("requests") - pl.col("empty"))
    joined = filled.join(counts, on=["dimension", "slice"], how="left", maintain_order="left")
    return share_of(
        joined.with_columns(first=pl.min_horizontal(pl.col("first").fill_null(0), "filled")), "first", "filled"
    )


@indicator(caption="List length", unit="count", scale="log", direction="both", family="pipeline")
def list_length(summary: Summary) -> pl.DataFrame | None:
    """Mean number of items of a list.

    Formula: items ÷ lists.
    """
    return mean(summary, "lists", "items", "items_squared", "requests")


@indicator(caption="Age of the model", unit="days", scale="identity", direction="up", family="model", drifts=False)
def model_age(summary: Summary) -> pl.DataFrame | None:
    """Days since the newest version of the model was first seen.

    Of several days it is the mean.
    """
    age = summary.fact("model_age")
    if age is None:
        return None
    return pl.DataFrame({"dimension": ["overall"], "slice": ["all"], "value": [age]})


@indicator(caption="Staleness of features", unit="hours", scale="log", direction="up", family="data")
def staleness(summary: Summary) -> pl.DataFrame | None:
    """Mean hours since a feature was computed, by feature; of a slice, over all its features.

    Formula: mean of the time of the impression less that of the feature, for columns of features that hold times.
    """
    rolled = summary.rolled("staleness")
    if rolled is None:
        return None
    whole = rolled.filter(pl.col("dimension") == "overall")
    by_feature = whole.with_columns(dimension=pl.lit("feature"), slice=pl.col("column").str.strip_prefix("feature."))
    total, squared, n = (pl.col(name).sum() for name in ("hours", "hours_squared", "n"))
    return (
        pl.concat([rolled, by_feature])
        .group_by("dimension", "slice", maintain_order=True)
        .agg(
            value=total / n,
            error=pl.when(n > 1).then((((squared - total**2 / n) / (n - 1)).clip(lower_bound=0.0) / n).sqrt()),
            numerator=total,
            denominator=n.cast(pl.Float64),
            n=n,
        )
    )


def quantile_of_bins(table: pl.DataFrame, group: list[str], at: float) -> pl.DataFrame:
    """A quantile of what is counted in bins of latency: the group, ``value``, ``error`` and ``n``.

    Args:
        table: The group, ``bin`` and ``n``: bin b holds 2^(b/8) to 2^((b+1)/8) milliseconds.
        group: Columns of the group.
        at: Which quantile, in (0, 1).
    """
    ordered = table.group_by(*group, "bin").agg(pl.col("n").sum()).sort(*group, "bin")
    ordered = ordered.with_columns(
        total=pl.col("n").sum().over(group), below=(pl.col("n").cum_sum() - pl.col("n")).over(group)
    )
    wanted = at * pl.col("total")
    found = ordered.filter((pl.col("below") < wanted) & (pl.col("below") + pl.col("n") >= wanted))
    place = pl.col("bin") + (wanted - pl.col("below")) / pl.col("n")
    value = pl.lit(2.0) ** (place / PER_DOUBLING)
    # The error of a quantile is that of its share, divided by the density there.
    width = math.log(2) / PER_DOUBLING
    spread = (at * (1 - at) / pl.col("total")).sqrt() * pl.col("total") / pl.col("n") * width
    return found.select(*group, value=value, error=value * spread, n=pl.col("total"))


def _latency(summary: Summary, at: float) -> pl.DataFrame | None:
    rolled = summary.rolled("bins")
    found = None if rolled is None else rolled.filter(pl.col("column") == LATENCY)
    return None if found is None or found.is_empty() else quantile_of_bins(found, ["dimension", "slice"], at)
