"""Sums of an experiment from wherever its rows are: one pass of SQL by DuckDB.

Sources are Parquet or CSV files, tables of DuckDB, queries, and frames with an Arrow stream. CSV is parsed into a table
first; of the others nothing is loaded but sums, so that their size does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from reclens.data.quoting import quoted
from reclens.errors import DataError, UsageError
from reclens.experiment.aggregate.aggregates import Aggregates, Rule
from reclens.experiment.aggregate.arm_column import NO_IDS, arm_column, numbered, unit_column
from reclens.experiment.aggregate.log_checks import coarser_ids, duplicate_tally, once
from reclens.experiment.aggregate.metric_columns import MetricColumns, measures
from reclens.experiment.aggregate.missing_values import (
    COUNTED,
    gap_tallies,
    gaps_of_log,
    known,
    made_of,
    markers_of,
    with_gaps_filled,
)
from reclens.experiment.aggregate.outliers import outlier_summary
from reclens.experiment.aggregate.query import Layout, Window, layout, missing_query, per_unit, sums_query
from reclens.experiment.aggregate.source import Table, opened, present, run
from reclens.experiment.aggregate.tally import Tally, added
from reclens.experiment.aggregate.triggered import list_triggered, of_triggered
from reclens.experiment.aggregate.units import OnFault, bounded, named, one_arm_a_unit, sound, strangers_left_out
from reclens.experiment.planning.plan import Plan
from reclens.stats.moments import Moments

__all__ = ["flags_of", "gather", "gather_events"]

_FAR = 16.0  # (mean ÷ sd)² from which on squares lose digits, and a second pass takes the mean off


def gather(
    source: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    day: str | None = None,
    segments: Sequence[str] | None = None,
    counts: Sequence[str] = (),
    table: str | None = None,
    query: str | None = None,
    unknown_arms: OnFault = "error",
    two_arms: OnFault = "error",
    check_units: bool = True,
    ids: bool = True,
    indicators: bool = False,
    tails: bool = False,
    threads: int | None = None,
) -> Aggregates:
    """Sum up a table with one row a unit.

    Args:
        source: A path, a frame, a DuckDB connection, or None with a ``query`` that names its own files.
        plan: The plan: arms, unit, metrics.
        arm: Column of the arm.
        day: Column of the day (or time) of first exposure; None leaves days out.
        segments: Columns of segments; None takes those of the plan.
        counts: Columns that may not be negative, beside denominators of ratios, and numerators that are whole numbers.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.
        unknown_arms: What happens to rows whose arm the plan does not have: ``"error"``, or ``"drop"`` and count them.
        two_arms: What happens to units that stand in two arms: ``"error"``, or ``"drop"`` both rows and count them.
        check_units: Whether to look for units that stand there twice, which takes about as long as the sums.
        ids: Whether the table names the plan's unit. False: each row is a unit, and ``unknown`` lists what that hides.
        indicators: Whether every covariate gets a column of missing values, so that partitions have the same columns.
        tails: Whether to look at the largest values too, in two more passes, for the trust check against outliers.
        threads: Threads of DuckDB; sums depend on them in the last bits alone.

    Returns:
        The sums. Where covariates are missing, arms have one unit or a metric does not vary, ``rules`` says so.

    Raises:
        DataError: If a column is absent, a metric's value missing or infinite, a count negative, a share not 0 or 1,
            an arm unknown, or a unit twice there.
    """
    if plan.cluster:
        raise UsageError(
            f"the plan randomises whole '{plan.cluster}': its units have to be grouped by that. Use gather_events, "
            "with time=None for a table with one row a unit."
        )
    if not ids and plan.triggered_by_query:
        raise UsageError("ids=False was given, and the plan's triggered units are listed by their ids. Name a column.")
    with opened(source, table=table, query=query, threads=threads) as found_rows:
        arm_column(found_rows, plan, arm)
        rows = found_rows if ids else numbered(found_rows, plan.unit)
        unit_column(rows, plan.unit)
        check_units = check_units and ids
        if plan.triggered:
            list_triggered(rows, plan, Window())
        parted = plan.segments if segments is None else segments
        found = _split(
            rows,
            plan,
            lambda part, other: _summed(
                part,
                plan,
                arm=arm,
                day=day,
                segments=() if other else parted,
                counts=counts,
                unknown_arms=unknown_arms,
                two_arms=two_arms,
                check_units=check_units,
                indicators=indicators,
                tails=tails and not other,
                every_arm=not other,
            ),
        )
        finer = coarser_ids(rows, plan, plan.unit, arm, Window()) if check_units else ()
        return replace(found, coarser=finer, unknown=() if ids else NO_IDS)


def gather_events(
    source: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    time: str | None = "timestamp",
    start: date | datetime | None = None,
    largest: Sequence[str] = (),
    segments: Sequence[str] | None = None,
    counts: Sequence[str] = (),
    event_id: str | None = None,
    duplicates: Literal["keep", "drop"] = "keep",
    table: str | None = None,
    query: str | None = None,
    unknown_arms: OnFault = "error",
    two_arms: OnFault = "error",
    indicators: bool = False,
    tails: bool = False,
    threads: int | None = None,
) -> Aggregates:
    """Sum up a log of events: grouped by unit first, then as :func:`gather`.

    A unit's column is the sum over its events; ``events`` counts them. Where the plan randomises clusters, units are
    summed up by cluster then, and ``units`` counts them. A covariate ``NAME_before`` that the log does
    not have is the sum of ``NAME`` over the events before the start, and ``events_before`` counts those. The day of a
    unit is that of its first event from the start on; units without one are not in the experiment. An event without
    a value of a metric adds nothing to it; what it means for a unit to have no value at all the metric's ``missing``
    says. Missing values and duplicates are counted by arm, in ``tallies``.

    Args:
        source: As in :func:`gather`, as are the arguments that are not named here.
        plan: The plan; where it has clusters, the cluster is the unit of the sums and means become ratios to units.
        arm: Column of the arm; before the start it may be missing.
        time: Column of the time; None where every event belongs to the experiment.
        start: When the experiment began; None takes the plan's, and without one every event counts.
        largest: Columns of which a unit's largest value counts, such as ``retained_7``; those of proportions always do.
        segments: Columns that a unit has one value of; None takes those of the plan.
        counts: As in :func:`gather`.
        event_id: Column of an id that every event of a unit has once. Without it rows that are alike in every column
            are duplicates, where the log has times.
        duplicates: ``"keep"`` counts rows as they stand there; ``"drop"`` counts duplicates once. Either way they are
            counted by arm.
        table: As in :func:`gather`.
        query: As in :func:`gather`.
        unknown_arms: As in :func:`gather`.
        two_arms: As in :func:`gather`.
        indicators: As in :func:`gather`.
        tails: As in :func:`gather`.
        threads: As in :func:`gather`.
    """
    parted = tuple(plan.segments if segments is None else segments)
    if duplicates not in ("keep", "drop"):
        raise UsageError(f"duplicates is '{duplicates}', expected 'keep' or 'drop'.")
    with opened(source, table=table, query=query, threads=threads) as rows:
        window = Window(time if start or plan.start or time in rows.columns else None, start or plan.start)
        keys = [name for name in (plan.cluster, plan.unit) if name]
        arm_column(rows, plan, arm)
        made = _grouped(
            rows,
            plan,
            keys,
            window,
            arm=arm,
            largest=largest,
            segments=parted,
            counts=counts,
            event_id=event_id,
            duplicates=duplicates,
        )
        try:
            if plan.triggered:
                list_triggered(rows, plan, window)
            found = _split(
                made.units,
                plan,
                lambda part, other: _summed(
                    part,
                    plan,
                    arm="arm_low",
                    day="day_" if window.time else None,
                    segments=() if other else parted,
                    counts=counts,
                    unknown_arms=unknown_arms,
                    two_arms=two_arms,
                    check_units=False,
                    indicators=indicators,
                    tails=tails and not other,
                    unit=keys[0],
                    rows_name="units" if plan.cluster else None,
                    markers=made.markers,
                    every_arm=not other,
                ),
            )
        finally:
            run(rows, "DROP TABLE reclens_units")
        return replace(
            found, tallies=made.tallies, coarser=coarser_ids(rows, plan, keys[0], arm, window), ran=_ran(rows, window)
        )


@dataclass(frozen=True)
class _Grouped:
    """A log grouped by unit, and what was found on the way."""

    units: Table
    markers: tuple[str, ...]
    tallies: tuple[Tally, ...]


def _grouped(
    rows: Table,
    plan: Plan,
    keys: Sequence[str],
    window: Window,
    *,
    arm: str,
    largest: Sequence[str],
    segments: Sequence[str],
    counts: Sequence[str],
    event_id: str | None,
    duplicates: str,
) -> _Grouped:
    """Check the events and group them by what was randomised, as the table ``reclens_units``."""
    counted = COUNTED if plan.cluster else COUNTED[:1]
    top = {m.value for m in plan.metrics if m.kind == "proportion" and m.value} | set(largest)
    before = {
        name: name.removesuffix("_before") if name != "events_before" else "*"
        for name in plan.columns
        if name.endswith("_before") and name not in rows.columns
    }
    listed = [name for name in plan.columns if name not in before and name not in counted]
    needed = [*keys, arm, *listed, *segments, *(b for b in before.values() if b != "*")]
    present(rows, [*needed, *([window.time] if window.time else []), *([event_id] if event_id else [])])
    named(rows, keys, window)
    sound(rows, plan, counts, window)
    used = once(rows, keys, event_id, window.time) if duplicates == "drop" else rows
    gaps, tallies = gaps_of_log(used, plan, window)
    more = made_of(gaps)
    sql = per_unit(
        used.sql,
        unit=plan.unit,
        cluster=plan.cluster,
        arm=arm,
        segments=segments,
        window=window,
        sums=[n for n in listed if n not in top],
        largest=[n for n in listed if n in top],
        made=more,
        before=before,
    )
    run(rows, f"CREATE OR REPLACE TEMP TABLE reclens_units AS {sql}", window.params)
    columns = ("arm_low", "arm_high", *counted, *listed, *before, *more, *segments, keys[0])
    units = replace(rows, sql="reclens_units", columns=(*columns, *(["day_"] if window.time else [])))
    copies = duplicate_tally(rows, units, keys, window, event_id=event_id, dropped=duplicates == "drop")
    tallies = (*tallies, *gap_tallies(units, gaps), copies)
    return _Grouped(units, markers_of(gaps), known(tallies, plan.arms))


def _ran(rows: Table, window: Window) -> tuple[str, str] | None:
    """First and last day of a log; the first is that of the start, where it has one."""
    if window.time is None:
        return None
    at = f"CAST({quoted(window.time)} AS DATE)"
    first, last = run(
        rows,
        f"SELECT CAST(min({at}) AS VARCHAR), CAST(max({at}) AS VARCHAR) FROM {rows.sql} WHERE {window.sql}",
        window.params,
    )[0]
    return None if first is None else (f"{window.start:%Y-%m-%d}" if window.start else first, last)


def _split(rows: Table, plan: Plan, summed: Callable[[Table, bool], Aggregates]) -> Aggregates:
    """The sums; of a plan with triggered units those of these, with the sums of the others beside them.

    ``summed`` sums a table up; told whether it is of the other units, of which only metrics are needed.
    """
    if plan.triggered is None:
        return summed(rows, False)
    try:
        found = summed(of_triggered(rows, plan), False)
        others = of_triggered(rows, plan, triggered=False)
        if not run(others, f"SELECT count(*) FROM {others.sql}")[0][0]:
            return found
        rest = summed(others, True)
        return replace(found, untriggered=rest, tallies=added(found.tallies, rest.tallies))
    finally:
        run(rows, "DROP TABLE reclens_triggered")


def _summed(
    rows: Table,
    plan: Plan,
    *,
    arm: str,
    day: str | None,
    segments: Sequence[str],
    counts: Sequence[str],
    unknown_arms: OnFault,
    two_arms: OnFault,
    check_units: bool,
    indicators: bool,
    tails: bool,
    unit: str | None = None,
    rows_name: str | None = None,
    markers: tuple[str, ...] = (),
    every_arm: bool = True,
) -> Aggregates:
    """The pass, and a second one where covariates are missing or means stand far from zero."""
    for name, value in (("unknown_arms", unknown_arms), ("two_arms", two_arms)):
        if value not in ("error", "drop"):
            raise UsageError(f"{name} is '{value}', expected 'error' or 'drop'.")
    present(rows, [arm, unit or plan.unit, *([day] if day else []), *segments, *plan.columns, *counts])
    rules: list[Rule] = []
    tallies: tuple[Tally, ...] = ()
    if "arm_high" not in rows.columns:
        named(rows, [unit or plan.unit], Window())
        rows, markers, tallies = with_gaps_filled(rows, plan, arm)
    rows = one_arm_a_unit(rows, unit or plan.unit, arm, two_arms, check_units, rules)
    lacking: tuple[str, ...] = ()
    shifts: dict[str, dict[str, float]] = {}
    absent: dict[str, int] = {}
    places: dict[str, MetricColumns] = {}
    for _ in range(3):
        marked = (*markers, *lacking)
        places = measures(plan.metrics, rows=rows_name, indicators=marked)
        asked = layout(
            plan.metrics,
            places,
            counts=counts,
            indicators=marked,
            rows=rows_name,
            shifts=shifts,
            whole=rows.whole,
            skewness=plan.uneven,
        )
        answer = run(rows, sums_query(rows.sql, asked, arm=arm, day=day, segments=segments))
        if any(row[5] for row in answer):  # a missing value; where it is a covariate, the next pass indicates it
            absent = _missing(rows, asked)
        bounded(answer, asked, rows.where)
        wanted = asked.covariates if indicators else tuple(name for name in asked.covariates if absent.get(name))
        if wanted != lacking:
            lacking = wanted
            continue
        sums = _read(answer, asked, plan, rows.where, unknown_arms, marked, rows_name, every_arm)
        far = _far_means(sums)
        if not far or shifts:
            break
        shifts = far
    else:  # pragma: no cover - two reasons at most for another pass
        raise AssertionError("the passes do not settle")
    rules += [Rule(code="missing_covariate", count=absent[name], column=name) for name in lacking if absent.get(name)]
    found = outlier_summary(rows, plan, sums, arm=arm) if tails else None
    return replace(sums, rules=(*rules, *sums.rules, *flags_of(sums, places)), tails=found, tallies=tallies)


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
    unknown_arms: OnFault,
    lacking: tuple[str, ...],
    rows_name: str | None,
    every_arm: bool,
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
    rules = strangers_left_out(strangers, plan, where, unknown_arms)
    empty = [name for name in plan.arms if not any(cell[0] == name for cell in cells)]
    if empty and every_arm:
        raise DataError(
            f"there are no units in the arm {', '.join(empty)}; expected some in every arm of the plan",
            source=where,
            fix="Check the names of the arms in the plan and in the column.",
        )
    return Aggregates(tuple(plan.arms), columns, cells, rules, lacking, rows_name)


def _far_means(sums: Aggregates) -> dict[str, dict[str, float]]:
    """Column -> arm -> mean, of columns whose mean stands so far from 0 that their squares have lost digits."""
    arms = {name: moments for name in sums.arms if (moments := sums.arm(name)).n}
    return {
        column: {name: moments.value(column) for name, moments in arms.items()}
        for column in sums.columns
        if any(m.value(column) ** 2 > _FAR * m.variance(column, ddof=0) for m in arms.values())
        and any(m.value(column) for m in arms.values())
    }


def flags_of(sums: Aggregates, places: Mapping[str, MetricColumns]) -> list[Rule]:
    """What can be summed up and not be compared."""
    found: list[Rule] = []
    for arm in sums.arms:
        moments = sums.arm(arm)
        if moments.n < 2:
            found.append(Rule(code="one_unit", count=1, arm=arm))
            continue
        flat = [
            name for name, place in places.items() if not place.counted and not moments.variance(place.columns[0]) > 0
        ]
        found += [Rule(code="no_variance", count=moments.n, arm=arm, metric=name) for name in flat]
    return found
