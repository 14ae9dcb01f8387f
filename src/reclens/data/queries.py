"""The shipped SQL: DuckDB queries that turn an event log into the tables of recommender analysis.

The queries stand in ``reclens/data/sql``, one a file, each with a comment that says what it reads, gives and means.
They run on any DuckDB that has a table or view ``events``; :func:`run` makes one of a data set. They give the same
numbers as the Python functions they name, so that a warehouse and a notebook agree (the tests hold them to that).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.dialects import translated
from reclens.data.quoting import constant, quoted
from reclens.data.read.arrow import ArrowStream
from reclens.data.warehouse import Warehouse
from reclens.errors import ArgumentValueError, DataError, UnknownNameError, UsageError
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, WEIGHT

__all__ = ["names", "parameters", "run", "text", "written_for"]

_PARAMETER: Final = re.compile(r"^--   (\$?)(\w+) = (\[.*?\]|\"[^\"]*\"|\S+)", re.MULTILINE)
_COLUMN: Final = "column"
"""The one parameter that names a column; DuckDB cannot bind names, so that it is applied before the query runs."""

_OPTIONAL: Final = (
    (TIMESTAMP, "TIMESTAMP", "make_timestamp(epoch_us(timestamp))"),
    (RATING, "DOUBLE", "CAST(rating AS DOUBLE)"),
    (WEIGHT, "DOUBLE", "CAST(weight AS DOUBLE)"),
)
"""What a query may read beside the ids: its type, and how it is read from a table of any kind."""
_THERE: Final = ((TIMESTAMP, "TIMESTAMP"), (RATING, "DOUBLE"), (WEIGHT, "DOUBLE"))
"""Likewise in a warehouse, whose session is in UTC."""


def names() -> dict[str, str]:
    """The queries, in the order of the alphabet, and what each is for: the first line of its comment.

    Example:
        >>> list(names())[:4]
        ['co_occurrence', 'interactions', 'item_popularity', 'segment_activity']
        >>> names()["segment_activity"]
        'A segment table: light, medium and heavy users, equally many of each as nearly as ties allow.'
    """
    return {name: text(name).splitlines()[0].removeprefix("-- ") for name in _stored()}


def text(name: str, dialect: str | None = None) -> str:
    """The SQL of a query, comments and all.

    Args:
        name: One of :func:`names`.
        dialect: One of :data:`~reclens.data.dialects.DIALECTS`: the query in this dialect, with the defaults of its
            parameters written out. None is the query as it is shipped, for DuckDB.

    Raises:
        UnknownNameError: If there is no such query, or no such dialect.

    Example:
        >>> text("user_activity").splitlines()[0]
        '-- Who is active how much: one row a user, the most active first.'
    """
    if name not in _stored():
        raise UnknownNameError("query", name, _stored())
    shipped = (resources.files("reclens.data") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    if dialect is None:
        return shipped
    comment, body = _parts(shipped)
    return "\n".join([*comment, "", translated(body, dialect, parameters(name), pretty=True)]) + "\n"


def parameters(name: str) -> dict[str, Any]:
    """What can be asked of a query, and what it takes when it is not.

    Raises:
        UnknownNameError: If there is no such query.

    Example:
        >>> parameters("co_occurrence")
        {'at_least': 2, 'max_items': 500}
    """
    return {found[2]: json.loads(found[3]) for found in _PARAMETER.finditer(text(name))}


def run(
    name: str,
    data: Dataset | pl.DataFrame | Warehouse,
    *,
    table: str | None = None,
    items: str | None = None,
    threads: int = 1,
    **values: Any,
) -> pl.DataFrame:
    """Run a query on a data set, on a table of events, or in a warehouse.

    Args:
        name: One of :func:`names`.
        data: A data set, whose events are taken with all repeats of a pair, or a frame ``user_id, item_id, timestamp?,
            rating?, weight?``; columns that are absent are null in the query. Or a warehouse, where the query runs.
        table: The table of events in the warehouse, with these columns.
        items: The table of items in the warehouse, for queries that read one.
        threads: How many threads DuckDB may use. More are faster; sums of fractions then depend on them in the last
            bits.
        **values: Parameters of the query; see :func:`parameters`. They are data, never a part of the text.

    Returns:
        The rows, in the order that the query asks for; times are UTC.

    Raises:
        UnknownNameError: If there is no such query, parameter or column.
        UsageError: If a parameter is of another kind than its default.
        DataError: If the events have no ids.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> run("item_popularity", data).select("item_id", "users", "share").row(0)
        (20, 49, 0.05444444444444444)
    """
    import duckdb

    asked = {**parameters(name), **_checked(name, values)}
    query = text(name)
    if isinstance(data, Warehouse):
        return _in_utc(_there(name, data, table, items, asked))
    for argument, given in (("table", table), ("items", items)):
        if given is not None:
            raise ArgumentValueError(argument, f"is '{given}', and names a table of a warehouse; expected None")
    # A query reads the tables it is given; neither files nor the network, nor variables of the caller.
    connection = duckdb.connect(
        ":memory:", config={"threads": threads, "enable_external_access": False, "python_enable_replacements": False}
    )
    try:
        connection.register("events", ArrowStream(_events(data)))
        if _COLUMN in asked:
            connection.register("item_values", ArrowStream(_item_values(name, data, str(asked.pop(_COLUMN)))))
        found = pl.DataFrame(ArrowStream(connection.sql(query, params=asked)))
    finally:
        connection.close()
    return _in_utc(found)


def _in_utc(found: pl.DataFrame) -> pl.DataFrame:
    return found.with_columns(pl.selectors.datetime().cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def _there(name: str, house: Warehouse, table: str | None, items: str | None, values: dict[str, Any]) -> pl.DataFrame:
    """Run a query in a warehouse."""
    if table is None:
        raise ArgumentValueError("table", "is None, expected the table of events in the warehouse")
    log = house.table(table)
    known = house.columns(log)
    _require(known, f"{house.speaks}, table {table}")
    read = [
        f"{f'CAST({column} AS {kind})' if column in known else f'CAST(NULL AS {kind})'} AS {column}"
        for column, kind in _THERE
    ]
    parts = [f"events AS (SELECT user_id, item_id, {', '.join(read)} FROM {log})"]
    if _COLUMN in values:
        column, source = str(values.pop(_COLUMN)), None if items is None else house.table(items)
        attributes = [each for each in house.columns(source) if each != ITEM] if source is not None else []
        if source is None or column not in attributes:
            raise UnknownNameError(f"item attribute for the query {name}", column, attributes)
        of = quoted(column)
        some = house.rows(f"SELECT {of} FROM {source} WHERE {of} IS NOT NULL LIMIT 1")
        lists = bool(some) and isinstance(some[0][0], list)
        listed = of if lists else f"[CAST({of} AS VARCHAR)]"
        parts.append(f"item_values AS (SELECT item_id, {listed} AS attribute FROM {source})")
    return house.frame(_with(parts, _parts(text(name))[1]), values)


def _parts(shipped: str) -> tuple[list[str], str]:
    """The comment of a query, and its SQL."""
    lines = shipped.splitlines()
    begin = next(at for at, line in enumerate(lines) if line and not line.startswith("--"))
    return [line for line in lines[:begin] if line], "\n".join(lines[begin:])


def _with(parts: list[str], body: str) -> str:
    """A query that reads tables which stand before it."""
    if body.startswith("WITH "):
        return "WITH " + ",\n\n".join([*parts, body.removeprefix("WITH ")])
    return "\n\n".join(["WITH " + ",\n\n".join(parts), body])


def _require(columns: Collection[str], source: str) -> None:
    for column in (USER, ITEM):
        if column not in columns:
            raise DataError(
                f"there is no column '{column}'",
                source=source,
                fix=f"The columns are {', '.join(columns)}; rename the one that holds the ids.",
            )


def written_for(
    name: str,
    events: str,
    *,
    columns: Collection[str],
    items: str | None = None,
    item_columns: Mapping[str, str] | None = None,
) -> str:
    """The SQL of a query that stands alone, to be run where the log has another name, such as in a workspace.

    The log comes in as a first ``WITH``; the parameters are written out with their defaults, to be changed by hand.

    Args:
        name: One of :func:`names`.
        events: The table that holds the log.
        columns: Its columns; those that a query may read and that are absent are null.
        items: The table of items, for the queries that read one.
        item_columns: Its columns, each with its type.

    Raises:
        UnknownNameError: If there is no such query, or no such column of the items.

    Example:
        >>> [line for line in written_for("user_activity", "log", columns=[]).splitlines() if "FROM" in line]
        ['    FROM "log"', 'FROM events']
    """
    known = item_columns or {}
    comment, body = _parts(text(name))
    read = [
        f"{as_read if column in columns else 'CAST(NULL AS ' + kind + ')'} AS {column}"
        for column, kind, as_read in _OPTIONAL
    ]
    rows = ",\n        ".join(["user_id", "item_id", *read])
    parts = [f"events AS (\n    SELECT\n        {rows}\n    FROM {quoted(events)}\n)"]
    for parameter, value in parameters(name).items():
        if parameter != _COLUMN:
            body = re.sub(rf"\${parameter}\b", _literal(value), body)
            continue
        if items is None or value not in known:
            raise UnknownNameError(f"item attribute for the query {name}", value, known)
        values = quoted(value) if known[value].startswith("List") else f"[CAST({quoted(value)} AS VARCHAR)]"
        parts.append(f"item_values AS (\n    SELECT item_id, {values} AS attribute FROM {quoted(items)}\n)")
    comment = [line for line in comment if not line.startswith(("--   ", "-- Parameters"))]
    return "\n\n".join(["\n".join(comment), _with(parts, body)]) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    return constant(value) if isinstance(value, str) else str(value)


@cache
def _stored() -> tuple[str, ...]:
    files = (resources.files("reclens.data") / "sql").iterdir()
    return tuple(sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql")))


def _checked(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = parameters(name)
    for key, value in values.items():
        if key not in defaults:
            raise UnknownNameError(f"parameter of the query {name}", key, defaults)
        default = defaults[key]
        alike = isinstance(value, int | float if isinstance(default, float) else type(default))
        if not alike or isinstance(value, bool):
            raise UsageError(f"{key} is {value!r}, expected something like {json.dumps(default)}.")
        if isinstance(default, list) and not (value and all(isinstance(part, str) for part in value)):
            raise UsageError(f"{key} is {value!r}, expected names, such as {json.dumps(default)}.")
    return dict(values)


def _events(data: Dataset | pl.DataFrame) -> pl.DataFrame:
    """The log with all columns that a query may read; times without a zone, so that DuckDB's own zone plays no part."""
    frame, source = (data.events, data.name) if isinstance(data, Dataset) else (data, "events")
    _require(frame.columns, source)
    optional = {TIMESTAMP: pl.Datetime("us"), RATING: pl.Float64(), WEIGHT: pl.Float64()}
    if TIMESTAMP in frame.columns:
        times = frame[TIMESTAMP]
        if not isinstance(times.dtype, pl.Datetime):
            raise DataError(
                f"times are {times.dtype}, expected Datetime",
                source=source,
                column=TIMESTAMP,
                fix="Bring the table in by reclens.read, which turns seconds, milliseconds and text into times.",
            )
        if times.dtype.time_zone is not None:
            frame = frame.with_columns(times.dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    return frame.select(
        USER,
        ITEM,
        *(
            (pl.col(column) if column in frame.columns else pl.lit(None)).cast(dtype).alias(column)
            for column, dtype in optional.items()
        ),
    )


def _item_values(name: str, data: Dataset | pl.DataFrame, column: str) -> pl.DataFrame:
    items = data.items if isinstance(data, Dataset) else None
    known = [known for known in items.columns if known != ITEM] if items is not None else []
    if items is None or column not in known:
        raise UnknownNameError(f"item attribute for the query {name}", column, known)
    values = pl.col(column) if isinstance(items.schema[column], pl.List) else pl.concat_list(column)
    return items.select(ITEM, values.cast(pl.List(pl.String)).alias("attribute"))
