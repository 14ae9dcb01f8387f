"""The SQL of the marts: plain SELECTs, one per file of ``monitor/sql``, for DuckDB and PostgreSQL.

A query makes the table of the same name: ``impressions`` from landed days, ``lists`` from ``impressions``. The others
are marts, with one row per day and group. A parameter ``$name`` is bound by the runner; in a dbt project it is a
variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reclens.errors import UnknownNameError
from reclens.monitor.duck import frame
from reclens.monitor.settings import LogSettings

if TYPE_CHECKING:
    import duckdb

__all__ = ["MARTS", "asked", "names", "of_day", "sql", "variables", "with_marts"]

MARTS: Final = {
    "daily_metrics": "cells",
    "daily_lists": "lists",
    "item_exposure": "items",
    "user_cohort": "users",
    "duplicates": "duplicates",
    "latency": "bins",
}
"""Mart -> the table of the day that it is, or is a part of."""

_ASKED: Final = re.compile(r"\$(\w+)")


def names() -> list[str]:
    """The names of the queries, in alphabetical order."""
    return list(_texts())


@cache
def _texts() -> dict[str, str]:
    folder = resources.files("reclens.monitor") / "sql"
    found = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return {each.name.removesuffix(".sql"): each.read_text(encoding="utf-8") for each in found}


def sql(name: str) -> str:
    """The text of a query, including comments.

    Raises:
        UnknownNameError: If no query has this name.

    Example:
        >>> sql("user_cohort").splitlines()[0]
        '-- What each user did in a day.'
    """
    if name not in _texts():
        raise UnknownNameError("query", name, names())
    return _texts()[name]


def asked(name: str) -> list[str]:
    """The variables of a query.

    Example:
        >>> asked("daily_lists")
        ['hit_at']
    """
    lines = [line for line in sql(name).splitlines() if not line.lstrip().startswith("--")]
    return sorted(set(_ASKED.findall("\n".join(lines))))


def variables(settings: LogSettings) -> dict[str, float]:
    """The variables of all queries."""
    return {"late_after": settings.late_after, "cutoff": settings.cutoff, "hit_at": settings.hit_at}


def of_day(
    connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any], *, empty: bool = False
) -> pl.DataFrame:
    """The rows of a query of one day, without the column of the day; its columns alone if it is known to be empty."""
    query = f"{sql(name)}\nLIMIT 0" if empty else sql(name)
    return frame(connection, query, **{each: values[each] for each in asked(name)}).drop("day")


def with_marts(tables: Mapping[str, pl.DataFrame], marts: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables of a day with its marts: each replaces a table or extends its rows.

    Args:
        tables: The other tables, including ``bins``.
        marts: Query -> rows, without the column of the day.
    """
    own = {table: marts[name] for name, table in MARTS.items() if table != "bins"}
    bins = [tables["bins"], *(marts[name] for name, table in MARTS.items() if table == "bins")]
    return {**tables, **own, "bins": pl.concat(bins, how="vertical_relaxed")}
