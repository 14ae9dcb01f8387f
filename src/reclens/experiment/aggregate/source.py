"""Rows of an experiment within DuckDB: files, tables of databases, queries and frames, as what stands after FROM."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from reclens.data.dialects import translated
from reclens.data.quoting import quoted
from reclens.data.read.arrow import ArrowStream
from reclens.data.read.database import connect, is_connection, is_database
from reclens.data.read.frames import from_frame, is_frame
from reclens.data.read.options import leave_out
from reclens.data.warehouse import Warehouse
from reclens.engine import table_engine
from reclens.errors import Advice, ArgumentTypeError, DataError, Setting, UnknownNameError, UsageError, first_line

__all__ = ["Table", "columns_of", "hashed", "kept", "let_go", "opened", "present", "run"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows within an open DuckDB: what stands after FROM, its columns, and those of them that are whole numbers.

    A frame in memory is the view ``source`` of DuckDB, and stands here too.
    """

    connection: Any
    sql: str
    columns: tuple[str, ...]
    where: str
    whole: frozenset[str] = frozenset()
    frame: pl.DataFrame | None = None


def present(rows: Table, names: Sequence[str]) -> None:
    """Refuse columns that are not there.

    Raises:
        UnknownNameError: For the first of them.
    """
    for name in names:
        if name not in rows.columns:
            raise UnknownNameError(f"column of {rows.where}", name, rows.columns)


def run(rows: Table, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The answer of a query.

    Raises:
        DataError: If DuckDB or the warehouse refuses it.
    """
    import duckdb

    if isinstance(rows.connection, Warehouse):
        return rows.connection.rows(sql, params)
    try:
        return rows.connection.execute(sql, dict(params) if params else None).fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"it cannot be summed up: {first_line(error)}",
            source=rows.where,
            fix="Metrics and covariates need columns of numbers, days one of dates.",
        ) from None


def columns_of(rows: Table, sql: str) -> dict[str, bool]:
    """The columns of what stands after FROM, beside the rows -> whether they are integers."""
    if isinstance(rows.connection, Warehouse):
        return rows.connection.columns(sql)
    listed = rows.connection.execute(f"SELECT * FROM {sql} LIMIT 0").description
    return {name: str(kind).endswith(("INT", "INTEGER")) for name, kind, *_ in listed}


def kept(rows: Table, name: str, sql: str, params: Mapping[str, Any] | None = None) -> str:
    """The rows of a query for several passes, as what stands after FROM.

    A temporary table of DuckDB; the query itself in a warehouse, where nothing is written.
    """
    if isinstance(rows.connection, Warehouse):
        return f"({translated(sql, 'duckdb', params)})"
    run(rows, f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}", params)
    return name


def let_go(rows: Table, name: str) -> None:
    """Drop what :func:`kept` made."""
    if not isinstance(rows.connection, Warehouse):
        run(rows, f"DROP TABLE {name}")


def hashed(rows: Table) -> str:
    """What tells whole rows apart, to group by: in DuckDB their hash, which is faster; in a warehouse all columns."""
    listed = ", ".join(quoted(name) for name in rows.columns)
    return listed if isinstance(rows.connection, Warehouse) else f"hash({listed})"


@contextmanager
def opened(
    source: Any, *, table: str | None = None, query: str | None = None, threads: int | None = None
) -> Generator[Table]:
    """Any source as rows within DuckDB, for as long as the block runs.

    Raises:
        DataError: If it is not there or cannot be read.
        UsageError: If the arguments contradict each other.
    """
    import duckdb

    if isinstance(source, Warehouse):
        yield _in_warehouse(source, table, query)
        return
    if (engine := table_engine(source)) is not None:
        if table is not None or query is not None:
            raise UsageError(
                "a frame of an engine is given, and rows of it are named too",
                advice=leave_out(Setting("query" if table is None else "table")),
            )
        with engine.as_table(source) as (warehouse, name):
            yield replace(_in_warehouse(warehouse, name, None), where=f"the {type(source).__name__}")
        return
    file = str(source) if isinstance(source, str | Path) else None
    database = file if file and is_database(Path(file)) else None
    where = file or (f"the {type(source).__name__}" if source is not None else "the query")
    if query is not None and table is not None:
        raise UsageError(
            "a query and a table are both given: name the table in the query.", advice=leave_out(Setting("table"))
        )
    if table is not None and not (database or is_connection(source)):
        raise UsageError(
            "a table is named, and this is neither a DuckDB file nor a connection", advice=leave_out(Setting("table"))
        )
    connection: Any = None
    frame: pl.DataFrame | None = None
    try:
        connection = connect(source if is_connection(source) else database)
        connection.execute("SET TimeZone = 'UTC'")  # days are those of UTC, wherever the machine stands
        if threads is not None and not is_connection(source):
            connection.execute(f"SET threads = {int(threads)}")
        if not is_connection(source) and database is None and source is not None:
            frame = _view(connection, source, file)
            sql = f"({query})" if query else "source"
        elif query:
            sql = f"({query})"
        elif table is not None:
            sql = ".".join(quoted(part) for part in table.split("."))
            where = f"{where}, table {table}"
        else:
            raise _unsaid()
        yield _described(Table(connection=connection, sql=sql, columns=(), where=where, frame=frame))
    except duckdb.Error as error:
        raise DataError(f"it cannot be read: {first_line(error)}", source=where) from None
    finally:
        if connection is not None:
            connection.close()


def _in_warehouse(source: Warehouse, table: str | None, query: str | None) -> Table:
    """A table of a warehouse, or a query of DuckDB's that is translated."""
    if (table is None) == (query is None):
        raise _unsaid()
    sql = source.table(table) if table is not None else f"({query})"
    where = source.speaks if table is None else f"{source.speaks}, table {table}"
    return _described(Table(connection=source, sql=sql, columns=(), where=where))


def _described(rows: Table) -> Table:
    found = columns_of(rows, rows.sql)
    return replace(rows, columns=tuple(found), whole=frozenset(name for name, is_whole in found.items() if is_whole))


def _unsaid() -> UsageError:
    return UsageError(
        "it is not said which rows of the database are meant",
        advice=Advice("say_rows", (Setting("table"), Setting("query")), "Say it by {table} or {query}."),
    )


def _view(connection: Any, source: Any, file: str | None) -> pl.DataFrame | None:
    """Make a frame or a file the view ``source``; returns the frame."""
    if file is None:
        if not is_frame(source):
            raise ArgumentTypeError(
                "source",
                source,
                expected="a path, a DuckDB connection or a frame (Polars, pandas, PyArrow, or anything with "
                "__arrow_c_stream__)",
            )
        frame = from_frame(source)
        connection.register("source", ArrowStream(frame))
        return frame
    place = Path(file).expanduser()
    if not any(sign in file for sign in "*?[") and not place.exists():
        raise DataError("there is no such file", source=file, fix="Check the path.")
    pattern = str(place / "**" / "*.parquet") if place.is_dir() else str(place)
    if pattern.endswith((".parquet", ".pq")):
        connection.read_parquet(pattern).create_view("source")
    else:
        # A table, and not a view: text is parsed once for all passes, and by its own types, not those of a later cast.
        connection.read_csv(pattern).create("source")
    return None
