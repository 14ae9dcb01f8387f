"""Any source of rows, as one Polars frame: files, folders, DuckDB, SQL, frames of other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.arrow import ArrowStream
from reclens.data.delimited import read_delimited, unpack
from reclens.data.frames import from_frame, is_frame
from reclens.data.quoting import quoted
from reclens.data.zips import open_members
from reclens.errors import DataError, UsageError, first_line, suggest

__all__ = ["Raw", "connect", "is_connection", "is_database", "load"]

_PARQUET: Final = (".parquet", ".pq")
_DELIMITED: Final = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".user", ".item", ".gz")


@dataclass(frozen=True)
class Raw:
    """Rows as they were found.

    Attributes:
        frame: The rows.
        where: File or table, for messages.
        name: A short name for it.
        text: Whether every column is text because the file had no types.
    """

    frame: pl.DataFrame
    where: str
    name: str
    text: bool = False


def load(
    source: Any,
    *,
    query: str | None = None,
    params: Mapping[str, Any] | Sequence[Any] | None = None,
    table: str | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
) -> Raw:
    """Rows of any source; the arguments are those of :func:`reclens.data.tables.read`.

    Raises:
        DataError: If it is not there, cannot be read or is of no known kind.
        UsageError: If arguments contradict each other.
    """
    if query is not None:
        return _from_query(source, query, params, table)
    if params is not None:
        raise UsageError("params= are values for query=, which is not given.")
    if isinstance(source, Raw):
        return source
    if isinstance(source, str | Path):
        return _from_path(str(source), table=table, delimiter=delimiter, encoding=encoding, header=header)
    if is_connection(source):
        return _from_database(source, "DuckDB", table)
    if table is not None:
        raise UsageError("table= names a table of a DuckDB file or connection, or a member of a zip; this is neither.")
    if isinstance(source, bytes):
        return Raw(read_delimited(source, source="bytes", delimiter=delimiter, encoding=encoding, header=header),
                   "bytes", "data", text=True)  # fmt: skip
    if not is_frame(source):
        raise UsageError(
            f"cannot read a {type(source).__name__}; expected a path, a frame (Polars, pandas, PyArrow, DuckDB, or "
            "anything with __arrow_c_stream__), a mapping of columns, or query=."
        )
    return Raw(from_frame(source), f"the {type(source).__name__}", "data")


def _from_path(path: str, *, table: str | None, delimiter: str | None, encoding: str, header: bool) -> Raw:
    place = Path(path).expanduser()
    options: dict[str, Any] = {"delimiter": delimiter, "encoding": encoding, "header": header}
    if place.is_dir():
        return _from_many(_files_of(place), path, place.name, options)
    if not place.exists():
        matches = _matching(place) if any(sign in path for sign in "*?[") else []
        if matches:
            return _from_many([Path(match) for match in matches], path, Path(path).parent.name or "data", options)
        near = suggest(place.name, [p.name for p in place.parent.iterdir()]).strip() if place.parent.is_dir() else ""
        fix = near if near.startswith("Did you mean") else "Check the path."
        raise DataError("there is no such file or folder", source=path, fix=fix)
    try:
        with place.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=path) from None
    name = place.name.split(".")[0] or place.name
    if head[8:12] == b"DUCK":
        return _from_database(str(place), path, table)
    if head[:2] == b"PK":
        return _from_zip(place, table, options)
    if table is not None:
        raise UsageError(f"table= names a table of a DuckDB file or a member of a zip; {path} is neither.")
    if not head:
        raise DataError("the file is empty", source=path, fix="Expected CSV or Parquet.")
    if head[:4] == b"PAR1":
        return Raw(_parquet(str(place), path), path, name)
    if head[:6] == b"ARROW1":
        return Raw(_guarded(lambda: pl.read_ipc(place), path), path, name)
    if place.suffix.lower() in _PARQUET:
        raise DataError("this is not a Parquet file (it does not begin with PAR1)", source=path, fix="Write it again.")
    return Raw(read_delimited(_bytes_of(place), source=path, **options), path, name, text=True)


def _matching(pattern: Path) -> list[Path]:
    """The files that a glob matches, sorted."""
    root = Path(pattern.anchor) if pattern.is_absolute() else Path()
    parts = pattern.relative_to(root) if pattern.is_absolute() else pattern
    try:
        return sorted(file for file in root.glob(str(parts)) if file.is_file())
    except (ValueError, OSError):
        return []


def _files_of(folder: Path) -> list[Path]:
    """The tables of a folder: its Parquet files at any depth, or else its delimited files."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
    parquet = [file for file in files if file.suffix.lower() in _PARQUET]
    delimited = [file for file in files if file.suffix.lower() in (".csv", ".tsv") or file.name.endswith(".csv.gz")]
    if {"ratings.csv", "u.data", "ratings.dat"} & {file.name for file in files}:
        raise DataError("this is a MovieLens folder", source=str(folder), fix="Read it with read_movielens(path).")
    if any(file.suffix == ".inter" for file in files):
        raise DataError("this is a folder of RecBole files", source=str(folder), fix="Read it with read_recbole(path).")
    if not parquet and not delimited:
        raise DataError(
            "the folder has no Parquet or CSV files", source=str(folder), fix="Name a file, or another folder."
        )
    return parquet or delimited


def _from_many(files: list[Path], path: str, name: str, options: Mapping[str, Any]) -> Raw:
    if all(file.suffix.lower() in _PARQUET for file in files):
        folder = Path(path)
        # A folder may be partitioned (day=2024-01-01/…): its columns then stand in the paths.
        hive = folder.is_dir() and any("=" in part for part in files[0].relative_to(folder).parts[:-1])
        read = lambda: pl.read_parquet([str(file) for file in files], hive_partitioning=hive, glob=False)  # noqa: E731
        return Raw(_guarded(read, path), path, name)
    frames: list[pl.DataFrame] = []
    for file in files:
        frame = read_delimited(_bytes_of(file), source=str(file), **options)
        if frames and frame.columns != frames[0].columns:
            raise DataError(
                f"its columns are {', '.join(frame.columns)}; those of {files[0]} are {', '.join(frames[0].columns)}",
                source=str(file), fix="Files that are read together need equal columns.",
            )  # fmt: skip
        frames.append(frame)
    return Raw(pl.concat(frames), path, name, text=True)


def _from_zip(path: Path, member: str | None, options: Mapping[str, Any]) -> Raw:
    with open_members(path) as members:
        tables = [name for name in members.names if name.lower().endswith((*_DELIMITED, *_PARQUET))]
        chosen = [name for name in tables if member in (name, name.rpartition("/")[2])] if member else tables
        if len(chosen) != 1:
            what = f"no one table '{member}'" if member else f"{len(tables)} tables"
            raise DataError(
                f"the zip has {what}: {', '.join(tables[:20]) or 'none'}", source=str(path),
                fix="Choose one with table='name', or read MovieLens with read_movielens(path).",
            )  # fmt: skip
        data, where = members.read(chosen[0]), members.where(chosen[0])
    name = chosen[0].rpartition("/")[2].split(".")[0]
    if data[:4] == b"PAR1":
        return Raw(_guarded(lambda: pl.read_parquet(data), where), where, name)
    return Raw(read_delimited(data, source=where, **options), where, name, text=True)


def _parquet(path: str, where: str) -> pl.DataFrame:
    return _guarded(lambda: pl.read_parquet(path, glob=False, hive_partitioning=False), where)


def _guarded(read: Any, where: str) -> pl.DataFrame:
    try:
        return read()
    # Polars panics on some broken files; that is no Exception, and as much their fault.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"it cannot be read: {reason}", source=where, fix="Was it written to the end?") from None


def _bytes_of(path: Path) -> bytes:
    try:
        return unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}", source=str(path)) from None


# ------------------------------------------------------------------------------------------------------------- DuckDB


def is_connection(source: Any) -> bool:
    """Whether this is an open connection of DuckDB; asked without importing it."""
    return type(source).__name__ == "DuckDBPyConnection"


def connect(source: Any) -> Any:
    """A cursor on a connection, or a new connection on a file (read-only) or on nothing."""
    if is_connection(source):
        return source.cursor()
    import duckdb

    # Without replacements, a name in the SQL is a table and never a variable of the calling program.
    config: dict[str, Any] = {"python_enable_replacements": False}
    return duckdb.connect(source, read_only=True, config=config) if source else duckdb.connect(config=config)


def _from_database(source: Any, where: str, table: str | None) -> Raw:
    import duckdb

    try:
        connection = connect(source)
    except duckdb.Error as error:
        raise DataError(f"it cannot be opened: {first_line(error)}", source=where,
                        fix="Is it a DuckDB file, and not open for writing elsewhere?") from None  # fmt: skip
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
                f"the database has {what}: {names or 'none'}", source=where, fix="Choose one with table='name'."
            )
        schema, name = matches[0]
        frame = pl.DataFrame(ArrowStream(connection.sql(f"SELECT * FROM {quoted(schema)}.{quoted(name)}")))
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise DataError(f"it cannot be read: {first_line(error)}", source=where) from None
    finally:
        connection.close()
    return Raw(frame, f"{where}, table {name}", name)


def _from_query(source: Any, query: str, params: Any, table: str | None) -> Raw:
    import duckdb

    if table is not None:
        raise UsageError("query= and table= were both given: name the table in the query.")
    database, rows, where = None, None, "the query"
    if is_connection(source):
        database = source
    elif isinstance(source, str | Path) and is_database(Path(source)):
        database, where = str(source), f"the query on {source}"
    elif source is not None:
        raw = load(source)
        rows, where = raw.frame, f"the query on {raw.where}"
    try:
        connection = connect(database)
    except duckdb.Error as error:
        raise DataError(f"it cannot be opened: {first_line(error)}", source=where) from None
    try:
        if rows is not None:
            connection.register("source", ArrowStream(rows))
        values = None if params is None else dict(params) if isinstance(params, Mapping) else list(params)
        relation = connection.sql(query, params=values)
        if relation is None:
            raise DataError("the SQL returns no rows", source=where, fix="Expected one SELECT.")
        return Raw(pl.DataFrame(ArrowStream(relation)), where, "query")
    except pl.exceptions.PolarsError as error:  # such as two columns of one name
        raise DataError(f"its rows cannot be used: {first_line(error)}", source=where, fix="Mend the SQL.") from None
    except duckdb.Error as error:
        fix = "The rows of the given source are the table 'source'." if rows is not None else "Mend the SQL."
        raise DataError(f"the SQL failed: {first_line(error)}", source=where, fix=fix) from None
    finally:
        connection.close()


def is_database(path: Path) -> bool:
    """Whether a file begins as DuckDB's databases do."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False
