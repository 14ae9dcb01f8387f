"""How the effect grew as users came in, and which bound of an earlier look it had crossed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.analysis.effects import compare_metric
from reclens.experiment.analysis.interim import Crossing, InterimAnalysis
from reclens.experiment.planning.plan import Plan
from reclens.stats.arms import value_of

__all__ = ["CumulativeEffect", "DailyValue", "cumulative_effects", "daily_values", "earlier_crossings"]


class CumulativeEffect(TypedDict):
    """The lift on a metric of the units that had come in by a day, with the bounds of the plan's looks.

    ``look``, ``z`` and ``bound`` stand at a look of the plan, and are None between looks.
    """

    metric: str
    arm: str
    day: str
    information: float
    n: int
    value: float
    low: float | None
    high: float | None
    bound_low: float | None
    bound_high: float | None
    look: int | None
    z: float | None
    bound: float | None


class DailyValue(TypedDict):
    """The value of a metric in an arm, over the units of one day of first exposure."""

    metric: str
    arm: str
    day: str
    n: int
    value: float


def cumulative_effects(plan: Plan, sums: Aggregates, interim: InterimAnalysis) -> tuple[CumulativeEffect, ...]:
    """The effect on each primary metric as days of first exposure come in; see :class:`~.read.Readout`."""
    metric_columns = metric_columns_of(plan.primary, rows=sums.rows, indicators=sums.indicators)
    rows: list[CumulativeEffect] = []
    for arm in plan.treatments:
        for at in range(1, len(sums.days) + 1):
            days = sums.days[:at]
            if min(sums.arm(name, days=days).n for name in (plan.control, arm)) < 2:
                continue
            share = interim.share_of(sums, days)
            here = interim.at(share) if plan.sequential else None
            planned = here is not None and not here.off_plan  # bounds are made for looks: days in between have none
            for name, columns in metric_columns.items():
                found = compare_metric(sums, columns, plan.control, arm, level=plan.level, days=days)
                valid = here.interval(found, relative=True) if here is not None and planned else None
                at_look = here is not None and planned and here.grouped and found.testable
                rows.append(
                    {
                        "metric": name,
                        "arm": arm,
                        "day": days[-1],
                        "information": share,
                        "n": found.absolute.n,
                        "value": found.relative.value,
                        "low": found.relative.low,
                        "high": found.relative.high,
                        "bound_low": valid.low if valid else None,
                        "bound_high": valid.high if valid else None,
                        "look": len(here.times) if here is not None and at_look else None,
                        "z": found.z if at_look else None,
                        "bound": here.bound() if here is not None and at_look else None,
                    }
                )
    return tuple(rows)


def earlier_crossings(
    plan: Plan, interim: InterimAnalysis, cumulative: Sequence[CumulativeEffect]
) -> tuple[Crossing, ...]:
    """The first crossing of each metric and arm at a look of the plan before this one.

    Where several days are near a look, the one nearest to it is that look.
    """
    if not interim.grouped:
        return ()
    found: list[Crossing] = []
    for metric in plan.primary:
        for arm in plan.treatments:
            rows = [row for row in cumulative if row["metric"] == metric.name and row["arm"] == arm and row["look"]]
            for at, time in enumerate(interim.times[:-1], 1):
                near = [row for row in rows if row["look"] == at]
                row = min(near, key=lambda each: abs(each["information"] - time), default=None)
                if (
                    row is not None
                    and row["z"] is not None
                    and row["bound"] is not None
                    and abs(row["z"]) >= row["bound"]
                ):
                    found.append(
                        Crossing(
                            metric=metric.name,
                            arm=arm,
                            look=at,
                            information=time,
                            day=row["day"],
                            z=row["z"],
                            bound=row["bound"],
                            lift=row["value"],
                        )
                    )
                    break
    return tuple(found)


def daily_values(plan: Plan, sums: Aggregates) -> tuple[DailyValue, ...]:
    """Values of the primary metrics by arm and day of first exposure: rows ``metric, arm, day, n, value``."""
    metric_columns = metric_columns_of(plan.primary, rows=sums.rows, indicators=sums.indicators)
    rows: list[DailyValue] = []
    for day in sums.days:
        for arm in sums.arms:
            moments = sums.arm(arm, days=[day])
            if moments.n:
                rows += [
                    DailyValue(
                        metric=name,
                        arm=arm,
                        day=day,
                        n=moments.n,
                        value=value_of(moments.mean, moments.columns, columns.of),
                    )
                    for name, columns in metric_columns.items()
                    if isinstance(columns.of, str) or moments.value(columns.of[1])
                ]
    return tuple(rows)
