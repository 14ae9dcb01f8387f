"""Declarations of exported tables and their columns, and conversion of rows to a frame of exactly these columns."""

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
    """A column of an exported table.

    Attributes:
        name: Its name in files and in SQL.
        type: ``text``, ``whole`` (64-bit), ``real`` (64-bit), ``truth``, ``day`` or ``moment`` (UTC, no zone).
        caption: Its display name.
        description: Description of its content in full sentences.
        measure: Whether it is a number to show; other columns are for grouping and filtering.
        shown: Number format; empty for the default of the tool.
    """

    name: str
    type: Type
    caption: str
    description: str
    measure: bool = False
    shown: Shown = ""


@dataclass(frozen=True, kw_only=True)
class ExportTable:
    """An exported table.

    Attributes:
        name: Its name in files and in SQL.
        caption: Its display name.
        description: The meaning of a row.
        columns: The columns, in order.
        key: The columns that identify a row; they are never null, and the key is unique.
        empty: The reason if it has no rows.
    """

    name: str
    caption: str
    description: str
    columns: tuple[ExportColumn, ...]
    key: tuple[str, ...]
    empty: str = "no evaluation is exported"

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The Polars type of each column."""
        return {column.name: _POLARS[column.type] for column in self.columns}

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """Convert rows to a frame of exactly these columns; missing values and NaN become null.

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
        """Return a frame with the declared column order and types, and NaN as null.

        Raises:
            DataError: If a part of the key is empty.
        """
        frame = frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items())
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
        empty = [name for name in self.key if frame[name].null_count()]
        if empty:
            raise DataError("a part of the key is empty", source=self.name, column=empty[0])
        return frame
