"""A/A tests of a plan: its metrics, its caps and the shares of its arms, on units that were all treated alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment.aggregate.metric_columns import capped, metric_columns_of
from reclens.experiment.planning.plan import Plan
from reclens.stats.aa import aa_tests

__all__ = ["aa_of_plan"]


def aa_of_plan(
    plan: Plan, units: pl.DataFrame, *, splits: int = 1000, rng: int | np.random.Generator = 0
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Split the units at random and test each metric, at the share that each treated arm has beside control.

    Args:
        plan: The plan.
        units: One row a unit, with the columns of the metrics.
        splits: Random splits for each treated arm.
        rng: Seed or generator.

    Returns:
        Rows ``arm, share, metric, splits, false_positives, low, high, uniformity_p_value, sd_of_difference``, and the
        names of the metrics that need more than a row a unit. Arms of equal share have the same rows but for the name.

    Raises:
        UsageError: If no metric of the plan can be tested so.
        UnknownNameError: If a column is missing.
        DataError: If a value is missing or infinite.
    """
    metric_columns = metric_columns_of(plan.metrics)
    if not metric_columns:
        raise UsageError(f"no metric of '{plan.name}' is a mean, a proportion or a ratio of units.")
    columns: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(part for each in metric_columns.values() for part in each.metric.columns):
        if name not in units.columns:
            raise UnknownNameError("column of the units", name, units.columns)
        columns[name] = units[name].cast(pl.Float64).to_numpy()
        if not np.isfinite(columns[name]).all():
            raise DataError("a value is missing or infinite", column=name, fix="Mend or leave out those units before.")
    for each in metric_columns.values():
        metric = each.metric
        if metric.cap is not None and metric.value is not None:
            columns[capped(metric.value, metric.cap)] = np.minimum(columns[metric.value], metric.cap)
    stream, done = np.random.default_rng(rng), dict[float, list[dict[str, Any]]]()
    rows: list[dict[str, Any]] = []
    for arm in plan.treatments:
        share = plan.arms[arm] / (plan.arms[arm] + plan.arms[plan.control])
        if share not in done:
            done[share] = aa_tests(
                columns,
                {name: each.of for name, each in metric_columns.items()},
                splits=splits,
                rng=stream,
                level=plan.level,
                share=share,
                covariates={name: each.covariates for name, each in metric_columns.items()},
                proportions=[name for name, each in metric_columns.items() if each.counted],
            ).to_dicts()
        rows += [{"arm": arm, "share": share, **row} for row in done[share]]
    return rows, tuple(metric.name for metric in plan.metrics if metric.name not in metric_columns)
