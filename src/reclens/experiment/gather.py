"""Sums of an experiment from wherever its rows are: one pass of SQL by DuckDB.

Sources are a Parquet or CSV file (or a glob of them), a table of a DuckDB file or connection, a query, and any frame
with an Arrow stream (Polars, pandas, PyArrow). Of Parquet and databases nothing is loaded but sums, so
that their size does not matter; CSV is parsed into a table first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.data.arrow import ArrowStream
from reclens.data.quoting import quoted
from reclens.errors import DataError, UsageError
from reclens.experiment.plan import Plan
from reclens.experiment.query import Layout, layout, missing_query, per_unit, sums_query
from reclens.experiment.source import Table, opened, present, run
from reclens.experiment.sums import Measure, Sums, measures
from reclens.experiment.tails import tails_of
from reclens.stats.moments import Moments

__all__ = ["OnFault", "gather", "gather_events"]

OnFault = Literal["error", "drop"]
_MANY = 20_000_000  # ids beyond which distinct ones are counted within DuckDB, which can spill to disk
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
    indicators: bool = False,
    tails: bool = False,
    threads: int | None = None,
) -> Sums:
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
        indicators: Whether every covariate gets the column of its missing values even where none is missing, so that
            the sums of several partitions have the same columns.
        tails: Whether to look at the largest values too, in two more passes, for the guard against outliers.
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
    with opened(source, table=table, query=query, threads=threads) as rows:
        return _summed(rows, plan, arm=arm, day=day, segments=plan.segments if segments is None else segments,
                       counts=counts, unknown_arms=unknown_arms, two_arms=two_arms, check_units=check_units,
                       indicators=indicators, tails=tails)  # fmt: skip


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
    table: str | None = None,
    query: str | None = None,
    unknown_arms: OnFault = "error",
    two_arms: OnFault = "error",
    indicators: bool = False,
    tails: bool = False,
    threads: int | None = None,
) -> Sums:
    """Sum up a log of events: grouped by unit first, then as :func:`gather`.

    A unit's column is the sum over its events; ``events`` counts them. Where the plan randomises clusters, units are
    summed up by cluster then, and ``units`` counts them. A covariate ``NAME_before`` that the log does
    not have is the sum of ``NAME`` over the events before the start, and ``events_before`` counts those. The day of a
    unit is that of its first event from the start on; units without one are not in the experiment.

    Args:
        source: As in :func:`gather`, as are the arguments that are not named here.
        plan: The plan; where it has clusters, the cluster is the unit of the sums and means become ratios to units.
        arm: Column of the arm; before the start it may be missing.
        time: Column of the time; None where every event belongs to the experiment.
        start: When the experiment began; None takes the plan's, and without one every event counts.
        largest: Columns of which a unit's largest value counts, such as ``retained_7``; those of proportions always do.
        segments: Columns that a unit has one value of; None takes those of the plan.
        counts: As in :func:`gather`.
        table: As in :func:`gather`.
        query: As in :func:`gather`.
        unknown_arms: As in :func:`gather`.
        two_arms: As in :func:`gather`.
        indicators: As in :func:`gather`.
        tails: As in :func:`gather`.
        threads: As in :func:`gather`.
    """
    begun = start or plan.start
    parted = tuple(plan.segments if segments is None else segments)
    counted = ("events", "units") if plan.cluster else ("events",)
    with opened(source, table=table, query=query, threads=threads) as rows:
        at = time if begun is not None else None
        top = {m.value for m in plan.metrics if m.kind == "proportion" and m.value} | set(largest)
        before = {
            name: name.removesuffix("_before") if name != "events_before" else "*"
            for name in plan.columns
            if name.endswith("_before") and name not in rows.columns
        }
        listed = [name for name in plan.columns if name not in before and name not in counted]
        keys = [name for name in (plan.cluster, plan.unit) if name]
        present(rows, [*keys, arm, *listed, *parted, *([at] if at else []), *(b for b in before.values() if b != "*")])
        _named(rows, keys, at, begun)
        _sound(rows, plan, counts, at, begun)
        sql = per_unit(rows.sql, unit=plan.unit, cluster=plan.cluster, arm=arm, segments=parted, time=at,
                       sums=[n for n in listed if n not in top], largest=[n for n in listed if n in top],
                       before=before)  # fmt: skip
        run(rows, f"CREATE OR REPLACE TEMP TABLE reclens_units AS {sql}", {"start": begun} if at else None)
        made = ("arm_low", "arm_high", *counted, *listed, *before, *parted, keys[0], *(["day_"] if at else []))
        grouped = replace(rows, sql="reclens_units", columns=made)
        try:
            return _summed(grouped, plan, arm="arm_low", day="day_" if at else None, segments=parted, counts=counts,
                           unknown_arms=unknown_arms, two_arms=two_arms, check_units=False, indicators=indicators,
                           tails=tails, unit=keys[0], rows_name="units" if plan.cluster else None)  # fmt: skip
        finally:
            run(rows, "DROP TABLE reclens_units")


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
) -> Sums:
    """The pass, and a second one where covariates are missing or means stand far from zero."""
    for name, value in (("unknown_arms", unknown_arms), ("two_arms", two_arms)):
        if value not in ("error", "drop"):
            raise UsageError(f"{name} is '{value}', expected 'error' or 'drop'.")
    present(rows, [arm, unit or plan.unit, *([day] if day else []), *segments, *plan.columns, *counts])
    rules: list[dict[str, Any]] = []
    if "arm_high" not in rows.columns:
        _named(rows, [unit or plan.unit])
    rows = _one_arm_a_unit(rows, unit or plan.unit, arm, two_arms, check_units, rules)
    lacking: tuple[str, ...] = ()
    shifts: dict[str, dict[str, float]] = {}
    absent: dict[str, int] = {}
    places: dict[str, Measure] = {}
    for _ in range(3):
        places = measures(plan.metrics, rows=rows_name, indicators=lacking)
        asked = layout(plan.metrics, places, counts=counts, indicators=lacking, rows=rows_name, shifts=shifts,
                       whole=rows.whole)  # fmt: skip
        answer = run(rows, sums_query(rows.sql, asked, arm=arm, day=day, segments=segments))
        if any(row[5] for row in answer):  # a missing value; where it is a covariate, the next pass indicates it
            absent = _missing(rows, asked)
        _bounded(answer, asked, rows.where)
        wanted = asked.covariates if indicators else tuple(name for name in asked.covariates if absent.get(name))
        if wanted != lacking:
            lacking = wanted
            continue
        sums = _read(answer, asked, plan, rows.where, unknown_arms, lacking, rows_name)
        far = _far_means(sums)
        if not far or shifts:
            break
        shifts = far
    else:  # pragma: no cover - two reasons at most for another pass
        raise AssertionError("the passes do not settle")
    rules += [
        {"rule": "missing covariates count 0, and an indicator adjusts for it", "count": absent[name],
         "detail": f"'{name}' is missing for {absent[name]:,} units"}
        for name in lacking
        if absent.get(name)
    ]  # fmt: skip
    found = tails_of(rows, plan, sums, arm=arm) if tails else None
    return replace(sums, rules=(*rules, *sums.rules, *_flags(sums, places)), tails=found)


def _named(rows: Table, keys: Sequence[str], time: str | None = None, start: date | datetime | None = None) -> None:
    """Refuse rows of the experiment that belong to no unit: nobody knows how many units they are."""
    lacking = ", ".join(f"count(*) - count({quoted(name)})" for name in keys)
    within = f" WHERE {quoted(time)} >= $start" if time else ""
    counts = run(rows, f"SELECT {lacking} FROM {rows.sql}{within}", {"start": start} if time else None)[0]
    for name, count in zip(keys, counts, strict=True):
        if count:
            raise DataError(f"{count:,} rows name no unit; expected one in every row", source=rows.where, column=name,
                            fix="Find out whose they are, or leave them out before.")  # fmt: skip


def _sound(rows: Table, plan: Plan, counts: Sequence[str], time: str | None, start: date | datetime | None) -> None:
    """Refuse events with a negative count or with a share other than 0 and 1, which sums over events would hide."""
    shares = [m for m in plan.metrics if m.kind == "proportion"]
    ratios = [m for m in plan.metrics if m.kind == "ratio"]
    asked = layout((*shares, *ratios), measures((*shares, *ratios)), counts=counts, whole=rows.whole)
    asked = replace(asked, **{kind: tuple(n for n in getattr(asked, kind) if n in rows.columns)
                              for kind in ("counts", "shares")})  # fmt: skip
    if not asked.bounded:
        return
    ends = [f"{end}(CAST({quoted(n)} AS DOUBLE))" for n in asked.bounded for end in ("min", "max")]
    odd = [f"max(CAST({quoted(n)} AS DOUBLE)) FILTER (CAST({quoted(n)} AS DOUBLE) NOT IN (0, 1))"
           for n in asked.bounded if n in asked.shares]  # fmt: skip
    within = f" WHERE {quoted(time)} >= $start" if time else ""
    answer = run(rows, f"SELECT NULL, NULL, 'overall', NULL, NULL, NULL, {', '.join([*ends, *odd])} FROM {rows.sql}"
                       f"{within}", {"start": start} if time else None)  # fmt: skip
    _bounded(answer, asked, rows.where)


def _one_arm_a_unit(
    rows: Table, unit: str, arm: str, two_arms: OnFault, check: bool, rules: list[dict[str, Any]]
) -> Table:
    """Units in two arms, found: an error, or left out and counted."""
    at = quoted(unit)
    if "arm_high" in rows.columns:  # grouped events: one row a unit, that knows its smallest and largest arm
        crossed = int(run(rows, f"SELECT count(*) FILTER (arm_low <> arm_high) FROM {rows.sql}")[0][0])
        keep = f"(SELECT * FROM {rows.sql} WHERE arm_low = arm_high OR arm_low IS NULL)"
        example = f"SELECT {at} FROM {rows.sql} WHERE arm_low <> arm_high LIMIT 1"
    elif check:
        total, units = _distinct(rows, at)
        if total == units:
            return rows
        doubled = (
            f"SELECT {at} FROM {rows.sql} GROUP BY {at} HAVING count(DISTINCT coalesce(CAST({quoted(arm)} AS VARCHAR), "
            "'')) > 1"
        )
        crossed = int(run(rows, f"SELECT count(*) FROM ({doubled})")[0][0])
        repeated = total - units - crossed
        if repeated > 0:
            raise DataError(
                f"{total:,} rows hold {units:,} units, and {crossed:,} of these stand in two arms; expected one row a "
                "unit", source=rows.where, column=unit, fix="Sum the rows up by unit, or use gather_events.",
            )  # fmt: skip
        keep = f"(SELECT * FROM {rows.sql} WHERE {at} NOT IN ({doubled}))"
        example = f"{doubled} LIMIT 1"
    else:
        return rows
    if not crossed:
        return rows
    if two_arms == "error":
        one = run(rows, example)[0][0]
        raise DataError(
            f"{crossed:,} units stand in two arms, such as {one!r}; expected one arm a unit", source=rows.where,
            column=unit, fix='Find out how they crossed over, or leave them out and count them by two_arms="drop".',
        )  # fmt: skip
    rules.append({"rule": "units in two arms left out", "count": crossed, "detail": f"{rows.where}, column '{unit}'"})
    return replace(rows, sql=keep)


def _distinct(rows: Table, at: str) -> tuple[int, int]:
    """Rows with a unit, and distinct units: by Polars where the ids fit into memory, which is faster."""
    if run(rows, f"SELECT count(*) FROM {rows.sql}")[0][0] > _MANY:
        total, units = run(rows, f"SELECT count({at}), count(DISTINCT {at}) FROM {rows.sql}")[0]
        return int(total), int(units)
    ids = pl.DataFrame(ArrowStream(rows.connection.sql(f"SELECT {at} AS unit FROM {rows.sql}")))["unit"].drop_nulls()
    if any(ids.dtype == kind for kind in (pl.Int32, pl.Int64, pl.UInt32)) and len(ids):
        codes = ids.cast(pl.Int64).to_numpy()
        low, high = int(codes.min()), int(codes.max())
        if high - low < 8 * len(codes):  # a flag an id instead of a table of hashes
            seen = np.zeros(high - low + 1, bool)
            seen[codes - low] = True
            return len(ids), int(seen.sum())
    return len(ids), ids.n_unique()


def _missing(rows: Table, asked: Layout) -> dict[str, int]:
    """How often each covariate is missing; what the metrics themselves need may not be."""
    counts = run(rows, missing_query(rows.sql, asked))[0]
    absent = {name: int(n) for name, n in zip((*asked.needed, *asked.covariates), counts, strict=True)}
    for name in asked.needed:
        if absent[name]:
            raise DataError(
                f"{absent[name]:,} units have no value", source=rows.where, column=name,
                fix="Give them 0 where that is what it means, or leave those units out before.",
            )  # fmt: skip
    return {name: absent[name] for name in asked.covariates}


def _bounded(answer: Sequence[Sequence[Any]], asked: Layout, where: str) -> None:
    """Refuse counts below 0, and shares that are neither 0 nor 1."""
    overall, at = [row for row in answer if row[2] == "overall"], 6
    for i, name in enumerate(asked.bounded):
        low = min((row[at + 2 * i] for row in overall if row[at + 2 * i] is not None), default=0.0)
        if low < 0 and name not in asked.shares:
            raise DataError(f"the smallest value is {low:g}; expected a count, 0 or more", source=where, column=name,
                            fix="Mend the query that counted.")  # fmt: skip
    at += 2 * len(asked.bounded)
    for i, name in enumerate(name for name in asked.bounded if name in asked.shares):
        wrong = [row[at + i] for row in overall if row[at + i] is not None]
        if wrong:
            raise DataError(f"there is the value {max(wrong):g}; expected 0 or 1 for a proportion", source=where,
                            column=name, fix='Say kind = "mean", or count each unit once.')  # fmt: skip


def _read(
    answer: Sequence[Sequence[Any]],
    asked: Layout,
    plan: Plan,
    where: str,
    unknown_arms: OnFault,
    lacking: tuple[str, ...],
    rows_name: str | None,
) -> Sums:
    """The rows of the query as sums."""
    columns = tuple(asked.expressions)
    cells: dict[tuple[str, str | None, str, str], Moments] = {}
    strangers: dict[str, int] = {}
    for arm, day, by, segment, n, *rest in answer:
        if arm not in plan.arms:
            if by == "overall":
                name = "(missing)" if arm is None else arm
                strangers[name] = strangers.get(name, 0) + int(n)
            continue
        numbers = [float(value) if value is not None else math.nan for value in rest[asked.first_sum - 5 :]]
        sums = dict(zip(columns, numbers, strict=False))
        products = dict(zip(asked.pairs, numbers[len(columns) :], strict=True))
        wrong = [name for name, value in sums.items() if not math.isfinite(value)]
        if wrong:
            raise DataError("a value is not a number, or infinite", source=where, column=wrong[0],
                            fix="Mend or leave out those units before.")  # fmt: skip
        shifts = {name: by_arm.get(arm, 0.0) for name, by_arm in asked.shifts.items()}
        cells[str(arm), day, by, segment] = Moments.of_sums(int(n), sums, products, shifts=shifts)
    rules: tuple[dict[str, Any], ...] = ()
    if strangers:
        seen = ", ".join(f"'{name}' ({n:,} units)" for name, n in sorted(strangers.items()))
        if unknown_arms == "error":
            raise DataError(
                f"there are arms that the plan does not have: {seen}; expected {', '.join(plan.arms)}", source=where,
                fix='Correct the plan, or leave these rows out and count them by unknown_arms="drop".',
            )  # fmt: skip
        rules = ({"rule": "rows of unknown arms left out", "count": sum(strangers.values()), "detail": seen},)
    empty = [name for name in plan.arms if not any(cell[0] == name for cell in cells)]
    if empty:
        raise DataError(f"there are no units in the arm {', '.join(empty)}; expected some in every arm of the plan",
                        source=where, fix="Check the names of the arms in the plan and in the column.")  # fmt: skip
    return Sums(tuple(plan.arms), columns, cells, rules, lacking, rows_name)


def _far_means(sums: Sums) -> dict[str, dict[str, float]]:
    """Column -> arm -> mean, of columns whose mean stands so far from 0 that their squares have lost digits."""
    arms = {name: sums.arm(name) for name in sums.arms}
    return {
        column: {name: moments.value(column) for name, moments in arms.items()}
        for column in sums.columns
        if any(m.value(column) ** 2 > _FAR * m.variance(column, ddof=0) for m in arms.values())
        and any(m.value(column) for m in arms.values())
    }


def _flags(sums: Sums, places: Mapping[str, Measure]) -> list[dict[str, Any]]:
    """What can be summed up and not be compared."""
    found: list[dict[str, Any]] = []
    for arm in sums.arms:
        moments = sums.arm(arm)
        if moments.n < 2:
            found.append({"rule": "an arm of one unit has no variance", "count": 1, "detail": f"arm '{arm}'"})
            continue
        flat = [name for name, place in places.items() if not moments.variance(place.columns[0]) > 0]
        found += [{"rule": "a metric without variance cannot be tested", "count": moments.n,
                   "detail": f"'{name}' has one value in arm '{arm}'"} for name in flat]  # fmt: skip
    return found
