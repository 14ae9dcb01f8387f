"""Thresholds of the trust checks: counts just below and just above each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.readout import read_sums
from reclens.experiment.check_result import TrustCheck

SHARES = {"old": 0.5, "new": 0.5}


def plan(**more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": SHARES, "metrics": ({"name": "clicks", "value": "y"},)} | more))


def cells(old: int, new: int, **where: str) -> list[dict[str, Any]]:
    return [
        {"arm": arm, "n": n, "sum:y": 2.0 * n, "product:y:y": 5.0 * n, **where}
        for arm, n in (("old", old), ("new", new))
    ]


def check(sums: Aggregates, code: str, of: Plan | None = None, **more: Any) -> TrustCheck:
    return next(each for each in read_sums(of or plan(), sums, **more).trust_checks if each.code == code)


def lost(n: int, lost_units: int, code: str) -> TrustCheck:
    """n rows, of which some name an arm that the plan does not have, or some units stand in two arms."""
    arm, user = np.array(["old", "new"] * (n // 2), dtype=object), np.arange(n)
    if code == "unknown_arms":
        arm[:lost_units] = "other"
    else:
        user = np.concatenate([user, np.arange(lost_units)])
        arm = np.concatenate([arm, np.where(arm[:lost_units] == "old", "new", "old")])
    rows = pl.DataFrame({"user_id": user, "variant": arm.astype(str), "y": np.arange(len(user)) % 7})
    return check(gather(rows, plan(), unknown_arms="drop", two_arms="drop"), "rows")


@pytest.mark.parametrize("code", ["unknown_arms", "two_arms"])
def test_over_one_percent_of_lost_units_block(code: str) -> None:
    # Of 10,000 units 100 are 1 %, 101 are over it; of those that are kept, 100 are already.
    assert lost(10_000, 100, code).status == "warn" and lost(10_000, 101, code).status == "fail"
    assert lost(10_000, 100, code).rows[0]["code"] == code


@pytest.mark.parametrize(("primary", "status"), [(True, "fail"), (False, "warn")])
def test_a_flat_metric_blocks_if_it_decides(primary: bool, status: str) -> None:
    # The name of the flat metric is a part of the other's: codes tell them apart, and not the text.
    rows = pl.DataFrame({"user_id": range(8), "variant": ["old", "new"] * 4, "x": [1] * 8, "y": range(8)})
    flat = {"name": "clicks", "value": "x", "role": "primary" if primary else "secondary"}
    asked = plan(metrics=(flat, {"name": "clicks' of all", "value": "y"}))
    found = check(gather(rows, asked), "rows", asked)
    assert found.status == status and {row["metric"] for row in found.rows} == {"clicks"}
    assert {row["arm"] for row in found.rows} == {"old", "new"}


def test_an_arm_of_one_unit_blocks() -> None:
    rows = pl.DataFrame({"user_id": range(6), "variant": ["old"] * 5 + ["new"], "y": range(6)})
    assert check(gather(rows, plan()), "rows").status == "fail"


def split(p: float, n: int = 100_000) -> tuple[int, int]:
    """The largest imbalance of two equal arms whose p-value is still at least p."""
    off = int(stats.norm.isf(p / 2) * n**0.5 / 2)
    return n // 2 + off, n // 2 - off


@pytest.mark.parametrize(("p", "above", "below"), [(0.001, "warn", "fail"), (0.05, "pass", "warn")])
def test_the_sample_ratio_has_two_thresholds(p: float, above: str, below: str) -> None:
    old, new = split(p)
    assert stats.chisquare([old, new]).pvalue > p > stats.chisquare([old + 1, new - 1]).pvalue
    assert check(Aggregates.of_rows(cells(old, new), arms=list(SHARES)), "sample_ratio").status == above
    assert check(Aggregates.of_rows(cells(old + 1, new - 1), arms=list(SHARES)), "sample_ratio").status == below


def test_days_and_segments_of_the_sample_ratio_are_adjusted_together() -> None:
    # Ten days: the most uneven one has ten times its p-value, and the whole stays even.
    def found(more: int) -> TrustCheck:
        rows = [
            row
            for day in range(10)
            for row in cells(*(split(1e-4) if day == 3 else (50_000, 50_000)), day=f"2026-01-{day + 10}")
        ]
        rows[6]["n"], rows[7]["n"] = rows[6]["n"] + more, rows[7]["n"] - more
        return check(Aggregates.of_rows(rows, arms=list(SHARES)), "sample_ratio")

    assert found(0).status != "fail" and found(1).status == "fail" and found(1).facts.off[0].segment == "2026-01-13"


@pytest.mark.parametrize(("gap", "status"), [(-1e-4, "warn"), (1e-4, "fail")])
def test_arms_that_differed_before_block_below_one_in_a_thousand(gap: float, status: str) -> None:
    # Two arms of 1,000 with a spread of 1: Welch's t of 1,998 degrees of freedom.
    far = stats.t.isf(0.0005, 1998) * (2 / 1000) ** 0.5 + gap
    alike = {"n": 1000, "sum:y": 0.0, "product:y:y": 999.0, "sum:x": 0.0, "product:x:x": 999.0, "product:y:x": 0.0}
    rows = [{"arm": arm, "shift:x": shift, **alike} for arm, shift in (("old", 5.0), ("new", 5.0 + far))]
    asked = plan(metrics=({"name": "clicks", "value": "y", "covariates": ("x",)},))
    assert check(Aggregates.of_rows(rows, arms=list(SHARES)), "balance", asked).status == status


@pytest.mark.parametrize(("share", "status"), [(0.0099, "pass"), (0.0101, "warn")])
def test_one_user_with_over_one_percent_of_a_metric_is_told(share: float, status: str) -> None:
    # 3,000 users of old have 1 or 3 each; one has the share of all of it. Without her excess the effect is the same.
    y = np.tile([1.0, 1.0, 3.0, 3.0], 1500)
    y[0] = share / (1 - share) * (y[::2].sum() - y[0])
    rows = pl.DataFrame({"user_id": range(6000), "variant": ["old", "new"] * 3000, "y": y})
    found = gather(rows, plan(), tails=True)
    assert found.arm("old").sum("y") * share == pytest.approx(y[0])
    told = check(found, "outliers")
    assert told.rows[0]["held_by_one"] == pytest.approx(share) and abs(told.rows[0]["moved_se"]) < 1
    assert told.status == status


def test_both_sums_of_a_ratio_are_cut_off() -> None:
    # Everybody has 3 clicks in 10 impressions, give or take one click; three bots have 1,200 in 4,000.
    clicks, shown = np.tile([2.0, 2.0, 4.0, 4.0], 1000), np.full(4000, 10.0)
    clicks[1:6:2], shown[1:6:2] = 1200.0, 4000.0
    rows = pl.DataFrame({"user_id": range(4000), "variant": ["old", "new"] * 2000, "clicks": clicks, "shown": shown})
    ratio = {"name": "rate", "kind": "ratio", "value": "clicks", "per": "shown", "effect": 0.05}
    asked = plan(metrics=(ratio,))
    told = check(gather(rows, asked, tails=True), "outliers", asked)
    (row,) = told.rows
    # Every rate is near 0.3, with the bots and without. 8 clicks or so in 4,000 impressions would say 0.14 less.
    assert abs(row["difference"]) < 0.002 and abs(row["difference_cut"]) < 0.002
    assert told.status == "warn" and told.facts.notable[0].cap_per == 10
    # A bot of one arm blocks what its clicks decide, and what to do is said.
    clicked = plan(metrics=({"name": "clicks", "value": "clicks", "effect": 0.05},))
    found = read_sums(clicked, gather(rows, clicked, tails=True))
    assert next(each for each in found.trust_checks if each.code == "outliers").status == "fail"
    assert ("fix_check", ("outliers",)) in {(step.code, step.names) for step in found.next_steps}


@pytest.mark.parametrize(("days", "status"), [(13, "warn"), (14, "pass"), (15, "warn"), (21, "pass")])
def test_whole_weeks_are_counted_from_the_first_to_the_last_day(days: int, status: str) -> None:
    first, last = np.datetime64("2026-01-05"), np.datetime64("2026-01-05") + days - 1
    rows = [row for day in (first, last) for row in cells(500, 500, day=str(day))]
    found = Aggregates.of_rows(rows, arms=list(SHARES))
    assert found.length == days and check(found, "weeks").status == status


@pytest.mark.parametrize(("role", "status"), [("primary", "fail"), ("secondary", "warn")])
def test_an_effect_that_a_few_users_move_by_over_one_standard_error_blocks_where_it_decides(
    role: str, status: str
) -> None:
    # Three users of new with 4,000 each, 0.8 % of its sum: cut off at the quantile, the effect falls by 1.7 errors.
    y = np.tile([90.0, 90.0, 110.0, 110.0], 2500)
    y[[1, 3, 5]] = 4000.0
    rows = pl.DataFrame({"user_id": range(10_000), "variant": ["old", "new"] * 5000, "y": y, "z": y[::-1] % 7})
    asked = plan(metrics=({"name": "clicks", "value": "y", "role": role}, {"name": "z", "value": "z"}))
    told = check(gather(rows, asked, tails=True), "outliers", asked)
    (row,) = (each for each in told.rows if each["metric"] == "clicks")
    old, new = y[::2], y[1::2]
    error = (old.var(ddof=1) / 5000 + new.var(ddof=1) / 5000) ** 0.5
    assert row["cap"] == 110 and row["moved_se"] == pytest.approx(3 * (4000 - 110) / 5000 / error)
    assert 1 < row["moved_se"] < 2 and row["held_by_one"] < 0.01 and min(row["p_value"], row["p_value_cut"]) > 0.05
    assert told.status == status


# Of 2n units n ± d stand in the arms: z² = 4d² / 2n, so that z = 2d / √(2n); p is two-sided, from a table of the normal
# distribution. 2 × 657 / 500 = 2.628, p = .0085889, 1 / p = 116.4; 2 × 131 / 100 = 2.62, p = .0087930, 1 / p = 113.7;
# z = 2: p = .0455003, 1 / p = 21.98; z = 3.28: p = .0010381, 1 / p = 963.3; z = 1.96: p = .0499958, 1 / p = 20.002.
@pytest.mark.parametrize(("n", "d"), [(125_000, 657), (5_000, 131), (5_000, 100), (5_000, 164), (5_000, 98)])
def test_an_uneven_ratio_is_a_warning_with_its_p_value(n: int, d: int) -> None:
    found = check(Aggregates.of_rows(cells(n + d, n - d), arms=list(SHARES)), "sample_ratio")
    assert (found.status, found.reason) == ("warn", "uneven")
    assert found.facts.overall.counts == {"old": n + d, "new": n - d}
    assert found.facts.overall.p_value == pytest.approx(stats.chisquare([n + d, n - d]).pvalue)
