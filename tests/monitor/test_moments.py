"""Times of a log of any type: a day holds its first instant, and not the one that the next day begins with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from reclens.monitor.moments import inside

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)
LAST = END - timedelta(microseconds=1)
SECONDS = int(START.timestamp())


@pytest.mark.parametrize(
    ("kind", "before", "first", "last", "after"),
    [
        (
            "TIMESTAMP",
            *(f"'{each:%Y-%m-%d %H:%M:%S.%f}'" for each in (START - timedelta(microseconds=1), START, LAST, END)),
        ),
        (
            "TIMESTAMP WITH TIME ZONE",
            *(f"'{each:%Y-%m-%d %H:%M:%S.%f}+00'" for each in (START - timedelta(microseconds=1), START, LAST, END)),
        ),
        ("VARCHAR", "'2026-03-01T23:59:59Z'", "'2026-03-02T00:00:00Z'", "'2026-03-03T00:59:59+01:00'", "'2026-03-03'"),
        ("BIGINT", f"{SECONDS - 1}", f"{SECONDS}", f"{SECONDS + 86_399}", f"{SECONDS + 86_400}"),
        ("DATE", "'2026-03-01'", "'2026-03-02'", "'2026-03-02'", "'2026-03-03'"),
    ],
)
def test_a_day_begins_with_its_first_instant_and_ends_before_the_next_one(
    kind: str, before: str, first: str, last: str, after: str
) -> None:
    values = ", ".join(f"({each}::{kind})" for each in (before, first, last, after))
    found = duckdb.sql(
        f"SELECT {inside('seen', kind, START, END, 'UTC')} FROM (VALUES {values}) AS log (seen)"
    ).fetchall()
    assert found == [(False,), (True,), (True,), (False,)]
