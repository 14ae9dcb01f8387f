"""SQL over a workspace that can only read: the tables are copied into memory, and the door is shut before a query runs.

A SELECT of DuckDB may write: ``WITH x AS (COPY … TO 'file')`` is one. So no query runs while any file can be reached.
The tables that it names are copied into a database in memory; then file access, extensions and settings are locked, and
what a query changes are copies that are thrown away with it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reclens.errors import UsageError, WorkspaceError, suggest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Answer", "ask", "named_in", "open_tables"]

MEMORY: Final = "2GB"
"""What a query may use, the tables that it reads included; nothing is spilled to disk."""

_BYTES: Final = 100_000_000
"""Most bytes of values that an answer holds: few rows can be large too."""
_BATCH: Final = 256
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
    end = None if seconds is None else time.monotonic() + seconds
    late = UsageError(f"the query was stopped after {seconds:g} s. {_LESS}" if seconds is not None else "stopped.")
    _only_select(query)
    with _stopwatch(seconds) as watch:
        try:
            with open_tables(named_in(query, files), watch=watch) as connection:
                result = connection.execute(query)
                names = [column[0] for column in result.description or []]
                rows, cut = _fetch(result, limit, end, late)
        except duckdb.InterruptException as error:
            raise late from error
        except duckdb.OutOfMemoryException as error:
            raise UsageError(f"the query needs more than the {MEMORY} that it may use. {_LESS}") from error
        except duckdb.CatalogException as error:
            raise UsageError(f"the query failed: {_first(error)}{_hint(str(error), files)}") from error
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {str(error).strip()}") from error
    return Answer(_frame(names, rows), cut)


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


def _fetch(
    result: Any, limit: int | None, end: float | None, late: UsageError
) -> tuple[list[tuple[Any, ...]], str | None]:
    """The rows, as far as the limits let them through, and which limit did not."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    while True:
        if end is not None and time.monotonic() > end:
            raise late
        batch = result.fetchmany(_BATCH)
        rows += batch
        if limit is not None and len(rows) > limit:
            return rows[:limit], f"Only the first {limit:,} rows are shown: there are more."
        if len(batch) < _BATCH:
            return rows, None
        size += sum(_size(value) for row in batch for value in row)
        if size > _BYTES:
            return rows, f"Only the first {len(rows):,} rows are shown: more would be over {_BYTES // 10**6} MB."


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_size(each) for pair in value.items() for each in pair)
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 8


def _frame(names: list[str], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    try:
        frame = pl.DataFrame(rows, schema=_unique(names), orient="row", infer_schema_length=None)
        odd = [name for name, kind in frame.schema.items() if kind == pl.Object]  # such as UUIDs
        text = (pl.Series(name, [None if v is None else str(v) for v in frame[name]], pl.String) for name in odd)
        return frame.with_columns(*text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, ValueError, OverflowError):
        # Such as numbers above 128 bits, or a union: as text they can be shown all the same.
        text = [tuple(None if value is None else str(value) for value in row) for row in rows]
        return pl.DataFrame(text, schema=dict.fromkeys(_unique(names), pl.String), orient="row")


def _hint(message: str, files: Iterable[str]) -> str:
    missing = re.search(r"Table with name (\S+) does not exist", message)
    return suggest(missing[1], files) if missing else ""


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _unique(names: list[str]) -> list[str]:
    """Column names as a frame needs them: a name that comes again gets a number."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result
