"""Bins of values on, between and beyond their edges."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from reclens.monitor.bins import NULL_BIN, binned
from reclens.monitor.duck import opened
from reclens.monitor.summary import LIST_DIMENSIONS

VALUES = [-math.inf, -3.0, -1.0, -0.5, 0.0, 0.0, 0.25, 1.0, 1.5, 2.0, 7.0, 7.5, math.inf]


@pytest.mark.parametrize("edges", [[-1.0], [-1.0, 0.0], [-1.0, 0.0, 0.25, 1.0, 2.0, 7.0], []])
def test_a_value_is_in_the_bin_of_the_edges_that_it_is_not_below(edges: list[float]) -> None:
    rows = pl.DataFrame({"x": [*VALUES, None, math.nan], "clicked": [True, False, False] * 5, "item_id": range(15)})
    slices = [pl.lit("a").alias(name) for name in LIST_DIMENSIONS]
    connection = opened(1)
    connection.register("impressions", rows.with_columns(slices))
    lists = rows.select("clicked").with_columns(slices).head(0)
    connection.register("lists", lists.with_columns(clicks=pl.lit(0), timestamp=pl.lit(datetime(2026, 1, 5))))
    found = binned(connection, {"x": "DOUBLE"}, {"x": {"edges": edges}}, zone="UTC").filter(column="x")
    connection.close()
    counts = dict(zip(found["bin"], found["n"], strict=True))
    assert counts.pop(NULL_BIN) == 2
    at = np.searchsorted(edges, VALUES, side="right").tolist()
    assert counts == {each: at.count(each) for each in set(at)}
    clicked = [place for place, hit in zip(at, rows["clicked"], strict=False) if hit]
    clicks = dict(zip(found["bin"], found["clicks"], strict=True))
    assert {each: n for each, n in clicks.items() if n and each != NULL_BIN} == {
        each: clicked.count(each) for each in set(clicked)
    }
