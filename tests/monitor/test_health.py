"""A day as the workspace keeps it, and weeks as sums of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import ttest_1samp

from reclens.errors import UsageError
from reclens.monitor.health import health_name
from reclens.monitor.records import SeriesKey
from reclens.monitor.week import week_of
from reclens.workspace import Workspace


def test_a_day_comes_back_as_it_was_kept(watched: ModuleType, tmp_path: Path) -> None:
    day = watched.days(status="acknowledged", project="monitor")[-1]
    place = Workspace(tmp_path / "workspace")
    place.save(day, health_name(day.system, day.day))
    (kept,) = place.list("health")
    assert kept.name == "shop-2026-03-08" and kept.synthetic and kept.card["project"] == "monitor"
    again = place.load("health", kept.name)
    assert_frame_equal(again.detections, day.detections)
    assert (again.gate, again.annotations, again.system, again.day) == (day.gate, day.annotations, "shop", day.day)
    assert (again.project, again.synthetic) == ("monitor", True)
    assert again.incidents[0].trail == day.incidents[0].trail and again.incidents[0].root == watched.ROOT


@pytest.mark.parametrize(
    ("severity", "status", "key", "state", "said"),
    [
        ("critical", "open", SeriesKey("ctr", "surface", "home"), "level", "alert"),
        ("critical", "acknowledged", SeriesKey("ctr"), "level", "alert"),
        ("warning", "open", SeriesKey("ctr", "surface", "home"), "level", "warning"),
        ("critical", "resolved", SeriesKey("ctr", "surface", "home"), "drift", "warning"),
        ("critical", "open", SeriesKey("coverage"), "level", "warning"),
        ("critical", "open", SeriesKey("ctr", "surface", "home"), "silenced", None),
        ("critical", "open", SeriesKey("ctr", "surface", "home"), "ok", "ok"),
    ],
)
def test_the_status_of_a_series(
    watched: ModuleType, severity: str, status: str, key: SeriesKey, state: str, said: str | None
) -> None:
    day = replace(watched.days()[-1], incidents=(replace(watched.drop(status), severity=severity),))
    assert day.status(key, state) == said


def test_a_week_is_the_sum_of_its_days(watched: ModuleType) -> None:
    days = watched.days()
    week = week_of(days[::-1], watched.LAST)
    assert (week.first, week.last, week.missing) == (date(2026, 3, 2), date(2026, 3, 8), ())
    numbers = {(row["indicator"], row["slice"]): row for row in week.to_dicts()}
    home = [each.detections.filter(pl.col("slice") == "home").row(0, named=True) for each in days]
    clicks = [row["numerator"] for row in home]
    # The data of Tuesday failed: it is in no number of the week, and no Tuesday is compared.
    now = [*range(-7, -6), *range(-5, 0)]
    assert [each.gate.state for each in days[-7:]] == ["passed", "failed", *["passed"] * 5]
    row = numbers["ctr", "home"]
    assert row["value"] == row["like"] == pytest.approx(sum(clicks[at] for at in now) / 60_000)
    assert row["before"] == pytest.approx(sum(clicks[-14:-7]) / 70_000)
    assert row["like_before"] == pytest.approx(sum(clicks[at - 7] for at in now) / 60_000)
    assert row["change"] == pytest.approx(row["like"] - row["like_before"])
    assert list(week.compared) == [days[at].day for at in now]
    gaps = [home[at]["value"] - home[at - 7]["value"] for at in now]
    low, high = ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    values = [days[at].detections.filter(pl.col("indicator") == "ndcg")["value"].item() for at in now]
    assert numbers["ndcg", "all"]["value"] == pytest.approx(sum(values) / 6)
    assert numbers["embedding_drift", "all"]["value"] is None
    assert {each.id for each in week.incidents} == {"ctr-home-0305"}
    assert [each.id for each in week.annotations] == ["1"] and len(week.gates) == 7
    assert week.detections["day"].n_unique() == 56


def test_a_week_takes_what_its_sums_say(watched: ModuleType) -> None:
    asked: list[list[date]] = []

    def measured(days: Sequence[date]) -> pl.DataFrame | None:
        asked.append(list(days))
        rows = {"indicator": ["coverage"], "dimension": ["overall"], "slice": ["all"]}
        return pl.DataFrame({**rows, "value": [0.9]}) if days[-1] == watched.LAST else None

    days = [replace(each, gate=watched.gate_of(watched.LAST)) for each in watched.days()]
    (row,) = (
        row for row in week_of(days, watched.LAST, measured=measured).to_dicts() if row["indicator"] == "coverage"
    )
    before = sum(each.detections.filter(indicator="coverage")["value"].item() for each in days[-14:-7]) / 7
    assert row["value"] == 0.9 and row["before"] == pytest.approx(before)
    # A week that is something else than its days in the mean has no interval from these.
    assert row["change"] == pytest.approx(0.9 - before) and (row["low"], row["high"]) == (None, None)
    assert [(each[0], each[-1], len(each)) for each in asked] == [
        (date(2026, 3, 2), date(2026, 3, 8), 7),
        (date(2026, 2, 23), date(2026, 3, 1), 7),
    ]


def test_a_week_that_is_its_days_in_the_mean_keeps_the_interval_of_these(watched: ModuleType) -> None:
    days = [replace(each, gate=watched.gate_of(watched.LAST)) for each in watched.days()]
    plain = {(row["indicator"], row["slice"]): row for row in week_of(days, watched.LAST).to_dicts()}
    half = (plain["ndcg", "all"]["high"] - plain["ndcg", "all"]["low"]) / 2
    for off, kept in ((0.09, True), (0.11, False)):
        value = plain["ndcg", "all"]["value"] + off * half
        series = pl.DataFrame({"indicator": ["ndcg"], "dimension": ["overall"], "slice": ["all"], "value": [value]})
        week = week_of(days, watched.LAST, measured=lambda asked, s=series: s if asked[-1] == watched.LAST else None)
        (row,) = (row for row in week.to_dicts() if row["indicator"] == "ndcg")
        assert row["value"] == value and (row["low"] is not None) == kept
        if kept:
            assert (row["low"] + row["high"]) / 2 == pytest.approx(row["change"])


def test_a_series_that_lacks_a_day_is_compared_without_it_and_its_like(watched: ModuleType) -> None:
    days = [replace(each, gate=watched.gate_of(watched.LAST)) for each in watched.days()]
    gone = days[-10].detections.with_columns(value=pl.when(pl.col("indicator") != "coverage").then("value"))
    days[-10] = replace(days[-10], detections=gone)
    sums = pl.DataFrame({"indicator": ["coverage"], "dimension": ["overall"], "slice": ["all"], "value": [0.9]})
    week = week_of(days, watched.LAST, measured=lambda _: sums)
    (row,) = (row for row in week.to_dicts() if row["indicator"] == "coverage")
    daily = [each.detections.filter(indicator="coverage")["value"].item() for each in days]
    now = [daily[at] for at in range(-7, 0) if at != -3]
    assert (row["value"], row["before"], row["pairs"]) == (0.9, 0.9, 6) and len(week.compared) == 7
    assert row["like"] == pytest.approx(sum(now) / 6)
    assert row["change"] == pytest.approx((sum(now) - sum(daily[at] for at in range(-14, -7) if at != -10)) / 6)


def test_a_week_names_the_days_that_were_not_run(watched: ModuleType) -> None:
    days = watched.days()
    some = [each for each in days[-14:] if each.day not in (date(2026, 3, 4), date(2026, 2, 24))]
    week = week_of(some, watched.LAST, incidents=[watched.of_gate(), watched.resolved()])
    assert week.missing == (date(2026, 3, 4),)
    (home,) = (row for row in week.to_dicts() if row["slice"] == "home")
    assert home["pairs"] == 5 and home["n"] == 50_000
    # Of Tuesday and Wednesday one day was not run, or failed.
    assert [each.day for each in week.compared] == [2, 5, 6, 7, 8]
    assert [each.id for each in week.incidents] == ["gate-0303"]
    few = week_of(days[-9:], watched.LAST)
    assert {(row["pairs"], row["low"]) for row in few.to_dicts() if row["value"] is not None} == {(2, None)}
    with pytest.raises(UsageError, match="there is no day from 2025"):
        week_of(days, watched.FIRST - timedelta(days=30))
