"""Cells of a frame in memory: Polars runs the query of the sums arm by arm, in half the time of DuckDB's grouping."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from reclens.experiment.aggregate.query import Layout, arm_query
from reclens.experiment.planning.plan import Plan

__all__ = ["cells_of_frame"]

_NAMES: Final = (pl.String, pl.Categorical, pl.Enum)


def cells_of_frame(frame: pl.DataFrame, asked: Layout, plan: Plan, arm: str) -> list[tuple[Any, ...]] | None:
    """The rows of :func:`~reclens.experiment.aggregate.query.sums_query` without days and segments.

    Blocks of rows are filtered and added up one by one, so that no copy of the frame is made.

    Args:
        frame: A row a unit.
        asked: The columns.
        plan: The plan.
        arm: Column of the arm.

    Returns:
        A row for each arm that has units; None where that is DuckDB's: arms that are no text or that the plan does not
        have, and values that are neither numbers nor truth values.
    """
    values = {*plan.columns, *asked.bounded} & set(frame.columns)
    kinds = [frame.schema[name] for name in values]
    if not all(kind.is_float() or kind.is_integer() or kind == pl.Boolean for kind in kinds):
        return None
    if not isinstance(frame.schema[arm], _NAMES):
        return None
    query, of_arm = arm_query("source", asked, arm=arm), pl.col(arm).cast(pl.String)
    parts = [pl.SQLContext(source=frame.lazy().filter(of_arm == name)).execute(query) for name in plan.arms]
    answers = [part.row(0) for part in pl.collect_all(parts, engine="streaming")]
    if sum(units for units, *_ in answers) != frame.height:
        return None
    found = [(name, None, "overall", "all", *row) for name, row in zip(plan.arms, answers, strict=True) if row[0]]
    return sorted(found)
