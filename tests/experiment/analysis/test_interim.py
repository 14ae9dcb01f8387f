"""Reading an experiment: intervals that say what the test says, looks on the way, and what each of them allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from exact_arms import CLICKS, check, plan, sums
from reclens.errors import UsageError
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.readout import read_sums

OBF = {"sequential": {"looks": 4}, "days": 28}


BOUNDS = (4.3326, 2.9631, 2.3590, 2.0141)  # Lan and DeMets' O'Brien-Fleming at four looks, R's gsDesign::sfLDOF


def as_t(z: float, df: float) -> float:
    """The t statistic of the same tail probability: what a bound of normal statistics is for t statistics."""
    return float(stats.t.isf(stats.norm.sf(z), df))


def test_an_early_win_under_planned_looks_ships() -> None:
    # z = 5 after a quarter: far beyond the bound of 4.33. The power for 3 % is small now and as planned at the end.
    found = read_sums(plan(metrics=({**CLICKS, "effect": 0.065},), **OBF), sums(n=2000, b=16.0), days=7)
    assert found.interim.early and found.effects[0].found.statistic == pytest.approx(16 / 10**0.5)
    assert found.decisions[0].code == "ship" and found.decisions[0].metrics == ("clicks",)
    # At the planned sample the standard error is half as large: 6.5 % is z = 4.11, and the looks cost 1.7 %.
    power = stats.norm.sf(1.96 - 0.065 / (10**0.5 / 100 / 2 * 1.0165**0.5))
    assert check(found, "power").status == "pass" and found.effects[0].power == pytest.approx(power, abs=2e-3)
    # Too small a sample was planned: something to keep in mind, and no reason not to believe a crossed bound.
    small = read_sums(plan(metrics=({**CLICKS, "effect": 0.02},), **OBF), sums(n=2000, b=16.0), days=7)
    assert check(small, "power").status == "warn" and small.decisions[0].code == "ship"
    late = read_sums(plan(metrics=({**CLICKS, "effect": 0.02},), **OBF), sums(n=2000, b=16.0), days=28)
    assert check(late, "power").status == "fail" and late.decisions[0].code == "blocked"


@pytest.mark.parametrize("gap", [13.6, 13.8, 16.0])
def test_a_stop_is_told_just_where_the_verdict_stands(gap: float) -> None:
    # The first bound of 4.33 is 4.34 by t, crossed at 13.72; the lift over the delta method's error would cross it
    # much later.
    effect = (found := read_sums(plan(**OBF), sums(n=2000, b=gap), days=7)).effects[0]
    stopped = found.interim.stopped(effect.found)
    assert (stopped is not None) == (effect.verdict == "better") == (gap > as_t(BOUNDS[0], 3998) * 10**0.5)
    if stopped is not None:  # at the first look it is the plain interval: the lifts that a z of 1.96 does not reject
        for end, t in ((stopped.low, as_t(1.959964, 3998)), (stopped.high, -as_t(1.959964, 3998))):
            assert end == pytest.approx(
                optimize.brentq(lambda r, t=t: (gap - 100 * r) / (5 + 5 * (1 + r) ** 2) ** 0.5 - t, -0.5, 0.9), abs=1e-5
            )
        assert stopped.median_unbiased == pytest.approx(gap / 100, abs=1e-6)


def test_early_harm_is_not_shipped_under_an_always_valid_method() -> None:
    looked = plan(sequential={"method": "msprt"}, days=28, daily_units=16_000 / 28)
    found = read_sums(looked, sums(n=2000, b=-14.0), days=7)
    assert found.decisions[0].code == "do_not_ship"


@pytest.mark.parametrize("progress", [{}, {"days": 7}, {"planned_units": 2000}])
def test_progress_that_is_not_known_is_never_fine(progress: dict[str, float]) -> None:
    simple, fixed, looks = plan(), plan(days=28), plan(**OBF)
    unknown = not progress
    assert check(read_sums(simple, sums(b=15.0), **progress), "peeking").status == (
        "pass" if "planned_units" in progress else "skipped"
    )
    one = read_sums(fixed, sums(b=15.0), **progress)
    assert check(one, "peeking").status == ("skipped" if unknown else "fail" if "days" in progress else "pass")
    several = read_sums(looks, sums(b=15.0), **progress)
    assert check(several, "peeking").status == ("fail" if unknown else "pass")
    if unknown:
        for each in (one, several):
            assert [setting.name for setting in check(each, "peeking").advice.settings] == ["days", "planned_units"]
        assert several.decisions[0].code == "blocked"
    # Where nothing tells which look it is, there is no stop to allow for: lift = difference ÷ control.
    effect = several.effects[0]
    assert (effect.stopped is not None) == ("planned_units" in progress)
    if unknown:
        assert effect.lift.value == pytest.approx(effect.absolute.value / effect.found.control)
        assert "stopped_here" not in {each.code for each in several.adjustments}


@pytest.mark.parametrize(("days", "code"), [(7, "go_on"), (28, "keep_control_at_the_end")])
def test_what_comes_next_depends_on_the_looks_that_are_left(days: int, code: str) -> None:
    found = read_sums(plan(**OBF), sums(n=40_000, b=0.0), days=days)
    assert found.decisions[0].code == "undecided"
    assert [step.code for step in found.next_steps] == [code]


@pytest.mark.parametrize(("day", "look"), [(7, 0), (14, 1), (20.7, 2), (21, 2), (21.3, 2), (28, 3)])
def test_a_look_near_a_planned_one_has_its_bound(day: float, look: int) -> None:
    found = read_sums(plan(**OBF), sums(b=1.0), planned_units=2000 * 28 / day)
    assert found.interim.bound() == pytest.approx(BOUNDS[look], abs=2e-3)
    assert check(found, "peeking").status == "pass" and found.interim.early == (day < 28)


def test_the_whole_day_nearest_to_a_look_is_that_look() -> None:
    # Four looks in 14 days fall on days 3.5, 7, 10.5 and 14.
    looked = plan(days=14, sequential={"looks": 4})
    reads = {day: check(read_sums(looked, sums(b=1.0), days=day), "peeking").status for day in range(1, 15)}
    assert [day for day, status in reads.items() if status == "pass"] == [3, 4, 7, 10, 11, 14]


def test_reading_every_day_finds_little_more_than_reading_at_the_looks() -> None:
    # 100 days of a plan of four looks, read every day; days that the trust check blocks decide nothing.
    looked, rng = plan(days=100, sequential={"looks": 4}), np.random.default_rng(3)
    reads = [read_sums(looked, sums(b=1.0), days=day) for day in range(1, 101)]
    bound = np.array([each.interim.bound() if check(each, "peeking").status == "pass" else np.inf for each in reads])
    z = np.cumsum(rng.normal(size=(40_000, 100)), axis=1) / np.sqrt(np.arange(1, 101))
    assert 0.045 < (np.abs(z) > bound).any(axis=1).mean() < 0.06


def test_a_look_between_the_planned_ones_blocks_and_looks_really_taken_do_not() -> None:
    found = read_sums(plan(**OBF), sums(b=30.0), days=17)
    assert check(found, "peeking").status == "fail" and found.decisions[0].code == "blocked"
    assert check(found, "peeking").reason == "off_plan" and found.interim.information == pytest.approx(17 / 28)
    taken = read_sums(plan(**OBF), sums(n=2000, b=30.0), days=14, looks_taken=[0.2, 0.3, 0.4])
    assert taken.decisions[0].code == "ship" and check(taken, "peeking").status == "pass"
    # The error that is spent up to half of the sample does not depend on how many looks it was spent at: simulated.
    rng = np.random.default_rng(0)
    times = np.array([0.2, 0.3, 0.4, 0.5])
    z = np.cumsum(rng.normal(size=(400_000, 4)) * np.sqrt(np.diff(times, prepend=0)), axis=1) / np.sqrt(times)
    crossed = (np.abs(z) > np.array(taken.interim.bounds())).any(axis=1).mean()
    spent = 4 * stats.norm.sf(stats.norm.isf(0.0125) / 0.5**0.5)
    assert abs(crossed - spent) < 4 * (spent / 400_000) ** 0.5
    with pytest.raises(UsageError, match=r"rise from above 0 to below 0\.5"):
        read_sums(plan(**OBF), sums(b=30.0), days=14, looks_taken=[0.4, 0.3])
    with pytest.raises(UsageError, match="planned looks alone"):
        read_sums(plan(days=28, sequential={"spending": "pocock"}), sums(b=1.0), days=14, looks_taken=[0.3])


def test_a_hopeless_look_stops() -> None:
    # 75 % in and z = -1.08: gsDesign's non-binding futility bound of this spending is near +1.
    looks = {"looks": 4, "futility": "lan_demets_obrien_fleming"}
    looked = plan(metrics=({**CLICKS, "effect": 0.15},), sequential=looks, days=28)
    gap = -1.08 * 20**0.5
    found = read_sums(looked, sums(b=gap), days=21)
    assert found.decisions[0].code == "stop_for_futility" and found.decisions[0].metrics == ("clicks",)
    bound = found.decisions[0].futility_bound
    assert bound is not None and bound > found.effects[0].found.z == pytest.approx(-1.08, abs=0.01)
    assert read_sums(looked, sums(b=2 * 20**0.5), days=21).decisions[0].code == "undecided"
    lower = plan(metrics=({**CLICKS, "effect": 0.15, "better": "lower"},), days=28, sequential=looked.sequential)
    assert read_sums(lower, sums(b=gap), days=21).decisions[0].code == "stop_for_futility"
    assert read_sums(lower, sums(b=-2 * 20**0.5), days=21).decisions[0].code == "undecided"
    assert read_sums(looked, sums(b=gap), days=28).decisions[0].code == "undecided"


@pytest.mark.parametrize("method", ["confidence_sequence", "msprt"])
def test_what_is_always_valid_is_tuned_before_the_data(method: str) -> None:
    looked = plan(sequential={"method": method})
    with pytest.raises(UsageError, match="planned_units"):
        read_sums(looked, sums(b=1.0))
    # Tuned for 1,000 of 2,000 planned units, whatever has come: the bound of both is tightest there.
    reach = {n: read_sums(looked, sums(n=n, b=1.0), planned_units=2000).effects[0] for n in (250, 500, 1000)}
    width = {n: (e.absolute.high - e.absolute.value) / e.found.se for n, e in reach.items()}
    assert width[500] < min(width[250], width[1000])
    assert width[500] == pytest.approx(as_t(3.035, 998), abs=2e-3)
    # Of three arms, two thirds of the units are in a comparison.
    three = plan(arms=("a", "b", "c"), sequential={"method": method})
    effect = read_sums(three, sums(n=500, b=1.0, c=1.0), planned_units=3000).effects[0]
    assert (effect.absolute.high - effect.absolute.value) / effect.found.se == pytest.approx(as_t(3.035, 998), abs=2e-3)


def drawn(n: int, *, z: float, heavy: float = 0.0) -> pl.DataFrame:
    """Units of two arms with exact means and spreads, so that Welch's z is as asked; some are heavy."""
    rng = np.random.default_rng(4)
    frames = []
    for at, arm in enumerate("ab"):
        y = rng.normal(size=n)
        y = (y - y.mean()) / y.std(ddof=1) + 100 + at * z * (2 / n) ** 0.5
        # The treated arm got a few more heavy users by chance.
        part = np.where(np.arange(n) < n * (0.5 + 0.04 * at), "heavy", "light")
        frames.append(
            pl.DataFrame(
                {"user_id": np.arange(n) + at * n, "variant": arm, "part": part, "y": y + heavy * (part == "heavy")}
            )
        )
    return pl.concat(frames)


def test_outliers_are_judged_by_the_p_value_of_the_look() -> None:
    # z = 3 after a quarter: nothing is shown by the bound of 4.33, cut off or not, though the plain p is 0.003.
    looked = plan(metrics=({**CLICKS, "effect": 0.001},), **OBF)
    found = read_sums(looked, gather(drawn(4000, z=3.0), looked, tails=True), days=7)
    outliers = check(found, "outliers")
    assert outliers.status == "pass" and outliers.rows[0]["p_value"] > 0.05
    assert outliers.rows[0]["p_value_cut"] == pytest.approx(outliers.rows[0]["p_value"], rel=0.5)


def test_strata_are_not_taken_for_outliers() -> None:
    # 4 points more heavy users of 3 more each make up 3 standard errors, which strata take out and a cap does not.
    asked = plan(metrics=({**CLICKS, "effect": 0.001},), segments=("part",))
    rows = gather(drawn(4000, z=0.0, heavy=3.0), asked, tails=True)
    found = read_sums(asked, rows, stratify="part")
    plain = read_sums(asked, rows)
    assert abs(found.effects[0].found.statistic) < 0.5 and plain.effects[0].found.statistic > 2.7
    assert check(found, "outliers").status == "pass"


def test_of_several_better_arms_one_is_shipped() -> None:
    three = plan(arms=("a", "b", "c"), metrics=({**CLICKS, "effect": 0.15},))
    found = read_sums(three, sums(b=20.0, c=26.0))
    assert [each.code for each in found.decisions] == ["ship", "ship"]
    for each in found.decisions:
        assert (each.winners, each.ahead, each.metrics) == (("b", "c"), "c", ("clicks",))
        (rival,) = each.rivals
        # 26 - 20 over a standard error of √20, relative to 120.
        assert (rival.arm, rival.metric) == ("b", "clicks") and rival.lift.value == pytest.approx(0.05)
        assert rival.p_value == pytest.approx(2 * stats.t.sf(6 / 20**0.5, 1998), rel=1e-3)
    assert [(step.code, step.names) for step in found.next_steps] == [("roll_out", ("b", "c"))]


def test_where_lower_is_better_the_lowest_of_several_better_arms_is_ahead() -> None:
    three = plan(arms=("a", "b", "c"), metrics=({**CLICKS, "better": "lower", "effect": 0.15},))
    found = read_sums(three, sums(b=-26.0, c=-20.0))
    assert [each.code for each in found.decisions] == ["ship", "ship"]
    assert [each.ahead for each in found.decisions] == ["b", "b"]


def test_segments_hold_at_the_look() -> None:
    # z = 3 in a segment after a quarter: by the bound of 4.33 nothing is shown.
    looked = plan(metrics=({**CLICKS, "effect": 0.001},), segments=("part",), **OBF)
    small = drawn(40, z=0.0).with_columns(
        part=pl.when(pl.col("user_id") % 2 == 0).then(pl.lit("rare")).otherwise("part")
    )
    frame = pl.concat([drawn(4000, z=4.0), small.with_columns(pl.col("user_id") + 10_000)])
    found = read_sums(looked, gather(frame, looked), days=7)
    for each in found.segments:
        reach = (each.absolute.high - each.absolute.low) / 2 / each.found.se
        assert reach == pytest.approx(as_t(BOUNDS[0], each.found.df), abs=2e-3)
        assert (each.p_value < 0.05) == (each.relative.low > 0)
        assert each.p_adjusted >= each.p_value > each.found.p_value
    assert {each.segment for each in found.segments} == {"heavy", "light"}
    assert [each.names for each in found.caveats if each.code == "small_segments"] == [("part rare",)]
    assert "segments_corrected" in {each.code for each in found.adjustments}


def test_what_blocks_says_what_to_do() -> None:
    weak = read_sums(plan(metrics=({**CLICKS, "effect": 0.01},)), sums(b=1.0))
    assert (weak.next_steps[0].code, weak.next_steps[0].names) == ("fix_check", ("power",))
    early = read_sums(plan(days=28), sums(b=15.0), days=7)
    assert check(early, "peeking").reason == "too_early" and early.next_steps[0].names == ("peeking",)
    assert [setting.name for setting in check(early, "peeking").advice.settings] == ["days"]


# ---------------------------------------------------------------------------------- bounds crossed before, and families


def by_day(gaps: dict[str, float], *, n: int = 500, days: int = 28, **arms: float) -> Aggregates:
    """As :func:`sums`, with as many users on each of some days, and a gap of b that changes with the day."""
    rows = []
    for day in range(days):
        date = str(np.datetime64("2026-01-05") + day)
        gap = gaps["early"] if day < 7 else gaps["late"]
        for arm, extra in (("a", 0.0), ("b", gap), *arms.items()):
            rows.append(
                {
                    "arm": arm,
                    "day": date,
                    "n": n,
                    "sum:y": 0.0,
                    "shift:y": 100 + extra,
                    "product:y:y": 100.0**2 * (n - 1),
                }
            )
    return Aggregates.of_rows(rows, arms=["a", "b", *arms])


def test_a_late_look_says_where_the_plan_would_have_stopped() -> None:
    # 7 of 28 days at 3,500 users an arm: a gap of 12 at a standard error of 2.39 is z = 5.02, beyond 4.33.
    found = read_sums(plan(**OBF), by_day({"early": 12.0, "late": 12.0}))
    (crossing,) = found.crossings
    z = 12 / (2 * 100**2 / 3500) ** 0.5
    assert (crossing.look, crossing.information, crossing.day) == (1, 0.25, "2026-01-11")
    assert crossing.z == pytest.approx(z, rel=1e-3) and crossing.bound == pytest.approx(BOUNDS[0], abs=1e-3)
    assert crossing.lift == pytest.approx(0.12)
    (caveat,) = [each for each in found.caveats if each.code == "crossed_before"]
    assert (caveat["look"], caveat.names, caveat["z"]) == (1, ("2026-01-11",), crossing.z)
    # Nobody stopped: one lift, the plain one over all data. That of a stop at the last look would be far off.
    effect = found.effects[0]
    assert effect.stopped is None and effect.lift == effect.relative and effect.lift.value == pytest.approx(0.12)
    assert effect.to_dicts()[0]["lift_basis"] == "plain" and found.interim.stopped(effect.found) is not None
    assert [(each.metric, each.arm) for each in found.adjustments if each.code == "crossed_before"] == [("clicks", "b")]
    record = found.record()["crossings"]
    assert [row["look"] for row in record] == [1]


def test_a_bound_that_is_first_crossed_now_is_a_stop() -> None:
    # At 9.6 z is 4.02 after a week, below 4.33, and 8.03 at the end; no week says 5.67 after two, beyond 2.96.
    late = read_sums(plan(**OBF), by_day({"early": 9.6, "late": 9.6}))
    assert [each.look for each in late.crossings] == [2] and late.crossings[0].day == "2026-01-18"
    # Nothing before the last look: z is .84, 1.18, 1.45 and then 2.2 or so.
    last = read_sums(plan(sequential={"looks": 2}, days=28), by_day({"early": 0.0, "late": 3.6}))
    effect = last.effects[0]
    assert not last.crossings and effect.verdict == "better" and effect.stopped is not None
    assert effect.lift.value == effect.stopped.median_unbiased < effect.relative.value
    # Without planned looks, or at the first one, nothing was crossed before.
    assert not read_sums(plan(days=28), by_day({"early": 12.0, "late": 12.0})).crossings
    first = read_sums(plan(**OBF), by_day({"early": 12.0, "late": 12.0}, days=7))
    assert not first.crossings and first.effects[0].stopped is not None


def test_the_ends_after_a_stop_leave_as_much_in_the_tail_of_each_side() -> None:
    # Of a stop at the second of two looks, in the order of stages (Tsiatis, Rosner and Mehta 1984): as extreme upwards
    # is to cross the first bound, or to come to the second look and reach as far. Each end puts 2.5 % in its tail.
    found = read_sums(plan(sequential={"looks": 2, "spending": "pocock"}, days=28), by_day({"early": 1.0, "late": 3.6}))
    effect, first = found.effects[0], found.interim.bounds()[0]
    assert effect.stopped is not None and found.interim.times == (0.5, 1.0)
    z = effect.found.z

    def upwards(drift: float) -> float:
        half = 0.5**0.5
        x = np.linspace(-first, first, 4001)
        come = stats.norm.pdf(x - drift * half) * stats.norm.sf((z - drift - half * (x - drift * half)) / half)
        return float(stats.norm.sf(first - drift * half) + np.trapezoid(come, x))

    for end, tail in ((effect.stopped.low, 0.025), (effect.stopped.median_unbiased, 0.5), (effect.stopped.high, 0.975)):
        drift = optimize.brentq(lambda at, tail=tail: upwards(at) - tail, -8, 12)
        assert effect.found.z_at(end, relative=True) == pytest.approx(z - drift, abs=2e-3)


def test_the_look_of_a_day_is_measured_as_that_of_the_readout() -> None:
    # Two thirds of the users came in the first week: a quarter of the days, not two thirds of the sample.
    many = by_day({"early": 12.0, "late": 12.0}, n=3000, days=7)
    few = by_day({"early": 12.0, "late": 12.0}, n=500)
    rows = [row for row in few.to_rows() if row["day"] > "2026-01-11"]
    uneven = Aggregates.of_rows([*many.to_rows(), *rows], arms=["a", "b"])
    by_days = read_sums(plan(**OBF), uneven)
    assert [row["information"] for row in by_days.cumulative][6] == 0.25 and by_days.crossings[0].day == "2026-01-11"
    by_units = read_sums(plan(**OBF), uneven, planned_units=63_000)
    assert [row["information"] for row in by_units.cumulative][6] == pytest.approx(42 / 63)
    # No day is near a half of the users; three quarters (within 1.5 points) were in on the twelfth.
    assert (by_units.crossings[0].look, by_units.crossings[0].day) == (3, "2026-01-16")


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": -3}, {"planned_units": 0.0}, {"planned_units": np.nan}, {"planned_units": np.inf}]
)
def test_progress_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))} is .* expected"):
        read_sums(plan(days=28), sums(b=1.0), **wrong)
