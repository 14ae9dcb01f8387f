"""The daily marts of a log that lies in a warehouse: each query of ``monitor/sql`` as one SELECT, run there.

The marts are those of the monitor but for what it knows of the days before: whether users and items are new. Segments,
categories and the like are columns of tables that are named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from reclens.data.dialects import table_in, translated
from reclens.data.quoting import quoted
from reclens.data.warehouse import Warehouse
from reclens.errors import DataError, UnknownNameError
from reclens.monitor.log import COLUMNS, REQUIRED
from reclens.monitor.queries import MARTS, sql, variables
from reclens.monitor.settings import LogSettings
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["mart", "mart_sql"]

_LENGTH: Final = "list_length"
_FACTS: Final = {
    "user_facts": {"day": "DATE", USER: "VARCHAR", "segment": "VARCHAR", "new_user": "BOOLEAN"},
    "item_facts": {
        "day": "DATE",
        ITEM: "VARCHAR",
        "category": "VARCHAR",
        "new_item": "BOOLEAN",
        "fresh_item": "BOOLEAN",
        "information": "DOUBLE",
    },
}
"""What is known of users and items on a day: table -> columns."""


def mart(
    name: str,
    warehouse: Warehouse,
    *,
    table: str,
    day: date | None = None,
    user_facts: str | None = None,
    item_facts: str | None = None,
    settings: LogSettings | None = None,
) -> pl.DataFrame:
    """Make a daily mart where the log lies: sums alone come back.

    Args:
        name: One of ``daily_metrics``, ``daily_lists``, ``item_exposure``, ``user_cohort``, ``duplicates`` and
            ``latency``.
        warehouse: The warehouse.
        table: The log: a row an impression, in the names of the schema; columns that are absent count as null.
        day: The day, in UTC; None makes the mart of every day of the log.
        user_facts: Table ``day, user_id, segment, new_user``; without it these are null.
        item_facts: Table ``day, item_id, category, new_item, fresh_item, information``; likewise.
        settings: What is late, how long lists are, and where NDCG ends; None takes the defaults.

    Returns:
        The rows of the mart, with the column ``day``.

    Raises:
        UnknownNameError: If there is no such mart.
        DataError: If the log lacks a column that is required, or the warehouse refuses the query.
        StoreError: If the connection is lost.
    """
    log = warehouse.table(table)
    columns = warehouse.columns(log)
    for column in REQUIRED:
        if column not in columns:
            raise DataError(
                f"there is no column '{column}'; there are {', '.join(columns)}",
                source=f"{warehouse.speaks}, table {table}",
                fix="Name a view that has the columns of the schema.",
            )
    facts = {"user_facts": user_facts, "item_facts": item_facts}
    named = {what: warehouse.table(place) for what, place in facts.items() if place is not None}
    query = _standalone(name, log, columns=columns, facts=named, day=day)
    return warehouse.frame(query, _values(settings)).sort("day")


def mart_sql(name: str, *, table: str, dialect: str = "duckdb", settings: LogSettings | None = None) -> str:
    """The SELECT of :func:`mart` over every day of a log that has all columns of the schema.

    Args:
        name: As in :func:`mart`.
        table: The log, as its warehouse names it.
        dialect: One of :data:`~reclens.data.dialects.DIALECTS`.
        settings: As in :func:`mart`.

    Raises:
        UnknownNameError: If there is no such mart, or no such dialect.

    Example:
        >>> mart_sql("latency", table="log", dialect="postgres").split()[:3]
        ['WITH', 'user_facts', 'AS']
    """
    query = _standalone(name, table_in(table, dialect), columns=COLUMNS, facts={}, day=None)
    return translated(query, dialect, _values(settings), pretty=True) + "\n"


def _values(settings: LogSettings | None) -> dict[str, Any]:
    said = settings or LogSettings(path=".")
    # A list has its usual length where it has that of its place in the settings; 0 is never short.
    return {**variables(said), _LENGTH: said.list_length}


def _standalone(name: str, log: str, *, columns: Collection[str], facts: Mapping[str, str], day: date | None) -> str:
    """A mart as one SELECT of DuckDB's, from the log on."""
    if name not in MARTS:
        raise UnknownNameError("mart", name, MARTS)
    parts: list[str] = []
    for what, kinds in _FACTS.items():
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in kinds.items())
        parts.append(f"{what} AS (SELECT {', '.join(kinds)} FROM {facts[what]})" if what in facts else "")
        if what not in facts:
            parts[-1] = f"{what} AS (SELECT {nothing} WHERE 1 = 0)"
    read = [
        f"CAST({quoted(column) if column in columns else 'NULL'} AS {kind}) AS {column}"
        for column, kind in COLUMNS.items()
    ]
    within = f" WHERE CAST({quoted(TIMESTAMP)} AS DATE) = CAST('{day}' AS DATE)" if day is not None else ""
    parts += [
        f"events AS (SELECT CAST({quoted(TIMESTAMP)} AS DATE) AS day, {', '.join(read)} FROM {log}{within})",
        f"impressions AS ({sql('impressions')})",
        f"lists AS ({sql('lists')})",
        f"days AS (SELECT DISTINCT day, ${_LENGTH} AS {_LENGTH}, TRUE AS passed FROM events)",
    ]
    lists = ("lists AS", "days AS")
    needed = [each for each in parts if not each.startswith(lists) or name in ("daily_lists", "latency")]
    body = _without_comment(sql(name))
    if body.startswith("WITH "):
        return "WITH " + ",\n".join([*needed, body.removeprefix("WITH ")])
    return "WITH " + ",\n".join(needed) + "\n" + body


def _without_comment(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(lines[next(at for at, line in enumerate(lines) if not line.startswith("--")) :])
