"""Shares from the rows of users to the verdict: arms without successes, small arms of rare ones, A/A tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.experiment import Plan
from reclens.experiment.aggregate.gather import gather
from reclens.experiment.analysis.aa import aa_of_plan
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.report.experiment.readout import build_readout


def plan(small: float = 0.1, **metric: Any) -> Plan:
    shown = {"name": "bought", "kind": "proportion", "value": "bought", "role": "primary"}
    return Plan(name="t", arms={"old": 1 - small, "new": small}, metrics=(shown | metric,))


def users(control: tuple[int, int], treatment: tuple[int, int]) -> pl.DataFrame:
    arms = [("old", *control), ("new", *treatment)]
    return pl.concat(
        pl.DataFrame({"variant": [arm] * n, "bought": [1] * hits + [0] * (n - hits)}) for arm, hits, n in arms
    ).with_row_index("user_id")


def read(control: tuple[int, int], treatment: tuple[int, int], of: Plan | None = None) -> Readout:
    asked = of or plan()
    return read_sums(asked, gather(users(control, treatment), asked))


def test_arms_without_successes_are_read() -> None:
    found = read((0, 90), (0, 10))
    effect = found.effects[0]
    assert effect.p_value == 1.0 and effect.verdict == "no_difference_shown" and found.decisions[0].code == "undecided"
    # Clopper and Pearson's ends of none in ten and none in ninety.
    assert (effect.absolute.low, effect.absolute.high) == pytest.approx((0.025 ** (1 / 90) - 1, 1 - 0.025**0.1))
    assert not [rule for rule in found.rules if rule.code == "no_variance"]
    page = build_readout(found).markdown
    assert "[-4.02, +30.85]" in page and "exact test at the most likely shares" in page
    one = read((0, 900), (3, 100)).effects[0]
    assert math.isnan(one.relative.value) and one.absolute.low is not None and one.absolute.low > 0
    assert one.verdict == "better"


def test_a_small_arm_without_successes_is_not_held_against_the_change() -> None:
    # By the unpooled z test p was below 0.0001; so few or fewer of 200 come in one of eight A/A tests at 1 %.
    found = read((18, 1800), (0, 200))
    assert found.effects[0].p_value > 0.1 and found.decisions[0].code == "undecided"


def test_absolute_margins_of_rare_harm_hold_only_where_the_interval_says_so() -> None:
    guarded = Plan(
        name="t",
        arms={"old": 0.9, "new": 0.1},
        metrics=(
            {"name": "seen", "kind": "proportion", "value": "bought"},
            {
                "name": "complaints",
                "kind": "proportion",
                "value": "bought",
                "role": "guardrail",
                "better": "lower",
                "margin_absolute": 0.02,
            },
        ),
    )
    for hits in range(4):
        rail = read((4, 1800), (hits, 200), guarded).effects[1]
        assert rail.absolute.high is not None
        assert (rail.verdict == "holds") == (rail.absolute.high < 0.02) == (rail.p_adjusted < 0.025)
    # None of 200: at 2.22 % in all, of which 2 points are the margin, that has a chance of 1.1 %.
    assert read((4, 1800), (0, 200), guarded).effects[1].verdict == "holds"


def test_aa_tests_of_shares_are_those_of_the_readout(rate_error) -> None:
    # 1,000 users of 2 %, one arm of a tenth: the unpooled z test finds a difference in 14 % of all splits.
    bought = pl.DataFrame({"bought": np.repeat([1, 0], [20, 980])})
    rows, _ = aa_of_plan(plan(), bought, splits=1000, rng=1)
    assert rows[0]["false_positives"] <= 0.05 + rate_error(0.05, 1000)
    even, _ = aa_of_plan(plan(0.5), pl.DataFrame({"bought": np.repeat([1, 0], [400, 1600])}), splits=1000, rng=2)
    assert even[0]["false_positives"] == pytest.approx(0.05, abs=rate_error(0.05, 1000))
