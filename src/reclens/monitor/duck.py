"""DuckDB queries whose results are fetched at once, because a connection runs one query at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from reclens.data.read.arrow import ArrowStream

if TYPE_CHECKING:
    import duckdb

__all__ = ["columns_of", "create", "frame", "opened", "rows", "run"]


def opened(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that cannot see variables of the caller."""
    import duckdb

    config: dict[str, Any] = {"python_enable_replacements": False} | ({} if threads is None else {"threads": threads})
    return duckdb.connect(":memory:", config=config)


def run(connection: duckdb.DuckDBPyConnection, statement: str, **values: Any) -> None:
    """Run a statement."""
    rows(connection, statement, **values)


def rows(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    found = connection.execute(query, values) if values else connection.execute(query)
    return found.fetchall()


def frame(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> pl.DataFrame:
    """The rows of a query as a frame; wide integer sums are cast to Int64, and codes to text."""
    found = connection.sql(query, params=values) if values else connection.sql(query)
    made = pl.DataFrame(ArrowStream(found))
    return made.with_columns(
        pl.selectors.integer().cast(pl.Int64),
        pl.selectors.decimal().cast(pl.Float64),
        (pl.selectors.categorical() | pl.selectors.enum()).cast(pl.String),
    )


def create(connection: duckdb.DuckDBPyConnection, name: str, query: str, **values: Any) -> None:
    """Make a temporary table of a query."""
    run(connection, f"CREATE OR REPLACE TEMP TABLE {name} AS {query}", **values)


def columns_of(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """The columns of a query with their types."""
    return {str(name): str(kind) for name, kind, *_ in rows(connection, f"DESCRIBE {query}")}
