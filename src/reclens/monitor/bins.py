"""Bins of distributions, set on the first day that a column has values and then kept so that days are comparable.

Numeric bins hold equal numbers of rows on that day, with one more bin below and one above the range. A text column has
a bin for each frequent value, one for all rare values, and one for unseen values. Both have a separate bin for missing
values, including NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reclens.data.quoting import constant, quoted
from reclens.monitor.duck import frame, rows
from reclens.monitor.summary import LIST_DIMENSIONS

if TYPE_CHECKING:
    import duckdb

__all__ = ["HOUR", "NULL_BIN", "RARE_BIN", "UNSEEN_BIN", "binned", "find_bins"]

NULL_BIN: Final = -1
RARE_BIN: Final = -2
UNSEEN_BIN: Final = -3
HOUR: Final = "hour"
"""Hour of the day, in the zone of the log: a column of the monitor's own."""

_MOST_SEEN: Final = 1000
_TEXTS: Final = ("VARCHAR", "ENUM", "UUID", "BOOLEAN")


def find_bins(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], known: Mapping[str, Any], *, bins: int
) -> dict[str, Any]:
    """Compute the bins of columns without bins from the table ``impressions``.

    Args:
        connection: Connection that has the table.
        columns: Columns with their types.
        known: Existing bins.
        bins: Number of numeric bins, and of text values with a separate bin.

    Returns:
        Column -> ``{"edges": […]}`` or ``{"values": […], "rare": […]}``; columns without values are omitted.
    """
    found = dict(known)
    for name, kind in columns.items():
        if name in found:
            continue
        made = _of_text(connection, name, bins) if kind.startswith(_TEXTS) else _of_number(connection, name, bins)
        if made is not None:
            found[name] = made
    return found


def _of_text(connection: duckdb.DuckDBPyConnection, name: str, bins: int) -> dict[str, Any] | None:
    found = rows(
        connection,
        f"SELECT {quoted(name)}::VARCHAR AS value, count(*) AS n FROM impressions WHERE {quoted(name)} IS NOT NULL "
        f"GROUP BY value ORDER BY n DESC, value LIMIT {_MOST_SEEN}",
    )
    values = [str(value) for value, _ in found]
    return {"values": values[:bins], "rare": values[bins:]} if values else None


def _of_number(connection: duckdb.DuckDBPyConnection, name: str, bins: int) -> dict[str, Any] | None:
    value = f"{quoted(name)}::DOUBLE"
    places = ", ".join(f"{at / bins}" for at in range(1, bins))
    [(low, inner, high)] = rows(
        connection,
        f"SELECT min(x), quantile_disc(x, [{places}]), max(x) FROM (SELECT {value} AS x FROM impressions) "
        "WHERE isfinite(x)",
    )
    if low is None:
        return None
    # The last edge is the smallest float above all observed values.
    return {"edges": sorted({float(low), *map(float, inner), math.nextafter(float(high), math.inf)})}


def binned(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], bins: Mapping[str, Any], *, zone: str
) -> pl.DataFrame:
    """Counts by column, combination of slices of a list, and bin: ``column, …, bin, n, clicks, total``.

    Impressions are counted, and lists by the hour. ``total`` is the sum of the numbers. The tables ``impressions`` and
    ``lists`` must exist.
    """
    parts = [_counted(connection, name, kind, bins[name]) for name, kind in columns.items() if name in bins]
    local = "timestamp" if zone == "UTC" else f"timezone({constant(zone)}, timezone('UTC', timestamp))"
    # All rows of a list share one time, so that lists are counted instead of rows.
    parts.append(_grouped(connection, HOUR, f"CAST(hour({local}) AS INTEGER)", "0", table="lists"))
    return pl.concat(parts, how="vertical_relaxed")


def _counted(connection: duckdb.DuckDBPyConnection, name: str, kind: str, bins: Mapping[str, Any]) -> pl.DataFrame:
    if not kind.startswith(_TEXTS):
        value = f"{quoted(name)}::DOUBLE" if "edges" in bins else "NULL::DOUBLE"
        passed = _passed(value, bins.get("edges", []))
        bin_ = f"CASE WHEN {value} IS NULL OR isnan({value}) THEN {NULL_BIN} ELSE {passed} END"
        return _grouped(connection, name, bin_, f"CASE WHEN isfinite({value}) THEN {value} END")
    table = _grouped(connection, name, f"{quoted(name)}::VARCHAR", "0")
    values, rare = _names(bins.get("values", [])), _names(bins.get("rare", []))
    places = dict(zip(values, range(len(values)), strict=True))
    found = pl.col("bin").replace_strict(places, default=None, return_dtype=pl.Int64) if places else pl.lit(None)
    coded = (
        pl.when(pl.col("bin").is_null())
        .then(NULL_BIN)
        .when(pl.col("bin").is_in(values))
        .then(found)
        .when(pl.col("bin").is_in(rare))
        .then(RARE_BIN)
        .otherwise(UNSEEN_BIN)
        .cast(pl.Int64)
        .alias("bin")
    )
    keys = [each for each in table.columns if each not in ("n", "clicks", "total")]
    return table.with_columns(coded).group_by(keys, maintain_order=True).agg(pl.col("n", "clicks", "total").sum())


def _passed(value: str, edges: Sequence[float], before: int = 0) -> str:
    """Number of edges that a value is not below, found by halves: a value is held against few of them."""
    if not edges:
        return str(before)
    half = len(edges) // 2
    above, below = _passed(value, edges[half + 1 :], before + half + 1), _passed(value, edges[:half], before)
    return f"CASE WHEN {value} >= {edges[half]!r} THEN {above} ELSE {below} END"


def _names(values: Sequence[Any]) -> list[str]:
    return [str(each) for each in values]


def _grouped(
    connection: duckdb.DuckDBPyConnection, name: str, bin_: str, total: str, *, table: str = "impressions"
) -> pl.DataFrame:
    dimensions = ", ".join(LIST_DIMENSIONS)
    clicks, shown = ("clicked::INTEGER", " WHERE item_id IS NOT NULL") if table == "impressions" else ("clicks", "")
    return frame(
        connection,
        f'SELECT {constant(name)} AS "column", {dimensions}, {bin_} AS bin, count(*) AS n, '
        f"CAST(coalesce(sum({clicks}), 0) AS BIGINT) AS clicks, CAST(coalesce(sum({total}), 0) AS DOUBLE) AS total "
        f"FROM {table}{shown} GROUP BY ALL",
    )
