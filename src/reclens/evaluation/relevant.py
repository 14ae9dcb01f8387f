"""The relevant pairs of a truth, and what is left out of it."""

from __future__ import annotations

from typing import TypedDict

import polars as pl

from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, USER

__all__ = ["LeftOut", "relevant_rows"]


class LeftOut(TypedDict, total=False):
    """Rows of the truth that are not relevant, and users who have no other.

    Attributes:
        truth_rows_without_relevance: Rows.
        users_without_relevant_items: Users.
    """

    truth_rows_without_relevance: int
    users_without_relevant_items: int


def relevant_rows(truth: pl.DataFrame | None, relevance: str | None) -> tuple[pl.DataFrame, LeftOut]:
    """The relevant pairs of the truth, and what was left out of them.

    Args:
        truth: ``user_id, item_id`` and the column of relevance; None gives no pair.
        relevance: Column of graded relevance, of which rows above 0 count; None where every row counts alike.

    Returns:
        ``user_id, item_id`` and, with a column of relevance, ``gain``; and what was left out.

    Raises:
        DataError: If a column is missing, or holds nulls or what is no number.
    """
    if truth is None:
        return pl.DataFrame(schema={USER: pl.Int64, ITEM: pl.Int64}), {}
    needed = [USER, ITEM, *([relevance] if relevance else [])]
    for column in needed:
        if column not in truth.columns:
            raise DataError(
                f"there is no column '{column}'; there are {', '.join(truth.columns)}",
                source="truth",
                fix=Advice(
                    "rename_or_name",
                    (Setting("columns"),),
                    "Rename the column, or name it as it is read, by {columns}.",
                ),
            )
    gain = [pl.col(relevance).cast(pl.Float64, strict=False).alias("gain")] if relevance else []
    rows = truth.select(USER, ITEM, *gain)
    for column, values in zip(needed, rows, strict=True):
        bad = values.is_null() | ~values.is_finite() if column == relevance else values.is_null()
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(
                f"the value is {truth[column][row]!r}; there are {bad.sum():,} such rows",
                source="truth",
                column=column,
                row=row + 1,
                fix="Drop or fill those rows.",
            )
    positive = rows.filter(pl.col("gain") > 0) if relevance else rows
    idle = rows[USER].n_unique() - positive[USER].n_unique() if relevance else 0
    left_out: LeftOut = {
        "truth_rows_without_relevance": rows.height - positive.height,
        "users_without_relevant_items": idle,
    }
    return positive, left_out
