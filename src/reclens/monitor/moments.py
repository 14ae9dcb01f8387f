"""SQL for the times of a log: values of any type as TIMESTAMP in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from reclens.data.quoting import constant

__all__ = ["inside", "moment"]

_SCALES: Final = (("1e11", "1e6"), ("1e14", "1e3"), ("1e17", "1"))
"""Numbers below are seconds since 1970, until the year 5138; then milliseconds, then microseconds; else nanoseconds."""


def moment(column: str, kind: str, zone: str) -> str:
    """An expression for a time as TIMESTAMP in UTC.

    A log has times with or without a zone, seconds since 1970 or parts of them, or texts.
    """
    if kind == "TIMESTAMP WITH TIME ZONE":
        # The same as timezone('UTC', ...), which asks a calendar about every row.
        return f"make_timestamp(epoch_us({column}))"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        naive = f"{column}::TIMESTAMP"
        return naive if zone == "UTC" else f"timezone('UTC', timezone({constant(zone)}, {naive}))"
    if kind == "VARCHAR":
        with_zone = rf"regexp_matches({column}, '(Z|[+-]\d\d(:?\d\d)?)$')"
        local = moment(f"TRY_CAST({column} AS TIMESTAMP)", "TIMESTAMP", zone)
        return f"CASE WHEN {with_zone} THEN timezone('UTC', TRY_CAST({column} AS TIMESTAMPTZ)) ELSE {local} END"
    number = f"{column}::DOUBLE"
    scale = " ".join(f"WHEN abs({number}) < {most} THEN {factor}" for most, factor in _SCALES)
    scale = f"CASE {scale} ELSE 1e-3 END"
    return f"make_timestamp(CAST(round({number} * {scale}) AS BIGINT))"


def inside(column: str, kind: str, start: datetime, end: datetime, zone: str) -> str:
    """Whether a time is within a range; in the type of the log, so that Parquet can skip row groups."""
    first, last = (constant(f"{each.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}") for each in (start, end))
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"{column} >= {first[:-1]}+00'::TIMESTAMPTZ AND {column} < {last[:-1]}+00'::TIMESTAMPTZ"
    if kind.startswith("TIMESTAMP") and zone == "UTC":
        return f"{column} >= {first}::TIMESTAMP AND {column} < {last}::TIMESTAMP"
    at = moment(column, kind, zone)
    return f"{at} >= {first}::TIMESTAMP AND {at} < {last}::TIMESTAMP"
