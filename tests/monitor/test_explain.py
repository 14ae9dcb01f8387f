"""Why an indicator moved: the decomposition by hand, the slice that explains the rest, suspects, and error budgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.monitor.explain import _CAUSES, contributions, root_slice, suspects
from reclens.monitor.indicators import registry
from reclens.monitor.records import DETECTIONS, OVERALL, SERIES, Annotation, DataCheck, GateResult, SeriesKey
from reclens.monitor.slo import burn_rate
from reclens.report.monitor.words import suspect_name

DAY = date(2026, 3, 30)


def series(rows):
    """Rows of (days before, slice, events, of)."""
    return pl.DataFrame(
        [
            {
                "day": DAY - timedelta(days=back),
                "indicator": "ctr",
                "dimension": OVERALL if name == "all" else "surface",
                "slice": name,
                "value": x / n if n else None,
                "error": None,
                "numerator": float(x),
                "denominator": float(n),
                "n": n,
            }
            for back, name, x, n in rows
        ],
        schema=SERIES,
    )


def test_mix_and_rate_by_hand():
    # Before: half of 1,000 at 10 %, half at 2 %: 6 %. On the day: home 250 at 8 %, search 750 at 2 %: 3.5 %.
    found = contributions(
        series([(1, "home", 50, 500), (1, "search", 10, 500), (0, "home", 20, 250), (0, "search", 15, 750)]), "ctr", DAY
    )
    home, search = found
    assert (home["slice"], search["slice"]) == ("home", "search")
    assert home["rate"] == pytest.approx((0.5 + 0.25) / 2 * (0.08 - 0.10))
    assert home["mix"] == pytest.approx((0.25 - 0.5) * (0.09 - 0.0475))
    assert search["rate"] == pytest.approx(0) and search["mix"] == pytest.approx(0.25 * (0.02 - 0.0475))
    assert home["share"] == pytest.approx((home["rate"] + home["mix"]) / -0.025)


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 4), min_size=1, max_size=5))
def test_contributions_add_up_to_the_change(slices):
    rows = [
        (back, f"s{at}", min(x, n), n)
        for at, (x0, n0, x1, n1) in enumerate(slices)
        for back, x, n in ((1, x0, n0), (0, x1, n1))
    ]
    totals = [[sum(row[at] for row in rows if row[0] == back) for at in (2, 3)] for back in (1, 0)]
    found = contributions(series(rows), "ctr", DAY)
    if not totals[0][1] or not totals[1][1]:
        assert found == ()
        return
    change = totals[1][0] / totals[1][1] - totals[0][0] / totals[0][1]
    assert sum(each["mix"] + each["rate"] for each in found) == pytest.approx(change, abs=1e-12)


def test_a_slice_that_is_new_or_gone_is_all_mix():
    found = contributions(
        series([(1, "home", 50, 500), (1, "old", 5, 100), (0, "home", 50, 500), (0, "new", 20, 100)]), "ctr", DAY
    )
    by_name = {each["slice"]: each for each in found}
    assert by_name["new"]["rate"] == by_name["old"]["rate"] == 0
    assert by_name["new"]["mix"] > 0 and by_name["old"]["mix"] > 0


def test_what_is_no_ratio_has_no_contributions():
    rows = series([(1, "home", 50, 500), (0, "home", 20, 250)]).with_columns(denominator=pl.lit(None, pl.Float64))
    assert contributions(rows, "ctr", DAY) == ()


def rows(changes, *, counts=False):
    """One day of an indicator of 10 % everywhere, with noise 1 for 1,000 rows; ``changes``: slice -> its new share."""
    places = {"all": (OVERALL, 4000), "home": ("surface", 2000), "search": ("surface", 2000)}
    places |= {"new": ("segment", 1000), "old": ("segment", 3000)}
    found = []
    for name, (dimension, n) in places.items():
        value = changes.get(name, n if counts else 0.1)
        expected, noise = (float(n), n**0.5) if counts else (0.1, 0.01 * (1000 / n) ** 0.5)
        z = (value - expected) / noise
        row = {"day": DAY, "indicator": "i", "dimension": dimension, "slice": name, "value": float(value), "n": n}
        row |= {"expected": expected, "low": expected - 4 * noise, "high": expected + 4 * noise, "z": z, "limit": 4.0}
        found.append({**dict.fromkeys(DETECTIONS), **row, "state": "level" if abs(z) > 4 else "ok"})
    return pl.DataFrame(found, schema=DETECTIONS)


@pytest.mark.parametrize(
    ("changes", "root"),
    [
        # All moved alike; home alone, which the whole and both segments feel by half; new alone, by a quarter.
        ({"all": 0.05, "home": 0.05, "search": 0.05, "new": 0.05, "old": 0.05}, (OVERALL, "all")),
        ({"all": 0.07, "home": 0.04, "search": 0.1, "new": 0.07, "old": 0.07}, ("surface", "home")),
        ({"all": 0.08, "home": 0.08, "search": 0.08, "new": 0.02, "old": 0.1}, ("segment", "new")),
    ],
)
def test_the_root_is_the_slice_that_explains_the_others(changes, root):
    assert root_slice(rows(changes)) == SeriesKey("i", *root)


def test_the_root_of_a_count_is_the_slice_that_is_gone():
    gone = {"all": 2000, "home": 0, "new": 500, "old": 1500}
    assert root_slice(rows(gone, counts=True)) == SeriesKey("i", "surface", "home")


def note(kind, back, **given):
    day = DAY - timedelta(days=back)
    kept = {"text": "", "suppress": False, "dimension": None, "slice": None, "by": "ann"}
    return Annotation(id="1", kind=kind, start=day, end=day, at=datetime(2026, 1, 1, tzinfo=UTC), **{**kept, **given})


def test_suspects_are_what_happened_near_and_what_moved_too():
    root = SeriesKey("ctr", "model_version", "v2")
    check = DataCheck(code="late_share", state="failed", blocking=False)
    gate = GateResult(day=DAY, checks=(check,), state="passed")
    found = suspects(root, ["response", "pipeline"], DAY, gate=gate, annotations=[note("deploy", 1), note("note", 0)])
    assert found == ("deploy", "late_data", "retrieval", "model_version")
    other = note("experiment", 0, dimension="surface", slice="home")
    assert suspects(root, [], DAY, annotations=[note("deploy", 3), note("deploy", -1), other]) == ("model_version",)
    nulls = GateResult(day=DAY, checks=(replace(check, code="null_share"),), state="passed")
    assert suspects(SeriesKey("ctr"), [], DAY, gate=nulls) == ("data_gate",)


def test_every_family_of_indicators_speaks_for_a_cause_or_is_what_is_to_be_explained():
    families = {registry.describe(name).family for name in registry.names()}
    assert families - set(_CAUSES) == {"response", "ranking", "exposure", "fairness"}
    assert set(_CAUSES) <= families and all(suspect_name(code) != code for code in _CAUSES.values())
    assert suspects(SeriesKey("ctr"), ["response", "model", "space"], DAY) == ("model", "embedding")
    # Nulls that no check of the gate forbids are no check that failed.
    assert suspects(SeriesKey("feature_nulls"), ["data"], DAY) == ("data",)


def test_burn_rates_by_hand():
    # At most 1 % may be empty. 28 days at 1 % would use the budget up; three days at 5 % burn five times as fast.
    calm = [(back, "all", 10, 1000) for back in range(3, 20)]
    fast = burn_rate(
        series([*calm, *((back, "all", 50, 1000) for back in range(3))]), "ctr", DAY, slo=0.01, direction="up"
    )
    assert fast.state == "fast" and fast.days[1] == pytest.approx(5) and fast.days[3] == pytest.approx(5)
    assert fast.days[14] == pytest.approx((3 * 50 + 11 * 10) / 14 / 10)
    # The last day is fine: the short window ends the alert, and what is left of it is slow.
    over = burn_rate(
        series([*calm, (2, "all", 90, 1000), (1, "all", 90, 1000), (0, "all", 0, 1000)]),
        "ctr",
        DAY,
        slo=0.01,
        direction="up",
    )
    assert over.state == "slow" and over.days[1] == 0
    good = series([(back, "all", 995, 1000) for back in range(20)])
    assert burn_rate(good, "ctr", DAY, slo=0.99, direction="down").state == "ok"
    assert burn_rate(good, "ctr", DAY, slo=0.996, direction="down").state == "slow"
    assert burn_rate(good, "ctr", DAY + timedelta(days=1), slo=0.99, direction="down").state == "no_value"
