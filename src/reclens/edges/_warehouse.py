"""The tables in a DuckDB file, or as Parquet files for other warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from reclens.data.quoting import constant, literal_path
from reclens.drafts import draft_folder
from reclens.edges._staging import OVERWRITE, Parts
from reclens.errors import ArgumentValueError, WorkspaceError, first_line
from reclens.export.columns import ExportTable
from reclens.export.schema import EXPORTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["check_database", "write_database", "write_parquet"]

_DUCKDB: Final = {
    "text": "VARCHAR",
    "whole": "BIGINT",
    "real": "DOUBLE",
    "truth": "BOOLEAN",
    "day": "DATE",
    "moment": "TIMESTAMP",
}


def write_parquet(parts: Parts, folder: Path) -> None:
    """One Parquet file per table, streamed without loading a whole table."""
    folder.mkdir()
    for table in EXPORTS:
        frame = _scan(parts[table.name]) if parts[table.name] else table.frame([]).lazy()
        frame.sink_parquet(folder / f"{table.name}.parquet")


def check_database(file: Path, schema: str, *, overwrite: bool) -> None:
    """Fail early if a table exists, or the file is not a DuckDB database.

    Raises:
        UsageError: If the schema cannot be named in this file.
        WorkspaceError: If a table exists, or the file cannot be opened.
    """
    if "." in schema:
        raise ArgumentValueError("schema", f"is '{schema}', expected one name for a DuckDB file, such as main")
    if schema.lower() == file.stem.lower():
        raise ArgumentValueError(
            "schema", f"is '{schema}', as is the name of {file.name}: DuckDB could not tell them apart. Rename one"
        )
    if not file.exists():
        return
    with _connect(file, read_only=True) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", [schema]
        ).fetchall()
    taken = [table.name for table in EXPORTS if (table.name,) in rows]
    if taken and not overwrite:
        raise WorkspaceError(f"{file} has a table {schema}.{taken[0]} already", advice=OVERWRITE)


def write_database(parts: Parts, file: Path, schema: str) -> None:
    """Write the tables into a schema of a DuckDB file: all of them or none. Other tables of the file are unchanged.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    if file.exists():
        with _connect(file) as connection:
            _fill(connection, parts, schema, file)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(file.parent) as folder:
            made = folder / file.name
            with _connect(made) as connection:
                _fill(connection, parts, schema, file)
            made.replace(file)
    except WorkspaceError:
        raise
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written: {error.strerror or error}. Choose another place.") from error


def _connect(file: Path, *, read_only: bool = False) -> DuckDBPyConnection:
    import duckdb

    try:
        return duckdb.connect(str(file), read_only=read_only)
    except duckdb.Error as error:
        raise WorkspaceError(
            f"{file} cannot be opened as a DuckDB database ({first_line(error).rstrip('.')}). Close what else has it "
            "open, or choose another file."
        ) from error


def _fill(connection: DuckDBPyConnection, parts: Parts, schema: str, file: Path) -> None:
    import duckdb

    try:
        connection.begin()
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        for table in EXPORTS:
            _create(connection, table, f'"{schema}".{table.name}', parts[table.name])
        connection.commit()
    except duckdb.Error as error:
        # Closing the connection rolls the transaction back.
        raise WorkspaceError(
            f"{file} cannot be written ({first_line(error).rstrip('.')}). Choose another file."
        ) from error


def _create(connection: DuckDBPyConnection, table: ExportTable, name: str, parts: Sequence[Path]) -> None:
    columns = ", ".join(f"{column.name} {_DUCKDB[column.type]}" for column in table.columns)
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    connection.execute(f"COMMENT ON TABLE {name} IS {constant(table.description)}")
    for column in table.columns:
        connection.execute(f"COMMENT ON COLUMN {name}.{column.name} IS {constant(column.description)}")
    if parts:
        # The folder may be called out[1] or run=5: do not read its name as a pattern or a partition.
        files = [literal_path(part) for part in parts]
        connection.execute(f"INSERT INTO {name} FROM read_parquet($files, hive_partitioning = false)", {"files": files})


def _scan(parts: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(list(parts), glob=False, hive_partitioning=False)
