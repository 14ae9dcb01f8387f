"""Metrics beyond sums by user: quantiles of rows; coverage, Gini and effective items of what an arm showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from reclens.data.quoting import quoted
from reclens.data.read.arrow import ArrowStream
from reclens.errors import Advice, DataError, Setting, UsageError
from reclens.experiment.aggregate.arm_column import arm_column, numbered
from reclens.experiment.aggregate.arm_level import ArmCounts, compare_arm_statistics
from reclens.experiment.aggregate.query import Window
from reclens.experiment.aggregate.source import Table, opened, present
from reclens.experiment.aggregate.triggered import list_triggered, of_triggered
from reclens.experiment.aggregate.units import OnFault
from reclens.experiment.planning.metric import OF_ARM
from reclens.experiment.planning.plan import Plan
from reclens.schema import ITEM, stable_hash
from reclens.stats.difference import Difference
from reclens.stats.estimate import EstimateNote
from reclens.stats.quantiles import mid_quantiles, quantile_difference

__all__ = ["arm_differences", "quantile_differences"]


def quantile_differences(
    source: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    time: str | None = None,
    start: date | datetime | None = None,
    two_arms: OnFault = "error",
    ids: bool = True,
    table: str | None = None,
    query: str | None = None,
) -> dict[tuple[str, str], Difference]:
    """Differences of the quantile metrics of a plan, over the rows of a table.

    Mid-quantiles, so that counts and rounded values have an honest test (:mod:`reclens.stats.quantiles`). A unit may
    have many rows (page loads of a user): the test respects that. The values of one metric are held in memory.

    Args:
        source: As in :func:`~reclens.experiment.aggregate.gather.gather`.
        plan: The plan.
        arm: Column of the arm.
        time: Column of the time; None where every row belongs to the experiment.
        start: When the experiment began; None takes the plan's. Rows before it are left out.
        two_arms: Whether units in two arms are an error, or dropped.
        ids: Whether the table has the plan's unit as a column; with False, each row is a unit.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.

    Returns:
        Metric and arm -> difference, for ``read_sums(others=…)``. Notes say how many rows had no finite value. A
        quantile that lies within one value, or has too few units beyond it, is not testable, and ``reason`` says why.

    Raises:
        UnknownNameError: If a column is absent.
        DataError: If a unit stands in two arms, or rows name no unit.
    """
    found: dict[tuple[str, str], Difference] = {}
    asked = [metric for metric in plan.metrics if metric.kind == "quantile" and metric.value and metric.q]
    if not asked:
        return found
    with opened(source, table=table, query=query) as found_rows:
        unit = plan.cluster or plan.unit
        rows = found_rows if ids else numbered(found_rows, unit)
        present(rows, [arm, unit, *(metric.value for metric in asked if metric.value)])
        for metric in asked:
            assert metric.value is not None and metric.q is not None
            every = _inside(
                rows,
                plan,
                arm,
                f"CAST({quoted(metric.value)} AS DOUBLE) AS value",
                time=time,
                start=start or plan.start,
                two_arms=two_arms,
            )
            frame = every.filter(pl.col("value").is_finite())
            left_out = every.height - frame.height
            parts = [frame.filter(pl.col("arm") == name) for name in plan.arms]
            single = frame["unit"].n_unique() == frame.height
            who = [None if single else part["unit"].rank("dense").to_numpy() for part in parts]
            per_arm = dict(
                zip(
                    plan.arms,
                    mid_quantiles([part["value"].to_numpy() for part in parts], metric.q, clusters=who),
                    strict=True,
                )
            )
            for name in plan.treatments:
                made = quantile_difference(per_arm[plan.control], per_arm[name], level=plan.level)
                found[metric.name, name] = (
                    replace(
                        made,
                        notes=(*made.notes, "rows_left_out"),
                        details=(*made.details, ("rows_left_out", float(left_out))),
                    )
                    if left_out
                    else made
                )
    return found


def arm_differences(
    exposures: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    item: str = ITEM,
    time: str | None = None,
    start: date | datetime | None = None,
    two_arms: OnFault = "error",
    catalogue: Sequence[Any] | None = None,
    table: str | None = None,
    query: str | None = None,
    seed: int = 0,
) -> dict[tuple[str, str], Difference]:
    """Differences of coverage, Gini and effective items, from the rows of what was shown to whom.

    Args:
        exposures: Rows of user, arm and item shown (clicked or not); as in
            :func:`~reclens.experiment.aggregate.gather.gather`.
        plan: The plan.
        arm: Column of the arm.
        item: Column of the item.
        time: Column of the time; where there is none, every row counts, and a note says so.
        start: When the experiment began.
        two_arms: What happens to units in two arms.
        catalogue: Items that could have been shown; None takes those that were shown in any arm.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.
        seed: Seed of the groups and draws of users.

    Returns:
        Metric and arm -> difference, for ``read_sums(others=…)``; see
        :func:`~reclens.experiment.aggregate.arm_level.compare_arm_statistics` for what is not testable.

    Raises:
        UsageError: If an item was shown that the catalogue does not have.
        DataError: If nothing was shown to an arm, a unit stands in two arms, or rows name no unit.
    """
    asked = [metric for metric in plan.metrics if metric.kind in OF_ARM]
    if not asked:
        return {}
    with opened(exposures, table=table, query=query) as rows:
        unit = plan.cluster or plan.unit
        arm_column(rows, plan, arm)
        present(rows, [arm, unit, item])
        begun, at = start or plan.start, time if time in rows.columns else None
        frame = _inside(
            rows, plan, arm, f"CAST({quoted(item)} AS VARCHAR) AS item", time=at, start=begun, two_arms=two_arms
        )
        where = rows.where
    said: tuple[EstimateNote, ...] = ("exposures_without_time",) if begun is not None and at is None else ()
    if catalogue is None:
        said = (*said, "no_catalogue")
    codes, n_items = _coded(frame["item"], catalogue)
    users = {name: frame.filter(pl.col("arm") == name)["unit"].n_unique() for name in plan.arms}
    bare = [name for name, n in users.items() if not n]
    if bare:
        raise DataError(
            f"nothing was shown to the arm {', '.join(bare)}; expected rows of every arm of the plan",
            source=where,
            column=arm,
            fix="Check the names of the arms in the exposures.",
        )
    counted: dict[tuple[str, float], ArmCounts] = {}

    def counts(name: str, fewest: int) -> ArmCounts:
        """Counts of an arm; of a larger one, over draws of as many users as the smaller one has."""
        share = 1.0 if users[name] <= 1.02 * fewest else fewest / users[name]
        if (name, share) not in counted:
            chosen = frame["arm"] == name
            units = frame["unit"].filter(chosen)
            at = units.rank("dense").to_numpy().astype(np.int64) - 1
            shown = codes.filter(chosen).to_numpy().astype(np.int64)
            counted[name, share] = ArmCounts.of(
                at, shown, stable_hash(units.unique().sort()), n_items=n_items, seed=seed, share=share
            )
        return counted[name, share]

    found: dict[tuple[str, str], Difference] = {}
    for metric in asked:
        for name in plan.treatments:
            fewest = min(users[plan.control], users[name])
            made = compare_arm_statistics(
                counts(plan.control, fewest), counts(name, fewest), metric.kind, level=plan.level, relative="fieller"
            )
            found[metric.name, name] = replace(made, notes=(*made.notes, *said))
    return found


def _coded(items: pl.Series, catalogue: Sequence[Any] | None) -> tuple[pl.Series, int]:
    """The items as codes of the catalogue, and its size; without one, of the items that were shown."""
    listed = [str(each) for each in catalogue] if catalogue is not None else items.unique().sort().to_list()
    codes = items.cast(pl.Enum(list(dict.fromkeys(listed))), strict=False).to_physical()
    if codes.null_count():
        stranger = items.filter(codes.is_null())[0]
        raise UsageError(f"'{stranger}' was shown and is not in the catalogue of {len(listed):,} items.")
    return codes, len(set(listed))


def _inside(
    rows: Table,
    plan: Plan,
    arm: str,
    column: str,
    *,
    time: str | None,
    start: date | datetime | None,
    two_arms: OnFault,
) -> pl.DataFrame:
    """Unit, arm and a column of the rows since the start of the experiment, of units in exactly one arm."""
    unit = plan.cluster or plan.unit
    if plan.triggered:
        rows = of_triggered(rows, plan, list_triggered(rows, plan, Window(time, start)))
    timed = time is not None and start is not None
    if timed:
        present(rows, [time or ""])
    within = f" WHERE {quoted(time or '')} >= $start" if timed else ""
    sql = f"SELECT {quoted(unit)} AS unit, CAST({quoted(arm)} AS VARCHAR) AS arm, {column} FROM {rows.sql}{within}"
    frame = pl.DataFrame(ArrowStream(rows.connection.sql(sql, params={"start": start} if timed else None)))
    nobody = frame["unit"].null_count()
    if nobody:
        raise DataError(
            f"{nobody:,} rows name no unit; expected one in every row",
            source=rows.where,
            column=unit,
            fix="Find out whose they are, or leave them out before.",
        )
    low, high = (pl.col("arm").min().over("unit"), pl.col("arm").max().over("unit"))
    crossed = frame.filter(low != high)["unit"]
    if len(crossed) and two_arms == "error":
        raise DataError(
            f"{crossed.n_unique():,} units stand in two arms, such as {crossed[0]!r}; expected one arm a unit",
            source=rows.where,
            column=unit,
            fix=Advice(
                "drop_two_arms",
                (Setting("two_arms", "drop"),),
                "Find out how they crossed over, or leave them out by {two_arms}.",
            ),
        )
    return frame.filter((low == high).fill_null(value=False)).with_columns(arm=low)
