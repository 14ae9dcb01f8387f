"""Reading an experiment: intervals that say what the test says, looks on the way, and what each of them allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from reclens.experiment import Plan
from reclens.experiment.read import Readout, read_sums
from reclens.experiment.sums import Sums

CLICKS = {"name": "clicks", "value": "y"}


def plan(*, arms: tuple[str, ...] = ("a", "b"), **more: Any) -> Plan:
    shares = {arm: 1 / len(arms) for arm in arms}
    return Plan(**({"name": "t", "arms": shares, "metrics": ({**CLICKS, "effect": 0.05},)} | more))


def sums(*, n: int = 1000, mean: float = 100.0, sd: float = 100.0, **gaps: float) -> Sums:
    """Arms of n units with exact means and standard deviations: a has the mean, each other one a gap to it."""
    arms = {"a": 0.0, **gaps}
    return Sums.of_rows(
        [{"arm": arm, "n": n, "sum:y": 0.0, "shift:y": mean + gap, "product:y:y": sd**2 * (n - 1)}
         for arm, gap in arms.items()],
        arms=list(arms),
    )  # fmt: skip


def test_the_interval_of_the_lift_says_what_the_test_says() -> None:
    # A gap of 8.9 at a standard error of √20 = 4.47 is z = 1.99. By the delta method the lift would reach below zero.
    effect = read_sums(plan(), sums(b=8.9)).effects[0]
    assert effect.p_value == pytest.approx(2 * stats.t.sf(8.9 / 20**0.5, 1998)) and effect.p_value < 0.05
    delta = 0.089 - 1.96 * (10 + 1.089**2 * 10) ** 0.5 / 100
    assert delta < 0 < effect.relative.low and effect.verdict == "better"
    # The ends are the lifts r at which Welch's test of b - (1 + r) a just rejects.
    q = stats.t.ppf(0.975, 1998)
    for end, side in ((effect.relative.low, 1), (effect.relative.high, -1)):
        assert end == pytest.approx(optimize.brentq(
            lambda r, side=side: (8.9 - 100 * r) / (10 + 10 * (1 + r) ** 2) ** 0.5 - side * q, -0.5, 0.5
        ))  # fmt: skip


@pytest.mark.parametrize("gap", np.linspace(-12, 0, 25))
def test_a_guardrail_holds_just_where_its_interval_excludes_the_margin(gap: float) -> None:
    guarded = plan(metrics=({**CLICKS, "name": "primary", "effect": 0.05},
                            {**CLICKS, "role": "guardrail", "margin": 0.1}))  # fmt: skip
    rail = read_sums(guarded, sums(b=float(gap))).effects[1]
    # Welch's test of b - 0.9 a, its degrees of freedom apart from rounding those of the difference.
    z = (10 + gap) / (10 + 0.9**2 * 10) ** 0.5
    assert (rail.verdict == "holds") == (rail.relative.low > -0.1) == (z > stats.t.ppf(0.975, 1998))


def shares(found: Readout) -> tuple[float, float]:
    effect = found.effects[0]
    return effect.p_value, effect.absolute.low


@pytest.mark.parametrize("hits", range(100, 140))
def test_shares_are_tested_with_the_variance_of_their_interval(hits: int) -> None:
    counted = Sums.of_rows(
        [{"arm": arm, "n": n, "sum:y": float(x), "product:y:y": float(x)}
         for arm, n, x in (("a", 9000, 800), ("b", 1000, hits))],
        arms=["a", "b"],
    )  # fmt: skip
    asked = plan(arms=("a", "b"), metrics=({**CLICKS, "kind": "proportion"},))
    p, low = shares(read_sums(asked.model_copy(update={"arms": {"a": 0.9, "b": 0.1}}), counted))
    own = (800 / 9000 * (8200 / 9000) / 9000 + hits / 1000 * (1 - hits / 1000) / 1000) ** 0.5
    assert p == pytest.approx(2 * stats.norm.sf((hits / 1000 - 800 / 9000) / own)) and (p < 0.05) == (low > 0)
