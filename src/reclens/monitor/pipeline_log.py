"""Tables of a day other than the impressions: retrievers, stages, clicks without an impression, ages of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from reclens.data.quoting import constant, quoted
from reclens.monitor.duck import columns_of, frame
from reclens.monitor.log import LogDay, open_table
from reclens.monitor.project import Project
from reclens.monitor.queries import of_day
from reclens.monitor.summary import LIST_DIMENSIONS
from reclens.schema import LATENCY, RETRIEVER

if TYPE_CHECKING:
    import duckdb

__all__ = ["pipeline_tables", "staleness_table"]

_STAGE: Final = "stage"
_COLUMNS: Final = {
    "retrievers": (RETRIEVER, {"candidates": "BIGINT", LATENCY: "DOUBLE"}),
    "stages": (_STAGE, {"relevant": "BIGINT", "lost": "BIGINT", LATENCY: "DOUBLE"}),
}


def pipeline_tables(connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay) -> dict[str, pl.DataFrame]:
    """Contributions of retrievers, losses of stages, and clicks matched to impressions.

    Returns:
        ``pipeline`` and ``latency``, each if it has data.

    Raises:
        DataError: If a table cannot be read.
    """
    counts: list[pl.DataFrame] = []
    timed: list[pl.DataFrame] = []
    paths = {"retrievers": project.settings.tables.retrievers, "stages": project.settings.tables.stages}
    for table, path in paths.items():
        if path is None or not _open(connection, project, log, table, path):
            continue
        name, _ = _COLUMNS[table]
        counts.append(of_day(connection, table, {}))
        timed.append(_latency(connection, name, f"{name}_log"))
    if log.apart:
        counts.append(of_day(connection, "joins", {}))
    found: dict[str, pl.DataFrame] = {}
    if counts:
        found["pipeline"] = pl.concat(counts, how="vertical_relaxed")
    if timed:
        found["latency"] = pl.concat(timed, how="vertical_relaxed")
    return found


def _open(connection: duckdb.DuckDBPyConnection, project: Project, log: LogDay, table: str, path: str) -> bool:
    name, columns = _COLUMNS[table]
    view = f"{name}_log"
    if open_table(connection, project, path, log.bounds, view=f"{view}_read") is None:
        # Without rows it is landed all the same: another engine reads a table that is there.
        nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        empty = f"SELECT DATE '{log.bounds.day}' AS day, NULL::VARCHAR AS {quoted(name)}, {nothing} WHERE false"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {empty}").fetchall()
        return False
    known = columns_of(connection, f"SELECT * FROM {view}_read")
    listed = [f"DATE '{log.bounds.day}' AS day", quoted(name)] + [
        f"TRY_CAST({column} AS {kind}) AS {column}" if column in known else f"NULL::{kind} AS {column}"
        for column, kind in columns.items()
    ]
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {', '.join(listed)} FROM {view}_read").fetchall()
    return True


def _latency(connection: duckdb.DuckDBPyConnection, what: str, table: str) -> pl.DataFrame:
    """Latency in the bins of ``latency.sql``."""
    return frame(
        connection,
        f"SELECT {constant(what)} AS what, {what}::VARCHAR AS name, "
        f"CAST(floor(8 * log2(greatest({LATENCY}, 0.001))) AS INTEGER) AS bin, count(*) AS n "
        f"FROM {table} WHERE {LATENCY} IS NOT NULL AND {what} IS NOT NULL GROUP BY ALL",
    )


def staleness_table(connection: duckdb.DuckDBPyConnection, log: LogDay) -> pl.DataFrame | None:
    """Sums of the ages in hours of features that hold times, by combination of slices; None without any."""
    parts: list[pl.DataFrame] = []
    for name, kind in log.features.items():
        if not kind.startswith(("TIMESTAMP", "DATE")):
            continue
        column = quoted(name)
        at = f"timezone('UTC', {column})" if kind == "TIMESTAMP WITH TIME ZONE" else f"{column}::TIMESTAMP"
        parts.append(
            frame(
                connection,
                f'SELECT {constant(name)} AS "column", {", ".join(LIST_DIMENSIONS)}, count(*) AS n, '
                "sum(hours) AS hours, sum(hours * hours) AS hours_squared FROM "
                f"(SELECT *, date_diff('microsecond', {at}, timestamp) / 3.6e9 AS hours FROM impressions) "
                "WHERE hours IS NOT NULL GROUP BY ALL",
            )
        )
    found = pl.concat(parts, how="vertical_relaxed") if parts else None
    return None if found is None or found.is_empty() else found
