"""Results as frames and as short tables: one mixin, which makes everything from ``to_dicts()``."""

from __future__ import annotations

import html
import importlib
import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reclens.errors import MissingExtraError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MOST_LINES", "Tabular", "cell", "frame_of"]

MOST_LINES: Final = 20
"""The most lines that a result prints."""
_WIDTH: Final = 120
_LONG: Final = 40
"""Characters from which on a text is prose or a path, and its column is left to ``to_frame``."""


class Tabular:
    """What every result knows: its rows as frames of Polars, pandas and Arrow, and a short table where it is shown.

    A result writes ``to_dicts``. ``print(result)`` and notebooks show a table of at most 20 lines: the first rows, and
    the columns that are short enough for a table; ``to_frame`` has all of them.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Set before `dataclass` looks: it writes a dump of all fields unless the class has a __repr__ of its own.
        if "__repr__" not in vars(cls):
            cls.__repr__ = Tabular.__repr__

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, as dictionaries."""
        raise NotImplementedError

    def to_frame(self) -> pl.DataFrame:
        """The rows as a Polars frame."""
        return frame_of(self.to_dicts())

    def to_pandas(self) -> Any:
        """The rows as a pandas frame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        pandas, frame = _library("pandas"), self.to_frame()
        # Not Polars' own to_pandas, which needs PyArrow too.
        return pandas.DataFrame({name: frame[name].to_list() for name in frame.columns}, columns=frame.columns)

    def to_arrow(self) -> Any:
        """The rows as a PyArrow table.

        Raises:
            MissingExtraError: If PyArrow is not installed.
        """
        _library("pyarrow")
        return self.to_frame().to_arrow()

    def _first_rows(self, most: int) -> tuple[list[dict[str, Any]], int]:
        """The first rows, and how many there are; a result of very many rows makes no more than these."""
        rows = self.to_dicts()
        return rows[:most], len(rows)

    def _about(self) -> str:
        """What it is, in one line above the table."""
        return type(self).__name__

    def __repr__(self) -> str:
        head, columns = _shown(self)
        wide = _fitting(columns)
        if wide < len(columns):
            head += f", {len(columns) - wide} more columns"
        padded = [
            [text.rjust(width) if each.is_numeric else text.ljust(width) for text in each.cells]
            for each in columns[:wide]
            for width in [max(map(len, each.cells))]
        ]
        return "\n".join([head, *("  ".join(row).rstrip() for row in zip(*padded, strict=True))])

    def _repr_html_(self) -> str:
        head, columns = _shown(self)
        rows = list(zip(*(map(html.escape, each.cells) for each in columns), strict=True))
        names = "".join(f"<th>{name}</th>" for name in (rows[0] if rows else ()))
        lines = ["<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in rows[1:]]
        head = f"<caption>{html.escape(head)}</caption>"
        return "\n".join(["<table>", head, f"<thead><tr>{names}</tr></thead>", *lines, "</table>"])


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of plain values as a frame; a column that mixes types is text."""
    import polars as pl

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: list[pl.Series] = []
    for name in names:
        values = [_plain(row.get(name)) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            values = [value if value is None else float(value) for value in values]
        elif len(kinds) > 1:
            values = [value if value is None else cell(value) for value in values]
        columns.append(pl.Series(name, values, strict=False))
    return pl.DataFrame(columns)


def _plain(value: Any) -> Any:
    """A value that a frame can hold."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()} or None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str | date):
        return value
    item = getattr(value, "item", None)  # a scalar of NumPy
    return item() if callable(item) else value if type(value).__module__ == "datetime" else str(value)


def cell(value: Any) -> str:
    """A value as a cell of a printed table.

    Example:
        >>> cell(0.123456), cell(1234567), cell(None), cell(["a", "b"])
        ('0.1235', '1,234,567', '', 'a, b')
    """
    value = _plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={cell(each)}" for key, each in value.items())
    return " ".join((", ".join(map(cell, value)) if isinstance(value, list) else str(value)).split())


class _Column(NamedTuple):
    """A column of a printed table: its name and then its values, as text."""

    cells: list[str]
    is_numeric: bool


def _shown(result: Tabular) -> tuple[str, list[_Column]]:
    """The line above the table, and its columns."""
    # One line says what it is and one names the columns.
    rows, total = result._first_rows(MOST_LINES - 2)
    columns: list[_Column] = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        texts = [cell(value) for value in values]
        if any(texts) and max(map(len, texts)) <= _LONG:
            numeric = all(value is None or isinstance(value, int | float) for value in values)
            columns.append(_Column([name, *texts], numeric))
    counted = f"{total:,} row{'' if total == 1 else 's'}" + (f", the first {len(rows)}" if len(rows) < total else "")
    return f"{result._about()}: {counted}", columns


def _fitting(columns: Sequence[_Column]) -> int:
    """How many columns fit side by side; one at least."""
    ends = list(itertools.accumulate(max(map(len, each.cells)) + 2 for each in columns))
    return max(sum(end - 2 <= _WIDTH for end in ends), min(1, len(columns)))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != name:
            raise
        raise MissingExtraError(
            f"this needs '{name}', which is not installed. Run: pip install {name}; or take to_frame(), which gives a "
            "Polars frame."
        ) from None
