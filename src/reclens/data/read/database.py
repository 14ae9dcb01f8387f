"""Rows from DuckDB: a table of a file or connection, or the result of a query."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from reclens.data.quoting import quoted
from reclens.data.read.arrow import ArrowStream
from reclens.data.read.raw import Raw
from reclens.errors import Advice, DataError, Setting, first_line

__all__ = ["connect", "is_connection", "is_database", "read_query", "read_table"]


def is_connection(source: Any) -> bool:
    """Whether this is a DuckDB connection; does not import DuckDB."""
    return type(source).__name__ == "DuckDBPyConnection"


def connect(source: Any) -> Any:
    """Return a cursor of a connection, or connect to a file (read-only) or to an empty database."""
    if is_connection(source):
        return source.cursor()
    import duckdb

    # Without replacements, a name in the SQL is a table and never a variable of the calling program.
    config: dict[str, Any] = {"python_enable_replacements": False}
    return duckdb.connect(source, read_only=True, config=config) if source else duckdb.connect(config=config)


def read_table(source: Any, where: str, table: str | None) -> Raw:
    """Read a table by name; without a name, the database must have exactly one.

    Raises:
        DataError: If the database cannot be opened or read, or has no such table.
    """
    import duckdb

    try:
        connection = connect(source)
    except duckdb.Error as error:
        raise DataError(
            f"it cannot be opened: {first_line(error)}",
            source=where,
            fix="Is it a DuckDB file, and not open for writing elsewhere?",
        ) from None
    try:
        known = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY ALL"
        ).fetchall()
        matches = [pair for pair in known if table is None or table in (pair[1], f"{pair[0]}.{pair[1]}")]
        if len(matches) != 1:
            what = f"no one table '{table}'" if table else f"{len(known)} tables"
            names = ", ".join(name if schema == "main" else f"{schema}.{name}" for schema, name in known)
            raise DataError(
                f"the database has {what}: {names or 'none'}",
                source=where,
                fix=Advice("choose_table", (Setting("table"),), "Choose one by {table}."),
            )
        schema, name = matches[0]
        frame = pl.DataFrame(ArrowStream(connection.sql(f"SELECT * FROM {quoted(schema)}.{quoted(name)}")))
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise DataError(f"it cannot be read: {first_line(error)}", source=where) from None
    finally:
        connection.close()
    return Raw(frame=frame, where=f"{where}, table {name}", name=name)


def read_query(source: Any, query: str, params: Any, *, where: str, rows: pl.DataFrame | None = None) -> Raw:
    """Run a query and return its rows.

    Args:
        source: A connection, the path of a DuckDB file, or None for an empty database.
        query: One SELECT.
        params: Its values, by name or in order.
        where: Name of the source, for messages.
        rows: The table ``source`` of the query.

    Raises:
        DataError: If the database cannot be opened, or the query fails or has no rows that can be used.
    """
    import duckdb

    try:
        connection = connect(source)
    except duckdb.Error as error:
        raise DataError(f"it cannot be opened: {first_line(error)}", source=where) from None
    try:
        if rows is not None:
            connection.register("source", ArrowStream(rows))
        values = None if params is None else dict(params) if isinstance(params, Mapping) else list(params)
        relation = connection.sql(query, params=values)
        if relation is None:
            raise DataError("the SQL returns no rows", source=where, fix="Expected one SELECT.")
        return Raw(frame=pl.DataFrame(ArrowStream(relation)), where=where, name="query")
    except pl.exceptions.PolarsError as error:  # such as two columns of one name
        raise DataError(f"its rows cannot be used: {first_line(error)}", source=where, fix="Mend the SQL.") from None
    except duckdb.Error as error:
        fix = "The rows of the given source are the table 'source'." if rows is not None else "Mend the SQL."
        raise DataError(f"the SQL failed: {first_line(error)}", source=where, fix=fix) from None
    finally:
        connection.close()


def is_database(path: Path) -> bool:
    """Whether a file is a DuckDB database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False
