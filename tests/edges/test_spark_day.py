"""Indicators of a day of a log in Spark are those that a monitor computes on one machine; here on Sail."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.edges.spark import Spark
from reclens.errors import DataError, IncomparableError
from reclens.monitor.partitions import DayPlan, DaySums
from spark_tables import to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

DAY = date(2026, 3, 29)  # has 23 hours in Berlin
KEYS = ["indicator", "dimension", "slice"]
SETTINGS = """
[log]
path = "log"
time_zone = "Europe/Berlin"
[tables]
users = "users.parquet"
items = "items.parquet"
"""


class Shop(NamedTuple):
    """A day as a monitor has it, and as a table for Spark."""

    series: pl.DataFrame
    log: pl.DataFrame
    how: dict[str, Any]


def random_log() -> pl.DataFrame:
    """Lists of 0 … 4 items of 24 users, with repeats, gaps, late rows, and rows of the days before and after."""
    rng, rows = np.random.default_rng(5), []
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    for request in range(90):
        at = start + timedelta(minutes=float(rng.uniform(0, 28 * 60)))
        about = {
            "timestamp": at,
            "received_at": at + timedelta(hours=float(rng.exponential(0.5))),
            "request_id": f"r{request}",
            "user_id": f"u{int(24 * rng.random() ** 2)}",
            "surface": ["home", "email", None][int(rng.integers(3))],
            "model_version": ["v1", "v2"][int(rng.integers(2))],
            "latency_ms": float(rng.lognormal(3)),
        }
        n = int(rng.integers(0, 5))
        for place in range(max(n, 1)):
            shown = {"item_id": "abcdefgh"[int(rng.integers(8))], "position": place + 1, "score": float(rng.random())}
            clicked = {"clicked": bool(rng.random() < 0.3), "converted": bool(rng.random() < 0.5) or None}
            more = {"feature.price": float(rng.normal()) if rng.random() < 0.9 else None, "feature.device": "phone"}
            rows.append(about | (shown | clicked | more if n else {}))
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The day, run by a monitor on one machine."""
    folder: Path = tmp_path_factory.mktemp("monitor")
    log = random_log()
    (folder / "log").mkdir()
    log.write_parquet(folder / "log" / "all.parquet")
    users = pl.DataFrame({"user_id": [f"u{at}" for at in range(24)], "segment": ["light", "heavy", None] * 8})
    category, released = ["x", "y", "x", None, "y", "z", "x", "y"], [DAY - timedelta(days=3), date(2020, 1, 1)] * 4
    items = pl.DataFrame({"item_id": list("abcdefgh"), "category": category, "released": released})
    users.write_parquet(folder / "users.parquet")
    items.write_parquet(folder / "items.parquet")
    (folder / "monitor.toml").write_text(SETTINGS, encoding="utf-8")
    project = rl.monitor.Project(folder)
    with project.lock():
        series = rl.monitor.run_day(project, DAY).series
    bins = (project.read_state("bins") or {})["columns"]
    fresh = items.select("item_id", "category", fresh_item=pl.col("released") > DAY - timedelta(days=30))
    joined = log.join(users, on="user_id", how="left").join(fresh, on="item_id", how="left")
    return Shop(series, joined, {"settings": project.settings, "bins": bins, "catalogue": 8})


def assert_equal(known: pl.DataFrame, found: pl.DataFrame) -> None:
    """Counts are equal, and values to 1e-12."""
    known, found = known.sort(KEYS), found.sort(KEYS)
    assert found.select(*KEYS, "n").equals(known.select(*KEYS, "n"))
    for name in ("value", "error", "numerator", "denominator"):
        ours, theirs = (each[name].to_numpy().astype(float) for each in (known, found))
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-12, equal_nan=True, err_msg=name)


@pytest.mark.parametrize(("n", "zone"), [(1, "UTC"), (7, None), (300, "America/New_York")])
def test_indicators_of_a_day_are_those_of_a_monitor(session: Any, shop: Shop, n: int, zone: str | None) -> None:
    times = pl.col("timestamp", "received_at").dt.convert_time_zone(zone or "UTC")
    log = shop.log.with_columns(times if zone else times.dt.replace_time_zone(None))  # none is that of UTC

    found = rl.monitor.sum_day(to_spark(session, log), DAY, engine=Spark(partitions=n), **shop.how)

    # The age of a model is told from the versions of the days before.
    assert_equal(shop.series.filter(pl.col("indicator") != "model_age"), rl.monitor.compute(found))
    names = set(rl.monitor.compute(found)["indicator"])
    assert {"ctr", "ndcg", "coverage", "gini", "top_user_share", "latency_p95", "duplicates", "feature_nulls"} <= names
    assert "users" not in found.tables and found.tables["activity"]["users"].sum() <= 24


def test_a_partition_that_ran_twice_counts_once(shop: Shop) -> None:
    plan = DayPlan(day=DAY, settings=shop.how["settings"], list_length=3)
    low = pl.col("user_id") < "u2"
    parts = [plan.measure([shop.log.filter(where)]) for where in (low, ~low)]
    one, other = (DaySums.of_row(part.to_row()) for part in parts if part is not None)

    total = one + other

    cells = pl.concat([each.tables["cells"] for each in (one, other)])
    assert total.tables["cells"]["impressions"].sum() == cells["impressions"].sum()
    assert (total + one).tables["cells"].equals(total.tables["cells"])
    with pytest.raises(IncomparableError, match="share 1 of 2 partitions"):
        DaySums.total([total, DaySums(keys=(*one.keys, 9), tables=one.tables)])


def test_logs_that_are_no_logs(session: Any, shop: Shop) -> None:
    with pytest.raises(DataError, match="there is no column 'request_id'"):
        rl.monitor.sum_day(to_spark(session, shop.log.drop("request_id")), DAY)
    with pytest.raises(DataError, match="times are string, expected timestamp"):
        rl.monitor.sum_day(to_spark(session, shop.log.cast({"timestamp": pl.String})), DAY)
    with pytest.raises(DataError, match="there is no row of 2025-01-01"):
        rl.monitor.sum_day(to_spark(session, shop.log), date(2025, 1, 1))
    holed = shop.log.with_columns(request_id=pl.lit(None, pl.String))
    with pytest.raises(DataError, match="rows or more name no list"):
        rl.monitor.sum_day(to_spark(session, holed), DAY)
