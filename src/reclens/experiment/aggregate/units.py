"""Units of an experiment: each has a name and stands in one arm, counts are not negative, and shares are 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.data.quoting import quoted
from reclens.data.read.arrow import ArrowStream
from reclens.data.warehouse import Warehouse
from reclens.errors import Advice, DataError, Setting
from reclens.experiment.aggregate.aggregates import Rule
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.aggregate.query import Layout, Window, layout
from reclens.experiment.aggregate.source import Table, run
from reclens.experiment.planning.plan import Plan

__all__ = ["OnFault", "bounded", "named", "one_arm_a_unit", "sound", "strangers_left_out"]

OnFault = Literal["error", "drop"]
_MANY = 20_000_000  # ids beyond which distinct ones are counted within DuckDB, which can spill to disk


def named(rows: Table, keys: Sequence[str], window: Window) -> None:
    """Refuse rows of the experiment that belong to no unit: nobody knows how many units they are."""
    lacking = ", ".join(f"count(*) - count({quoted(name)})" for name in keys)
    counts = run(rows, f"SELECT {lacking} FROM {rows.sql} WHERE {window.sql}", window.params)[0]
    for name, count in zip(keys, counts, strict=True):
        if count:
            raise DataError(
                f"{count:,} rows name no unit; expected one in every row",
                source=rows.where,
                column=name,
                fix="Find out whose they are, or leave them out before.",
            )


def sound(rows: Table, plan: Plan, counts: Sequence[str], window: Window) -> None:
    """Refuse events with a negative count or with a share other than 0 and 1, which sums over events would hide."""
    shares = [m for m in plan.metrics if m.kind == "proportion"]
    ratios = [m for m in plan.metrics if m.kind == "ratio"]
    asked = layout((*shares, *ratios), metric_columns_of((*shares, *ratios)), counts=counts, whole=rows.whole)
    asked = replace(
        asked, **{kind: tuple(n for n in getattr(asked, kind) if n in rows.columns) for kind in ("counts", "shares")}
    )
    if not asked.bounded:
        return
    ends = [f"{end}(CAST({quoted(n)} AS DOUBLE))" for n in asked.bounded for end in ("min", "max")]
    odd = [
        f"max(CAST({quoted(n)} AS DOUBLE)) FILTER (CAST({quoted(n)} AS DOUBLE) NOT IN (0, 1))"
        for n in asked.bounded
        if n in asked.shares
    ]
    answer = run(
        rows,
        f"SELECT NULL, NULL, 'overall', NULL, NULL, NULL, {', '.join([*ends, *odd])} FROM {rows.sql} "
        f"WHERE {window.sql}",
        window.params,
    )
    bounded(answer, asked, rows.where)


def one_arm_a_unit(rows: Table, unit: str, arm: str, two_arms: OnFault, check: bool, rules: list[Rule]) -> Table:
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
                "unit",
                source=rows.where,
                column=unit,
                fix=Advice("sum_up_units", text="Sum the rows up by unit, or use rl.experiment.gather_events."),
            )
        keep = f"(SELECT * FROM {rows.sql} WHERE {at} NOT IN ({doubled}))"
        example = f"{doubled} LIMIT 1"
    else:
        return rows
    if not crossed:
        return rows
    if two_arms == "error":
        one = run(rows, example)[0][0]
        raise DataError(
            f"{crossed:,} units stand in two arms, such as {one!r}; expected one arm a unit",
            source=rows.where,
            column=unit,
            fix=Advice(
                "drop_two_arms",
                (Setting("two_arms", "drop"),),
                "Find out how they crossed over, or leave them out and count them by {two_arms}.",
            ),
        )
    rules.append(Rule(code="two_arms", count=crossed, table=rows.where, column=unit))
    return replace(rows, sql=keep)


def strangers_left_out(strangers: Mapping[str, int], plan: Plan, where: str, unknown_arms: OnFault) -> tuple[Rule, ...]:
    """Units of arms that the plan does not have: an error, or left out and counted.

    Args:
        strangers: Arm -> units; an empty name stands for a missing one.
        plan: The plan.
        where: The table.
        unknown_arms: What happens to them.

    Raises:
        DataError: If there are any, and they are an error.
    """
    if not strangers:
        return ()
    if unknown_arms == "error":
        seen = ", ".join(f"'{name or '(missing)'}' ({n:,} units)" for name, n in sorted(strangers.items()))
        raise DataError(
            f"there are arms that the plan does not have: {seen}; expected {', '.join(plan.arms)}",
            source=where,
            fix=Advice(
                "drop_unknown_arms",
                (Setting("unknown_arms", "drop"),),
                "Correct the plan, or leave these rows out and count them by {unknown_arms}.",
            ),
        )
    return (Rule(code="unknown_arms", count=sum(strangers.values()), arms=dict(sorted(strangers.items()))),)


def _distinct(rows: Table, at: str) -> tuple[int, int]:
    """Rows with a unit, and distinct units: by Polars where DuckDB's ids fit into memory, which is faster."""
    elsewhere = isinstance(rows.connection, Warehouse)
    if elsewhere or run(rows, f"SELECT count(*) FROM {rows.sql}")[0][0] > _MANY:
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


def bounded(answer: Sequence[Sequence[Any]], asked: Layout, where: str) -> None:
    """Refuse counts below 0, and shares that are neither 0 nor 1."""
    overall, at = [row for row in answer if row[2] == "overall"], 6
    for i, name in enumerate(asked.bounded):
        low = min((row[at + 2 * i] for row in overall if row[at + 2 * i] is not None), default=0.0)
        if low < 0 and name not in asked.shares:
            raise DataError(
                f"the smallest value is {low:g}; expected a count, 0 or more",
                source=where,
                column=name,
                fix="Mend the query that counted.",
            )
    at += 2 * len(asked.bounded)
    for i, name in enumerate(name for name in asked.bounded if name in asked.shares):
        wrong = [row[at + i] for row in overall if row[at + i] is not None]
        if wrong:
            raise DataError(
                f"there is the value {max(wrong):g}; expected 0 or 1 for a proportion",
                source=where,
                column=name,
                fix='Say kind = "mean", or count each unit once.',
            )
