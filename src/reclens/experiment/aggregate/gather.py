"""Sums of an experiment from wherever its rows are: one pass of SQL by DuckDB.

Sources are Parquet or CSV files, tables of DuckDB, queries, and frames with an Arrow stream. CSV is parsed into a table
first; of the others nothing is loaded but sums, so that their size does not matter. Polars adds up a plain frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal

from reclens.data.quoting import quoted
from reclens.data.warehouse import Warehouse
from reclens.errors import Advice, ArgumentValueError, Setting, UsageError
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.arm_column import NAME_UNITS, NO_IDS, arm_column, numbered, unit_column
from reclens.experiment.aggregate.log_checks import coarser_ids, duplicate_tally, once
from reclens.experiment.aggregate.missing_values import (
    COUNTED,
    gap_tallies,
    gaps_of_log,
    known,
    made_of,
    markers_of,
)
from reclens.experiment.aggregate.query import Window, per_unit
from reclens.experiment.aggregate.source import Table, kept, let_go, opened, present, run
from reclens.experiment.aggregate.summing import Summing, summed
from reclens.experiment.aggregate.tally import Tally, added
from reclens.experiment.aggregate.triggered import TRIGGERED, list_triggered, of_triggered
from reclens.experiment.aggregate.units import OnFault, named, sound
from reclens.experiment.planning.plan import Plan

__all__ = ["gather", "gather_events"]


_GROUPED: Final = Advice(
    "group_units",
    (Setting("time"),),
    "Use gather_events, whose {time} is None for a table with one row a unit.",
)


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
    """Aggregate a table with one row per unit.

    Args:
        source: A path, a frame, a DuckDB connection, a :class:`~reclens.data.warehouse.Warehouse`, a frame of Spark, or
            None with a ``query`` that names its own files.
        plan: The plan: arms, unit, metrics.
        arm: Column of the arm.
        day: Column of the day (or time) of first exposure; None leaves days out.
        segments: Columns of segments; None takes those of the plan.
        counts: Further columns that must not be negative; denominators of ratios and integer numerators are always
            checked.
        table: Table of a DuckDB file or connection, or of a warehouse.
        query: A SELECT to read instead, of DuckDB's SQL.
        unknown_arms: What happens to rows whose arm the plan does not have: ``"error"``, or ``"drop"`` and count them.
        two_arms: Treatment of units in two arms: ``"error"``, or ``"drop"`` to leave out their rows and count them.
        check_units: Whether to check for repeated units, which takes about as long as the aggregation.
        ids: Whether the table names the plan's unit. False: each row is a unit, and ``unknown`` lists what that hides.
        indicators: Whether every covariate gets a column of missing values, so that partitions have the same columns.
        tails: Whether to collect the largest values, in two more passes, for the trust check for outliers.
        threads: Threads of DuckDB; sums depend on them in the last bits alone.

    Returns:
        The sums. Where covariates are missing, arms have one unit or a metric does not vary, ``rules`` says so.

    Raises:
        DataError: If a column is absent, a metric's value missing or infinite, a count negative, a share not 0 or 1,
            an arm unknown, or a unit twice there.
    """
    if plan.cluster:
        raise UsageError(
            f"the plan randomises whole '{plan.cluster}': its units have to be grouped by that",
            advice=_GROUPED,
        )
    if not ids and plan.triggered_by_query:
        raise UsageError(
            "the rows are said to have no ids, and the plan's triggered units are listed by their ids",
            advice=NAME_UNITS,
        )
    with opened(source, table=table, query=query, threads=threads) as found_rows:
        _in_warehouse(found_rows, tails=tails, ids=ids)
        arm_column(found_rows, plan, arm)
        rows = found_rows if ids else numbered(found_rows, plan.unit)
        unit_column(rows, plan.unit)
        check_units = check_units and ids
        listed = list_triggered(rows, plan, Window()) if plan.triggered else None
        found = _split(
            rows,
            plan,
            Summing(
                arm=arm,
                day=day,
                segments=plan.segments if segments is None else segments,
                counts=counts,
                unknown_arms=unknown_arms,
                two_arms=two_arms,
                check_units=check_units,
                indicators=indicators,
                tails=tails,
            ),
            listed,
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
        raise ArgumentValueError("duplicates", f"is '{duplicates}', expected 'keep' or 'drop'.")
    with opened(source, table=table, query=query, threads=threads) as rows:
        _in_warehouse(rows, tails=tails)
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
            listed = list_triggered(rows, plan, window) if plan.triggered else None
            found = _split(
                made.units,
                plan,
                Summing(
                    arm="arm_low",
                    day="day_" if window.time else None,
                    segments=parted,
                    counts=counts,
                    unknown_arms=unknown_arms,
                    two_arms=two_arms,
                    indicators=indicators,
                    tails=tails,
                    unit=keys[0],
                    rows_name="units" if plan.cluster else None,
                    markers=made.markers,
                ),
                listed,
            )
        finally:
            let_go(rows, "reclens_units")
        return replace(
            found, tallies=made.tallies, coarser=coarser_ids(rows, plan, keys[0], arm, window), ran=_ran(rows, window)
        )


@dataclass(frozen=True)
class _Grouped:
    """A log grouped by unit, and the problems that were found."""

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
    made = kept(rows, "reclens_units", sql, window.params)
    columns = ("arm_low", "arm_high", *counted, *listed, *before, *more, *segments, keys[0])
    units = replace(rows, sql=made, columns=(*columns, *(["day_"] if window.time else [])))
    copies = duplicate_tally(rows, units, keys, window, event_id=event_id, dropped=duplicates == "drop")
    tallies = (*tallies, *gap_tallies(units, gaps), copies)
    return _Grouped(units, markers_of(gaps), known(tallies, plan.arms))


def _in_warehouse(rows: Table, *, tails: bool, ids: bool = True) -> None:
    """Refuse what is not summed up in a warehouse.

    Raises:
        UsageError: If it is asked for.
    """
    asked = {"the largest values": tails, "a table without ids": not ids}
    if isinstance(rows.connection, Warehouse) and any(asked.values()):
        first = next(what for what, wanted in asked.items() if wanted)
        raise UsageError(f"{first} cannot be read in a warehouse. Read the table itself, or leave that out.")


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


def _split(rows: Table, plan: Plan, of: Summing, listed: str | None) -> Aggregates:
    """The sums; of a plan with triggered units those of these, with the sums of the others beside them."""
    if listed is None:
        return summed(rows, plan, of)
    try:
        found = summed(of_triggered(rows, plan, listed), plan, of)
        others = of_triggered(rows, plan, listed, triggered=False)
        if not run(others, f"SELECT count(*) FROM {others.sql}")[0][0]:
            return found
        rest = summed(others, plan, of.of_others)
        return replace(found, untriggered=rest, tallies=added(found.tallies, rest.tallies))
    finally:
        let_go(rows, TRIGGERED)
