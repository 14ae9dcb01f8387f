"""The shipped SQL: DuckDB queries that turn an event log into the tables of recommender analysis.

The queries stand in ``reclens/data/sql``, one a file, each with a comment that says what it reads, gives and means.
They run on any DuckDB that has a table or view ``events``; :func:`run` makes one of a data set. They give the same
numbers as the Python functions they name, so that a warehouse and a notebook agree (the tests hold them to that).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.frames import ArrowStream
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, WEIGHT

__all__ = ["names", "parameters", "run", "text"]

_PARAMETER: Final = re.compile(r"^--   (\$?)(\w+) = (\[.*?\]|\"[^\"]*\"|\S+)", re.MULTILINE)
_COLUMN: Final = "column"
"""The one parameter that names a column; DuckDB cannot bind names, so that it is applied before the query runs."""


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
        data: A data set, or a frame ``user_id, item_id, timestamp?, rating?, weight?``; columns that are absent are
            null in the query.
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
    frame, source = (data.interactions, data.name) if isinstance(data, Dataset) else (data, "events")
    for column in (USER, ITEM):
        if column not in frame.columns:
            raise DataError(
                f"there is no column '{column}'", source=source,
                fix=f"The columns are {', '.join(frame.columns)}; rename the one that holds the ids.",
            )  # fmt: skip
    optional = {TIMESTAMP: pl.Datetime("us"), RATING: pl.Float64(), WEIGHT: pl.Float64()}
    if TIMESTAMP in frame.columns:
        times = frame[TIMESTAMP]
        if not isinstance(times.dtype, pl.Datetime):
            raise DataError(
                f"times are {times.dtype}, expected Datetime", source=source, column=TIMESTAMP,
                fix="Bring the table in by reclens.read, which turns seconds, milliseconds and text into times.",
            )  # fmt: skip
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
