"""SQL over a workspace that can only read: the tables are copied into memory, and the door is shut before a query runs.

A SELECT of DuckDB may write: ``WITH x AS (COPY … TO 'file')`` is one. So no query runs while any file can be reached.
The tables that it names are copied into a database in memory; then file access, extensions and settings are locked, and
what a query changes are copies that are thrown away with it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from reclens.data.frames import ArrowStream
from reclens.errors import UsageError, WorkspaceError, suggest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Answer", "ask", "named_in", "open_tables"]

MEMORY: Final = "2GB"
"""What a query may use, the tables that it reads included; nothing is spilled to disk."""

_BYTES: Final = 100_000_000
"""Most bytes of values that an answer holds: few rows can be large too."""
_ANSWER: Final = "answer_of_the_query"
_ODD: Final = re.compile(r"INTERVAL|UNION|BIT\b|BIGNUM|VARIANT|TIME WITH TIME ZONE|GEOMETRY|MAP|ENUM|UUID")
"""Types that Polars does not have, or not alike: they come out as text."""
_LENGTH: Final = 100_000
_LESS: Final = "Ask for less: filter, aggregate, or name fewer tables."


@dataclass(frozen=True, eq=False)
class Answer:
    """What a query gave.

    Attributes:
        table: The rows.
        cut: What is missing and why, or None if nothing is.
    """

    table: pl.DataFrame
    cut: str | None = None


def ask(files: Mapping[str, Path], query: str, *, limit: int | None, seconds: float | None) -> Answer:
    """Run one SELECT over tables.

    Args:
        files: Name of a table -> its Parquet file.
        query: The SELECT.
        limit: Most rows of the answer.
        seconds: Most seconds that it may take, reading the tables included.

    Raises:
        UsageError: If it is not a single SELECT, DuckDB refuses it, or it takes too long or too much memory.
        WorkspaceError: If a table cannot be read.
    """
    import duckdb

    for what, value in (("limit", limit), ("seconds", seconds)):
        if value is not None and not value > 0:
            raise UsageError(f"{what} is {value}, expected more than 0.")
    if len(query) > _LENGTH:
        raise UsageError(f"the query has {len(query):,} characters, expected at most {_LENGTH:,}.")
    late = UsageError(f"the query was stopped after {seconds:g} s. {_LESS}" if seconds is not None else "stopped.")
    _only_select(query)
    with _stopwatch(seconds) as watch:
        try:
            with open_tables(named_in(query, files), watch=watch) as connection:
                return _fetch(connection, query, limit)
        except duckdb.InterruptException as error:
            raise late from error
        except duckdb.OutOfMemoryException as error:
            raise UsageError(f"the query needs more than the {MEMORY} that it may use. {_LESS}") from error
        except duckdb.CatalogException as error:
            raise UsageError(f"the query failed: {_first(error)}{_hint(str(error), files)}") from error
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {str(error).strip()}") from error


def named_in(query: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """The tables whose names stand anywhere in a query, in quotes, comments or text too: rather one too many."""
    words = set(re.findall(r"\w+", query.casefold()))
    return {name: path for name, path in files.items() if name.casefold() in words}


@contextmanager
def open_tables(files: Mapping[str, Path], *, watch: _Watch | None = None) -> Generator[DuckDBPyConnection]:
    """An in-memory DuckDB with a copy of each table, that can reach nothing else: no file, no network, no extension.

    Raises:
        WorkspaceError: If a table cannot be read.
    """
    import duckdb

    connection = duckdb.connect(":memory:", config={
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "allow_community_extensions": False,
        "python_enable_replacements": False, "allow_persistent_secrets": False, "memory_limit": MEMORY,
        "temp_directory": "",
    })  # fmt: skip
    try:
        if watch is not None:
            watch.connection = connection
        for name, path in files.items():
            try:
                connection.execute(f"CREATE TABLE {_quote(name)} AS FROM read_parquet({_text(str(path))})")
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise WorkspaceError(f"{path} cannot be read ({_first(error)}). Make it again.") from error
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET allowed_directories = []")
        connection.execute("SET allowed_paths = []")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        if watch is not None:
            watch.stop()
        connection.close()


class _Watch:
    """Interrupts a connection when its time is over."""

    def __init__(self, seconds: float | None) -> None:
        self.connection: DuckDBPyConnection | None = None
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.timer = threading.Thread(target=self._wait, args=(seconds,), daemon=True)
        if seconds is not None:
            self.timer.start()

    def stop(self) -> None:
        """Interrupt nothing from here on."""
        with self.lock:
            self.over.set()
            self.connection = None

    def _wait(self, seconds: float) -> None:
        # An interrupt that falls between two statements is lost: so it is given again until the query has ended.
        pause = seconds
        while not self.over.wait(pause):
            with self.lock:
                if self.connection is not None:
                    self.connection.interrupt()
            pause = 0.1


@contextmanager
def _stopwatch(seconds: float | None) -> Generator[_Watch]:
    watch = _Watch(seconds)
    try:
        yield watch
    finally:
        watch.stop()


def _only_select(query: str) -> None:
    """Refuse all but one SELECT, by DuckDB's own parser, on a connection that has nothing and reaches nothing."""
    import duckdb

    with open_tables({}) as connection:
        try:
            statements = connection.extract_statements(query)
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {str(error).strip()}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("a workspace is read by one SELECT statement at a time.")


def _fetch(connection: DuckDBPyConnection, query: str, limit: int | None) -> Answer:
    """The rows, as far as the limits let them through."""
    found = connection.sql(query)
    # One row more tells whether there are more. The answer is a table first: so what it takes is bounded and counted.
    (found if limit is None else found.limit(limit + 1)).create(_ANSWER)
    kept = connection.table(_ANSWER)
    columns = (f"{_quote(name)}::VARCHAR AS {_quote(name)}" if _ODD.search(str(kind)) else _quote(name)
               for name, kind in zip(kept.columns, kept.types, strict=True))  # fmt: skip
    frame = _plain(pl.DataFrame(ArrowStream(kept.select(", ".join(columns)))))
    if limit is not None and frame.height > limit:
        frame, cut = frame.head(limit), f"Only the first {limit:,} rows are shown: there are more."
    else:
        cut = None
    size = int(frame.estimated_size())
    if size > _BYTES:
        frame = frame.head(frame.height * _BYTES // size)
        cut = f"Only the first {frame.height:,} rows are shown: more would be over {_BYTES // 10**6} MB."
    return Answer(frame, cut)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as people expect them: DuckDB adds integers up to 128 bits, and reads 0.5 as a decimal."""
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


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
