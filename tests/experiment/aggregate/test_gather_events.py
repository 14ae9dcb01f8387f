"""Logs of events: grouped by unit or by cluster, then summed up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from reclens.errors import DataError
from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather_events
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.stats.arms import compare_arms

METRICS = (
    {"name": "clicks", "value": "clicked", "covariates": ("clicked_before",)},
    {"name": "ctr", "kind": "ratio", "value": "clicked", "per": "events", "role": "secondary"},
    {"name": "returned", "kind": "proportion", "value": "returned", "role": "secondary"},
)


def plan(**more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": METRICS, "start": "2026-01-05"} | more))


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """Eight events of five users, three of them in the days of the test."""
    return pl.DataFrame(
        {
            "user_id": ["u1", "u1", "u1", "u2", "u2", "u3", "u4", "u5"],
            "variant": [None, "old", "old", "new", "new", "old", "new", None],
            "timestamp": [datetime(2026, 1, day, 10) for day in (1, 5, 6, 5, 7, 6, 9, 2)],
            "clicked": [1, 0, 1, 1, 1, 0, 0, 1],
            "returned": [0, 0, 1, 0, 0, 0, 1, 0],
        }
    )


def test_events_are_grouped_by_user_first(log: pl.DataFrame) -> None:
    found = gather_events(log, plan())
    old, new = found.arm("old"), found.arm("new")
    # u1 clicked once of two and once before, u3 never of one; u2 twice of two, u4 never of one; u5 came before only.
    assert (old.n, new.n) == (2, 2) and (old.sum("clicked"), new.sum("clicked")) == (1.0, 2.0)
    assert (old.sum("events"), new.sum("events")) == (3.0, 3.0) and old.sum("clicked_before") == 1.0
    assert (old.value("returned"), new.value("returned")) == (0.5, 0.5)
    assert found.days == ("2026-01-05", "2026-01-06", "2026-01-09")
    assert compare_arms(old, new, ("clicked", "events")).absolute.value == pytest.approx(1 / 3)


def test_days_are_those_of_utc(log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    # 01:30 in Auckland is the day before in UTC, whatever the zone of the machine.
    zoned = log.with_columns(pl.col("timestamp").dt.replace_time_zone("Pacific/Auckland").dt.offset_by("-8h30m"))
    monkeypatch.setenv("TZ", "America/New_York")
    found = gather_events(zoned, plan(start="2026-01-04"))
    assert found.days == ("2026-01-04", "2026-01-05", "2026-01-08")


def test_a_user_in_two_arms_of_a_log_is_an_error_or_left_out(log: pl.DataFrame) -> None:
    crossed = log.with_columns(variant=pl.Series(["new", "old", "old", "new", "old", "old", "new", None]))
    with pytest.raises(DataError, match="1 units stand in two arms, such as 'u2'"):
        gather_events(crossed, plan())
    assert gather_events(crossed, plan(), two_arms="drop").arm("new").n == 1


def test_clusters_are_the_unit_where_the_plan_says_so() -> None:
    # Two households in an arm; the mean over users is a ratio of sums over households.
    rows = pl.DataFrame(
        {
            "user_id": range(8),
            "home": [1, 1, 2, 2, 2, 3, 3, 4],
            "variant": ["old"] * 5 + ["new"] * 3,
            "clicks": [1, 2, 3, 4, 5, 6, 7, 8],
        }
    )
    clustered = plan(metrics=({"name": "clicks", "value": "clicks"},), cluster="home", start=None)
    found = gather_events(rows, clustered, time=None)
    assert found.rows == "units" and found.arm("old").n == 2
    columns = metric_columns_of(clustered.metrics, rows=found.rows)["clicks"]
    gap = compare_arms(found.arm("old"), found.arm("new"), columns.of)
    assert (gap.control, gap.treatment) == pytest.approx((3.0, 7.0))


def test_clusters_of_a_log_are_counted_in_units_and_not_in_events() -> None:
    # Home 1: users a (3 events, 2 clicks, came back) and b (1 event, 1 click); home 2: user c (2 events, none).
    rows = pl.DataFrame(
        {
            "user_id": ["a", "a", "a", "b", "c", "c", "d", "e", "e"],
            "home": [1, 1, 1, 1, 2, 2, 3, 4, 4],
            "variant": ["old"] * 6 + ["new"] * 3,
            "clicks": [1, 0, 1, 1, 0, 0, 4, 1, 1],
            "returned": [0, 1, 1, 0, 0, 0, 0, 1, 1],
        }
    )
    metrics = (
        {"name": "clicks", "value": "clicks"},
        {"name": "returned", "kind": "proportion", "value": "returned", "role": "secondary"},
        {"name": "ctr", "kind": "ratio", "value": "clicks", "per": "events", "role": "secondary"},
    )
    clustered = plan(metrics=metrics, cluster="home", start=None)
    found = gather_events(rows, clustered, time=None)
    old, new = found.arm("old"), found.arm("new")
    assert (old.n, old.sum("units"), old.sum("events"), new.sum("units")) == (2, 3.0, 6.0, 2.0)
    metric_columns = metric_columns_of(clustered.metrics, rows=found.rows)
    by_hand = {"clicks": (3 / 3, 6 / 2), "returned": (1 / 3, 1 / 2), "ctr": (3 / 6, 6 / 3)}
    for name, (control, treatment) in by_hand.items():
        gap = compare_arms(old, new, metric_columns[name].of)
        assert (gap.control, gap.treatment) == pytest.approx((control, treatment)), name


def test_events_of_nobody_are_an_error(log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="column 'user_id': 2 rows name no unit"):
        gather_events(log.with_columns(user_id=pl.Series([None, "u1", "u1", None, "u2", "u3", None, "u5"])), plan())


def test_a_sum_does_not_hide_a_negative_event(log: pl.DataFrame) -> None:
    # u1 has an event of -1 beside three clicks.
    negative = log.with_columns(clicked=pl.Series([1, 3, -1, 1, 1, 0, 0, 1]))
    with pytest.raises(DataError, match="column 'clicked': the smallest value is -1"):
        gather_events(negative, plan())
