"""Tables of other libraries through the Arrow C stream, without PyArrow."""

from __future__ import annotations

from typing import Any

__all__ = ["ArrowStream"]


class ArrowStream:
    """A table that shows nothing but its Arrow stream, so that libraries exchange it without PyArrow.

    Given the objects themselves, DuckDB asks a Polars frame for PyArrow, and Polars keeps DuckDB's types alive beyond
    its end, which then complains on stderr.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream of the table."""
        return self._table.__arrow_c_stream__(requested_schema)
