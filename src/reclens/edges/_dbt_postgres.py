"""PostgreSQL under dbt: the landed days are copied into the schema ``landed``, and the marts are read back.

The address and the password are read from the standard environment variables of PostgreSQL: ``PGHOST``,
``PGPORT``, ``PGUSER``, ``PGPASSWORD``, ``PGDATABASE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.read.frames import read_parquet
from reclens.engine import need
from reclens.errors import WorkspaceError, first_line
from reclens.monitor.landing import LANDED, landed_folder
from reclens.monitor.project import Project

__all__ = ["load_days", "read_mart"]

_SCHEMA: Final = "landed"
_MARTS: Final = "marts"


def load_days(project: Project, days: Sequence[date]) -> None:
    """Copy landed days in one transaction, replacing existing rows of these days.

    Raises:
        WorkspaceError: If the server is unreachable or refuses the request.
        MissingExtraError: If psycopg is not installed.
    """
    psycopg: Any = need("psycopg", extra="pgvector")
    try:
        with psycopg.connect("") as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
            for name in LANDED:
                folder = landed_folder(project) / name
                if folder.is_dir():
                    _load(connection, psycopg.sql, name, [folder / f"{day}.parquet" for day in days], days)
    except psycopg.Error as error:
        raise WorkspaceError(f"PostgreSQL cannot take the landed days: {first_line(error)}") from None


def read_mart(name: str, day: date) -> pl.DataFrame:
    """The rows of a mart of a day, without the column of the day.

    Raises:
        WorkspaceError: If the server is unreachable or refuses the request.
    """
    psycopg: Any = need("psycopg", extra="pgvector")
    sql: Any = psycopg.sql
    try:
        with psycopg.connect("") as connection:
            query = sql.SQL("COPY (SELECT * FROM {} WHERE day = {}) TO STDOUT (FORMAT csv, HEADER)")
            place = sql.Identifier(_MARTS, name)
            kinds = _kinds(connection, _MARTS, name)
            with connection.cursor().copy(query.format(place, sql.Literal(day))) as copy:
                content = b"".join(bytes(part) for part in copy)
    except psycopg.Error as error:
        raise WorkspaceError(f"PostgreSQL cannot give the mart {name}: {first_line(error)}") from None
    texts = pl.read_csv(content, infer_schema=False)
    return texts.select(_typed(column, kinds[column]) for column in texts.columns if column != "day")


def _load(connection: Any, sql: Any, name: str, files: Sequence[Path], days: Sequence[date]) -> None:
    table = sql.Identifier(_SCHEMA, name)
    found = [read_parquet(file) for file in files if file.is_file()]
    whole = pl.concat(found, how="diagonal_relaxed") if found else None
    known = _kinds(connection, _SCHEMA, name)
    if whole is not None:
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(each), sql.SQL(_kind(whole.schema[each]))) for each in whole.columns
        ]
        connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(table, sql.SQL(", ").join(columns)))
        for each, column in zip(whole.columns, columns, strict=True):
            if known and each not in known:
                connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(table, column))
    elif not known:
        return
    connection.execute(sql.SQL("DELETE FROM {} WHERE day BETWEEN %s AND %s").format(table), (days[0], days[-1]))
    if whole is None:
        return
    listed = sql.SQL(", ").join(map(sql.Identifier, whole.columns))
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(table, listed)
    with connection.cursor().copy(query) as copy:
        copy.write(whole.write_csv(include_header=False).encode())


def _kinds(connection: Any, schema: str, name: str) -> dict[str, str]:
    found = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (schema, name),
    )
    return dict(found.fetchall())


def _kind(kind: pl.DataType) -> str:
    """PostgreSQL type of a Polars column."""
    if kind == pl.Boolean:
        return "BOOLEAN"
    if kind.is_integer():
        return "BIGINT"
    if kind.is_numeric():
        return "DOUBLE PRECISION"
    if kind == pl.Date:
        return "DATE"
    return "TIMESTAMP" if kind == pl.Datetime else "TEXT"


def _typed(column: str, kind: str) -> pl.Expr:
    """Cast a text column to the type that DuckDB gives it in a mart."""
    if kind in ("bigint", "integer", "smallint"):
        return pl.col(column).cast(pl.Int64)
    if kind == "boolean":
        return pl.col(column) == "t"
    # Sums of integers are unbounded in both.
    return pl.col(column).cast(pl.Float64) if kind in ("double precision", "numeric") else pl.col(column)
