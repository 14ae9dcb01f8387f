"""Metrics that need more than sums by user: quantiles of rows, coverage and Gini of what an arm showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from reclens.data.frames import ArrowStream
from reclens.errors import DataError, UsageError
from reclens.experiment.plan import Plan
from reclens.experiment.query import quoted
from reclens.experiment.source import Table, opened, present
from reclens.schema import ITEM, stable_hash
from reclens.stats.arm_level import ArmCounts, compare_arm_statistics
from reclens.stats.difference import Difference
from reclens.stats.quantiles import clustered_quantile, quantile_difference

__all__ = ["arm_differences", "quantile_differences"]


def quantile_differences(
    source: Any, plan: Plan, *, arm: str = "variant", table: str | None = None, query: str | None = None
) -> dict[tuple[str, str], Difference]:
    """Differences of the quantile metrics of a plan, over the rows of a table.

    A unit may have many rows (page loads of a user): the intervals respect that. The values of one metric are held in
    memory.

    Args:
        source: As in :func:`~reclens.experiment.gather.gather`.
        plan: The plan.
        arm: Column of the arm.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.

    Returns:
        Metric and arm -> difference, for ``read_sums(others=…)``.

    Raises:
        UnknownNameError: If a column is absent.
    """
    found: dict[tuple[str, str], Difference] = {}
    asked = [metric for metric in plan.metrics if metric.kind == "quantile" and metric.value and metric.q]
    if not asked:
        return found
    with opened(source, table=table, query=query) as rows:
        unit = plan.cluster or plan.unit
        present(rows, [arm, unit, *(metric.value for metric in asked if metric.value)])
        for metric in asked:
            assert metric.value is not None and metric.q is not None
            value = f"CAST({quoted(metric.value)} AS DOUBLE)"
            frame = _frame(rows, f"SELECT {quoted(unit)} AS unit, CAST({quoted(arm)} AS VARCHAR) AS arm, {value} AS "
                                 f"value "
                                 f"FROM {rows.sql} WHERE isfinite({value})")  # fmt: skip
            per_arm = {
                name: clustered_quantile(part["value"].to_numpy(), part["unit"].rank("dense").to_numpy(), metric.q,
                                         level=plan.level)
                for name in plan.arms
                for part in [frame.filter(pl.col("arm") == name)]
            }  # fmt: skip
            for name in plan.treatments:
                found[metric.name, name] = quantile_difference(per_arm[plan.control], per_arm[name],
                                                               relative="fieller")  # fmt: skip
    return found


def arm_differences(
    exposures: Any,
    plan: Plan,
    *,
    arm: str = "variant",
    item: str = ITEM,
    catalogue: Sequence[Any] | None = None,
    table: str | None = None,
    query: str | None = None,
    replicates: int = 400,
    seed: int = 0,
) -> dict[tuple[str, str], Difference]:
    """Differences of coverage and Gini, from the rows of what was shown to whom, by resampling users.

    Args:
        exposures: Rows of user, arm and item shown (clicked or not); as in
            :func:`~reclens.experiment.gather.gather`.
        plan: The plan.
        arm: Column of the arm.
        item: Column of the item.
        catalogue: Items that could have been shown; None takes those that were shown in any arm.
        table: Table of a DuckDB file or connection.
        query: A SELECT to read instead.
        replicates: Bootstrap replicates.
        seed: Seed of the resampling.

    Returns:
        Metric and arm -> difference, for ``read_sums(others=…)``.

    Raises:
        UsageError: If an item was shown that the catalogue does not have.
        DataError: If nothing was shown to an arm.
    """
    asked = [metric for metric in plan.metrics if metric.kind in ("coverage", "gini")]
    if not asked:
        return {}
    with opened(exposures, table=table, query=query) as rows:
        present(rows, [arm, plan.unit, item])
        frame = _frame(rows, f"SELECT {quoted(plan.unit)} AS unit, CAST({quoted(arm)} AS VARCHAR) AS arm, "
                             f"CAST({quoted(item)} AS VARCHAR) AS item FROM {rows.sql}")  # fmt: skip
        where = rows.where
    listed = [str(each) for each in catalogue] if catalogue is not None else frame["item"].unique().sort().to_list()
    codes = frame["item"].cast(pl.Enum(list(dict.fromkeys(listed))), strict=False).to_physical()
    if codes.null_count():
        stranger = frame["item"].filter(codes.is_null())[0]
        raise UsageError(f"'{stranger}' was shown and is not in the catalogue of {len(listed):,} items.")
    users = {name: frame.filter(pl.col("arm") == name)["unit"].n_unique() for name in plan.arms}
    bare = [name for name, n in users.items() if not n]
    if bare:
        raise DataError(f"nothing was shown to the arm {', '.join(bare)}; expected rows of every arm of the plan",
                        source=where, column=arm, fix="Check the names of the arms in the exposures.")  # fmt: skip
    counted: dict[tuple[str, float], ArmCounts] = {}

    def counts(name: str, fewest: int) -> ArmCounts:
        """Counts of an arm; of a larger one, over draws of as many users as the smaller one has."""
        share = 1.0 if users[name] <= 1.02 * fewest else fewest / users[name]
        if (name, share) not in counted:
            chosen = frame["arm"] == name
            units = frame["unit"].filter(chosen)
            at = units.rank("dense").to_numpy().astype(np.int64) - 1
            shown = codes.filter(chosen).to_numpy().astype(np.int64)
            counted[name, share] = ArmCounts.of(at, shown, stable_hash(units.unique().sort()), n_items=len(set(listed)),
                                                replicates=replicates, seed=seed, share=share)  # fmt: skip
        return counted[name, share]

    found: dict[tuple[str, str], Difference] = {}
    for metric in asked:
        for name in plan.treatments:
            fewest = min(users[plan.control], users[name])
            made = compare_arm_statistics(counts(plan.control, fewest), counts(name, fewest), metric.kind,
                                          level=plan.level, relative="fieller")  # fmt: skip
            if catalogue is None:
                made = replace(
                    made, notes=(*made.notes, "No catalogue was given: items shown in any arm stand for it.")
                )
            found[metric.name, name] = made
    return found


def _frame(rows: Table, sql: str) -> pl.DataFrame:
    return pl.DataFrame(ArrowStream(rows.connection.sql(sql)))
