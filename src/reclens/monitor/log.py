"""Read logs of any shape as one view of a day: one row per impression, in the columns of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reclens.data.quoting import constant, literal_path, quoted
from reclens.errors import DataError
from reclens.monitor.duck import columns_of, create, run
from reclens.monitor.duck import rows as rows_of
from reclens.monitor.moments import inside, moment
from reclens.monitor.places import DayBounds, Files, files_of
from reclens.monitor.project import Project
from reclens.schema import (
    CLICKED,
    CONVERTED,
    FEATURE,
    ITEM,
    LATENCY,
    MODEL,
    POSITION,
    RECEIVED,
    REQUEST,
    RETRIEVER,
    SCORE,
    SURFACE,
    TIMESTAMP,
    USER,
    VARIANT,
    VERSION,
)

if TYPE_CHECKING:
    import duckdb

__all__ = ["COLUMNS", "PREDICTED", "REQUIRED", "LogDay", "open_log", "open_table"]

PREDICTED: Final = "predicted"
"""Probability of a click that the model gave."""

COLUMNS: Final[Mapping[str, str]] = {
    TIMESTAMP: "TIMESTAMP",
    USER: "VARCHAR",
    ITEM: "VARCHAR",
    POSITION: "INTEGER",
    CLICKED: "BOOLEAN",
    CONVERTED: "BOOLEAN",
    SCORE: "DOUBLE",
    PREDICTED: "DOUBLE",
    MODEL: "VARCHAR",
    VERSION: "VARCHAR",
    VARIANT: "VARCHAR",
    SURFACE: "VARCHAR",
    REQUEST: "VARCHAR",
    RECEIVED: "TIMESTAMP",
    LATENCY: "DOUBLE",
    RETRIEVER: "VARCHAR",
}
"""Columns of the view ``log`` beside the features, and the types that staging makes of them."""

REQUIRED: Final = (TIMESTAMP, USER, ITEM, POSITION, CLICKED)
_LISTS: Final = {"items": ITEM, "clicks": "clicked_items", "scores": SCORE, "positions": POSITION}
"""Names that lists of a request may have besides that of their column."""
_PLACE: Final = "_place"
_VALUES: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "DATE", "UUID"}
)


@dataclass(frozen=True, kw_only=True)
class LogDay:
    """The log of a day, as the view ``log`` of a connection shows it.

    Attributes:
        bounds: The day.
        files: The files that were read; empty for a table.
        columns: Columns of the log, by their names here, each with its type in the log.
        missing: Known columns that are missing from the log.
        features: Columns of features that hold numbers, texts, truth values or times, each with its type.
        outside: Rows of the file of the day that belong to another day or have no time, and all its rows; None if
            files are not named after days.
        unread: Columns of features that hold something else, which no indicator reads.
        apart: Whether clicks are in a separate log.
    """

    bounds: DayBounds
    files: tuple[Path, ...]
    columns: Mapping[str, str]
    missing: tuple[str, ...]
    features: Mapping[str, str]
    outside: tuple[int, int] | None = None
    unread: tuple[str, ...] = ()
    apart: bool = False


@dataclass(frozen=True)
class _Table:
    """A table of the log: its FROM expression, its columns by schema name, and their names in the log."""

    source: str
    types: Mapping[str, str]
    names: Mapping[str, str]
    files: Files

    def column(self, name: str) -> str:
        return quoted(self.names.get(name, name))


def open_log(connection: duckdb.DuckDBPyConnection, project: Project, bounds: DayBounds) -> LogDay:
    """Make the view ``log`` of a connection: the impressions of a day, with the names of the schema.

    Args:
        connection: DuckDB, in memory.
        project: The monitor.
        bounds: The day.

    Raises:
        DataError: If the log cannot be read: it is missing, a file is truncated, or it has another shape.
    """
    log = project.settings.log
    try:
        table = _table(connection, project, log.path, log.columns, bounds, table=log.table)
        _require(table, log.path)
        parts = _unnested(table) if log.shape == "requests" else {}
        rows = _selected(table, bounds, log.time_zone, parts)
        if log.clicks is not None:
            clicks = _table(connection, project, log.clicks, log.click_columns, bounds)
            rows = _joined(connection, rows, clicks, bounds, log.time_zone, timedelta(hours=log.click_hours))
        there = columns_of(connection, rows)
        missing = tuple(name for name in COLUMNS if name not in there)
        features = {name: kind for name, kind in there.items() if name.startswith(FEATURE) and _is_value(kind)}
        listed = [quoted(name) for name in (*COLUMNS, *features) if name in there]
        listed += [_without(name, there) for name in missing]
        run(connection, f"CREATE OR REPLACE TEMP VIEW log AS SELECT {', '.join(listed)} FROM ({rows})")
        return LogDay(
            bounds=bounds,
            files=table.files.paths,
            columns=dict(table.types),
            missing=missing,
            features=features,
            unread=tuple(name for name in there if name.startswith(FEATURE) and name not in features),
            outside=_outside(connection, table, bounds, log.time_zone),
            apart=log.clicks is not None,
        )
    except _failures() as error:
        broken = log.table is None and _is_broken(error)
        raise DataError(
            f"the log cannot be read: {_reason(error)}",
            source=str(project.place(log.path)),
            fix="Write the file again as Parquet, and run the day again." if broken else None,
        ) from error


def open_table(
    connection: duckdb.DuckDBPyConnection, project: Project, path: str, bounds: DayBounds, *, view: str
) -> Mapping[str, str] | None:
    """Make a view of the rows of another table for a day. Returns its columns with types, None without files.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        table = _table(connection, project, path, {}, bounds)
        if not table.types:
            return None
        _require(table, path)
        rows = _selected(table, bounds, project.settings.log.time_zone, {})
        run(connection, f"CREATE OR REPLACE TEMP VIEW {quoted(view)} AS {rows}")
        return table.types
    except _failures() as error:
        raise DataError(f"it cannot be read: {_reason(error)}", source=str(project.place(path))) from error


# ---------------------------------------------------------------------------------------------------------- the tables


def _table(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    path: str,
    names: Mapping[str, str],
    bounds: DayBounds,
    *,
    table: str | None = None,
) -> _Table:
    place = project.place(path)
    if table is not None:
        run(connection, f"ATTACH IF NOT EXISTS {constant(str(place))} AS warehouse (READ_ONLY)")
        files, source = Files((), (), dated=False), f"warehouse.{'.'.join(quoted(part) for part in table.split('.'))}"
    else:
        files = files_of(place, bounds)
        source = _parquet(files.paths)
    if table is None and not files.paths:
        return _Table(source, {}, names, files)
    # The columns of the day itself: those of a neighbouring file, which a day of another zone needs too, say nothing.
    described = source if table is not None else _parquet(files.own or files.paths)
    found = columns_of(connection, f"SELECT * FROM {described}")
    here = {there: name for name, there in names.items()}
    return _Table(source, {here.get(name, name): kind for name, kind in found.items()}, names, files)


def _parquet(paths: tuple[Path, ...]) -> str:
    listed = ", ".join(constant(literal_path(each)) for each in paths)
    return f"read_parquet([{listed}], union_by_name = {str(len(paths) > 1).lower()}, hive_partitioning = false)"


def _require(table: _Table, path: str) -> None:
    if table.types and TIMESTAMP not in table.types:
        raise DataError(
            f"there is no column '{TIMESTAMP}'",
            source=path,
            fix=f"The columns are {', '.join(table.types)}; name the one that holds times under [log.columns].",
        )


def _selected(table: _Table, bounds: DayBounds, zone: str, lists: Mapping[str, str]) -> str:
    """The rows of the day, in the names of the schema; times as UTC."""
    if not table.types:
        return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in COLUMNS.items())} WHERE false"
    columns = {name: table.column(name) for name in table.types} | dict(lists)
    for name in (TIMESTAMP, RECEIVED):
        if name in columns:
            columns[name] = moment(columns[name], table.types[name], zone)
    listed = ", ".join(f"{value} AS {quoted(name)}" for name, value in columns.items() if value)
    within = inside(table.column(TIMESTAMP), table.types[TIMESTAMP], bounds.start, bounds.end, zone)
    if not lists:
        return f"SELECT {listed} FROM {table.source} WHERE {within}"
    length = f"greatest(coalesce(len({_items_of(table)}), 0), 1)"
    return (
        f"SELECT {listed} FROM "
        f"(SELECT *, unnest(range(1, {length} + 1)) AS {_PLACE} FROM {table.source} WHERE {within})"
    )


def _outside(
    connection: duckdb.DuckDBPyConnection, table: _Table, bounds: DayBounds, zone: str
) -> tuple[int, int] | None:
    """Rows of the file of a day that belong to another day; of a file of UTC in another zone that says nothing."""
    if not table.files.own or zone != "UTC":
        return None
    within = inside(table.column(TIMESTAMP), table.types[TIMESTAMP], bounds.start, bounds.end, zone)
    query = f"SELECT count(*) FILTER (WHERE ({within}) IS NOT TRUE), count(*) FROM {_parquet(table.files.own)}"
    [(outside, total)] = rows_of(connection, query)
    return int(outside), int(total)


# ------------------------------------------------------------------------------------------------------------- shapes


def _without(name: str, there: Mapping[str, str]) -> str:
    """Expression for a missing column; a request without an id is identified by user, time and surface."""
    if name == REQUEST and {USER, TIMESTAMP} <= set(there):
        parts = ", ".join(part for part in (USER, TIMESTAMP, SURFACE) if part in there)
        return f"hash({parts}) AS {name}"
    return f"NULL::{COLUMNS[name]} AS {name}"


def _lists_of(table: _Table) -> dict[str, str]:
    """Columns that hold lists: name of an entry -> column."""
    return {_LISTS.get(name, name): name for name, kind in table.types.items() if kind.endswith("[]")}


def _items_of(table: _Table) -> str:
    found = _lists_of(table)
    if ITEM not in found:
        raise DataError(
            "no column holds lists of items",
            source="log",
            fix=f'Name it under [log.columns], such as item_id = "items"; the columns are {", ".join(table.types)}.',
        )
    return table.column(found[ITEM])


def _unnested(table: _Table) -> dict[str, str]:
    """Expressions of one row per request: lists become rows. An empty list keeps one row, without an item.

    ``clicked`` is a list of truth values beside that of the items; or ``clicked_items`` holds the ids that were.
    """
    if not table.types:
        return {}
    items, found = _items_of(table), _lists_of(table)
    parts = dict.fromkeys(found.values(), "")
    parts[ITEM] = f"{items}[{_PLACE}]"
    parts[POSITION] = f"CASE WHEN len({items}) > 0 THEN {_PLACE} END"
    for name, there in found.items():
        if name == "clicked_items":
            parts[CLICKED] = f"coalesce(list_contains({table.column(there)}, {items}[{_PLACE}]), false)"
        elif name != ITEM:
            parts[name] = f"{table.column(there)}[{_PLACE}]"
    return parts


def _joined(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    clicks: _Table,
    bounds: DayBounds,
    zone: str,
    window: timedelta,
) -> str:
    """Impressions joined with a separate log of clicks, including clicks in the window after the day."""
    if not clicks.types:
        create(connection, "click_log", "SELECT NULL::DATE AS day, NULL::BOOLEAN AS matched WHERE false")
        return f"SELECT *, false AS {CLICKED} FROM ({rows})"
    _require(clicks, "clicks")
    key = (REQUEST, ITEM) if REQUEST in clicks.types else (USER, ITEM)
    known = list(columns_of(connection, rows))
    if not set(key) <= set(known):
        raise DataError(
            f"clicks are found by {' and '.join(key)}, which impressions have not",
            source="log",
            fix="Name the columns under [log.columns].",
        )
    within = inside(clicks.column(TIMESTAMP), clicks.types[TIMESTAMP], bounds.start, bounds.end + window, zone)
    at = moment(clicks.column(TIMESTAMP), clicks.types[TIMESTAMP], zone)
    columns = ", ".join(f"{clicks.column(name)}::VARCHAR AS {name}" for name in key)
    bought = f"{clicks.column(CONVERTED)}::BOOLEAN" if CONVERTED in clicks.types else "NULL::BOOLEAN"
    seconds = f"to_microseconds({int(window.total_seconds() * 1e6)})"
    on = " AND ".join(f"shown.{name}::VARCHAR = clicks.{name}" for name in key)
    create(
        connection,
        "clicks",
        f"SELECT row_number() OVER () AS click, {columns}, {at} AS {TIMESTAMP}, {bought} AS {CONVERTED} "
        f"FROM {clicks.source} WHERE {within}",
    )
    # A click belongs to the last impression before it.
    create(
        connection,
        "matches",
        f"SELECT click, any_value(COLUMNS(clicks.* EXCLUDE (click, {TIMESTAMP}))), max(shown.{TIMESTAMP}) AS shown_at "
        f"FROM clicks INNER JOIN ({rows}) AS shown ON {on} AND shown.{TIMESTAMP} <= clicks.{TIMESTAMP} "
        f"AND shown.{TIMESTAMP} >= clicks.{TIMESTAMP} - {seconds} GROUP BY click",
    )
    # The impression of an earlier click may be of the day before.
    begin = constant(f"{bounds.start.astimezone(UTC) + window:%Y-%m-%d %H:%M:%S.%f}")
    end = constant(f"{bounds.end.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}")
    create(
        connection,
        "click_log",
        f"SELECT DATE '{bounds.day}' AS day, click IN (SELECT click FROM matches) AS matched FROM clicks "
        f"WHERE {TIMESTAMP} >= {begin}::TIMESTAMP AND {TIMESTAMP} < {end}::TIMESTAMP",
    )
    listed = ", ".join(f"shown.{quoted(name)}" for name in known if name not in (CLICKED, CONVERTED))
    keys = ", ".join(key)
    return (
        f"SELECT {listed}, clicks.shown_at IS NOT NULL AS {CLICKED}, clicks.{CONVERTED} FROM ({rows}) AS shown "
        f"LEFT JOIN (SELECT {keys}, shown_at, bool_or({CONVERTED}) AS {CONVERTED} FROM matches "
        f"GROUP BY {keys}, shown_at) AS clicks ON {on} AND clicks.shown_at = shown.{TIMESTAMP}"
    )


def _failures() -> tuple[type[Exception], ...]:
    import duckdb

    return (duckdb.Error,)


def _is_broken(error: Exception) -> bool:
    """Whether a file is half-written, or of another format."""
    import duckdb

    return isinstance(error, duckdb.InvalidInputException)


def _is_value(kind: str) -> bool:
    """Whether a type holds a number, a text, a truth value or a time."""
    if kind.endswith("]"):
        return False
    return kind.startswith(("DECIMAL", "TIMESTAMP", "ENUM")) or kind.removeprefix("U") in _VALUES


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
