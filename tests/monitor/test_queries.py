"""A query of the marts by hand."""

from __future__ import annotations

from datetime import date

import polars as pl

from reclens.monitor.duck import opened
from reclens.monitor.queries import of_day


def test_what_each_user_did() -> None:
    """Ann has two requests and a row without one, Bob an empty list, and a row has no user."""
    columns = ["user_id", "request_id", "item_id", "clicked", "converted", "new_user"]
    rows = [
        ("ann", 1, "x", True, True, None),
        ("ann", 1, "y", True, False, True),
        ("ann", 2, "x", False, None, True),
        ("ann", None, "z", None, None, True),
        ("bob", 3, None, None, None, False),
        (None, 4, "x", True, True, None),
    ]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    connection = opened(1)
    connection.register("impressions", table.with_columns(day=pl.lit(date(2026, 1, 5)), segment=pl.lit("new")))
    found = of_day(connection, "user_cohort", {}).sort("user_id")
    connection.close()
    assert found.rows() == [("ann", "new", True, 2, 4, 2, 1), ("bob", "new", False, 1, 0, 0, 0)]
    assert set(found.select("requests", "impressions", "clicks", "conversions").dtypes) == {pl.Int64}
