"""The SQL of the marts: plain SELECTs, one a file of ``monitor/sql``, that DuckDB and PostgreSQL run alike.

A query of the name of a table makes that table: ``impressions`` of what was landed, ``lists`` of ``impressions``. The
others are marts, a row a day and group. What a query asks for as ``$name`` is bound by the runner, and a variable of a
dbt project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    folder = resources.files("reclens.monitor") / "sql"
    return sorted(each.name.removesuffix(".sql") for each in folder.iterdir() if each.name.endswith(".sql"))


def sql(name: str) -> str:
    """The text of a query, comments and all.

    Raises:
        UnknownNameError: If there is none of that name.

    Example:
        >>> sql("user_cohort").splitlines()[0]
        '-- What each user did in a day.'
    """
    if name not in names():
        raise UnknownNameError("query", name, names())
    return (resources.files("reclens.monitor") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def asked(name: str) -> list[str]:
    """The variables of a query.

    Example:
        >>> asked("daily_lists")
        ['hit_at']
    """
    lines = [line for line in sql(name).splitlines() if not line.lstrip().startswith("--")]
    return sorted(set(_ASKED.findall("\n".join(lines))))


def variables(settings: LogSettings) -> dict[str, float]:
    """What the queries ask for."""
    return {"late_after": settings.late_after, "cutoff": settings.cutoff, "hit_at": settings.hit_at}


def of_day(connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a query of one day, without the column of the day."""
    return frame(connection, sql(name), **{each: values[each] for each in asked(name)}).drop("day")


def with_marts(tables: Mapping[str, pl.DataFrame], marts: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables of a day with its marts: each takes the place of a table, or is added to its rows.

    Args:
        tables: What was made besides; among them ``bins``.
        marts: Query -> rows, without the column of the day.
    """
    own = {table: marts[name] for name, table in MARTS.items() if table != "bins"}
    bins = [tables["bins"], *(marts[name] for name, table in MARTS.items() if table == "bins")]
    return {**tables, **own, "bins": pl.concat(bins, how="vertical_relaxed")}
