"""Read-only SQL over tables: the tables are copied into memory, and external access is disabled before a query runs.

A SELECT of DuckDB can write, for example ``WITH x AS (COPY … TO 'file')``. Therefore no query runs while files are
accessible. The tables that it names are copied into an in-memory database; then file access, extensions and settings
are locked, and a query can change only copies that are discarded with it.

The process of :mod:`reclens.workspace.query` runs this module, which imports little so that it starts fast.
"""

from __future__ import annotations

import io
import json
import os
import queue
import re
import sys
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import polars as pl

from reclens.data.quoting import constant, literal_path, quoted
from reclens.data.read.arrow import ArrowStream
from reclens.errors import RecLensError, UsageError, WorkspaceError, first_line, suggest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["IDLE", "LESS", "MOST_BYTES", "Cut", "answer", "main", "named_in", "open_tables", "receive", "send"]

MEMORY: Final = "2GB"
"""What a query may use, the tables that it reads included; nothing is spilled to disk."""

LESS: Final = "Ask for less: filter, aggregate, or name fewer tables."
"""What to do about a query that is too large."""

IDLE: Final = 300.0
"""Seconds without a query after which the process ends by itself."""

Cut = Literal["rows", "bytes"]
"""What limited an answer: the number of rows, or their size."""
MOST_BYTES: Final = 100_000_000
"""Most bytes of values that an answer holds: few rows can be large too."""
_ANSWER: Final = "answer_of_the_query"
_ODD: Final = re.compile(r"INTERVAL|UNION|BIT\b|BIGNUM|VARIANT|TIME WITH TIME ZONE|GEOMETRY|MAP|ENUM|UUID")
"""Types that Polars does not have, or not alike: they come out as text."""
_DATE: Final = re.compile(r"DATE|TIMESTAMP")
_LISTING: Final = re.compile(r"\s*(?:SHOW|DESCRIBE|DESC)\b", re.IGNORECASE)
_QUERY: Final = "_QUERY_NODE"
"""How DuckDB's parser ends the names of statements that stand in a WITH and change something."""
_PIVOT: Final = re.compile(r"\bPIVOT\b", re.IGNORECASE)


def answer(files: Mapping[str, Path], query: str, *, limit: int | None) -> tuple[pl.DataFrame, Cut | None]:
    """Run one SELECT over tables, in this process.

    Args:
        files: Name of a table -> its Parquet file.
        query: The SELECT.
        limit: Maximum number of rows of the answer.

    Returns:
        The rows, and the limit that cut them off, or None.

    Raises:
        UsageError: If it is not a single SELECT, DuckDB rejects it, or it exceeds the memory limit.
        WorkspaceError: If a table cannot be read.
    """
    import duckdb

    _only_select(query)
    listing = _LISTING.match(query) is not None
    try:
        with open_tables(files if listing else named_in(query, files), empty=listing) as connection:
            return _fetch(connection, query, limit, listing=listing)
    except duckdb.OutOfMemoryException as error:
        raise UsageError(f"the query needs more than the {MEMORY} that it may use. {LESS}") from error
    except duckdb.CatalogException as error:
        raise UsageError(f"the query failed: {first_line(error)}{_hint(str(error), files)}") from error
    except duckdb.Error as error:
        raise UsageError(f"the query failed: {str(error).strip()}") from error


def named_in(query: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the tables whose names occur anywhere in a query, including quotes, comments and text."""
    words = set(re.findall(r"\w+", query.casefold()))
    return {name: path for name, path in files.items() if name.casefold() in words}


@contextmanager
def open_tables(files: Mapping[str, Path], *, empty: bool = False) -> Generator[DuckDBPyConnection]:
    """Open an in-memory DuckDB with a copy of each table and no access to files, network or extensions.

    Args:
        files: Name of a table -> its Parquet file.
        empty: Copy the columns without rows, and leave out unreadable tables; for ``SHOW TABLES``.

    Raises:
        WorkspaceError: If a table cannot be read.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "allow_persistent_secrets": False,
            "memory_limit": MEMORY,
            "temp_directory": "",
            # The default would reveal the home folder.
            "secret_directory": "none",
        },
    )
    try:
        for name, path in files.items():
            rows = f"FROM read_parquet({constant(literal_path(path))}, hive_partitioning = false)"
            try:
                connection.execute(f"CREATE TABLE {quoted(name)} AS {rows}{' LIMIT 0' if empty else ''}")
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                if empty:
                    continue
                raise WorkspaceError(f"{path} cannot be read ({first_line(error)}). Make it again.") from error
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET allowed_directories = []")
        connection.execute("SET allowed_paths = []")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def main() -> None:
    """Answer queries from stdin on stdout until stdin is closed or no query arrives for a while."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed output must not be mistaken for an answer
    asked: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        # The parent process may end during a query; then nobody needs the answer.
        while True:
            try:
                asked.put(receive(sys.stdin.buffer)[0])
            except (EOFError, OSError):
                os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            each = asked.get(timeout=IDLE)
        except queue.Empty:
            os._exit(0)
        send(out, *_answered(each))


def send(out: IO[bytes], head: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a message: two lengths of 8 bytes, a JSON head and a body."""
    text = json.dumps(head).encode()
    out.write(len(text).to_bytes(8, "big") + len(body).to_bytes(8, "big") + text)
    out.write(body)
    out.flush()


def receive(source: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read a message of :func:`send`.

    Raises:
        EOFError: If the other process has ended.
    """
    lengths = _exactly(source, 16)
    head = json.loads(_exactly(source, int.from_bytes(lengths[:8], "big")))
    return head, _exactly(source, int.from_bytes(lengths[8:], "big"))


def _exactly(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _answered(asked: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    files = {name: Path(path) for name, path in asked["files"].items()}
    try:
        table, cut = answer(files, asked["query"], limit=asked["limit"])
        out = io.BytesIO()
        table.write_ipc(out)
        return {"cut": cut}, out.getvalue()
    except RecLensError as error:
        return {"error": type(error).__name__, "says": str(error)}, b""
    # A query can raise any exception in Polars or Python; its message is the answer.
    except BaseException as error:
        return {"error": "UsageError", "says": f"the query failed: {first_line(error)}"}, b""


def _only_select(query: str) -> None:
    """Reject everything except a single SELECT, with DuckDB's parser on a connection without tables and access."""
    import duckdb

    with open_tables({}) as connection:
        try:
            statements = connection.extract_statements(query)
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {str(error).strip()}") from error
        single = len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT
        odd = sorted(_writes(connection, query)) if single else []
    if odd:
        raise UsageError(f"a workspace is read by SELECT alone, and the query holds {' and '.join(odd)} within WITH.")
    if not single:
        pivot = " PIVOT is one where its values are named: PIVOT … ON column IN ('a', 'b') USING …"
        said = "a workspace is read by one SELECT statement at a time (SHOW TABLES, DESCRIBE and SUMMARIZE are some)."
        raise UsageError(said + (pivot if _PIVOT.search(query) else ""))


def _writes(connection: DuckDBPyConnection, query: str) -> set[str]:
    """Return the writing nodes of a query: ``WITH x AS (DELETE … RETURNING …) SELECT …`` is a SELECT to DuckDB too."""
    (text,) = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone() or ("{}",)
    found: set[str] = set()
    waiting: list[Any] = [json.loads(text)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            kind = each.get("type")
            # Reading nodes are SELECT_NODE, SET_OPERATION_NODE, RECURSIVE_CTE_NODE; a writing node is a separate query.
            if isinstance(kind, str) and kind.endswith(_QUERY):
                found.add(kind.removesuffix(_QUERY))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found


def _fetch(
    connection: DuckDBPyConnection, query: str, limit: int | None, *, listing: bool
) -> tuple[pl.DataFrame, Cut | None]:
    """Return the rows within the limits."""
    found = connection.sql(_without_end(query))
    # Fetch one more row to see whether there are more.
    kept = found if limit is None else found.limit(limit + 1)
    if not listing:
        # Store the answer as a table first, so that its memory is limited. A listing would show this table.
        kept.create(_ANSWER)
        kept = connection.table(_ANSWER)
    odd = {name for name, kind in zip(kept.columns, kept.types, strict=True) if _ODD.search(str(kind))}
    odd |= _beyond_the_calendar(kept)
    columns = (f"{quoted(name)}::VARCHAR AS {quoted(name)}" if name in odd else quoted(name) for name in kept.columns)
    frame = _plain(pl.DataFrame(ArrowStream(kept.select(", ".join(columns)))))
    if limit is not None and frame.height > limit:
        frame, cut = frame.head(limit), "rows"
    else:
        cut = None
    size = int(frame.estimated_size())
    if size > MOST_BYTES:
        frame = frame.head(frame.height * MOST_BYTES // size)
        cut = "bytes"
    return frame, cut


def _without_end(query: str) -> str:
    """Return a query without the semicolon at its end and the comments after it: DuckDB wraps it in another query."""
    import duckdb

    text = query.encode()
    for at, kind in reversed(duckdb.tokenize(query)):  # places in bytes
        if kind != duckdb.token_type.comment and text[at : at + 1] != b";":
            break
        text = text[:at]
    return text.decode()


def _beyond_the_calendar(found: DuckDBPyRelation) -> set[str]:
    """Return the columns with a date that Python does not have, such as one BC or infinity: Polars ends on them."""
    dates = [name for name, kind in zip(found.columns, found.types, strict=True) if _DATE.match(str(kind))]
    if not dates:
        return set()
    asked = (
        f"coalesce(bool_or({quoted(name)} NOT BETWEEN '0001-01-01' AND '9999-12-31 00:00:00'), false)" for name in dates
    )
    (row,) = found.aggregate(", ".join(asked)).fetchall()
    return {name for name, beyond in zip(dates, row, strict=True) if beyond}


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert DuckDB's numbers to common types: it sums integers as 128 bits and reads 0.5 as a decimal."""
    made: list[pl.Series] = []
    for values in frame:
        if isinstance(values.dtype, pl.Decimal):
            whole = values.cast(pl.Int64, strict=False) if values.dtype.scale == 0 else None
            fits = whole is not None and whole.null_count() == values.null_count()
            made.append(values.cast(pl.Float64) if whole is None else whole if fits else values.cast(pl.String))
    return frame.with_columns(made)


def _hint(message: str, files: Iterable[str]) -> str:
    missing = re.search(r"Table with name (\S+) does not exist", message)
    return suggest(missing[1], files) if missing else ""
