"""Quantiles, coverage, Gini, effective items, and effects by days since first exposure."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.stats import entropy

from reclens.errors import DataError, UsageError
from reclens.experiment import Plan
from reclens.experiment.aggregate.by_age import gather_ages
from reclens.experiment.aggregate.distribution import arm_differences, quantile_differences
from reclens.experiment.analysis.readout import read_experiment

PLAN = Plan(
    name="t",
    arms={"old": 0.5, "new": 0.5},
    metrics=(
        {"name": "clicks", "value": "clicked"},
        {
            "name": "slow loads",
            "kind": "quantile",
            "value": "seconds",
            "q": 0.9,
            "role": "guardrail",
            "better": "lower",
            "margin": 0.3,
        },
        {"name": "coverage", "kind": "coverage", "role": "guardrail", "margin": 0.2},
        {"name": "Gini", "kind": "gini", "role": "guardrail", "better": "lower", "margin": 0.2},
        {"name": "effective_items", "kind": "effective_items", "role": "guardrail", "margin": 0.2},
    ),
)


def log(users: int = 600, *, novelty: float = 0.0) -> pl.DataFrame:
    """Ten days of events of users who came on one of the first five; treatment clicks more, on the first day alone."""
    rng = np.random.default_rng(2)
    new = np.arange(users) % 2 == 1
    first = rng.integers(0, 5, users)
    who = np.repeat(np.arange(users), 20)
    age = np.tile(np.repeat(np.arange(5), 4), users)
    chance = 0.2 + novelty * new[who] * (age == 0)
    items = np.where(new[who], rng.integers(0, 80, len(who)), rng.integers(0, 80, len(who)) ** 2 // 80)
    return pl.DataFrame(
        {
            "user_id": who,
            "variant": np.where(new[who], "new", "old"),
            "clicked": (rng.random(len(who)) < chance) * 1,
            "timestamp": np.datetime64("2026-01-05T08:00", "us") + (first[who] + age) * np.timedelta64(1, "D"),
            "seconds": rng.lognormal(0, 0.5, len(who)) * np.where(new[who], 1.1, 1.0),
            "item_id": items,
        }
    )


def mid_quantile(frame: pl.DataFrame, arm: str, q: float = 0.9) -> float:
    """By its definition: P(X < x) + ½ P(X = x) at the values of both arms, turned round (Parzen 2004)."""
    values, support = (part["seconds"].drop_nulls().to_numpy() for part in (frame.filter(variant=arm), frame))
    support, values = np.unique(support), np.sort(values)
    mid = [np.searchsorted(values, support, side) for side in ("left", "right")]
    return float(np.interp(q, (mid[0] + mid[1]) / (2 * len(values)), support))


def test_quantiles_are_those_of_the_rows() -> None:
    frame = log()
    found = quantile_differences(frame, PLAN)["slow loads", "new"]
    for arm, value in (("old", found.control), ("new", found.treatment)):
        assert value == pytest.approx(mid_quantile(frame, arm))
        # Nothing is tied: the ordinary quantile, to within the distance of neighbouring values.
        near = np.quantile(frame.filter(variant=arm)["seconds"].to_numpy(), [0.9 - 1 / 6000, 0.9, 0.9 + 1 / 6000])
        assert near[0] <= value <= near[2] and value == pytest.approx(near[1], rel=2e-3)
    # The 0.9 quantile of exp(N(0, 0.5)) is exp(0.5 z); treatment is 1.1 times that.
    truth = 0.1 * np.exp(0.5 * 1.2815516)
    assert found.absolute.low < truth < found.absolute.high and found.n_control == 300


def test_coverage_and_gini_are_those_of_the_counts() -> None:
    frame = log()
    found = arm_differences(frame, PLAN, catalogue=range(100))
    for arm, side in (("old", "control"), ("new", "treatment")):
        counts = np.bincount(frame.filter(variant=arm)["item_id"].to_numpy(), minlength=100)
        assert getattr(found["coverage", "new"], side) == pytest.approx((counts > 0).mean())
        pairs = np.abs(counts[:, None] - counts[None, :]).sum() / (2 * 100 * counts.sum())
        assert getattr(found["Gini", "new"], side) == pytest.approx(pairs)  # mean absolute difference ÷ 2 means
        assert getattr(found["effective_items", "new"], side) == pytest.approx(np.exp(entropy(counts)))
    assert found["Gini", "new"].absolute.high < 0
    bare = arm_differences(frame, PLAN)["coverage", "new"]
    assert bare.treatment == 1.0 and bare.notes[-1] == "no_catalogue"
    with pytest.raises(UsageError, match="is not in the catalogue of 10 items"):
        arm_differences(frame, PLAN, catalogue=range(10))


def test_a_whole_experiment_reads_them_all() -> None:
    frame = log()
    found = read_experiment(PLAN, frame, events=True, exposures=frame)
    verdicts = {effect.metric.name: effect.verdict for effect in found.effects}
    assert verdicts.keys() == {"clicks", "slow loads", "coverage", "Gini", "effective_items"}
    assert verdicts["slow loads"] == "holds" and verdicts["Gini"] == "holds"
    # New shows 80 items alike: 80 effective ones; old's skewed lists are worth fewer.
    assert verdicts["effective_items"] == "holds"
    without = read_experiment(PLAN, frame, events=True)
    assert without.decisions[0].unmeasured == ("coverage", "Gini", "effective_items")


def test_a_novelty_shows_on_the_first_day_alone() -> None:
    frame = log(novelty=0.2)
    ages = gather_ages(frame, PLAN)
    assert sorted(ages) == list(range(9))
    # By hand: clicks of a user of an arm on her first day, and nobody's on the sixth.
    first = frame.sort("timestamp").with_columns(day=pl.col("timestamp").dt.date())
    first = first.filter(pl.col("day") == pl.col("day").min().over("user_id"))
    for arm in ("old", "new"):
        assert ages[0].arm(arm).value("clicked") == pytest.approx(first.filter(variant=arm)["clicked"].sum() / 300)
        assert ages[5].arm(arm).value("clicked") == 0.0
        # On the last day of the log only those who came first have lived long enough.
        assert (
            ages[8].arm(arm).n
            == first.filter((pl.col("variant") == arm) & (pl.col("day") == pl.date(2026, 1, 5)))["user_id"].n_unique()
        )
    curve = {row["age"]: row for row in read_experiment(PLAN, frame, events=True).novelty}
    assert curve[0]["low"] > 0.3 and curve[2]["low"] < 0.1
    with pytest.raises(UsageError, match="need a primary metric that is a mean"):
        gather_ages(frame, Plan(name="t", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "g", "kind": "gini"},)))


def test_a_small_arm_that_shows_the_same_covers_as_much() -> None:
    # A/A at 90 / 10: everybody sees ten draws of one distribution; the larger arm shows more items, and is no better.
    rng = np.random.default_rng(9)
    who, items = np.repeat(np.arange(3000), 10), rng.zipf(1.3, 30_000) % 3000
    shown = pl.DataFrame({"user_id": who, "variant": np.where(who % 10 == 0, "new", "old"), "item_id": items})
    plan = Plan(
        name="t",
        arms={"old": 0.9, "new": 0.1},
        metrics=(
            {"name": "clicks", "value": "clicked"},
            {"name": "coverage", "kind": "coverage", "role": "guardrail", "margin": 0.2},
            {"name": "Gini", "kind": "gini", "role": "guardrail", "better": "lower", "margin": 0.2},
        ),
    )
    apart = shown.group_by("variant").agg(pl.col("item_id").n_unique()).sort("variant")["item_id"].to_list()
    assert apart[1] > 3 * apart[0]  # by counting alone, new would have lost two thirds of its coverage
    for (name, _), found in arm_differences(shown, plan, catalogue=range(3000)).items():
        assert abs(found.relative.value) < 0.05 and found.p_value > 0.05, name
        assert found.notes[0] == "larger_arm_drawn"
    with pytest.raises(DataError, match="nothing was shown to the arm new"):
        arm_differences(shown.filter(variant="old"), plan)


def test_rows_before_the_start_are_not_in_the_experiment() -> None:
    # Loads of the weeks before are alike in both arms, and seven of ten rows; since the start new takes 1.5 times.
    rng = np.random.default_rng(5)
    who = rng.integers(0, 2000, 20_000)
    new, early = who % 2 == 1, rng.random(20_000) < 0.7
    frame = pl.DataFrame(
        {
            "user_id": who,
            "variant": np.where(new, "new", "old"),
            "clicked": rng.integers(0, 2, 20_000),
            "timestamp": np.datetime64("2026-01-12", "us") + np.where(early, -1, 1) * np.timedelta64(1, "D"),
            "seconds": rng.exponential(1, 20_000) * np.where(new & ~early, 1.5, 1.0),
            # Before the start both arms saw everything; since then new sees half as many items.
            "item_id": np.where(early, rng.integers(0, 400, 20_000), rng.integers(0, np.where(new, 100, 200))),
        }
    )
    frame = frame.with_columns(seconds=pl.when(pl.int_range(pl.len()) < 50).then(None).otherwise("seconds"))
    begun = PLAN.model_copy(update={"start": date(2026, 1, 12)})
    found = {
        effect.metric.name: effect.found
        for effect in read_experiment(begun, frame, events=True, exposures=frame, catalogue=range(400)).effects
    }
    inside = frame.filter(pl.col("timestamp") >= begun.start)
    for arm, side in (("old", "control"), ("new", "treatment")):
        part = inside.filter(variant=arm)
        assert getattr(found["slow loads"], side) == pytest.approx(mid_quantile(inside, arm))
        assert getattr(found["coverage"], side) == pytest.approx(part["item_id"].n_unique() / 400)
    assert found["slow loads"].relative.value == pytest.approx(0.5, abs=0.1)
    count = inside["seconds"].null_count()
    assert found["slow loads"].notes[-1] == "rows_left_out"
    assert dict(found["slow loads"].details)["rows_left_out"] == count
    whole = arm_differences(frame.drop("timestamp"), begun, time="timestamp")["coverage", "new"]
    assert whole.notes[0] == "exposures_without_time"


def test_units_in_two_arms_are_left_out_of_quantiles_and_lists_too() -> None:
    frame = log()
    again = frame.head(20).with_columns(variant=pl.lit("new"), seconds=1e6, item_id=pl.lit(99, pl.Int64))
    moved = pl.concat([frame, again])
    for read in (quantile_differences, arm_differences):
        with pytest.raises(DataError, match="1 units stand in two arms, such as 0"):
            read(moved, PLAN)
    found = quantile_differences(moved, PLAN, two_arms="drop")["slow loads", "new"]
    rest = frame.filter(pl.col("user_id") != 0)
    assert found.treatment == pytest.approx(mid_quantile(rest, "new"))
    assert found.n_control == 299
    shown = arm_differences(moved, PLAN, two_arms="drop", catalogue=range(100))["coverage", "new"]
    assert shown.treatment == pytest.approx(rest.filter(variant="new")["item_id"].n_unique() / 100)


def test_few_users_and_few_rows_an_item_are_refused() -> None:
    """15 users an arm; 6,000 rows an arm over 30,000 items."""
    few = arm_differences(log(30), PLAN, catalogue=range(100))["Gini", "new"]
    assert (
        (few.testable, few.reason) == (False, "too_few")
        and few.notes[0] == "too_few_units"
        and few.details[0] == ("users", 15.0)
    )
    thin = arm_differences(log(), PLAN, catalogue=range(30_000))["coverage", "new"]
    assert (thin.testable, thin.reason) == (False, "too_few_rows")
    plan = Plan(
        name="t",
        arms={"old": 0.5, "new": 0.5},
        metrics=(
            {"name": "clicks", "value": "clicked"},
            {"name": "Gini", "kind": "gini", "role": "guardrail", "margin": 0.2},
        ),
    )
    found = read_experiment(plan, log(30), events=True, exposures=log(30), catalogue=range(100))
    assert {effect.metric.name: effect.verdict for effect in found.effects}["Gini"] == "not_testable"
    assert found.decisions[0].code == "undecided" or found.decisions[0].code == "blocked"
    gini = next(effect for effect in found.effects if effect.metric.name == "Gini")
    assert gini.found.reason == "too_few" and ("note", "Gini") in {(each.code, each.metric) for each in found.caveats}


def test_a_quantile_in_the_zeros_gives_no_verdict() -> None:
    # Seven of ten spend nothing, in both arms; those who spend spend three times as much.
    rng = np.random.default_rng(3)
    new = np.arange(4000) % 2 == 1
    spent = (rng.random(4000) < 0.3) * rng.lognormal(0, 1, 4000) * np.where(new, 3, 1)
    frame = pl.DataFrame({"user_id": np.arange(4000), "variant": np.where(new, "new", "old"), "spent": spent})
    plan = Plan(
        name="t",
        arms={"old": 0.5, "new": 0.5},
        metrics=(
            {"name": "median", "kind": "quantile", "value": "spent", "q": 0.5},
            {"name": "p90", "kind": "quantile", "value": "spent", "q": 0.9, "role": "secondary"},
        ),
    )
    found = read_experiment(plan, frame)
    effects = {effect.metric.name: effect for effect in found.effects}
    assert effects["median"].verdict == "not_testable" and effects["median"].found.reason == "one_value"
    assert effects["p90"].verdict == "better" and found.decisions[0].code == "undecided"
    assert ("note", "median") in {(each.code, each.metric) for each in found.caveats}
