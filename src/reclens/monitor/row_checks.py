"""Row checks, and a gate that applies them to any frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from reclens.data.read.arrow import ArrowStream
from reclens.errors import UnknownNameError, first_line
from reclens.monitor.duck import opened, rows
from reclens.monitor.log import REQUIRED
from reclens.monitor.settings import GateSettings
from reclens.protocols import GateCheck
from reclens.schema import CLICKED, ITEM, LATENCY, POSITION, REQUEST, SCORE, USER

if TYPE_CHECKING:
    import duckdb

__all__ = ["KEYS", "DuckGate", "counts_of", "null_parts", "range_parts", "repeated_rows"]

KEYS: Final = (USER, ITEM, POSITION, CLICKED)
"""Columns of which every row has to have a value."""

_RANGES: Final = {POSITION: "{} < 1", SCORE: "NOT isfinite({})", LATENCY: "{} < 0 OR NOT isfinite({})"}


class DuckGate:
    """A :class:`~reclens.protocols.Gate` that applies the row checks to any frame of impressions.

    Args:
        settings: The bounds.

    Example:
        >>> table = pl.DataFrame({"user_id": [1, None], "item_id": [1, 2], "position": [1, 0], "clicked": [0, 1]})
        >>> [(each.code, each.column) for each in DuckGate().check(table, name="impressions") if each.state == "failed"]
        [('columns', 'timestamp'), ('not_null', 'user_id'), ('in_range', 'position')]
    """

    def __init__(self, settings: GateSettings | None = None) -> None:
        self.settings = GateSettings() if settings is None else settings

    def check(self, table: pl.DataFrame, *, name: str) -> Sequence[GateCheck]:
        """Check a table of impressions; see :meth:`reclens.protocols.Gate.check`.

        Raises:
            UnknownNameError: If ``name`` is not ``impressions``.
        """
        if name != "impressions":
            raise UnknownNameError("table of checks", name, ["impressions"])
        enough = table.height >= self.settings.least_rows
        found = [_gate_check("rows", enough, None, None, table.height)]
        lost = [column for column in REQUIRED if column not in table.columns]
        found += [_gate_check("columns", False, column, None, table.height) for column in lost]
        connection = opened(1)
        try:
            connection.register("impressions", ArrowStream(table))
            for code, parts in (("not_null", null_parts(table.columns)), ("in_range", range_parts(table.columns))):
                found += self._counted(connection, code, parts, table.height)
            if REQUEST in table.columns and ITEM in table.columns:
                found.append(self._repeated(connection, table.height))
        finally:
            connection.close()
        return found

    def _counted(
        self, connection: duckdb.DuckDBPyConnection, code: str, parts: Mapping[str, str], height: int
    ) -> list[GateCheck]:
        """A check a column, run separately, so that an error in one column does not affect the others."""
        import duckdb

        if not height:
            return [GateCheck(code=code, state="not_evaluated", column=column) for column in parts]
        most = self.settings.null_share if code == "not_null" else self.settings.bad_share
        found: list[GateCheck] = []
        for column, condition in parts.items():
            try:
                n = counts_of(connection, {column: condition})[column]
            except duckdb.Error as error:
                found.append(
                    GateCheck(code=code, state="errored", column=column, rows=height, problem=first_line(error))
                )
            else:
                found.append(_gate_check(code, n / height <= most, column, n, height))
        return found

    def _repeated(self, connection: duckdb.DuckDBPyConnection, height: int) -> GateCheck:
        if not height:
            return GateCheck(code="unique", state="not_evaluated")
        repeated = repeated_rows(connection)
        return _gate_check("unique", repeated / height <= self.settings.duplicate_share, None, repeated, height)


def null_parts(columns: Sequence[str]) -> dict[str, str]:
    """Conditions for rows with missing values; an empty list has one row without item and position."""
    empty = f" AND {ITEM} IS NOT NULL" if ITEM in columns else ""
    parts = {name: f"{name} IS NULL{empty if name in (POSITION, CLICKED) else ''}" for name in KEYS if name in columns}
    if ITEM in parts and POSITION in columns:
        parts[ITEM] = f"{ITEM} IS NULL AND {POSITION} IS NOT NULL"
    return parts


def range_parts(columns: Sequence[str]) -> dict[str, str]:
    """Conditions for rows with impossible values."""
    return {name: rule.replace("{}", name) for name, rule in _RANGES.items() if name in columns}


def counts_of(
    connection: duckdb.DuckDBPyConnection, parts: Mapping[str, str], *, table: str = "impressions"
) -> dict[str, int]:
    """Rows of a table that meet each condition."""
    if not parts:
        return {}
    listed = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in parts.values())
    [found] = rows(connection, f"SELECT {listed} FROM {table}")
    return dict(zip(parts, map(int, found), strict=True))


def repeated_rows(connection: duckdb.DuckDBPyConnection) -> int:
    """Rows that repeat an item of the same list."""
    [(repeated,)] = rows(
        connection,
        f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM impressions WHERE {ITEM} IS NOT NULL "
        f"GROUP BY {REQUEST}, {ITEM} HAVING count(*) > 1)",
    )
    return int(repeated)


def _gate_check(code: str, passed: bool, column: str | None, failed: int | None, height: int) -> GateCheck:
    return GateCheck(code=code, state="passed" if passed else "failed", column=column, failed_rows=failed, rows=height)
