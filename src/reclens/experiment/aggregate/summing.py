"""The pass over the rows of an experiment: sums by arm, day and segment, and what was found on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reclens.errors import ArgumentValueError, DataError
from reclens.experiment.aggregate.aggregates import Aggregates, Rule
from reclens.experiment.aggregate.frame_cells import cells_of_frame
from reclens.experiment.aggregate.metric_columns import MetricColumns, metric_columns_of
from reclens.experiment.aggregate.missing_values import (
    with_gaps_filled,
)
from reclens.experiment.aggregate.outliers import outlier_summary
from reclens.experiment.aggregate.query import Layout, Window, layout, missing_query, sums_query
from reclens.experiment.aggregate.source import Table, present, run
from reclens.experiment.aggregate.tally import Tally
from reclens.experiment.aggregate.units import OnFault, bounded, named, one_arm_a_unit, strangers_left_out
from reclens.experiment.planning.plan import Plan
from reclens.stats.moments import Moments

__all__ = ["Summing", "flags_of", "summed"]

_FAR = 16.0  # (mean ÷ sd)² from which on squares lose digits, and a second pass takes the mean off


@dataclass(frozen=True, kw_only=True)
class Summing:
    """What is summed up of a table, and what happens where it is not as it has to be.

    Attributes:
        arm: Column of the arm.
        day: Column of the day; None leaves days out.
        segments: Columns of segments.
        counts: Columns that may not be negative.
        unknown_arms: Whether rows of other arms are an error, or dropped and counted.
        two_arms: Likewise, units in two arms.
        check_units: Whether to look for units that stand there twice.
        indicators: Whether every covariate gets a column of missing values.
        tails: Whether to look at the largest values too.
        unit: Column of the unit; None takes the plan's.
        rows_name: Column that counts the rows of a unit, where it stands for several.
        markers: Columns of missing values that are there already.
        every_arm: Whether an arm without a unit is an error.
    """

    arm: str
    day: str | None = None
    segments: Sequence[str] = ()
    counts: Sequence[str] = ()
    unknown_arms: OnFault = "error"
    two_arms: OnFault = "error"
    check_units: bool = False
    indicators: bool = False
    tails: bool = False
    unit: str | None = None
    rows_name: str | None = None
    markers: tuple[str, ...] = ()
    every_arm: bool = True

    def __post_init__(self) -> None:
        for name, value in (("unknown_arms", self.unknown_arms), ("two_arms", self.two_arms)):
            if value not in ("error", "drop"):
                raise ArgumentValueError(name, f"is '{value}', expected 'error' or 'drop'.")

    @property
    def of_others(self) -> Summing:
        """The same of the units that were not triggered, of which only metrics are needed."""
        return replace(self, segments=(), tails=False, every_arm=False)


def summed(rows: Table, plan: Plan, of: Summing) -> Aggregates:
    """The pass, and a second one where covariates are missing or means stand far from zero."""
    arm, unit, rows_name, markers = of.arm, of.unit or plan.unit, of.rows_name, of.markers
    present(rows, [arm, unit, *([of.day] if of.day else []), *of.segments, *plan.columns, *of.counts])
    rules: list[Rule] = []
    tallies: tuple[Tally, ...] = ()
    if "arm_high" not in rows.columns:
        named(rows, [unit], Window())
        rows, markers, tallies = with_gaps_filled(rows, plan, arm)
    rows = one_arm_a_unit(rows, unit, arm, of.two_arms, of.check_units, rules)
    lacking: tuple[str, ...] = ()
    shifts: dict[str, dict[str, float]] = {}
    absent: dict[str, int] = {}
    metric_columns: dict[str, MetricColumns] = {}
    for _ in range(3):
        marked = (*markers, *lacking)
        metric_columns = metric_columns_of(plan.metrics, rows=rows_name, indicators=marked)
        asked = layout(
            plan.metrics,
            metric_columns,
            counts=of.counts,
            indicators=marked,
            rows=rows_name,
            shifts=shifts,
            whole=rows.whole,
            skewness=plan.uneven,
        )
        answer = _cells(rows, asked, plan, of)
        if any(row[5] for row in answer):  # a missing value; where it is a covariate, the next pass indicates it
            absent = _missing(rows, asked)
        bounded(answer, asked, rows.where)
        wanted = asked.covariates if of.indicators else tuple(name for name in asked.covariates if absent.get(name))
        if wanted != lacking:
            lacking = wanted
            continue
        sums = _read(answer, asked, plan, rows.where, of, marked)
        far = _far_means(sums)
        if not far or shifts:
            break
        shifts = far
    else:  # pragma: no cover - two reasons at most for another pass
        raise AssertionError("the passes do not settle")
    rules += [Rule(code="missing_covariate", count=absent[name], column=name) for name in lacking if absent.get(name)]
    found = outlier_summary(rows, plan, sums, arm=arm) if of.tails else None
    return replace(sums, rules=(*rules, *sums.rules, *flags_of(sums, metric_columns)), tails=found, tallies=tallies)


def _cells(rows: Table, asked: Layout, plan: Plan, of: Summing) -> list[tuple[Any, ...]]:
    """The rows of the query."""
    if rows.frame is not None and rows.sql == "source" and not of.day and not of.segments:
        found = cells_of_frame(rows.frame, asked, plan, of.arm)
        if found is not None:
            return found
    return run(rows, sums_query(rows.sql, asked, arm=of.arm, day=of.day, segments=of.segments))


def _missing(rows: Table, asked: Layout) -> dict[str, int]:
    """How often each covariate is missing; what the metrics themselves need may not be."""
    counts = run(rows, missing_query(rows.sql, asked))[0]
    absent = {name: int(n) for name, n in zip((*asked.needed, *asked.covariates), counts, strict=True)}
    for name in asked.needed:
        if absent[name]:
            raise DataError(
                f"{absent[name]:,} units have no value",
                source=rows.where,
                column=name,
                fix="Give them 0 where that is what it means, or leave those units out before.",
            )
    return {name: absent[name] for name in asked.covariates}


def _read(
    answer: Sequence[Sequence[Any]],
    asked: Layout,
    plan: Plan,
    where: str,
    of: Summing,
    lacking: tuple[str, ...],
) -> Aggregates:
    """The rows of the query as sums."""
    columns = tuple(asked.expressions)
    cells: dict[tuple[str, str | None, str, str], Moments] = {}
    strangers: dict[str, int] = {}
    for arm, day, by, segment, n, *rest in answer:
        if arm not in plan.arms:
            if by == "overall":
                name = "" if arm is None else arm
                strangers[name] = strangers.get(name, 0) + int(n)
            continue
        numbers = [float(value) if value is not None else math.nan for value in rest[asked.first_sum - 5 :]]
        sums = dict(zip(columns, numbers, strict=False))
        products = dict(zip(asked.products, numbers[len(columns) :], strict=True))
        wrong = [name for name, value in sums.items() if not math.isfinite(value)]
        if wrong:
            raise DataError(
                "a value is not a number, or infinite",
                source=where,
                column=wrong[0],
                fix="Mend or leave out those units before.",
            )
        shifts = {name: by_arm.get(arm, 0.0) for name, by_arm in asked.shifts.items()}
        cells[str(arm), day, by, segment] = Moments.of_sums(int(n), sums, products, shifts=shifts)
    rules = strangers_left_out(strangers, plan, where, of.unknown_arms)
    empty = [name for name in plan.arms if not any(cell[0] == name for cell in cells)]
    if empty and of.every_arm:
        raise DataError(
            f"there are no units in the arm {', '.join(empty)}; expected some in every arm of the plan",
            source=where,
            fix="Check the names of the arms in the plan and in the column.",
        )
    return Aggregates(
        arms=tuple(plan.arms), columns=columns, cells=cells, rules=rules, indicators=lacking, rows=of.rows_name
    )


def _far_means(sums: Aggregates) -> dict[str, dict[str, float]]:
    """Column -> arm -> mean, of columns whose mean stands so far from 0 that their squares have lost digits."""
    arms = {name: moments for name in sums.arms if (moments := sums.arm(name)).n}
    return {
        column: {name: moments.value(column) for name, moments in arms.items()}
        for column in sums.columns
        if any(m.value(column) ** 2 > _FAR * m.variance(column, ddof=0) for m in arms.values())
        and any(m.value(column) for m in arms.values())
    }


def flags_of(sums: Aggregates, metric_columns: Mapping[str, MetricColumns]) -> list[Rule]:
    """What can be summed up and not be compared."""
    found: list[Rule] = []
    for arm in sums.arms:
        moments = sums.arm(arm)
        if moments.n < 2:
            found.append(Rule(code="one_unit", count=1, arm=arm))
            continue
        flat = [
            name
            for name, each in metric_columns.items()
            if not each.counted and not moments.variance(each.columns[0]) > 0
        ]
        found += [Rule(code="no_variance", count=moments.n, arm=arm, metric=name) for name in flat]
    return found
