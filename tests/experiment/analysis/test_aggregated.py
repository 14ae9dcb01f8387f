"""Experiments without ids and from counts alone: against the readout of the units, scipy, and the published case."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment import Plan, Sequential, read_aggregated
from reclens.experiment.aggregate.arm_column import UnknownArmColumnError
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.aggregated import gather_aggregated
from reclens.experiment.analysis.readout import read_experiment
from reclens.experiment.analysis.skewness_check import WORST, tolerated_skewness

KEPT = {"name": "kept", "kind": "proportion", "value": "kept", "effect": 0.05}


BOUGHT = {"name": "bought", "kind": "proportion", "value": "bought", "role": "guardrail", "margin": 0.1}


SPENT = {"name": "spent", "value": "spent", "effect": 0.05}


NO_IDS = ["repeated_units", "crossed_units", "shared_ids"]


def plan(*metrics: dict[str, Any], **more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics or (KEPT,)} | more))


def units(n: int = 6_000, *, share: float = 0.5, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    new = rng.random(n) < share
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.where(new, "new", "old"),
            "kept": (rng.random(n) < np.where(new, 0.46, 0.42)).astype(np.int64),
            "bought": (rng.random(n) < 0.05).astype(np.int64),
            "spent": np.round(rng.lognormal(1, 1, n) * np.where(new, 1.05, 1.0), 2),
            "day": pl.Series([date(2026, 1, 5) + timedelta(days=int(each)) for each in rng.integers(0, 14, n)]),
            "country": rng.choice(["fr", "it"], n),
        }
    )


def counted(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """What a warehouse would give: counts, means and standard deviations."""
    shares = [pl.col(name).sum().alias(f"{name}_successes") for name in ("kept", "bought")]
    spent = pl.col("spent")
    spread = [spent.mean().alias("spent_mean"), spent.std().alias("spent_sd")]
    return rows.group_by("variant", *by).agg(pl.len().alias("n"), *shares, *spread)


@pytest.mark.parametrize(
    ("share", "more"),
    [
        (0.5, {}),
        (0.1, {"arms": {"old": 0.9, "new": 0.1}}),
        (0.5, {"sequential": Sequential(looks=2), "days": 28, "segments": ("country",)}),
        (0.5, {"sequential": Sequential(method="msprt"), "days": 14, "daily_units": 430}),
    ],
)
def test_counts_of_shares_read_as_their_units(share: float, more: dict[str, Any], known, same) -> None:
    """Score test, intervals, looks by day, segments, trust checks and decision are those of the table of units."""
    rows, asked = units(share=share), plan(KEPT, BOUGHT, **more)
    by = ("day", *asked.segments)
    whole = read_experiment(asked, rows, day="day")
    made = read_aggregated(asked, counted(rows, *by), day="day")
    same(known(made), known(whole))
    assert len(made.effects) == 2 and made.cumulative and made.interim.to_dicts() == whole.interim.to_dicts()
    assert [each.code for each in made.unknown] == [*NO_IDS, "missing_values"] and whole.unknown == ()
    rows_check = next(each for each in made.trust_checks if each.code == "rows")
    assert rows_check.status == "skipped" and rows_check.reason == "not_known"
    assert [each.code for each in rows_check.facts.unknown] == ["repeated_units", "crossed_units"]


def test_post_stratified_shares_and_variances_are_those_of_the_units(same) -> None:
    rows, asked = units(), plan(KEPT, segments=("country",))
    whole = read_experiment(asked, rows, stratify="country")
    made = read_aggregated(asked, counted(rows, "country"), stratify="country")
    assert made.effects[0].found.method.strata > 1
    same(made.effects[0].to_dicts(), whole.effects[0].to_dicts())
    old = gather_aggregated(counted(rows), asked).arm("old")
    assert old.variance("kept") == pytest.approx(rows.filter(variant="old")["kept"].var(), rel=1e-12)


@settings(max_examples=15)
@given(st.integers(2, 400), st.integers(2, 400), st.floats(0, 1), st.floats(0, 1))
def test_any_counts_read_as_their_units(known, same, n: int, m: int, p: float, q: float) -> None:
    hits = [round(n * p), round(m * q)]
    value = [1] * hits[0] + [0] * (n - hits[0]) + [1] * hits[1] + [0] * (m - hits[1])
    rows = pl.DataFrame({"user_id": range(n + m), "variant": ["old"] * n + ["new"] * m, "kept": value})
    counts = pl.DataFrame({"variant": ["old", "new"], "n": [n, m], "successes": hits})
    made = read_aggregated(plan(), counts)
    found = made.effects[0].found
    assert (found.control, found.treatment) == pytest.approx((hits[0] / n, hits[1] / m), abs=1e-12)
    assert (found.n_control, found.n_treatment) == (n, m)
    same(known(made), known(read_experiment(plan(), rows)))


@pytest.mark.parametrize("uneven", [False, True])
def test_means_and_spreads_are_welchs_test(uneven: bool, same) -> None:
    rows = units(share=0.1 if uneven else 0.5)
    asked = plan(SPENT, **({"arms": {"old": 0.9, "new": 0.1}} if uneven else {}))
    found = read_aggregated(asked, counted(rows, "day"), day="day")
    old, new = (rows.filter(variant=arm)["spent"].to_numpy() for arm in ("old", "new"))
    wanted = stats.ttest_ind_from_stats(
        new.mean(), new.std(ddof=1), len(new), old.mean(), old.std(ddof=1), len(old), equal_var=False
    )
    (effect,) = found.effects
    assert effect.p_value == pytest.approx(wanted.pvalue, rel=1e-9)
    assert effect.found.statistic == pytest.approx(wanted.statistic, rel=1e-9)
    low, high = stats.ttest_ind(new, old, equal_var=False).confidence_interval()
    assert (effect.absolute.low, effect.absolute.high) == pytest.approx((low, high), rel=1e-9)
    codes = [each.code for each in found.unknown]
    assert ("skewness" in codes) is uneven and effect.found.skew == 0.0
    whole = read_experiment(asked, rows, day="day")
    if uneven:
        assert whole.effects[0].found.skew != 0 and whole.effects[0].p_value != pytest.approx(wanted.pvalue, rel=1e-6)
        skewness = next(each for each in found.trust_checks if each.code == "skewness")
        assert skewness.status == "fail" and found.decisions[0].code == "blocked", "600 units cannot bear any skewness"
    else:
        same(found.effects[0].to_dicts(), whole.effects[0].to_dicts())
        same(list(found.cumulative), list(whole.cumulative))
    assert {"outliers", "extreme_units"} <= {each.code for each in found.trust_checks if each.status == "skipped"}


def test_a_column_of_skewness_reads_as_the_units(same) -> None:
    """Days of scipy's skewness add up to that of all units, which the test takes out."""
    rows, asked = units(share=0.1), plan(SPENT, arms={"old": 0.9, "new": 0.1})
    shape = pl.col("spent").map_batches(
        lambda each: float(stats.skew(each.to_numpy())), return_dtype=pl.Float64, returns_scalar=True
    )
    by_day = counted(rows, "day").join(
        rows.group_by("variant", "day").agg(shape.alias("spent_skewness")), on=["variant", "day"]
    )
    found, whole = read_aggregated(asked, by_day, day="day"), read_experiment(asked, rows, day="day")
    same(found.effects[0].to_dicts(), whole.effects[0].to_dicts())
    assert found.effects[0].found.skew == pytest.approx(whole.effects[0].found.skew, rel=1e-9) != 0
    assert "skewness" not in [each.code for each in found.unknown]
    mine, theirs = (next(g for g in each.trust_checks if g.code == "skewness") for each in (found, whole))
    assert (mine.status, mine.reason) == (theirs.status, theirs.reason)


@pytest.mark.parametrize("value", [None, float("nan"), 40.0])
def test_a_skewness_that_cannot_be_is_an_error(value: float | None) -> None:
    """Of n values it is at most (n - 2) ÷ √(n - 1)."""
    rows = {"variant": ["old", "new"], "n": [900, 100], "mean": [1.0, 1.0], "sd": [1.0, 1.0], "skewness": [1.0, value]}
    with pytest.raises(DataError, match="the skewness of 100 units") as told:
        read_aggregated(plan(SPENT, arms={"old": 0.9, "new": 0.1}), pl.DataFrame(rows))
    assert (told.value.column, told.value.row) == ("skewness", 2)


def test_what_skewness_arms_stand_by_hand() -> None:
    """Of 900 and 100 units: (1/100² - 1/900²) ÷ (1/100 + 1/900)^1.5 = .0843, and .15 ÷ .0843 = 1.78."""
    assert tolerated_skewness(900, 100) == tolerated_skewness(100, 900) == pytest.approx(1.7788, rel=1e-4)
    assert tolerated_skewness(500, 500) == float("inf")


def test_unequal_arms_of_unknown_skewness_hold_their_level_or_are_blocked(rate_error: Any) -> None:
    """A/A tests of revenue: one unit in a hundred buys, skewness 21. Arms as small as the check allows, and smaller."""

    def rejected(small: int, runs: int) -> float:
        rng = np.random.default_rng(11)
        sides = []
        for n in (9 * small, small):
            buyers = np.maximum(rng.binomial(n, 0.01, runs), 1)
            spent, first = rng.exponential(1, buyers.sum()), np.append(0, np.cumsum(buyers)[:-1])
            mean = np.add.reduceat(spent, first) / n
            sides.append((mean, np.sqrt((np.add.reduceat(spent**2, first) - n * mean**2) / (n - 1)), n))
        p = stats.ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue
        return float((p < 0.05).mean())

    fewest = next(n for n in range(100, 50_000) if tolerated_skewness(9 * n, n) >= WORST)
    assert rejected(fewest, 3_000) == pytest.approx(0.05, abs=rate_error(0.05, 3_000))
    assert rejected(1_000, 2_000) > 0.05 + rate_error(0.05, 2_000)
    asked = plan({"name": "spent", "value": "spent"}, arms={"old": 0.9, "new": 0.1})
    for small, status in ((fewest, "pass"), (fewest - 100, "fail")):
        counts = {"variant": ["old", "new"], "n": [9 * small, small], "mean": [0.01, 0.01], "sd": [0.14, 0.14]}
        found = read_aggregated(asked, pl.DataFrame(counts))
        check = next(each for each in found.trust_checks if each.code == "skewness")
        assert check.status == status and check.rows[0]["assumed_skewness"] == WORST
        assert (found.decisions[0].code == "blocked") is (status == "fail")


def test_the_moments_by_hand() -> None:
    """4 and 6 units of means 2 and 5, sd 1 and 2, are 10 of mean 3.8 and Σ(x - x̄)² = 3·1 + 5·4 + 9·24/10."""
    days = pl.DataFrame(
        {
            "variant": ["old", "old", "new"],
            "d": ["2026-01-05", "2026-01-06", "2026-01-05"],
            "n": [4, 6, 1],
            "mean": [2.0, 5.0, 7.0],
            "sd": [1.0, 2.0, None],
        }
    )
    sums = gather_aggregated(days, plan(SPENT), day="d")
    old = sums.arm("old")
    assert (old.n, old.value("spent")) == (10, 3.8)
    assert old.variance("spent") == pytest.approx((3 * 1 + 5 * 4 + 9 * 24 / 10) / 9)
    assert sums.arm("old", days=["2026-01-06"]).variance("spent") == pytest.approx(4.0)
    assert [rule.code for rule in sums.rules] == ["one_unit"]


def test_what_counts_cannot_tell_is_listed() -> None:
    asked = plan(
        {**SPENT, "covariates": ("before",)},
        {"name": "long", "value": "spent", "cap": 9.0, "role": "secondary"},
        {"name": "ctr", "kind": "ratio", "value": "kept", "per": "views", "role": "secondary"},
        {"name": "p90", "kind": "quantile", "value": "spent", "q": 0.9, "role": "secondary"},
        segments=("country", "age"),
        arms={"old": 0.6, "new": 0.4},
    )
    found = read_aggregated(asked, counted(units(), "country"))
    listed = {each.code: each.of for each in found.unknown}
    means = ("spent", "long")
    assert listed == {
        "repeated_units": (),
        "crossed_units": (),
        "shared_ids": (),
        "missing_values": (),
        "extreme_units": means,
        "outliers": means,
        "skewness": means,
        "covariates": ("spent",),
        "cap": ("long",),
        "segments": ("age",),
        "unread_metrics": ("ctr", "p90"),
    }
    assert [each.metric.name for each in found.effects] == ["spent", "long"] and {s.by for s in found.segments} == {
        "country"
    }
    unchecked = [each.code for each in found.trust_checks if each.status == "skipped"]
    assert {"rows", "missing_values", "extreme_units", "unit", "balance", "outliers"} <= set(unchecked)
    told = [each.names for each in found.caveats if each.code == "not_known"]
    assert told == [("cap", "long"), ("segments", "age"), ("unread_metrics", "ctr", "p90")]
    assert [row["code"] for row in found.record()["unknown"]] == list(listed)
    assert found.to_dicts()[0]["unknown"].startswith("repeated_units, crossed_units")


GOOD = {"variant": ["old", "new"], "n": [100, 100], "successes": [10, 20]}


@pytest.mark.parametrize(
    ("table", "asked", "error", "says"),
    [
        (GOOD | {"successes": [10, 101]}, {}, DataError, "101 successes of 100 units"),
        (GOOD | {"successes": [0.1, 0.2]}, {}, DataError, "Give counts, not shares"),
        (GOOD | {"n": [-1, 100]}, {}, DataError, "expected a count"),
        (GOOD | {"n": [None, 100]}, {}, DataError, "expected a count"),
        (GOOD | {"variant": ["old", "other"]}, {}, DataError, "'other' \\(100 units\\)"),
        (GOOD | {"variant": ["old", "old"]}, {}, DataError, "second row of old"),
        (GOOD | {"n": [100, 0], "successes": [10, 0]}, {}, DataError, "no units in the arm new"),
        ({"variant": ["old", "new"], "n": [9, 9]}, {}, DataError, "'successes'.*expected 'kept_successes'"),
        ({"variant": ["old", "new"], "successes": [9, 9]}, {}, UnknownNameError, "'n'"),
        (GOOD, {"cluster": "school"}, UsageError, 'cluster = "school"'),
        (GOOD, {"triggered": "seen"}, UsageError, 'triggered = "seen"'),
        (GOOD, {"metrics": ({"name": "c", "kind": "ratio", "value": "a", "per": "b"},)}, UsageError, "is a ratio"),
        (GOOD, {"metrics": ({"name": "g", "kind": "gini"},)}, UsageError, "expected a\\s+proportion or a mean"),
        (GOOD, {"metrics": (SPENT,)}, DataError, "'mean'.*expected 'spent_mean'"),
        (GOOD | {"mean": [1.0, None], "sd": [1.0, 1.0]}, {"metrics": (SPENT,)}, DataError, "is not a number"),
        (GOOD | {"mean": [1.0, 1.0], "sd": [1.0, -1.0]}, {"metrics": (SPENT,)}, DataError, "is -1"),
        (GOOD | {"mean": [1.0, 1.0], "sd": [1.0, None]}, {"metrics": (SPENT,)}, DataError, "is None"),
    ],
)
def test_counts_that_cannot_be_are_refused(table: dict, asked: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_aggregated(plan(**asked), pl.DataFrame(table))


def test_names_and_strangers() -> None:
    table = pl.DataFrame({"v": ["old", "new", "test"], "users": [100, 100, 7], "hits": [10, 20, 1]})
    named = {"n": "users", "kept_successes": "hits"}
    found = read_aggregated(plan(), table, arm="v", columns=named, unknown_arms="drop")
    assert found.units == {"old": 100, "new": 100} and found.rules[0].count == 7
    rows = next(each for each in found.trust_checks if each.code == "rows")
    assert rows.status == "fail" and rows.facts.rules[0].arms == {"test": 7}, "7 of 207 are more than 1 %"
    with pytest.raises(UnknownNameError, match="Did you mean 'kept_successes'"):
        read_aggregated(plan(), table, arm="v", columns={"kept_success": "hits"})


# -------------------------------------------------------------------------------------------------------- without ids


def test_a_table_without_ids_reads_as_one_with_them(known, same) -> None:
    rows = units()
    metrics = (KEPT, SPENT, {"name": "p50", "kind": "quantile", "value": "spent", "q": 0.5, "role": "secondary"})
    asked = plan(*metrics, arms={"old": 0.45, "new": 0.55}, segments=("country",))
    whole = read_experiment(asked, rows, day="day")
    made = read_experiment(asked, rows.drop("user_id"), day="day", ids=False)
    same(known(made), known(whole))
    assert {each.metric.name for each in made.effects} == {"kept", "spent", "p50"}
    assert [each.code for each in made.unknown] == NO_IDS
    assert {each.code for each in made.trust_checks if each.status == "skipped"} >= {"rows", "unit"}


def test_ids_are_not_left_out_unsaid() -> None:
    rows = units(50)
    with pytest.raises(UnknownNameError, match="say ids=False"):
        read_experiment(plan(), rows.drop("user_id"))
    with pytest.raises(UsageError, match="has the plan's unit 'user_id'"):
        read_experiment(plan(), rows, ids=False)
    with pytest.raises(UsageError, match="events"):
        read_experiment(plan(), rows.drop("user_id"), ids=False, events=True)
    with pytest.raises(UsageError, match="name the column of the units"):
        gather(rows.drop("user_id"), plan(triggered="SELECT user_id FROM x"), ids=False)


def test_an_unknown_arm_column_names_the_candidates(tmp_path: Path) -> None:
    rows = units(60).rename({"variant": "version"}).with_columns(half=pl.Series(["old", "x"] * 30))
    for call in (lambda: read_experiment(plan(), rows), lambda: read_aggregated(plan(), rows)):
        with pytest.raises(UnknownArmColumnError, match='arm="version"') as error:
            call()
        assert error.value.holds and error.value.candidates == {"version": ("new", "old")}
    other = plan(arms={"a": 0.5, "b": 0.5})
    with pytest.raises(UnknownArmColumnError, match="No column holds the arms") as error:
        read_experiment(other, rows)
    assert set(error.value.candidates) == {"version", "kept", "bought", "country", "half"} and not error.value.holds
    log = rows.with_columns(timestamp=pl.col("day").cast(pl.Datetime))
    with pytest.raises(UnknownArmColumnError, match='arm="version"'):
        read_experiment(plan(), log, events=True)
