"""What is declared of a table that leaves RecLens: a column, and the frame of exactly these columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from reclens.errors import DataError

__all__ = ["ExportColumn", "ExportTable"]

Type = Literal["text", "whole", "real", "truth", "day", "moment"]
Shown = Literal["", "count", "value", "signed", "share", "p"]

_POLARS: Final = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "real": pl.Float64(),
    "truth": pl.Boolean(),
    "day": pl.Date(),
    "moment": pl.Datetime("us"),
}


@dataclass(frozen=True, kw_only=True)
class ExportColumn:
    """One column.

    Attributes:
        name: Its name in files and in SQL.
        type: ``text``, ``whole`` (64-bit), ``real`` (64-bit), ``truth``, ``day`` or ``moment`` (UTC, no zone).
        caption: Its name for people.
        description: What it holds, in full sentences.
        measure: A number to be shown; without it the column is something to group and filter by.
        shown: How its numbers are written; empty for the tool's own way.
    """

    name: str
    type: Type
    caption: str
    description: str
    measure: bool = False
    shown: Shown = ""


@dataclass(frozen=True, kw_only=True)
class ExportTable:
    """One table.

    Attributes:
        name: Its name in files and in SQL.
        caption: Its name for people.
        description: What a row is.
        columns: The columns, in order.
        key: The columns that name a row; none of them is ever empty, and no two rows have the same.
        empty: Why it has no rows, when it has none.
    """

    name: str
    caption: str
    description: str
    columns: tuple[ExportColumn, ...]
    key: tuple[str, ...]
    empty: str = "no evaluation is exported"

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column -> Polars type."""
        return {column.name: _POLARS[column.type] for column in self.columns}

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """Rows as a frame of exactly these columns; what a row lacks is null, and so is NaN.

        Raises:
            DataError: If a row has another column, lacks a part of the key, or has a value of another type.
        """
        odd = {name for row in rows for name in row} - set(self.schema)
        if odd:
            raise DataError(
                f"a row has the columns {', '.join(sorted(odd))}, which are not among {', '.join(self.schema)}",
                source=self.name,
            )
        try:
            frame = pl.DataFrame(list(rows), schema=self.schema, orient="row")
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise DataError(f"a row does not have the declared types ({error})", source=self.name) from error
        return self.tidy(frame)

    def tidy(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame in the declared order and types, NaN as null.

        Raises:
            DataError: If a part of the key is empty.
        """
        frame = frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items())
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
        empty = [name for name in self.key if frame[name].null_count()]
        if empty:
            raise DataError("a part of the key is empty", source=self.name, column=empty[0])
        return frame
