"""Faults have the size that they say, change nothing else, and are the same each time."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

import reclens as rl
from reclens.monitor.chaos import KINDS, STRENGTHS, ChaosWorld, Fault

DAY = date(2026, 3, 2)
WORLD = ChaosWorld(7)


@pytest.fixture(scope="module")
def clean():
    return WORLD.day(DAY)


def faulty(clean, kind, strength="strong", after=0):
    day = DAY + timedelta(days=after)
    return WORLD.with_fault(day, Fault(kind=kind, strength=strength, start=DAY), clean=clean)


def test_a_clean_day_is_as_the_benchmark_says(clean, rate_error):
    assert len(clean) == pytest.approx(20_000, rel=0.2)
    assert clean["clicked"].mean() == pytest.approx(0.05, abs=0.006)
    assert [clean[name].n_unique() for name in ("surface", "model_version", "segment")] == [3, 2, 4]
    assert clean.select("request_id", "item_id").is_duplicated().sum() == 0
    assert clean["feature.price"].null_count() / len(clean) == pytest.approx(0.01, abs=rate_error(0.01, len(clean)))
    assert clean.equals(ChaosWorld(7).day(DAY)) and not clean.equals(ChaosWorld(8).day(DAY))


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_a_log_of_the_same_columns_in_its_days_alone(clean, kind):
    found = faulty(clean, kind)
    assert found.schema == clean.schema and not found.equals(clean)
    assert found.equals(faulty(clean, kind))
    assert WORLD.with_fault(DAY - timedelta(days=1), Fault(kind=kind, strength="weak", start=DAY), clean=clean) is clean
    end = KINDS[kind].days
    assert (
        WORLD.with_fault(DAY + timedelta(days=end), Fault(kind=kind, strength="weak", start=DAY), clean=clean) is clean
    )


@pytest.mark.parametrize("strength", list(STRENGTHS))
def test_data_faults_hit_the_share_of_rows_that_they_say(clean, strength, rate_error):
    _, share = STRENGTHS[strength]
    rows = 3 * rate_error(share, len(clean)) + 0.01  # whole lists are drawn, of ten rows each
    n = len(clean)
    assert faulty(clean, "null_feature", strength)["feature.price"].null_count() / n == pytest.approx(
        0.01 + 0.99 * share, abs=rows
    )
    assert len(faulty(clean, "duplicated_events", strength)) / n == pytest.approx(1 + share, abs=rows)
    assert (faulty(clean, "position_off_by_one", strength)["position"] != clean["position"]).mean() == pytest.approx(
        share, abs=rows
    )
    late = faulty(clean, "late_partition", strength)
    assert ((late["received_at"] - late["timestamp"]).dt.total_seconds() > 7200).mean() == pytest.approx(
        share, abs=rows
    )
    bots = faulty(clean, "bot_traffic", strength).filter(pl.col("user_id") >= 5000)
    assert len(bots) / n == pytest.approx(share, abs=rows) and bots["clicked"].sum() == 0
    cents = faulty(clean, "price_in_cents", strength)["feature.price"] / clean["feature.price"]
    assert (cents > 50).sum() / n == pytest.approx(0.99 * share, abs=rows)
    times = faulty(clean, "timezone_shift", strength)["timestamp"]
    assert times.dt.date().unique().to_list() == [DAY]


@pytest.mark.parametrize("kind", ["slice_down", "stale_model", "cold_start_failure"])
def test_a_slice_loses_so_many_standard_deviations_and_the_others_nothing(clean, kind):
    of = KINDS[kind]
    inside = pl.col(of.dimension) == of.slice
    before, after = clean.filter(inside), faulty(clean, kind, "medium").filter(inside)
    p, n = before["clicked"].mean(), len(before)
    moved = (after["clicked"].mean() - p) / (p * (1 - p) / n) ** 0.5
    assert moved == pytest.approx(-6, abs=1.5)
    assert clean.filter(~inside).equals(faulty(clean, kind, "medium").filter(~inside))


def test_a_slow_drift_grows_for_two_weeks(clean):
    lost = [clean["clicked"].sum() - faulty(clean, "slow_drift", after=at)["clicked"].sum() for at in (0, 6, 13, 20)]
    p = clean["clicked"].mean()
    whole = 12 * (p * (1 - p) * len(clean)) ** 0.5
    assert lost[0] < lost[1] < lost[2]
    assert lost[2:] == [pytest.approx(whole, rel=0.2)] * 2


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(rl.errors.UnknownNameError, match="Did you mean 'slice_down'"):
        Fault(kind="slice_dwn", strength="weak", start=DAY)
