"""Reading an experiment: real data, every trust check, the rule of decision, looks on the way, and segments."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.check_result import TrustCheck
from reclens.report.experiment.readout import build_readout

COOKIE_CATS = Plan(
    name="gate at level 40",
    arms={"gate_30": 0.5, "gate_40": 0.5},
    unit="userid",
    metrics=(
        {"name": "retention after 7 days", "kind": "proportion", "value": "retention_7", "effect": 0.05},
        {
            "name": "retention after 1 day",
            "kind": "proportion",
            "value": "retention_1",
            "role": "guardrail",
            "margin": 0.03,
        },
        {"name": "game rounds", "value": "sum_gamerounds", "role": "secondary"},
    ),
)


def plan(**more: Any) -> Plan:
    metrics = ({"name": "clicks", "value": "clicks", "covariates": ("before",), "effect": 0.05},)
    return Plan(**({"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics} | more))


def users(n: int = 20_000, *, lift: float = 0.0, seed: int = 0, arms: tuple[str, ...] = ("old", "new")) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, len(arms), n)
    before = rng.gamma(2, 1, n)
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.array(arms)[arm],
            "before": before,
            "clicks": before + rng.gamma(2, 1, n) + lift * 4 * (arm == len(arms) - 1),
            "latency": 100 + rng.normal(0, 10, n),
            "day": np.datetime64("2026-01-05") + rng.integers(0, 14, n),
            "activity": rng.choice(["light", "heavy"], n),
            "age": rng.choice(["young", "old"], n),
        }
    )


def read(frame: pl.DataFrame, of: Plan | None = None, **more: Any) -> Readout:
    sums = gather(frame, of or plan(), day="day", segments=["activity", "age"], tails=True)
    return read_sums(of or plan(), sums, **more)


def check(found: Readout, name: str) -> TrustCheck:
    return next(each for each in found.trust_checks if each.code == name)


@pytest.fixture(scope="module")
def cookie_cats(shared_data: Path) -> Readout:
    file = shared_data / "abtest" / "cookie_cats.csv.gz"
    if not file.exists():
        pytest.skip("needs real data: abtest/cookie_cats.csv.gz")
    return read_sums(COOKIE_CATS, gather(file, COOKIE_CATS, arm="version", tails=True))


def test_cookie_cats_by_counts(cookie_cats: Readout) -> None:
    # Counted with zcat, cut and grep: 8,502 of 44,700 and 8,279 of 45,489 came back after 7 days.
    seven = cookie_cats.effects[0]
    assert (seven.found.n_control, seven.found.n_treatment) == (44_700, 45_489)
    assert seven.found.control == pytest.approx(8_502 / 44_700) and seven.found.treatment == pytest.approx(
        8_279 / 45_489
    )
    before, after, both = 8_502 / 44_700, 8_279 / 45_489, 16_781 / 90_189
    z = (after - before) / np.sqrt(both * (1 - both) * (1 / 44_700 + 1 / 45_489) * 90_189 / 90_188)
    # Arms of nearly one size: the correction for skewness is in the fourth digit.
    assert seven.found.statistic == pytest.approx(z, abs=2e-4) and seven.p_value == pytest.approx(0.00155, abs=1e-5)
    assert seven.verdict == "worse" and cookie_cats.decisions[0].code == "do_not_ship"
    assert cookie_cats.effects[1].verdict == "holds"


def test_cookie_cats_has_one_absurd_user_and_uneven_arms(cookie_cats: Readout) -> None:
    outliers = check(cookie_cats, "outliers")
    assert outliers.status == "warn" and outliers.reason == "few_hold_much"
    (row,) = outliers.rows
    assert (row["where"], row["largest"]) == ("gate_30", 49_854) and row["held_by_one"] == pytest.approx(
        0.021, abs=5e-4
    )
    assert row["difference"] == pytest.approx(-1.1575, abs=1e-4) and abs(row["difference_cut"]) < 0.2
    ratio = check(cookie_cats, "sample_ratio")
    assert ratio.status == "warn" and ratio.rows[0]["p_value"] == pytest.approx(0.00860, abs=1e-5)


def test_everything_is_plain_values(cookie_cats: Readout) -> None:
    record = json.loads(json.dumps(cookie_cats.record(), default=str))
    assert record["decisions"][0]["decision"] == "do_not_ship" and len(record["effects"]) == 3
    assert record["units"] == {"gate_30": 44_700, "gate_40": 45_489}


def test_a_good_change_ships_when_its_guardrail_holds() -> None:
    latency = {"name": "latency", "value": "latency", "role": "guardrail", "better": "lower", "margin": 0.02}
    guarded = plan(metrics=(*plan().model_dump()["metrics"], latency))
    found = read(users(lift=0.05), guarded)
    assert found.decisions[0].code == "ship" and found.decisions[0].metrics == ("clicks",)
    # Latency of 100 may rise by 2; here it rises by 5, by 2, and not at all on few users.
    slow = users(lift=0.05).with_columns(pl.col("latency") + 5.0 * (pl.col("variant") == "new"))
    assert read(slow, guarded).decisions[0].code == "do_not_ship"
    edge = users(lift=0.05).with_columns(pl.col("latency") + 2.0 * (pl.col("variant") == "new"))
    undecided = read(edge, guarded).decisions[0]
    assert undecided.code == "undecided" and undecided.metrics == ("clicks",)
    assert undecided.open_guardrails == ("latency",)


def test_no_effect_is_undecided_and_harm_is_not_shipped() -> None:
    assert read(users(lift=0.0)).decisions[0].code == "undecided"
    assert read(users(lift=-0.05)).decisions[0].code == "do_not_ship"


def test_a_sample_ratio_mismatch_blocks_and_names_the_day() -> None:
    frame = users(lift=0.05)
    lost = frame.filter(
        ~((pl.col("variant") == "new") & (pl.col("day") == pl.date(2026, 1, 9)) & (pl.col("user_id") % 2 == 0))
    )
    found = read(lost)
    ratio = check(found, "sample_ratio")
    assert ratio.status == "fail" and [(each.by, each.segment) for each in ratio.facts.off[:1]] == [
        ("day", "2026-01-09")
    ]
    assert found.decisions[0].code == "blocked"
    assert found.decisions[0].failed_checks == ("sample_ratio",)
    assert [(step.code, step.names) for step in found.next_steps] == [("fix_check", ("sample_ratio",))]


def test_arms_that_differed_before_block() -> None:
    frame = users().with_columns(pl.col("before") + 0.2 * (pl.col("variant") == "new"))
    past = check(read(frame), "balance")
    assert past.status == "fail" and past.facts.worst.name == "before"
    # 0.2 of a gamma of shape 2, whose standard deviation is √2.
    assert past.facts.worst.standardised == pytest.approx(0.2 / 2**0.5, abs=0.05)


def test_one_user_who_makes_the_effect_blocks() -> None:
    # A lift of 0.2 at a standard error of 0.063 is lost in that of one user of 3,000 among 1,000: 3 by herself.
    frame = users(2000, lift=0.05)
    at = frame.filter(variant="new")["user_id"][0]
    frame = frame.with_columns(clicks=pl.when(pl.col("user_id") == at).then(3000.0).otherwise(pl.col("clicks")))
    found = read(frame)
    outliers = check(found, "outliers")
    assert outliers.status == "fail" and outliers.rows[0]["where"] == "new"
    assert outliers.rows[0]["p_value"] > 0.05 > outliers.rows[0]["p_value_cut"]
    assert outliers.rows[0]["difference_cut"] == pytest.approx(0.2, abs=0.15)
    assert found.decisions[0].code == "blocked" and "outliers" in found.decisions[0].failed_checks


def test_a_look_without_a_plan_for_it_blocks() -> None:
    found = read(users(lift=0.05), plan(days=28))
    assert check(found, "peeking").status == "fail" and found.decisions[0].code == "blocked"
    assert check(found, "peeking").reason == "too_early" and found.interim.information == pytest.approx(0.5)


def test_too_little_power_blocks() -> None:
    found = read(users(300))
    assert check(found, "power").status == "fail" and found.effects[0].power < 0.5
    assert found.decisions[0].code == "blocked"
    assert found.decisions[0].failed_checks == ("power",)


def test_looks_on_the_way_widen_the_interval_by_the_published_bound() -> None:
    # Two of five looks of Lan and DeMets' O'Brien-Fleming spending: 3.357 standard errors.
    looked = plan(days=35, sequential={"looks": 5})
    found = read(users(lift=0.018), looked)
    effect = found.effects[0]
    assert found.interim.times == pytest.approx((0.2, 0.4)) and check(found, "peeking").status == "pass"
    reach = (effect.absolute.high - effect.absolute.low) / 2 / effect.found.se
    assert reach == pytest.approx(3.357, abs=2e-3)
    assert effect.found.statistic > 3.357 and found.decisions[0].code == "ship"
    lesser = read(users(lift=0.01), looked)
    assert 1.96 < lesser.effects[0].found.statistic < 3.357 and lesser.decisions[0].code == "undecided"
    assert lesser.decisions[0].early
    # Stopping here, the plain lift is too large: the median-unbiased one is nearer to zero, within its own interval.
    stopped = found.interim.stopped(effect.found)
    assert stopped is not None and 0 < stopped.low < stopped.median_unbiased < effect.relative.value < stopped.high
    # It is the one lift that is recommended: in the table and beside the decision. The plain one is explained.
    assert effect.stopped == stopped and effect.lift.value == stopped.median_unbiased
    row = effect.to_dicts()[0]
    assert (row["lift"], row["lift_plain"]) == (stopped.median_unbiased, effect.relative.value)
    assert row["lift_basis"] == "median_unbiased"
    assert [each["plain"] for each in found.adjustments if each.code == "stopped_here"] == [effect.relative.value]
    # The p-value that holds at this look is where the bound of another level meets the statistic.
    assert effect.p_value > effect.found.p_value
    z = abs(effect.found.statistic)
    assert (effect.p_value <= 0.05) == (z >= 3.357)
    assert found.interim.bound(1 - effect.p_value) == pytest.approx(z, rel=1e-2)


@pytest.mark.parametrize("method", ["confidence_sequence", "msprt"])
def test_always_valid_looks_are_wider_and_agree_with_their_p_value(method: str) -> None:
    looked = plan(days=28, sequential={"method": method})
    found = read(users(lift=0.012), looked, planned_units=40_000)
    assert found.interim.information == 0.5
    effect = found.effects[0]
    plain = effect.found.absolute
    assert effect.absolute.low < plain.low and effect.absolute.high > plain.high
    assert (effect.p_value <= 0.05) == (effect.absolute.low > 0)


def test_several_arms_are_corrected_together() -> None:
    three = plan(arms={"old": 0.34, "mid": 0.33, "new": 0.33})
    found = read(users(30_000, lift=0.02, arms=("old", "mid", "new")), three)
    assert [effect.arm for effect in found.effects] == ["mid", "new"] and len(found.decisions) == 2
    small, large = sorted((effect.p_value, effect.p_adjusted) for effect in found.effects)
    assert small[1] == pytest.approx(min(2 * small[0], 1)) and large[1] >= large[0]


def test_segments_that_differ_are_found() -> None:
    frame = users(lift=0.0).with_columns(
        clicks=pl.col("clicks") + 0.4 * ((pl.col("variant") == "new") & (pl.col("activity") == "heavy"))
    )
    found = read(frame)
    by = {each.by: each for each in found.heterogeneity}
    assert by["activity"].p_adjusted < 1e-6 and by["age"].p_adjusted > 0.05
    heavy, light = (next(s for s in found.segments if s.segment == name) for name in ("heavy", "light"))
    assert heavy.p_adjusted < 1e-6 < light.p_adjusted and heavy.found.absolute.low < 0.4 < heavy.found.absolute.high
    # Cochran's Q of two segments is the square of their z.
    z = (heavy.found.absolute.value - light.found.absolute.value) / np.hypot(heavy.found.se, light.found.se)
    assert by["activity"].q == pytest.approx(z**2)
    assert [each.names for each in found.caveats if each.code == "segments_differ"] == [("activity",)]


def test_the_cumulative_effect_ends_where_the_readout_does() -> None:
    found = read(users(lift=0.05), plan(days=14, sequential={"looks": 2}))
    last = found.cumulative[-1]
    assert len(found.cumulative) == 14 and last["day"] == "2026-01-18"
    assert last["value"] == pytest.approx(found.effects[0].relative.value)
    assert (last["bound_low"], last["bound_high"]) == pytest.approx(
        (found.effects[0].relative.low, found.effects[0].relative.high)
    )
    assert len(found.daily) == 28 and sum(row["n"] for row in found.daily) == 20_000


def test_strata_known_before_narrow_the_interval() -> None:
    # Heavy users click 3 more; chance gives the arms uneven numbers of them, which strata take out.
    frame = users(4000, lift=0.05).with_columns(clicks=pl.col("clicks") + 3 * (pl.col("activity") == "heavy"))
    bare = plan(metrics=({"name": "clicks", "value": "clicks", "effect": 0.05},))
    plain, strata = (read(frame, bare, stratify=by).effects[0].found for by in (None, "activity"))
    assert strata.se < 0.85 * plain.se and strata.method.strata == 2
    value = 0.0
    for part in ("light", "heavy"):
        rows = frame.filter(activity=part)
        means = {arm: rows.filter(variant=arm)["clicks"].mean() for arm in ("old", "new")}
        value += rows.height / 4000 * (means["new"] - means["old"])
    assert strata.absolute.value == pytest.approx(value)


def test_the_posterior_agrees_with_the_interval_under_a_flat_prior() -> None:
    found = read(users(lift=0.02))
    (row,) = found.posteriors[0].to_dicts()
    lift = found.effects[0].relative
    assert row["value"] == lift.value and (row["low"], row["high"]) == pytest.approx((lift.low, lift.high), rel=1e-2)
    assert row["loss_control"] - row["loss_treatment"] == pytest.approx(lift.value) and row["p_win"] > 0.97
    lower = plan(metrics=(plan().metrics[0].model_dump() | {"better": "lower"},))
    turned = read(users(lift=0.02), lower).posteriors[0].to_dicts()[0]
    assert turned["p_win"] == pytest.approx(1 - row["p_win"]) and turned["loss_control"] == row["loss_treatment"]


def test_a_guardrail_that_control_has_none_of_is_read_in_its_own_unit() -> None:
    # No complaint in control; 20 of some 10,000 users of new complain.
    frame = users(lift=0.05)
    new = np.flatnonzero(frame["variant"].to_numpy() == "new")
    complaints = np.zeros(frame.height)
    complaints[new[:20]] = 1
    frame = frame.with_columns(complaints=complaints)
    rate = 20 / len(new)
    se = np.sqrt(rate * (1 - rate) / len(new))
    guardrail = {
        "name": "complaints",
        "kind": "proportion",
        "value": "complaints",
        "role": "guardrail",
        "better": "lower",
    }
    for margin, verdict in ((rate + 2.5 * se, "holds"), (rate + se, "not_shown_to_hold"), (rate - 2.5 * se, "broken")):
        guarded = plan(metrics=(plan().metrics[0].model_dump(), guardrail | {"margin_absolute": margin}))
        found = read(frame, guarded)
        assert next(e.verdict for e in found.effects if e.metric.name == "complaints") == verdict
        seen = next(e.absolute for e in found.effects if e.metric.name == "complaints")
        low, high = seen.low, seen.high
        # Garwood's limits of 20 Poisson counts, which the score comes near to.
        assert (low, high) == pytest.approx((12.22 / len(new), 30.89 / len(new)), rel=0.04)
        assert seen.value == pytest.approx(rate) and "nan" not in build_readout(found).markdown
    relative = plan(metrics=(plan().metrics[0].model_dump(), guardrail | {"margin": 0.1}))
    broken = next(e for e in read(frame, relative).effects if e.metric.name == "complaints")
    assert broken.verdict == "broken" and math.isnan(broken.relative.value)
