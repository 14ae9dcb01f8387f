"""Ids of users and items, converted to 64-bit integers or strings.

A text column becomes integers only if every id is a canonical integer (``0`` or ``-?[1-9][0-9]*`` within 64 bits): ids
with leading zeros are names and stay text. A column that mixes numbers and text becomes text.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.near_ids import without_zeros
from reclens.data.read.clean import Cleaner
from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, USER

__all__ = ["IdForm", "as_integers", "clean_ids", "ids_as", "infer_type", "same_kind"]

IdForm = Literal["text", "unpadded"]
"""A common format for the ids of all tables; see :func:`ids_as`."""
_EXACT: Final = 2**53
"""From here on, not every integer can be represented as a 64-bit float."""


def as_integers(text: pl.Series) -> pl.Series | None:
    """Convert text to Int64 if all values are canonical integers, else return None; nulls stay null.

    Example:
        >>> import polars as pl
        >>> as_integers(pl.Series(["0", "12", "-7"])).to_list()
        [0, 12, -7]
        >>> as_integers(pl.Series(["012", "7"])) is None
        True
    """
    if text.null_count() == len(text):
        return None
    # In most columns that are not integers, the first values show it.
    if text.head(100).cast(pl.Int64, strict=False).null_count() > text.head(100).null_count():
        return None
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() != text.null_count():
        return None
    # Values that can be cast but begin with a plus sign or with zeros are not canonical.
    padded = (text.str.starts_with("0") & (text.str.len_bytes() > 1)).any()
    return None if padded or text.str.starts_with("+").any() or text.str.starts_with("-0").any() else whole


def clean_ids(ids: pl.Series, cleaner: Cleaner, *, column: str, text: bool = False) -> pl.Series:
    """Convert ids to Int64 or String; rows without an id are bad.

    Args:
        ids: Integers, strings, categories, or floats and decimals that are whole numbers.
        cleaner: Where bad rows and rules go.
        column: Name for messages.
        text: Whether the column was read from a text file, so that its type has to be inferred.

    Raises:
        DataError: If they are of another type, or not whole, or missing and bad rows are errors.
    """
    given = ids
    if ids.dtype == pl.Object:
        ids = _from_objects(ids, cleaner, column)
    if isinstance(ids.dtype, pl.Categorical | pl.Enum | pl.Null):
        ids = ids.cast(pl.String)
    if ids.dtype.is_integer():
        # Only unsigned and 128-bit integers can exceed Int64; as text they stay exact.
        whole = ids.cast(pl.Int64, strict=False)
        ids = whole if whole.null_count() == ids.null_count() else ids.cast(pl.String)
    elif ids.dtype.is_float() or ids.dtype.is_decimal():
        ids = _from_fractions(ids, cleaner, column)
    elif ids.dtype == pl.String:
        ids = _from_text(ids, cleaner, column, text=text)
    else:
        raise DataError(
            f"ids are {ids.dtype}, expected integers or strings",
            source=cleaner.source,
            column=column,
            fix=Advice("cast_ids", (Setting("columns"),), "Cast the column, or name another by {columns}."),
        )
    cleaner.reject(ids.is_null(), given, column=column, problem="the id is missing", kind="missing_id")
    return ids


def infer_type(values: pl.Series, decimal: Literal[".", ","] | None = None) -> pl.Series:
    """Convert a text column of attributes to integers or floats if possible; empty values become null.

    Leading zeros keep a column text, as for ids.

    Args:
        values: The column.
        decimal: The decimal mark of its numbers; a point by default.
    """
    if values.dtype != pl.String:
        return values
    values = values.set(values == "", None)
    whole = as_integers(values)
    if whole is not None:
        return whole
    mark = "," if decimal == "," else r"\."
    if values.null_count() < len(values) and values.str.contains(rf"^-?(0|[1-9]\d*)({mark}\d+)?([eE][+-]?\d+)?$").all():
        return values.str.replace(",", ".", literal=True).cast(pl.Float64)
    return values


def ids_as(frame: pl.DataFrame, form: IdForm | None) -> pl.DataFrame:
    """Convert ids to a format that is common to several tables; None leaves the frame unchanged.

    Args:
        frame: A table with ``user_id``, ``item_id`` or both; others come back as they are.
        form: ``"text"``: integers lose nothing by it. ``"unpadded"``: text, and what is all digits without the zeros
            before it.

    Raises:
        DataError: If two different ids would become equal.

    Example:
        >>> import polars as pl
        >>> ids_as(pl.DataFrame({"user_id": [7], "rank": [1]}), "text").rows()
        [('7', 1)]
        >>> ids_as(pl.DataFrame({"user_id": ["007", "A07"]}), "unpadded")["user_id"].to_list()
        ['7', 'A07']
    """
    if form is None:
        return frame
    made = [frame[name].cast(pl.String) for name in (USER, ITEM) if name in frame.columns]
    if form == "unpadded":
        for at, ids in enumerate(made):
            made[at] = without_zeros(ids)
            if made[at].n_unique() < ids.n_unique():
                raise DataError(
                    f"without leading zeros two ids would be one: {_two_of_one(ids)}",
                    column=ids.name,
                    fix="Write the ids of all tables alike where they are made.",
                )
    return frame.with_columns(made)


def _two_of_one(ids: pl.Series) -> str:
    """Two ids that are equal without leading zeros."""
    distinct = ids.unique().sort()
    bare = without_zeros(distinct)
    first = bare.filter(bare.is_duplicated())[0]
    return " and ".join(repr(each) for each in distinct.filter(bare == first).head(2))


def same_kind(ids: pl.Series, others: pl.Series, cleaner: Cleaner, *, column: str) -> tuple[pl.Series, pl.Series]:
    """Convert the ids of two tables to one type: text if either is text."""
    if ids.dtype == others.dtype:
        return ids, others
    cleaner.note("integer_ids_as_text", len(ids) if ids.dtype != pl.String else len(others), column=column)
    return ids.cast(pl.String), others.cast(pl.String)


def _from_text(ids: pl.Series, cleaner: Cleaner, column: str, *, text: bool) -> pl.Series:
    if text:
        whole = as_integers(ids)
        if whole is not None:
            return whole
        trimmed = ids.str.strip_chars()
        cleaner.note("blanks_around_ids", int((trimmed != ids).sum()), column=column)
        ids = trimmed
    ids = ids.set(ids == "", None)
    if not text:
        return ids
    if len(ids) > ids.null_count() and ids.str.contains(r"^-?(0|[1-9]\d{0,14})\.0$").all():
        # What a float column with gaps becomes when pandas writes it.
        cleaner.note("decimal_ids", len(ids) - ids.null_count(), column=column)
        return ids.str.strip_suffix(".0").cast(pl.Int64)
    whole = as_integers(ids)
    return ids if whole is None else whole


def _from_fractions(ids: pl.Series, cleaner: Cleaner, column: str) -> pl.Series:
    decimal = ids.dtype.is_decimal()
    values = ids if decimal else ids.fill_nan(None)
    whole = values.cast(pl.Int64, strict=False)
    bad = (whole.is_null() & values.is_not_null()) | (whole.cast(values.dtype, strict=False) != values)
    if not decimal:
        bad |= values.abs() >= _EXACT
    if bad.fill_null(False).any():
        row = int(bad.fill_null(False).arg_true()[0])
        raise DataError(
            f"the id is {ids[row]}, expected a whole number below 2^53 or text",
            source=cleaner.source,
            column=column,
            row=row + 1,
            fix="Read the column as text or integers where it is made.",
        )
    cleaner.note("decimal_ids", len(whole) - whole.null_count(), column=column)
    return whole


def _from_objects(ids: pl.Series, cleaner: Cleaner, column: str) -> pl.Series:
    """Convert Python objects to integers or floats, or to text if any of them is text."""
    values: list[Any] = [_plain(value) for value in ids.to_list()]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(ids.name, values, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(ids.name, [None if value is None else float(value) for value in values], pl.Float64)
    odd = kinds - {int, float, str}
    if odd:
        row = next(i for i, value in enumerate(values) if type(value) in odd)
        raise DataError(
            f"the id is a {type(values[row]).__name__}, expected an integer or a string",
            source=cleaner.source,
            column=column,
            row=row + 1,
        )
    numbers = sum(isinstance(value, int | float) for value in values)
    cleaner.note("mixed_ids_as_text", numbers, column=column)
    return pl.Series(ids.name, [None if v is None else _number_text(v) for v in values], pl.String)


def _plain(value: Any) -> Any:
    """A Python value, with None for every kind of missing value."""
    if isinstance(value, np.generic):
        value = value.item()
    # NaN and NaT do not equal themselves; pandas.NA has no truth value.
    try:
        return None if value is None or value != value else value
    except TypeError:
        return None


def _number_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
