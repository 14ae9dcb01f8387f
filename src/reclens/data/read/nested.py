"""Tables with several items per row: a list in one cell, as in submissions, or lines of a user and their items."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from reclens.cards import AppliedRule
from reclens.data.read.delimited import as_utf8
from reclens.data.read.options import NAME_ENCODING
from reclens.data.read.packed import unpack
from reclens.data.rules import rule
from reclens.errors import Advice, DataError, Setting

__all__ = ["PLACE", "adjacency", "unfold"]

PLACE: Final = "place"
"""Column with the position of an item in its cell or line, from 1."""

_BETWEEN: Final = ("|", ";", ",")
"""Separators of the items of a cell, besides blanks."""


def adjacency(data: bytes, *, source: str, encoding: str | None = None, between: str | None = None) -> pl.DataFrame:
    r"""Read lines of a user and their items, as in the files of LightGCN and S3-Rec.

    Args:
        data: The bytes of the file, packed or not.
        source: Its name, for messages.
        encoding: Of the text.
        between: What stands between ids; blanks and tabs by default.

    Returns:
        ``user_id``, text, and ``item_id``, a list of text: one row a line; blank lines are left out.

    Raises:
        DataError: If the file is empty, or not in that encoding.

    Example:
        >>> adjacency(b"0 7 9\n1 8\n2\n", source="train.txt").rows()
        [('0', ['7', '9']), ('1', ['8']), ('2', [])]
    """
    text = as_utf8(unpack(data, source), source, encoding, header=False)
    try:
        lines = pl.Series(text.decode("utf-8").splitlines(), dtype=pl.String).str.strip_chars()
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8", source=source, fix=NAME_ENCODING) from None
    lines = lines.filter(lines != "")
    if not len(lines):
        raise DataError("the file is empty", source=source, fix="Expected lines of a user and their items.")
    ids = _parts(lines, between)
    return pl.DataFrame({"user_id": ids.list.first(), "item_id": ids.list.slice(1)})


def unfold(
    frame: pl.DataFrame, column: str, *, source: str, place: str = PLACE, cell: bool = False, between: str | None = None
) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """Unfold a column that holds several items per row into one row per item.

    Args:
        frame: The rows as they were read.
        column: The column of items: a list, or text.
        source: File or table, for messages.
        place: What to call the column that tells where an item stood, from 1.
        cell: Whether text cells hold several items each; lists always do.
        between: What stands between the items of a text; found out if None.

    Returns:
        The rows, and the rules that were applied, with counts; the rows as they are where each holds one item.

    Raises:
        DataError: If the cells hold something else, or there is a column of that name.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"user": ["ann", "bob"], "items": ["tea, milk", ""]})
        >>> found, rules = unfold(rows, "items", source="rows", cell=True)
        >>> found.rows(), [each["count"] for each in rules]
        ([('ann', 'tea', 1), ('ann', 'milk', 2)], [1, 1])
    """
    values = frame[column]
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.List):
        if values.dtype.inner.is_nested():  # type: ignore[union-attr]
            raise DataError(f"a row holds {values.dtype}, expected a list of ids", source=source, column=column)
    elif not cell:
        return frame, []
    elif values.dtype == pl.String:
        values = _parts(_bare(values.fill_null("")), between)
    else:
        raise DataError(
            f"ids are {values.dtype}, expected text with several of them",
            source=source,
            column=column,
            fix=Advice("one_item_a_row", (Setting("form"),), "Leave out {form}: each row holds one item."),
        )
    if place in frame.columns and place != column:
        raise DataError(
            f"there is a column '{place}', the name that the order of the items takes",
            source=source,
            column=place,
            fix=Advice("rename_column", (Setting("query"),), "Rename it, or leave it out by {query}."),
        )
    sizes = values.list.len().fill_null(0)
    kept = frame.with_columns(values.alias(column)).filter(sizes > 0)
    kept = kept.with_columns(pl.int_ranges(1, pl.col(column).list.len() + 1).alias(place)).explode(column, place)
    several, empty = int((sizes > 1).sum()), int((sizes == 0).sum())
    rules = [
        rule("lists_unfolded", several, table=source, column=place),
        rule("empty_lists", empty, table=source, column=column),
    ]
    return kept, [each for each in rules if each["count"]]


def _bare(cells: pl.Series) -> pl.Series:
    """Remove the brackets and quotes of printed lists: ``['a', 'b']`` becomes ``a, b``."""
    printed = cells.str.contains(r"^\s*\[.*\]\s*$")
    if not printed.any():
        return cells
    inside = cells.str.replace(r"^\s*\[(.*)\]\s*$", "${1}").str.replace_all(r"""['"]""", "")
    return inside if printed.all() else cells.zip_with(~printed, inside)


def _parts(cells: pl.Series, between: str | None) -> pl.Series:
    """Split each cell into its ids, without empty ones."""
    if between is None:
        seen = [sign for sign in _BETWEEN if cells.str.contains(sign, literal=True).any()]
        cells = cells.str.replace_all(rf"\s*{re.escape(seen[0])}\s*|\s+" if seen else r"\s+", " ")
        between = " "
    parts = cells.str.split(between)
    return parts.list.eval(pl.element().str.strip_chars()).list.eval(pl.element().filter(pl.element() != ""))
