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
from reclens.data.quoting import constant, quoted
from reclens.data.read.arrow import ArrowStream
from reclens.errors import DataError, UnknownNameError, UsageError
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


def names() -> dict[str, str]:
    """The queries, in the order of the alphabet, and what each is for: the first line of its comment.

    Example:
        >>> list(names())[:4]
        ['co_occurrence', 'interactions', 'item_popularity', 'segment_activity']
        >>> names()["segment_activity"]
        'A segment table: light, medium and heavy users, equally many of each as nearly as ties allow.'
    """
    return {name: text(name).splitlines()[0].removeprefix("-- ") for name in _stored()}


def text(name: str) -> str:
    """The SQL of a query, comments and all.

    Raises:
        UnknownNameError: If there is no such query.

    Example:
        >>> text("user_activity").splitlines()[0]
        '-- Who is active how much: one row a user, the most active first.'
    """
    if name not in _stored():
        raise UnknownNameError("query", name, _stored())
    return (resources.files("reclens.data") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def parameters(name: str) -> dict[str, Any]:
    """What can be asked of a query, and what it takes when it is not.

    Raises:
        UnknownNameError: If there is no such query.

    Example:
        >>> parameters("co_occurrence")
        {'at_least': 2, 'max_items': 500}
    """
    return {found[2]: json.loads(found[3]) for found in _PARAMETER.finditer(text(name))}


def run(name: str, data: Dataset | pl.DataFrame, *, threads: int = 1, **values: Any) -> pl.DataFrame:
    """Run a query on a data set or on a table of events.

    Args:
        name: One of :func:`names`.
        data: A data set, whose events are taken with all repeats of a pair, or a frame ``user_id, item_id, timestamp?,
            rating?, weight?``; columns that are absent are null in the query.
        threads: How many threads DuckDB may use. More are faster; sums of fractions then depend on them in the last
            bits.
        **values: Parameters of the query; see :func:`parameters`. They are bound, never pasted into the text.

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
    # A query reads the tables it is given; neither files nor the network, nor variables of the caller.
    connection = duckdb.connect(
        ":memory:", config={"threads": threads, "enable_external_access": False, "python_enable_replacements": False}
    )
    try:
        connection.register("events", ArrowStream(_events(data)))
        if _COLUMN in asked:
            connection.register("item_values", ArrowStream(_item_values(name, data, str(asked.pop(_COLUMN)))))
        table = pl.DataFrame(ArrowStream(connection.sql(query, params=asked)))
    finally:
        connection.close()
    return table.with_columns(pl.selectors.datetime().cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


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
    lines, known = text(name).splitlines(), item_columns or {}
    begin = next(at for at, line in enumerate(lines) if line and not line.startswith("--"))
    body = "\n".join(lines[begin:])
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
    comment = [line for line in lines[:begin] if line and not line.startswith(("--   ", "-- Parameters"))]
    if body.startswith("WITH "):
        parts.append(body.removeprefix("WITH "))
    rest = [] if body.startswith("WITH ") else [body]
    return "\n\n".join(["\n".join(comment), "WITH " + ",\n\n".join(parts), *rest]) + "\n"


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
    for column in (USER, ITEM):
        if column not in frame.columns:
            raise DataError(
                f"there is no column '{column}'",
                source=source,
                fix=f"The columns are {', '.join(frame.columns)}; rename the one that holds the ids.",
            )
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
