"""Indicators of the pipeline: what each retriever contributes, and the losses and latency of each stage."""

from __future__ import annotations

import polars as pl

from reclens.monitor.indicators.rates import share_of
from reclens.monitor.indicators.registry import indicator
from reclens.monitor.indicators.served import quantile_of_bins
from reclens.monitor.summary import Summary

__all__ = ["candidates", "empty_retriever", "retriever_latency", "source_share", "stage_latency", "stage_loss"]


@indicator(caption="Candidates", unit="count", scale="log", direction="down", family="pipeline")
def candidates(summary: Summary) -> pl.DataFrame | None:
    """Mean number of candidates that a retriever brings to a request.

    Formula: candidates ÷ requests, by retriever; overall of all of them.
    """
    found = _of(summary, "retriever", both=True)
    if found is None:
        return None
    x, n = pl.col("total").cast(pl.Float64), pl.col("n").cast(pl.Float64)
    variance = ((pl.col("squared") - x**2 / n) / (n - 1)).clip(lower_bound=0.0)
    return found.select(
        "dimension",
        "slice",
        "n",
        value=x / n,
        error=pl.when(n > 1).then((variance / n).sqrt()),
        numerator=x,
        denominator=n,
    )


@indicator(caption="Empty retrievers", unit="share", scale="logit", direction="up", family="pipeline")
def empty_retriever(summary: Summary) -> pl.DataFrame | None:
    """Share of the requests to which a retriever brought nothing.

    Formula: calls of a retriever without a candidate ÷ its calls.
    """
    return _share(_of(summary, "retriever", both=True), "empty", "n")


@indicator(caption="Share of shown items by source", unit="share", scale="logit", direction="both", family="pipeline")
def source_share(summary: Summary) -> pl.DataFrame | None:
    """Share of the items that were shown that a retriever brought.

    Formula: impressions of the retriever ÷ impressions whose retriever is known.
    """
    rolled = summary.rolled("cells")
    if rolled is None:
        return None
    known = rolled.filter((pl.col("dimension") == "retriever") & (pl.col("slice") != "(null)"))
    if known.is_empty():
        return None
    return _share(known.with_columns(all=pl.col("impressions").sum()), "impressions", "all")


@indicator(caption="Loss by stage", unit="share", scale="logit", direction="up", family="pipeline")
def stage_loss(summary: Summary) -> pl.DataFrame | None:
    """Share of the relevant items that a stage loses.

    Formula: relevant items that entered a stage and did not leave it ÷ relevant items that entered it.
    """
    return _share(_of(summary, "stage", both=False), "lost", "relevant")


@indicator(caption="Latency by stage, 95 %", unit="ms", scale="log", direction="up", family="pipeline")
def stage_latency(summary: Summary) -> pl.DataFrame | None:
    """Milliseconds that 95 % of the calls of a stage keep to; from bins, as the latency of lists."""
    return _latency(summary, "stage")


@indicator(caption="Latency by retriever, 95 %", unit="ms", scale="log", direction="up", family="pipeline")
def retriever_latency(summary: Summary) -> pl.DataFrame | None:
    """Milliseconds that 95 % of the calls of a retriever keep to; from bins, as the latency of lists."""
    return _latency(summary, "retriever")


def _of(summary: Summary, what: str, *, both: bool) -> pl.DataFrame | None:
    """Rows by retriever or stage, with ``dimension`` and ``slice``; optionally with all of them together."""
    pipeline = summary.table("pipeline")
    found = None if pipeline is None else pipeline.filter(pl.col("what") == what)
    if found is None or found.is_empty():
        return None
    parts = found.drop("what", "name").with_columns(dimension=pl.lit(what), slice=found["name"])
    if not both:
        return parts
    whole = parts.drop("dimension", "slice").sum().with_columns(dimension=pl.lit("overall"), slice=pl.lit("all"))
    return pl.concat([whole, parts], how="diagonal")


def _share(found: pl.DataFrame | None, numerator: str, denominator: str) -> pl.DataFrame | None:
    return None if found is None else share_of(found, numerator, denominator)


def _latency(summary: Summary, what: str) -> pl.DataFrame | None:
    table = summary.table("latency")
    found = None if table is None else table.filter(pl.col("what") == what)
    if found is None or found.is_empty():
        return None
    named = found.select(pl.lit(what).alias("dimension"), pl.col("name").alias("slice"), "bin", "n")
    return quantile_of_bins(named, ["dimension", "slice"], 0.95)
