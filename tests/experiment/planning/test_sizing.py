"""Sizes from a plan and a history: CUPED's gain, clusters, looks, days, and power by simulation."""

from __future__ import annotations

import math
import tomllib

import numpy as np
import polars as pl
import pytest
from scipy.stats import entropy, norm

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment import Plan
from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan
from reclens.experiment.planning.power_question import effect_by_days, power_curve
from reclens.experiment.planning.power_simulation import simulate_power, statistic_of
from reclens.experiment.planning.sizing import look_schedule, size_plan
from reclens.experiment.planning.traffic import days_for, units_by
from reclens.metrics.exposure import gini
from reclens.metrics.exposure_counts import Exposure
from reclens.stats.power import Question
from reclens.stats.sequential import group_sequential

CLICKS = {"name": "clicks", "value": "clicks", "effect": 0.05}


def plan(*metrics: dict, **more) -> Plan:
    return Plan(**({"name": "p", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics or (CLICKS,)} | more))


@pytest.fixture(scope="module")
def history() -> pl.DataFrame:
    """20,000 users whose clicks correlate with those before by 0.8, in 400 cities that differ a little."""
    rng = np.random.default_rng(11)
    n = 20_000
    city = rng.integers(0, 400, n)
    before = rng.normal(10, 3, n)
    clicks = 10 + 0.8 * (before - 10) + 3 * 0.6 * rng.standard_normal(n)
    views = rng.poisson(100, n) + 1.0
    lively = rng.normal(0, 1, 400)[city] + 3 * rng.standard_normal(n)
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "city": city,
            "clicks": clicks,
            "before": before,
            "views": views,
            "lively": lively + 9,
            "hits": rng.binomial(views.astype(int), 0.1),
            "kept": rng.random(n) < 0.4,
            "waited": rng.exponential(2, n),
        }
    )


def test_cuped_is_estimated_from_history_and_takes_its_part_of_the_size(history) -> None:
    plain, adjusted = (
        size_plan(plan(CLICKS | more), history=history)["clicks"] for more in ({}, {"covariates": ["before"]})
    )
    assert adjusted.known is not None and adjusted.known.r2 == pytest.approx(0.64, abs=0.01)
    assert plain.size is not None and adjusted.size is not None
    assert adjusted.size.n / plain.size.n == pytest.approx(0.36, abs=0.015)
    # By hand: 2 · (1.96 + 0.8416)² · (1 + 1.05²) sd² / (0.05 · mean)² over both arms, as an effect of 5 % multiplies.
    sd, mean = history["clicks"].std(), history["clicks"].mean()
    assert plain.size.n == pytest.approx(2 * 7.84888 * (1 + 1.05**2) * sd**2 / (0.05 * mean) ** 2, rel=0.01)
    added = size_plan(plan(CLICKS | {"effect_scales": False}), history=history)["clicks"].size
    assert added is not None and added.n == pytest.approx(4 * 7.84888 * sd**2 / (0.05 * mean) ** 2, rel=0.01)


def test_every_kind_of_metric_is_sized_from_history(history) -> None:
    found = size_plan(
        plan(
            CLICKS,
            {"name": "ctr", "kind": "ratio", "value": "hits", "per": "views", "effect": 0.02, "role": "secondary"},
            {"name": "kept", "kind": "proportion", "value": "kept", "margin": 0.05, "role": "guardrail"},
            {
                "name": "waiting",
                "kind": "quantile",
                "q": 0.9,
                "value": "waited",
                "margin": 0.05,
                "role": "guardrail",
                "better": "lower",
            },
        ),
        history=history,
    )
    by_name = {row["metric"]: row for row in found.to_dicts()}
    assert by_name["ctr"]["mean"] == pytest.approx(0.1, abs=0.002)
    # Binomial hits: the linearised variance is p q / views, so sd ≈ √(0.09 / 101).
    assert by_name["ctr"]["sd"] == pytest.approx(math.sqrt(0.09 / 101), rel=0.05)
    assert by_name["kept"]["formula"] == "score"
    # 90 % quantile of an exponential of mean 2: density 0.05, so sd = √(0.09) / 0.05 = 6.
    assert by_name["waiting"]["sd"] == pytest.approx(6.0, rel=0.12)
    assert found.needed == max(row["units"] for name, row in by_name.items() if name != "ctr") and not found.unsized


def test_clusters_are_measured_and_cost_their_design_effect(history) -> None:
    metric = CLICKS | {"value": "lively"}
    alone = size_plan(plan(metric), history=history)["clicks"]
    found = size_plan(plan(metric, cluster="city"), history=history)["clicks"]
    assert found.known is not None and found.known.icc == pytest.approx(0.1, abs=0.02)
    assert found.known.cluster_size == pytest.approx(50, abs=1)
    assert found.size is not None and alone.size is not None
    assert found.size.n / alone.size.n == pytest.approx(1 + 49.2 * found.known.icc, rel=0.05)


def test_looks_arms_and_traffic_of_the_plan_count() -> None:
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}
    one = size_plan(plan(base, daily_units=1000, days=28))
    looks = size_plan(plan(base, daily_units=1000, days=28, sequential={"looks": 4, "spending": "pocock"}))
    assert looks.inflation == pytest.approx(group_sequential(4, spending="pocock").inflation)
    assert looks.needed / one.needed == pytest.approx(looks.inflation, rel=1e-3)
    assert one.planned == 28_000 and one.enough and one.days == math.ceil(one.needed / 1000)
    arms = size_plan(plan(base, arms={"old": 0.4, "a": 0.3, "b": 0.3}))["clicks"]
    assert arms.question is not None and arms.question.comparisons == 2 and arms.question.shares == (0.4, 0.3)
    held = size_plan(plan(base, daily_units=1000, days=10, holdout=0.1, slice=[0.0, 0.5]))
    assert held.daily == pytest.approx(450) and held.planned == 4500
    schedule = look_schedule(looks)
    assert [row["units"] for row in schedule] == [7_000, 14_000, 21_000, 28_000]
    assert schedule[-1]["day"] == 28 and schedule[0]["day"] == math.ceil(schedule[0]["units"] / 1000)
    anytime = size_plan(plan(base, sequential={"method": "msprt"}, days=14))
    assert anytime.inflation > 1.3


def test_the_example_is_sized_and_says_what_is_not_known() -> None:
    found = size_plan(load_plan(tomllib.loads(EXAMPLE_PLAN)))
    assert found.unsized == ("Gini of exposure",) and found.enough
    assert found["Gini of exposure"].note == "needs_exposures"
    assert found["retention after 7 days"].achieved == pytest.approx(0.995, abs=0.001)


def test_simulated_power_agrees_with_the_formula_for_a_mean(history) -> None:
    metric = plan().metrics[0]
    statistic, units = statistic_of(metric, plan(), history.head(3000))
    sd, mean = (getattr(history["clicks"].head(3000), name)() for name in ("std", "mean"))
    question = Question(kind="mean", mean=mean, sd=sd)
    found = simulate_power(statistic, units=units, n=1200, effect=0.05, runs=600, rng=4)
    assert found.low is not None and found.high is not None
    assert found.low - 0.02 < float(question.power(0.05, 1200)) < found.high + 0.02
    aa = simulate_power(statistic, units=units, n=1200, effect=0.0, runs=600, rng=5)
    assert aa.low is not None and aa.high is not None and aa.low < 0.05 < aa.high


def test_gini_and_coverage_of_an_arm_are_simulated_from_exposures(rng) -> None:
    shown = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(800), 10),
            "item_id": (rng.pareto(1.2, 8000) * 5).astype(int) % 300,
        }
    )
    guards = [
        {"name": kind, "kind": kind, "margin": 0.03, "role": "guardrail", "better": better}
        for kind, better in (("gini", "lower"), ("coverage", "higher"), ("effective_items", "higher"))
    ]
    made = plan(CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}, *guards)
    found = size_plan(made, exposures=shown, runs=300, rng=2)
    counts = np.bincount(shown["item_id"].rank("dense").to_numpy() - 1)
    assert found["gini"].known is not None and found["gini"].known.mean == pytest.approx(gini(Exposure(counts)))
    assert found["coverage"].known is not None and found["coverage"].known.mean == 1.0
    assert found["effective_items"].known is not None
    assert found["effective_items"].known.mean == pytest.approx(np.exp(entropy(counts)))
    assert found["effective_items"].size is not None and found["effective_items"].simulated is not None
    simulated = found["gini"].simulated
    assert simulated is not None and 0.7 < simulated.value < 0.95
    # An arm that truly loses the whole margin passes 2.5 % of the time.
    statistic, units = statistic_of(made.metrics[1], made, None, exposures=shown)
    harmed = simulate_power(statistic, units=units, n=1600, effect=0.03, margin=0.03, better=-1, runs=600, rng=1)
    assert harmed.low is not None and harmed.high is not None and harmed.low < 0.025 < harmed.high + 0.02
    assert simulated.n == 300


def test_quantiles_in_clusters_are_simulated_by_cluster(rng) -> None:
    waits = pl.DataFrame({"user_id": np.repeat(np.arange(500), 8), "waited": rng.exponential(2, 4000)})
    metric = {"name": "p90", "kind": "quantile", "q": 0.9, "value": "waited", "effect": 0.1}
    made = plan(metric)
    statistic, units = statistic_of(made.metrics[0], made, waits)
    assert units == 500
    # Without ties the mid-quantile is Hazen's (Hyndman and Fan's type 5).
    expected = np.quantile(waits["waited"], 0.9, method="hazen")
    assert statistic(np.ones((1, 500)))[0] == pytest.approx(expected)
    twice = np.zeros((1, 500))
    twice[0, 3] = 2.0
    # Of one user alone, over the values of all: .9 lies between 13/16 and 15/16, at the two largest of her eight.
    own = np.sort(waits.filter(pl.col("user_id") == 3)["waited"].to_numpy())
    assert own[-2] < statistic(twice)[0] <= own[-1]
    sized = size_plan(plan(metric, daily_units=400, days=20), history=waits)["p90"]
    assert sized.simulated is not None and sized.simulated.low is not None and sized.simulated.high is not None
    # Formula and simulation agree for quantiles of clustered rows.
    assert sized.achieved is not None
    assert sized.simulated.low - 0.08 < sized.achieved < sized.simulated.high + 0.08


def test_curves_and_days() -> None:
    question = Question(kind="proportion", mean=0.2)
    rows = power_curve(question, effects=[0.1, 0.25], around=2182)
    assert {row["effect"] for row in rows} == {0.1, 0.25}
    at = min((row for row in rows if row["effect"] == 0.25), key=lambda row: abs(row["n"] - 2182))
    assert at["power"] == pytest.approx(0.8, abs=0.03)
    days = effect_by_days(question, daily=500, days=14)
    assert [row["days"] for row in days] == list(range(1, 15))
    assert days[3]["effect"] / days[13]["effect"] == pytest.approx(math.sqrt(14 / 4), rel=0.1)
    assert units_by(7, 300, arrivals=[300, 500, 600]) == 1000 and units_by(2, 300, arrivals=[300, 500, 600]) == 500
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}
    slow = size_plan(plan(base, days=14), arrivals=[3000.0, 4000.0, 4500.0])
    assert slow.planned == 4500 + 11 * 500 and slow.days == 3 + math.ceil((slow.needed - 4500) / 500)
    assert days_for(1000, 300, arrivals=[300, 500, 600]) == 7 and days_for(450, 300, arrivals=[300, 500, 600]) == 2


def test_looks_come_when_the_units_have_come() -> None:
    # 6,600 distinct units in the first week, and 100 new ones a day from then on.
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}
    arrivals = [3000.0, 4500.0, 5500.0, 6000.0, 6300.0, 6500.0, 6600.0]
    looked = plan(base, days=28, sequential={"looks": 4})
    sized = size_plan(looked, arrivals=arrivals)
    rows = look_schedule(sized)
    assert sized.needed is not None and sized.needed > 8700  # more than come in four weeks
    by_hand = [
        next(day for day in range(1, 400) if (arrivals[day - 1] if day <= 7 else 6600 + 100 * (day - 7)) >= n)
        for n in (row["units"] for row in rows)
    ]
    assert [row["day"] for row in rows] == by_hand and rows[-1]["day"] == 28
    question = Question(mean=10, sd=10)
    slow = effect_by_days(question, daily=3000, days=28, arrivals=arrivals)
    assert slow[27]["n"] == 6600 + 21 * 100
    assert slow[27]["effect"] == pytest.approx(question.effect(n=8700).effect)


@pytest.mark.parametrize("daily", [400, 1000])
def test_the_power_by_the_last_look_is_the_power_as_planned(daily: int, rng, rate_error) -> None:
    # Less and more than what 80 % need; by hand, z at the looks is a random walk with the drift of the planned effect.
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}, "effect_scales": False}
    other = {**base, "name": "weak", "value": "w", "effect": 0.04}
    times = (0.25, 0.5, 0.75, 1.0)
    sized = size_plan(
        plan(base, other, days=28, daily_units=daily, correction="none", sequential={"looks": 4, "spending": "pocock"})
    )
    schedule = look_schedule(sized)
    assert {row["metric"] for row in schedule} == {"weak"}
    assert schedule[-1]["power"] == sized["weak"].achieved
    drift = 0.04 * 10 / (10 * (4 / (28 * daily)) ** 0.5)
    runs = 100_000
    walk = np.cumsum(rng.normal(drift / 4, 0.5, (runs, 4)), axis=1) / np.sqrt(times)
    bound = np.array(group_sequential(4, spending="pocock").upper)
    by_then = np.maximum.accumulate(np.abs(walk) > bound, axis=1).mean(axis=0)
    for row, simulated in zip(schedule, by_then, strict=True):
        assert row["power"] == pytest.approx(simulated, abs=rate_error(simulated, runs) + 1e-4)


@pytest.mark.parametrize("method", ["group", "msprt", "confidence_sequence"])
def test_a_margin_has_its_power_at_the_last_look_alone(method: str) -> None:
    # By hand (Chow, Shao and Wang, 2008, 3.2.3): sd and mean are 10, and n units show that nothing differs by more than
    # 2 % with a power of Φ(z₋ − b) + Φ(z₊ − b) − 1, z∓ = 0.02 √n ÷ √(2 (1 + (1 ∓ 0.02)²)); b is the last bound.
    margin = {"name": "clicks", "value": "c", "margin": 0.02, "effect_scales": False, "role": "primary"}
    margin |= {"baseline": {"mean": 10.0, "sd": 10.0}}
    looks = {"method": method} | ({"looks": 4, "spending": "pocock"} if method == "group" else {})
    sized = size_plan(plan(margin, days=28, daily_units=6400, sequential=looks))
    twice, grid = -2 * np.log(0.05), np.linspace(1, 60, 600_000)
    half = grid[np.argmin((1 + grid) / grid * (twice + np.log1p(grid)))]
    x = 2 * (half if method == "msprt" else twice + np.log(twice + 1))
    bound = 2.361 if method == "group" else np.sqrt((1 + x) / x * (twice + np.log1p(x)))
    z = 0.02 * (28 * 6400) ** 0.5 / np.sqrt(2 * (1 + np.array([0.98, 1.02]) ** 2))
    assert sized["clicks"].achieved == pytest.approx(norm.cdf(z - bound).sum() - 1, abs=2e-4)
    powers = [row["power"] for row in look_schedule(sized)] if method == "group" else []
    assert powers in ([], [None, None, None, sized["clicks"].achieved])


def test_the_curve_of_a_plan_with_looks_goes_through_its_power(rng, rate_error) -> None:
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}, "effect_scales": False}
    made = plan(base, days=28, daily_units=1000, sequential={"looks": 4, "spending": "pocock"})
    sized = size_plan(made)["clicks"]
    assert sized.question is not None
    at = power_curve(sized.question, effects=[0.05], around=28_000, points=3, plan=made)[1]
    walk = np.cumsum(rng.normal(0.05 / (4 / at["n"]) ** 0.5 / 4, 0.5, (100_000, 4)), axis=1)
    simulated = (
        (np.abs(walk / np.sqrt([0.25, 0.5, 0.75, 1])) > group_sequential(4, spending="pocock").upper).any(1).mean()
    )
    assert at["power"] == pytest.approx(simulated, abs=rate_error(simulated, 100_000) + 1e-4)


@pytest.mark.parametrize(("method", "daily"), [("msprt", 1000), ("msprt", 3000), ("confidence_sequence", 3000)])
def test_a_method_that_allows_any_look_has_its_power_at_any_size(method: str, daily: int, rng, rate_error) -> None:
    # By hand: z is a random walk of 14 days, and bound(x) = sqrt((1 + x) / x · (2 ln(1 / α) + ln(1 + x))) is that of a
    # normal mixture (Johari et al. 2022), x the mixture's variance over that of the estimate: solved here, for half of
    # the sample, by a grid; a confidence sequence takes Waudby-Smith's ρ² instead.
    base = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}, "effect_scales": False}
    made = plan(base, days=14, daily_units=daily, sequential={"method": method})
    sized = size_plan(made)["clicks"]
    share, twice = np.arange(1, 15) / 14, -2 * np.log(0.05)
    grid = np.linspace(1, 60, 600_000)
    half = twice + np.log(twice + 1)
    if method == "msprt":
        half = grid[np.argmin((1 + grid) / grid * (twice + np.log1p(grid)))]
    x = 2 * share * half
    bound = np.sqrt((1 + x) / x * (twice + np.log1p(x)))
    walk = np.cumsum(rng.normal(0, (1 / 14) ** 0.5, (50_000, 14)), axis=1)

    def simulated(n: int) -> float:
        drifting = walk + share * 0.05 / np.sqrt(4 / n)
        return float((np.abs(drifting / np.sqrt(share)) > bound).any(axis=1).mean())

    by_hand = simulated(14 * daily)
    assert not 0.75 < by_hand < 0.85, "the power of the plan, where a constant price would do"
    assert sized.achieved == pytest.approx(by_hand, abs=rate_error(by_hand, 50_000) + 1e-3)
    assert sized.question is not None
    for at in power_curve(sized.question, effects=[0.05], around=14 * daily, points=4, plan=made):
        by_hand = simulated(at["n"])
        assert at["power"] == pytest.approx(by_hand, abs=rate_error(by_hand, 50_000) + 2e-3)


def test_simulated_power_pays_for_several_tests_and_for_looks(rng) -> None:
    # Five arms and four Pocock looks: by the formula .05 ÷ 4 a test; the simulation of the plain test would say more.
    waits = pl.DataFrame({"user_id": np.repeat(np.arange(1500), 4), "waited": rng.exponential(100, 6000)})
    metric = {"name": "median", "kind": "quantile", "q": 0.5, "value": "waited", "effect": 0.05}
    arms = {"c": 0.2, "t1": 0.2, "t2": 0.2, "t3": 0.2, "t4": 0.2}
    for looks in (None, {"looks": 4, "spending": "pocock"}):
        made = plan(metric, arms=arms, days=1, daily_units=9000, sequential=looks)
        sized = size_plan(made, history=waits, runs=400)["median"]
        assert sized.simulated is not None and sized.achieved is not None and sized.known is not None
        # By hand: an arm has 1,800 units and the test is at .05 ÷ 4; at looks z is a random walk with that drift.
        drift = 0.05 / (sized.known.sd * np.sqrt((1 + 1.05**2) / 1800) / sized.known.mean)
        by_hand = 1 - norm.cdf(norm.ppf(1 - 0.05 / 8) - drift)
        if looks:
            walk = np.cumsum(rng.normal(drift / 4, 0.5, (100_000, 4)), axis=1) / np.sqrt([0.25, 0.5, 0.75, 1.0])
            bound = group_sequential(4, spending="pocock", level=1 - 0.05 / 4).upper
            by_hand = float((np.abs(walk) > bound).any(axis=1).mean())
        assert sized.achieved == pytest.approx(by_hand, abs=0.01)
        assert sized.simulated.low - 0.06 < by_hand < sized.simulated.high + 0.06
        careless = 1 - norm.cdf(1.96 - 0.05 / (sized.known.sd * np.sqrt(2 / 1800) / sized.known.mean))
        assert sized.simulated.value < careless - 0.08
        if looks:  # the looks tell the power of the sizes
            assert look_schedule(size_plan(made, history=waits, runs=400))[-1]["power"] == sized.power


def test_an_absolute_margin_is_sized_as_its_share_of_control() -> None:
    # 2 % complain, 0.5 points more are allowed: Farrington and Manning's n = (z₀.₉₇₅ √V₀ + z₀.₈ √V₁)² ÷ 0.005² an arm.
    guard = {
        "name": "complaints",
        "kind": "proportion",
        "value": "c",
        "role": "guardrail",
        "better": "lower",
        "margin_absolute": 0.005,
        "baseline": {"mean": 0.02},
    }
    found = size_plan(plan(CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}, guard))["complaints"]
    assert found.size is not None
    steps = np.linspace(1e-6, 0.05, 500_000)  # the most likely shares whose difference is 0.005
    surprise = -(0.02 * np.log(steps * (steps + 0.005)) + 0.98 * np.log1p(-steps) + 0.98 * np.log1p(-steps - 0.005))
    p = steps[surprise.argmin()]
    null, true = p * (1 - p) + (p + 0.005) * (0.995 - p), 2 * 0.02 * 0.98
    n = (1.959964 * null**0.5 + 0.841621 * true**0.5) ** 2 / 0.005**2
    assert found.size.n_control == pytest.approx(n, abs=1)
    with pytest.raises(UsageError, match="margin and margin_absolute are both given"):
        plan(CLICKS, guard | {"margin": 0.1})


def test_what_is_missing_is_named(history) -> None:
    with pytest.raises(UsageError, match=r"effect is missing for the primary metric 'clicks'"):
        size_plan(plan({"name": "clicks", "value": "clicks"}), history=history)
    with pytest.raises(UsageError, match="nothing is known of the primary metric 'clicks'"):
        size_plan(plan())
    with pytest.raises(UsageError, match="Give a history, or its mean and sd"):
        size_plan(plan(CLICKS | {"baseline": {"mean": 3.0}}))
    with pytest.raises(UnknownNameError, match="Did you mean 'clicks'"):
        size_plan(plan(CLICKS | {"value": "click"}), history=history)
    with pytest.raises(DataError, match="holds something else than 0 and 1"):
        size_plan(plan(CLICKS | {"kind": "proportion"}), history=history)
    with pytest.raises(DataError, match="never varies cannot be tested"):
        size_plan(plan(), history=history.with_columns(clicks=pl.lit(1.0)))
    with pytest.raises(DataError, match="row 1: a value is missing or infinite"):
        size_plan(plan(), history=history.with_columns(clicks=pl.lit(None, dtype=pl.Float64)))
    twice = pl.concat([history, history])
    with pytest.raises(DataError, match=r"a unit is repeated in the history\. Give one row a unit"):
        size_plan(plan(), history=twice)
    with pytest.raises(UsageError, match="never reached"):
        days_for(10, 0)


def test_a_ratio_takes_away_what_its_linearisation_explains(history) -> None:
    # Clicks before per view before, as the ratio x - R v of sums: its squared correlation with the clicks.
    rng = np.random.default_rng(5)
    views = rng.poisson(20, history.height) + 1.0
    hits = history["before"].to_numpy() * views / 10 + rng.normal(0, 1, history.height)
    table = history.with_columns(hits_before=pl.Series(hits), views_before=pl.Series(views))
    known = size_plan(plan(CLICKS | {"covariates": ["hits_before/views_before"]}), history=table)["clicks"].known
    linear = hits - hits.sum() / views.sum() * views
    expected = np.corrcoef(linear, history["clicks"].to_numpy())[0, 1] ** 2
    assert known is not None and known.r2 == pytest.approx(expected, rel=1e-3)
    assert abs(expected - np.corrcoef(hits / views, history["clicks"].to_numpy())[0, 1] ** 2) > 0.005


def test_of_several_treated_arms_the_smallest_decides() -> None:
    known = CLICKS | {"baseline": {"mean": 10.0, "sd": 10.0}}
    three = size_plan(plan(known, arms={"old": 0.5, "a": 0.4, "b": 0.1}, correction="none"))["clicks"]
    assert three.question is not None and three.question.shares == (0.5, 0.1)
    # Variance of one unit each: 1/.5 + 1.05²/.1 over all units, against 1/.5 + 1.05²/.5 of two equal arms.
    two = size_plan(plan(known))["clicks"]
    assert three.size.n / two.size.n == pytest.approx((2 + 10 * 1.05**2) / (2 + 2 * 1.05**2), rel=0.01)
