"""Days are judged by the days before them: states, bands, budgets of false alerts, and power."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import reclens as rl
from monitor_series import BEGIN, amounts, counts
from reclens.monitor.detect import DetectOptions, detect
from reclens.monitor.indicators import registry
from reclens.monitor.records import DETECTIONS, Annotation
from reclens.monitor.rules import Rule

DAYS = 80
LAST = BEGIN + timedelta(days=DAYS - 1)
RULES = {"ctr": Rule(scale="logit", direction="down")}


@pytest.fixture(scope="module")
def ctr():
    rng = np.random.default_rng(0)
    week = 0.05 * (1 + 0.1 * np.sin(2 * np.pi * np.arange(DAYS) / 7))[:, None]
    x = rng.binomial(5000, np.repeat(week, 6, axis=1))
    x[-1, 3] = 125  # half of what slice s3 has
    return counts(x, 5000)


def row(found, slice_, day=LAST):
    return found.filter(pl.col("slice") == slice_, pl.col("day") == day).row(0, named=True)


def annotation(**given):
    kept = {"kind": "note", "text": "", "suppress": True, "dimension": None, "slice": None, "by": "ann"}
    day = {"id": "1", "start": LAST, "end": LAST, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    return Annotation(**{**kept, **day, **given})


def test_half_of_the_clicks_is_found_in_its_slice_alone(ctr):
    found = detect(ctr, RULES)
    assert dict(found.schema) == dict(DETECTIONS)
    assert found["day"].unique().to_list() == [LAST]
    assert found.filter(pl.col("state") != "ok")["slice"].to_list() == ["s3"]
    low = row(found, "s3")
    # On the arcsine scale by hand: sqrt(.025) and sqrt(.05), noise 1 / (2 sqrt(5000)).
    by_hand = (np.arcsin(np.sqrt(0.025)) - np.arcsin(np.sqrt(low["expected"]))) * 2 * np.sqrt(5000)
    # The scale has the noise of the forecast too, so that z is smaller than by the sampling of the day alone.
    assert by_hand < low["z"] < by_hand / 1.6 and low["z"] < -low["limit"]
    assert low["value"] < low["low"] < low["expected"] < low["high"]
    assert 3.5 < low["limit"] < 7


def test_later_days_and_the_days_that_are_asked_for_change_nothing(ctr):
    alone = detect(ctr, RULES, end=LAST - timedelta(days=10))
    many = detect(ctr, RULES, start=BEGIN)
    assert many.filter(pl.col("day") == LAST - timedelta(days=10)).equals(alone)
    assert len(many) == len(ctr)
    first = many.filter(pl.col("day") == BEGIN)
    assert first["state"].unique().to_list() == ["warming_up"] and first["expected"].null_count() == 6
    # Three weeks for a forecast and three weeks of forecasts for a scale.
    judged = many.filter(pl.col("state") != "warming_up")["day"].min()
    assert judged == BEGIN + timedelta(days=42)


def test_what_begins_later_changes_no_earlier_day():
    """A backfill over slices and indicators that came later finds what the run of the day found."""
    rng = np.random.default_rng(8)
    values, others = 10 + rng.normal(size=(DAYS, 3)), 10 + rng.normal(size=(DAYS, 1))
    values[:30, 2], others[:75] = np.nan, np.nan  # a slice has a scale after six weeks
    rules = {"amount": Rule(), "later": Rule(budget=0.1)}
    slices, indicator = amounts(values).drop_nulls("value"), amounts(others, indicator="later").drop_nulls("value")
    day = BEGIN + timedelta(days=67)
    then = detect(slices.filter(pl.col("day") <= day), rules)
    assert then["state"].to_list() == ["ok", "ok", "warming_up"] and then["limit"].null_count() == 1
    for series in (slices, pl.concat([slices.filter(pl.col("day") <= day), indicator])):
        assert detect(series, rules, start=day).filter(pl.col("day") == day).equals(then)


def test_only_the_bad_direction_is_an_alert(ctr):
    for direction, state in (("up", "ok"), ("down", "level"), ("both", "level")):
        found = detect(ctr, {"ctr": Rule(scale="logit", direction=direction)})
        assert row(found, "s3")["state"] == state, direction


def test_holidays_suppressing_annotations_and_failed_gates_have_states_of_their_own(ctr):
    whole = detect(ctr, RULES, holidays=[LAST])
    assert whole["state"].unique().to_list() == ["excluded"] and row(whole, "s3")["expected"] is not None
    sliced = detect(ctr, RULES, annotations=[annotation(dimension="surface", slice="s3")])
    assert row(sliced, "s3")["state"] == "excluded" and row(sliced, "s1")["state"] == "ok"
    told = detect(ctr, RULES, annotations=[annotation(suppress=False, kind="deploy")])
    assert row(told, "s3")["state"] == "level"
    noted = detect(ctr, RULES, annotations=[annotation(suppress=False, kind="incident", slice="s3")])
    assert row(noted, "s3")["state"] == "noted_incident" and row(noted, "s3")["z"] is None
    assert row(noted, "s1")["state"] == "ok"
    assert detect(ctr, RULES, failed=[LAST], holidays=[LAST])["state"].unique().to_list() == ["silenced"]


def test_a_day_that_is_excluded_teaches_nothing():
    values = np.tile([[10.0], [11], [12], [13], [14], [20], [20]], (12, 1)) + np.random.default_rng(1).normal(
        0, 0.1, (84, 1)
    )
    holiday = values.copy()
    holiday[60:63] = 90
    days = [BEGIN + timedelta(days=at) for at in (60, 61, 62)]
    rules = {"amount": Rule(scale="identity")}
    with_, without = (detect(amounts(each), rules, holidays=days) for each in (holiday, values))
    assert with_.equals(without)


def test_a_value_that_is_missing_or_of_few_rows_is_no_value(ctr):
    gone = ctr.with_columns(value=pl.when(pl.col("day") < LAST).then("value"))
    assert detect(gone, RULES)["state"].unique().to_list() == ["no_value"]
    few = ctr.with_columns(n=pl.when(pl.col("slice") == "s3").then(99).otherwise("n"))
    found = detect(few, RULES, options=DetectOptions(least_rows=100))
    assert row(found, "s3")["state"] == "no_value" and row(found, "s1")["state"] == "ok"
    assert detect(ctr.head(0), RULES).is_empty()


def test_indicators_that_are_not_watched_are_left_out(ctr):
    assert detect(ctr, {"ctr": Rule(watch=False)}).is_empty()
    assert detect(ctr, {"ctr": Rule(slices=False, scale="logit")})["slice"].to_list() == ["all"]


def test_days_in_the_wrong_order_are_refused(ctr):
    with pytest.raises(rl.errors.UsageError, match="start is 2026-03-26, behind end, 2026-03-25"):
        detect(ctr, RULES, start=LAST + timedelta(days=1), end=LAST)


def test_an_incident_of_a_week_is_seen_on_each_of_its_days_and_does_not_widen_its_own_limit():
    rng = np.random.default_rng(2)
    x = rng.binomial(5000, 0.05, (DAYS, 6))
    x[-7:] = rng.binomial(5000, 0.03, (7, 6))
    found = detect(counts(x, 5000), RULES, start=LAST - timedelta(days=7))
    assert found.filter(pl.col("day") == LAST - timedelta(days=7))["state"].unique().to_list() == ["ok"]
    during = found.filter(pl.col("day") > LAST - timedelta(days=7))
    assert set(during["state"]) <= {"level", "drift"}
    assert during["limit"].max() < 1.3 * found["limit"][0]
    assert during["expected"].median() == pytest.approx(0.05, rel=0.05)


def test_a_new_level_becomes_what_is_expected_after_two_weeks():
    values = np.full((100, 1), 10.0) + np.random.default_rng(3).normal(0, 0.1, (100, 1))
    values[60:] += 5
    found = detect(amounts(values), {"amount": Rule()}, start=BEGIN + timedelta(days=55))
    level = found.filter(pl.col("state") == "level")["day"]
    assert level.min() == BEGIN + timedelta(days=60)
    assert BEGIN + timedelta(days=72) <= level.max() <= BEGIN + timedelta(days=82)
    after = found.filter(pl.col("day") > level.max())
    # Neither above the new level nor below it, from the first forecast after the step on, and no drift in its wake.
    assert after["expected"].to_list() == pytest.approx([15] * len(after), abs=0.3)
    assert set(after["state"]) == {"ok"}


def test_a_slow_drift_is_found():
    rng = np.random.default_rng(4)
    p = np.full(100, 0.05)
    p[70:] *= 1 - 0.015 * np.arange(1, 31)
    x = rng.binomial(20_000, p)[:, None]
    found = detect(counts(x, 20_000), RULES, start=BEGIN + timedelta(days=70))
    first = found.filter(pl.col("state") == "drift")["day"].min()
    assert first is not None and (first - BEGIN).days < 85
    assert found.filter(pl.col("day") == first)["drift"][0] < 0


def test_what_grows_by_itself_is_no_drift():
    age = np.arange(DAYS, dtype=float)[:, None] + np.random.default_rng(3).normal(0, 0.2, (DAYS, 1))
    noise = np.random.default_rng(3).normal(0, 0.2, (DAYS, 1))
    flat = 60 + noise + 0.06 * np.maximum(np.arange(DAYS)[:, None] - (DAYS - 15), 0)  # it begins to grow
    rules = [Rule(direction="up", drifts=drifts) for drifts in (True, False)]
    found = [
        set(detect(amounts(values, indicator="age"), {"age": rule}, start=LAST)["state"])
        for values in (age, flat)
        for rule in rules
    ]
    # What has grown all the time is judged by its trend; where drift is not judged, nothing else is one either.
    assert found == [{"ok"}, {"ok"}, {"drift"}, {"ok"}]
    # A trend may end: that is no drift back.
    ended = np.minimum(age, DAYS - 10)
    assert set(detect(amounts(ended, indicator="age"), {"age": Rule()}, start=LAST - timedelta(days=5))["state"]) <= {
        "ok",
        "short_history",
        "level",
    }
    known = [name for name in registry.names() if not registry.describe(name).drifts]
    assert known == ["clock_shift", "cold_items", "cold_users", "model_age"]
    # Its step is judged as any other: a model that was not trained, or one that is older by three weeks.
    stepped = amounts(np.where(np.arange(DAYS)[:, None] == DAYS - 1, age + 21, age), indicator="model_age")
    found = detect(stepped, {"model_age": Rule(direction="up", drifts=False)}, start=LAST)
    assert found["state"].to_list() == ["level"]


def test_an_incident_that_is_over_is_no_drift():
    """Three days at 30 standard deviations: the sum of the days after them is that of calm days again."""
    values = np.random.default_rng(8).normal(10, 0.1, (100, 4))
    values[80:83] += 3
    found = detect(amounts(values), {"amount": Rule()}, start=BEGIN + timedelta(days=80))
    days = {state: set(found.filter(pl.col("state") == state)["day"]) for state in ("level", "drift")}
    assert days["level"] == {BEGIN + timedelta(days=at) for at in (80, 81, 82)} and days["drift"] == set()
    last = found.filter(pl.col("day") > BEGIN + timedelta(days=84))
    assert last["drift"].abs().max() < 6


def test_zero_of_a_count_is_as_far_as_it_is():
    values = np.random.default_rng(5).poisson(4000, (DAYS, 1)).astype(float)
    values[-1] = 0
    found = detect(amounts(values), {"amount": Rule(scale="log")})
    assert found["state"][0] == "level" and found["z"][0] < -30


def test_changes_too_small_to_matter_are_none():
    values = np.full((DAYS, 1), 1000.0) + np.random.default_rng(6).normal(0, 0.1, (DAYS, 1))
    values[-1] += 3  # 30 standard deviations, and 0.3 %
    assert detect(amounts(values), {"amount": Rule()})["state"][0] == "ok"
    told = detect(amounts(values), {"amount": Rule()}, options=DetectOptions(least_change=0.001))
    assert told["state"][0] == "level"


SHAPES = ("calm", "seasonal", "low counts", "heavy tails", "mostly zero", "short", "unequal slices")


def simulated(shape, seed, days=120, series=12):
    """Calm days: values on the scale of the rule, as columns of SERIES."""
    rng = np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(days) / 7)[:, None]
    if shape == "heavy tails":
        return amounts(10 + rng.standard_t(4, (days, series)) * 0.1), Rule()
    if shape == "mostly zero":
        return counts(rng.binomial(300, 0.002, (days, series)), 300), Rule(scale="logit")
    if shape == "low counts":
        return counts(rng.binomial(400, 0.01 * season, (days, series)), 400), Rule(scale="logit")
    if shape == "unequal slices":
        n = np.geomspace(100, 50_000, series).astype(int)
        return counts(rng.binomial(n, 0.05, (days, series)), n), Rule(scale="logit")
    base = 0.05 * season if shape == "seasonal" else np.full((days, 1), 0.05)
    base = base * np.exp(rng.normal(0, 0.02, (days, 1)))  # days differ by more than sampling
    return counts(rng.binomial(3000, np.repeat(base, series, axis=1)), 3000), Rule(scale="logit")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_budget_of_false_alerts_holds(shape):
    """Alerts of an indicator, its 12 slices together, a week's count as one; 1 year a shape in 5 indicators."""
    days = 90 if shape == "short" else 120
    parts = [simulated(shape, seed, days) for seed in range(5)]
    frames = [frame.with_columns(indicator=pl.lit(f"i{at}")) for at, (frame, _) in enumerate(parts)]
    rules = {f"i{at}": replace(rule, direction="both") for at, (_, rule) in enumerate(parts)}
    begin = 50
    found = detect(pl.concat(frames), rules, start=BEGIN + timedelta(days=begin), options=DetectOptions(budget=2.0))
    alerts = found.filter(pl.col("state").is_in(["level", "drift"]))
    starts = 0
    for name in rules:
        last = None
        for day in sorted(alerts.filter(pl.col("indicator") == name)["day"].unique()):
            starts += last is None or (day - last).days > 7
            last = day
    years = 5 * (days - begin) / 365.25
    # Three standard errors of a Poisson count of that mean.
    assert starts <= 2.0 * years + 3 * np.sqrt(2.0 * years), shape


@pytest.mark.parametrize("shape", ["calm", "seasonal", "unequal slices"])
def test_eight_standard_deviations_are_found(shape, rate_error):
    frame, rule = simulated(shape, 100, days=100)
    last = BEGIN + timedelta(days=99)
    x, n = pl.col("numerator"), pl.col("denominator")
    lost = x - 8 * (x * (1 - x / n)).sqrt() - 2
    fallen = frame.with_columns(
        numerator=pl.when(pl.col("day") == last).then(pl.max_horizontal(lost, pl.lit(0.0))).otherwise(x)
    )
    fallen = fallen.with_columns(value=pl.col("numerator") / n)
    large = fallen.filter(pl.col("n") >= 3000)
    found = detect(large, {"ctr": replace(rule, direction="down")}, end=last)
    assert (found["state"] == "level").mean() >= 0.9 - rate_error(0.9, len(found))
