"""The metrics of a named system over its runs in time, each held to a bound."""

from __future__ import annotations

from typing import Any

import polars as pl

from reclens.evaluation.results import OVERALL
from reclens.metrics.registry import describe, names
from reclens.stats.gate import Bound, decide

__all__ = ["history_of", "systems_in_time"]


def systems_in_time(estimates: pl.DataFrame) -> list[str]:
    """The systems with several runs, those with the most runs first.

    Args:
        estimates: Rows of estimates, with ``run`` and ``system``.
    """
    runs = estimates.group_by("system").agg(pl.col("run").n_unique().alias("runs"))
    return runs.filter(pl.col("runs") > 1).sort(["runs", "system"], descending=[True, False])["system"].to_list()


def history_of(
    estimates: pl.DataFrame, system: str, metric: str, *, bound: Bound | None = None
) -> list[dict[str, Any]]:
    """One metric of a system over all users, run by run, the oldest first.

    Args:
        estimates: Rows of estimates, with ``run``, ``system`` and ``created``.
        system: The system.
        metric: The metric.
        bound: What every run is held to, by its whole interval; None holds none.

    Returns:
        The rows, with ``outcome``: ``"pass"``, ``"fail"``, ``"cannot_tell"``, or None without a bound.
    """
    mine = (pl.col("system") == system) & (pl.col("metric") == metric) & (pl.col("by") == OVERALL[0])
    rows = estimates.filter(mine).sort("created", "run").to_dicts()
    of_all_lists = metric.partition("@")[0] in names() and describe(metric).kind == "catalogue"
    for row in rows:
        row["outcome"] = None
        if bound is not None:
            row["outcome"] = decide(bound, row["value"], row["low"], row["high"], exact=of_all_lists)[0]
    return rows
