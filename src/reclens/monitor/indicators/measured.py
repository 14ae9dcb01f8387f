"""Indicators whose values other modules measured: see :mod:`reclens.monitor.measures`."""

from __future__ import annotations

import polars as pl

from reclens.monitor.indicators.registry import indicator
from reclens.monitor.summary import Summary

__all__ = ["embedding_drift", "fairness_gap", "index_recall", "pipeline_loss"]


@indicator(caption="Embedding drift", unit="share", scale="identity", direction="up", family="space")
def embedding_drift(summary: Summary) -> pl.DataFrame | None:
    """Share of the items that moved far from the last version of the embedding space to this one.

    As ``moved`` of an exploration, after one version is turned onto the other.
    """
    return _measured(summary, "embedding_drift")


@indicator(caption="Recall of the index", unit="share", scale="identity", direction="down", family="space")
def index_recall(summary: Summary) -> pl.DataFrame | None:
    """Share of the nearest neighbours that the index of vectors finds.

    As ``recall`` of an exploration: against an exact search, over sampled queries.
    """
    return _measured(summary, "index_recall")


@indicator(caption="Fairness gap", unit="", scale="identity", direction="both", family="fairness")
def fairness_gap(summary: Summary) -> pl.DataFrame | None:
    """What a group gets less what its reference gets, by group and measure of an audit."""
    return _measured(summary, "fairness_gap")


@indicator(caption="Loss of a stage", unit="", scale="identity", direction="up", family="pipeline")
def pipeline_loss(summary: Summary) -> pl.DataFrame | None:
    """What a stage of the pipeline costs in a metric: its value before the stage less that after, over all users."""
    return _measured(summary, "pipeline_loss")


def _measured(summary: Summary, name: str) -> pl.DataFrame | None:
    """The mean over the days that have a value."""
    table = summary.table("measures")
    found = None if table is None else table.filter(pl.col("indicator") == name)
    if found is None or found.is_empty():
        return None
    days = pl.col("days")
    return found.select("dimension", "slice", "n", value=pl.col("total") / days, error=pl.col("variance").sqrt() / days)
