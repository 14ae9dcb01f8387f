"""Triggered analysis: effects on the units whose experience could differ, diluted to all, and its checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.analysis.readout import Readout, read_experiment
from reclens.experiment.analysis.triggered_effects import diluted_mean, diluted_ratio
from reclens.experiment.check_result import TrustCheck
from reclens.report.experiment.readout import build_readout
from reclens.stats.arms import compare_arms
from reclens.stats.moments import Moments

ARMS = np.array(["old", "new"])
METRICS = (
    {"name": "clicks", "value": "clicks"},
    {"name": "ctr", "kind": "ratio", "value": "clicks", "per": "views", "role": "secondary"},
)


def plan(**more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": METRICS, "triggered": "met"} | more))


def users(rng: np.random.Generator, n: int = 8000, *, lift: float = 0.1, share: float = 0.3) -> pl.DataFrame:
    """Triggered users have three clicks and six views, others one and ten; the lift is of the triggered alone."""
    new, met = rng.random(n) < 0.5, rng.random(n) < share
    clicks = rng.poisson(np.where(met, 3.0 * (1 + lift * new), 1.0))
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": ARMS[new.astype(int)],
            "met": met,
            "clicks": clicks,
            "views": clicks + rng.poisson(np.where(met, 6, 10), n),
            "before": clicks + rng.normal(0, 1, n),
        }
    )


def check(found: Readout, code: str) -> TrustCheck:
    return next(each for each in found.trust_checks if each.code == code)


def test_effects_are_of_triggered_users_and_diluted_to_all(rng: np.random.Generator) -> None:
    frame = users(rng)
    found = read_experiment(plan(), frame)
    met = frame.filter("met")
    clicks, ctr = (e.found for e in found.effects)
    means = dict(met.group_by("variant").agg(pl.col("clicks").mean()).iter_rows())
    assert (clicks.control, clicks.treatment) == pytest.approx((means["old"], means["new"]))
    assert found.units == dict(met["variant"].value_counts().iter_rows())
    # All units: the triggered ones of an arm, and the others of both arms in common, in their shares.
    r, rest = met.height / frame.height, frame.filter(~pl.col("met"))
    u, v = (float(np.mean(rest[name].to_numpy())) for name in ("clicks", "views"))
    all_of, both_of = {}, {}
    for arm in ARMS:
        c, d = (float(np.mean(met.filter(variant=arm)[name].to_numpy())) for name in ("clicks", "views"))
        all_of[arm], both_of[arm] = r * c + (1 - r) * u, (r * c + (1 - r) * u) / (r * d + (1 - r) * v)
    mean, ratio = found.diluted
    assert mean.share == ratio.share == pytest.approx(r)
    for each, of in ((mean, all_of), (ratio, both_of)):
        assert each.control == pytest.approx(of["old"])
        assert each.absolute.value == pytest.approx(of["new"] - of["old"])
        assert each.relative.value == pytest.approx(of["new"] / of["old"] - 1)
    assert (
        mean.absolute.value == pytest.approx(r * clicks.absolute.value)
        and ratio.metric == "ctr" == found.effects[1].metric.name
    )
    assert mean.relative.value != pytest.approx(r * clicks.relative.value, rel=0.2) and ctr.se > 0
    # The reading of all users has the same effect in more noise.
    plain = read_experiment(plan(triggered=None), frame)
    assert plain.effects[0].found.se > (mean.absolute.high - mean.absolute.low) / 3.92 and not plain.diluted
    text = build_readout(found).markdown
    assert "Triggered units and all units" in text and f"{r:.1%}" in text


def simulated(rng: np.random.Generator, runs: int, share: float) -> np.ndarray:
    """Whether 95 % intervals cover: difference and lift of a mean, and of a ratio; skewed values, arms of 1 to 3."""
    covered = np.zeros((runs, 4))
    r, c, u, lift = 0.3, 3.0, 1.0, 0.3
    views = (6.0, 10.0)
    truth_mean = (r * c * lift, r * c * lift / (r * c + (1 - r) * u))
    bottom = r * (c + views[0]) + (1 - r) * (u + views[1])
    high = (r * c * (1 + lift) + (1 - r) * u) / (bottom + r * c * lift)
    low = (r * c + (1 - r) * u) / bottom
    truth_ratio = (high - low, high / low - 1)
    for run in range(runs):
        n = 4000
        new, met = rng.random(n) < share, rng.random(n) < r
        y = rng.gamma(1.0, np.where(met, c * (1 + lift * new), u))
        d = y + rng.gamma(2.0, np.where(met, views[0], views[1]) / 2)
        arms = [Moments.of({"y": y[at], "d": d[at]}) for at in (met & ~new, met & new)]
        rest = Moments.of({"y": y[~met], "d": d[~met]})
        gap = compare_arms(arms[0], arms[1], "y", relative="fieller")
        part = met.mean()
        made = diluted_mean(
            (gap.absolute, gap.relative), arms[0], rest, ("y", "y"), share=part, critical_value=1.96, units=n
        )
        ratio = diluted_ratio(arms, rest, ("y", "d"), ("y", "d"), share=part, critical_value=1.96)
        for i, (each, truth) in enumerate(zip((*made[1:], *ratio[1:]), (*truth_mean, *truth_ratio), strict=True)):
            assert each.low is not None and each.high is not None
            covered[run, i] = each.low <= truth <= each.high
    return covered.mean(axis=0)


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_diluted_intervals_cover(
    share: float, rate_error: Callable[[float, int], float], rng: np.random.Generator
) -> None:
    rates = simulated(rng, 500, share)
    assert (np.abs(rates - 0.95) < rate_error(0.95, 500)).all(), rates


def test_the_error_of_the_share_and_of_the_others_count() -> None:
    # Ten triggered and ten other users of an arm: the share of one half is known to √(1/4 ÷ 40) = 0.079 alone.
    arms = [Moments.of({"y": np.repeat([1.0 + gap, 3.0 + gap], 5)}) for gap in (0.0, 4.0)]
    rest = Moments.of({"y": np.repeat([0.0, 4.0], 10)})
    gap = compare_arms(arms[0], arms[1], "y", relative="fieller")
    everyone, found, lift = diluted_mean(
        (gap.absolute, gap.relative), arms[0], rest, ("y", "y"), share=0.5, critical_value=2.0, units=40
    )
    assert everyone == 2.0 and found.value == 2.0 and lift.value == 1.0
    far = np.hypot(0.5 * (gap.absolute.value - gap.absolute.low), 2.0 * 4.0 * (0.25 / 40) ** 0.5)
    assert (found.low, found.high) == pytest.approx((2.0 - far, 2.0 + far))
    # s = r c ÷ (r c + (1 - r) u) by its gradient, numerically: with r, c and u each moved by its standard error.
    errors = {"r": (0.25 / 40) ** 0.5, "c": (10 / 9 / 10) ** 0.5, "u": (80 / 19 / 20) ** 0.5}
    at = {"r": 0.5, "c": 2.0, "u": 2.0}

    def held(**moved: float) -> float:
        r, c, u = (at | moved).values()
        return r * c / (r * c + (1 - r) * u)

    slopes = [(held(**{name: at[name] + 1e-6}) - held()) / 1e-6 * error for name, error in errors.items()]
    down = np.hypot(0.5 * (lift.value * 2 - gap.relative.low), 2.0 * 2.0 * np.linalg.norm(slopes))
    assert lift.low == pytest.approx(1.0 - down, rel=1e-4)
    # A ratio over units is the mean, by the delta method.
    ratio = diluted_ratio(arms, rest, ("y", ""), ("y", ""), share=0.5, critical_value=2.0)
    assert (ratio[0], ratio[1].value, ratio[2].value) == (2.0, 2.0, 1.0)
    variance = 0.25 * 2 * 10 / 9 / 10 + 4.0**2 * 0.25 / 40
    assert ratio[1].high == pytest.approx(2.0 + 2 * variance**0.5)


def test_covariates_narrow_the_diluted_effect(rng: np.random.Generator) -> None:
    frame = users(rng, lift=0.0)
    adjusted = plan(metrics=({"name": "clicks", "value": "clicks", "covariates": ("before",)},))
    with_it, without = (read_experiment(each, frame).diluted[0].absolute for each in (adjusted, plan()))
    assert with_it.high - with_it.low < 0.7 * (without.high - without.low)


def test_a_trigger_that_depends_on_the_arm_blocks(rng: np.random.Generator) -> None:
    frame = users(rng)
    fine = read_experiment(plan(), frame)
    assert {check(fine, code).status for code in ("sample_ratio", "triggered_ratio", "untriggered")} <= {"pass", "warn"}
    # A fifth of the triggered users of new is not told: the arms stay even, the triggered ones do not.
    lost = (pl.col("variant") == "new") & (pl.col("user_id") % 5 == 0)
    uneven = read_experiment(plan(), frame.with_columns(met=pl.col("met") & ~lost))
    assert check(uneven, "triggered_ratio").status == "fail" and check(uneven, "sample_ratio").status != "fail"
    assert uneven.decisions[0].code == "blocked"
    n = {arm: frame.filter(variant=arm).height for arm in ARMS}
    assert {arm: check(uneven, "sample_ratio").rows[0][arm] for arm in ARMS} == n
    # The others are changed too.
    told = frame.with_columns(
        clicks=pl.when(~pl.col("met") & (pl.col("variant") == "new")).then(pl.col("clicks") + 1).otherwise("clicks")
    )
    differ = read_experiment(plan(), told)
    assert check(differ, "untriggered").status == "fail" and differ.decisions[0].code == "blocked"
    alone = read_experiment(plan(), frame.filter("met"))
    assert check(alone, "untriggered").status == "skipped" and not alone.diluted


def test_a_query_lists_them_as_well(rng: np.random.Generator, tmp_path: Any) -> None:
    frame = users(rng)
    frame.filter("met").select("user_id").write_parquet(tmp_path / "met.parquet")
    asked = f"SELECT user_id FROM '{tmp_path / 'met.parquet'}'"
    by_column = read_experiment(plan(), frame)
    by_query = read_experiment(plan(triggered=None), frame.drop("met"), triggered=asked)
    assert by_query.diluted == by_column.diluted and by_query.units == by_column.units
    own = read_experiment(plan(triggered="FROM source SELECT user_id WHERE met"), frame)
    assert own.units == by_column.units
    with pytest.raises(UsageError, match="the query of triggered units has 2 columns; expected one"):
        gather(frame, plan(triggered="SELECT user_id, met FROM source"))
    with pytest.raises(UnknownNameError, match="Did you mean 'met'"):
        gather(frame, plan(triggered="mets"))
    for odd in (pl.lit(None, pl.Int64), pl.lit(2)):
        with pytest.raises(DataError, match="column 'met': 1 rows do not say 0 or 1"):
            gather(
                frame.with_columns(met=pl.when(pl.col("user_id") == 7).then(odd).otherwise(pl.col("met").cast(int))),
                plan(),
            )


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """Nine events of five users in four homes."""
    return pl.DataFrame(
        {
            "user_id": [1, 1, 2, 2, 3, 3, 4, 4, 5],
            "home": [1, 1, 1, 1, 2, 2, 3, 3, 4],
            "variant": ["old"] * 4 + ["new"] * 4 + ["old"],
            "met": [0, 1, 0, 0, 1, 1, 0, 0, 1],
            "clicks": [1, 2, 3, 4, 5, 6, 7, 8, 9],
            "views": [10] * 9,
            "timestamp": [datetime(2026, 1, day, 10) for day in (5, 6, 5, 6, 5, 6, 5, 6, 1)],
        }
    )


def test_a_user_of_a_log_is_triggered_by_any_event_of_the_experiment(log: pl.DataFrame) -> None:
    # User 1 by the second event, 3 by both; 5 came before the start only.
    found = gather_events(log, plan(start="2026-01-05"))
    rest = found.untriggered
    assert (
        rest is not None and (found.arm("old").n, found.arm("new").n, rest.arm("old").n, rest.arm("new").n) == (1,) * 4
    )
    assert (found.arm("old").sum("clicks"), rest.arm("old").sum("clicks"), rest.arm("new").sum("clicks")) == (3, 7, 15)
    homes = gather_events(log, plan(start="2026-01-05", cluster="home"))
    assert homes.untriggered is not None and homes.arm("old").sum("clicks") == 10  # a home by any of its users
    assert (homes.untriggered.arm("old").n, homes.untriggered.arm("new").sum("clicks")) == (0, 15)


def test_quantiles_are_those_of_triggered_users(rng: np.random.Generator) -> None:
    frame = users(rng).with_columns(
        ms=pl.when("met").then(pl.lit(100.0)).otherwise(200.0) + pl.Series(rng.random(8000))
    )
    late = {"name": "ms", "kind": "quantile", "value": "ms", "q": 0.5, "role": "secondary"}
    found = read_experiment(plan(metrics=(*METRICS, late)), frame)
    assert found.effects[2].found.control < 101 and len(found.diluted) == 2


def shown(met: dict[str, float], rest: float, *, n: int = 400) -> pl.DataFrame:
    """Users of both arms, half of them triggered: of those a share of each arm buys, and a share of all others."""
    rows = [
        (arm, is_met, float(at < n * (met[arm] if is_met else rest)))
        for arm in ARMS
        for is_met in (True, False)
        for at in range(n)
    ]
    table = pl.DataFrame(rows, schema=["variant", "met", "bought"], orient="row")
    return table.with_columns(user_id=pl.int_range(pl.len()), views=1 + pl.int_range(pl.len()) % 3)


BOUGHT = {"name": "buyers", "value": "bought"}


@pytest.mark.parametrize("kind", ["proportion", "mean"])
def test_a_control_of_which_nobody_triggered_bought_has_a_lift_over_all(kind: str) -> None:
    # Triggered: 0 against 10 %. Half of all are triggered and 20 % of the others buy: 10 % of control, 15 % with it.
    table = shown({"old": 0.0, "new": 0.1}, 0.2)
    (diluted,) = read_experiment(plan(metrics=({**BOUGHT, "kind": kind},)), table).diluted
    assert [diluted.control, diluted.absolute.value, diluted.relative.value] == pytest.approx([0.1, 0.05, 0.5])
    assert diluted.absolute.low is not None and 0 < diluted.absolute.low < 0.05
    assert (diluted.relative.low, diluted.relative.high) == (None, None) and diluted.relative.note == "control_is_zero"


@pytest.mark.parametrize("more", [{"kind": "proportion"}, {"kind": "mean"}, {"kind": "ratio", "per": "views"}])
def test_a_control_of_which_nobody_bought_has_no_lift(more: dict[str, str]) -> None:
    found = read_experiment(plan(metrics=({**BOUGHT, **more},)), shown({"old": 0.0, "new": 0.1}, 0.0))
    (diluted,) = found.diluted
    assert diluted.control == 0 and np.isnan(diluted.relative.value) and diluted.relative.low is None
    assert diluted.absolute.value == pytest.approx(found.effects[0].absolute.value / 2, rel=0.02)
    assert diluted.absolute.low is not None and "Triggered units and all units" in build_readout(found).markdown


@pytest.mark.parametrize("more", [{"kind": "mean"}, {"kind": "ratio", "per": "views"}])
def test_a_single_unit_that_was_not_triggered_tells_no_spread(more: dict[str, str]) -> None:
    table = shown({"old": 0.1, "new": 0.2}, 0.5).filter(pl.col("met") | (pl.col("user_id") == 400))
    (diluted,) = read_experiment(plan(metrics=({**BOUGHT, **more},)), table).diluted
    assert (
        diluted.relative.value > 0 and diluted.relative.low is None and diluted.relative.note == "one_untriggered_unit"
    )
