"""Tables of other libraries through the Arrow C stream, without PyArrow."""

from __future__ import annotations

from typing import Any

__all__ = ["ArrowStream"]


class ArrowStream:
    """Wraps a table and exposes only its Arrow C stream, so that libraries exchange it without PyArrow.

    Given a Polars frame itself, DuckDB needs PyArrow; given a DuckDB relation itself, Polars keeps DuckDB's types alive
    until the interpreter ends, and DuckDB then prints a warning to stderr.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream of the table."""
        return self._table.__arrow_c_stream__(requested_schema)
