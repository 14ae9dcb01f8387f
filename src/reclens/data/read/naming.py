"""Names of columns: recognition of those of the schema, and renaming of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reclens.data.read.columns import TABLE, Columns, column_at, find_columns, knows
from reclens.data.read.header import header_error
from reclens.data.read.raw import Raw
from reclens.errors import DataError

__all__ = ["columns_of", "renamed"]


def columns_of(
    raw: Raw, wanted: Iterable[str], required: Iterable[str], columns: Columns | None, *, strict: bool = True
) -> dict[str, str]:
    """Find the columns of the schema, as :func:`reclens.data.read.columns.find_columns`.

    Raises:
        DataError: As there, and if the header looks like a row: naming its columns would lose that row.
    """
    wanted = list(wanted)
    # A recognised name cannot be a value of a row; a name that the caller gives can be one.
    if raw.doubtful and not any(knows(name) for name in raw.frame.columns):
        raise header_error(raw.frame, raw.where, wanted=wanted)
    return find_columns(
        raw.frame.columns, wanted=wanted, required=required, columns=columns, source=raw.where, strict=strict
    )


def renamed(raw: Raw, columns: Columns | None, *, known: Sequence[str] = TABLE) -> tuple[Raw, dict[str, str | None]]:
    """Rename columns that are not part of the schema; None drops a column.

    Args:
        raw: The rows.
        columns: As for :func:`reclens.data.read.tables.read_table`.
        known: The columns that it knows, whose readers name them.

    Returns:
        The rows, and the names of the columns that it knows.

    Raises:
        DataError: If a column is not there, or a name is taken.
    """
    frame, present = raw.frame, raw.frame.columns
    theirs = {
        ours: name if name is None else column_at(name, present, ours, raw.where)
        for ours, name in (columns or {}).items()
    }
    own = {ours: name for ours, name in theirs.items() if ours in known}
    given = {name: ours for ours, name in theirs.items() if ours not in known and name is not None}
    for name, ours in given.items():
        if name not in present:
            raise DataError(f"there is no column '{name}', which is named for '{ours}'", source=raw.where)
        if ours in present and ours not in given and ours != name:
            raise DataError(
                f"'{ours}' is there, and another column is to have that name",
                source=raw.where,
                column=ours,
                fix="Choose another name.",
            )
    unused = [ours for ours, name in theirs.items() if ours not in known and name is None and ours in present]
    return replace(raw, frame=frame.drop(unused).rename(given)), own
