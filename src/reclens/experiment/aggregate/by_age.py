"""Effects by days since first exposure: does a novelty wear off, or does a change have to be learned?

A user counts on each day since the first event in the experiment that has passed, with 0 where nothing was done;
each day is summed up apart. References: Sadeghi et al. (2021), Novelty and primacy: a long-term estimator for online
experiments; Kohavi, Tang and Xu (2020), chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from reclens.data.quoting import quoted
from reclens.errors import UsageError
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, opened, present, run
from reclens.experiment.aggregate.summing import Summing, summed
from reclens.experiment.aggregate.triggered import list_triggered, of_triggered
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan

__all__ = ["gather_ages", "metric_by_age"]


def gather_ages(
    source: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    time: str = "timestamp",
    start: date | datetime | None = None,
    most: int = 60,
    table: str | None = None,
    query: str | None = None,
) -> dict[int, Aggregates]:
    """Sum a log of events up by days since first exposure, for the primary metrics of a plan.

    Args:
        source: A log of events; as in :func:`~reclens.experiment.aggregate.gather.gather_events`.
        plan: The plan; covariates are left out.
        arm: Column of the arm.
        time: Column of the time.
        start: When it began; None takes the plan's, and without one every event counts.
        most: Days to go.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.

    Returns:
        Days since first exposure -> sums, for ``read_sums(ages=…)``. A user in two arms counts in their first one.

    Raises:
        UsageError: If no primary metric is a mean or a ratio.
    """
    metrics = tuple(metric_by_age(m) for m in plan.primary if m.kind in ("mean", "proportion", "ratio"))
    if not metrics:
        raise UsageError(
            "effects by day since first exposure need a primary metric that is a mean, a share or a ratio."
        )
    daily = plan.model_copy(update={"metrics": metrics, "segments": ()})
    begun = start or plan.start
    found: dict[int, Aggregates] = {}
    with opened(source, table=table, query=query) as rows:
        columns = [name for name in daily.columns if name != "events"]
        present(rows, [plan.unit, arm, time, *columns])
        if daily.triggered:
            rows = of_triggered(rows, daily, list_triggered(rows, daily, Window(time, begun)))
            daily = daily.model_copy(update={"triggered": None})
        _daily_tables(rows, plan, arm, time, begun, columns)
        last = run(
            rows, "SELECT date_diff('day', min(first_), (SELECT max(day_) FROM reclens_days)) FROM reclens_first"
        )
        for age in range(min(int(last[0][0] or 0), most) + 1):
            sums = _of_age(rows, daily, arm, columns, age)
            if sums is not None:
                found[age] = sums
        run(rows, "DROP TABLE reclens_days")
        run(rows, "DROP TABLE reclens_first")
    return found


def _daily_tables(
    rows: Table, plan: Plan, arm: str, time: str, begun: date | datetime | None, columns: Sequence[str]
) -> None:
    """Make ``reclens_days``, a row a unit and day, and ``reclens_first``, each unit's first day and arm."""
    unit, at = quoted(plan.unit), f"CAST({quoted(time)} AS DATE)"
    where = f" WHERE {quoted(time)} >= $start" if begun else ""
    top = {metric.value for metric in plan.primary if metric.kind == "proportion"}
    sums = "".join(
        f", {'max' if name in top else 'sum'}(CAST({quoted(name)} AS DOUBLE)) AS {quoted(name)}" for name in columns
    )
    run(
        rows,
        "CREATE OR REPLACE TEMP TABLE reclens_days AS "
        f"SELECT {unit} AS unit_, {at} AS day_, arg_min(CAST({quoted(arm)} AS VARCHAR), {quoted(time)}) AS arm_, "
        f"count(*) AS events{sums} FROM {rows.sql}{where} GROUP BY ALL",
        {"start": begun} if begun else None,
    )
    run(
        rows,
        "CREATE OR REPLACE TEMP TABLE reclens_first AS SELECT unit_, min(day_) AS first_, "
        "arg_min(arm_, day_) AS arm_ FROM reclens_days GROUP BY unit_",
    )


def _of_age(rows: Table, daily: Plan, arm: str, columns: Sequence[str], age: int) -> Aggregates | None:
    """The sums of one day after first exposure; None where an arm has no unit that old."""
    # Bound values cannot stand in the inner query of another call: the age is a number of ours.
    made = "".join(f", coalesce(d.{quoted(name)}, 0) AS {quoted(name)}" for name in (*columns, "events"))
    inner = (
        f"SELECT f.unit_ AS {quoted(daily.unit)}, f.arm_ AS {quoted(arm)}{made} FROM reclens_first f LEFT JOIN "
        f"reclens_days d ON d.unit_ = f.unit_ AND d.day_ = f.first_ + {age} "
        f"WHERE f.first_ + {age} <= (SELECT max(day_) FROM reclens_days)"
    )
    if not set(daily.arms) <= {row[0] for row in run(rows, f"SELECT DISTINCT {quoted(arm)} FROM ({inner})")}:
        return None
    return summed(
        replace(rows, sql=f"({inner})", columns=(daily.unit, arm, *columns, "events")),
        daily,
        Summing(arm=arm, unknown_arms="drop"),
    )


def metric_by_age(metric: Metric) -> Metric:
    """A metric as it is on one day: without covariates, and a share as the mean of ones and zeros."""
    return metric.model_copy(update={"covariates": (), "kind": "mean" if metric.kind == "proportion" else metric.kind})
