"""How often looks find something where there is nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.stats.arms import compare_arms
from reclens.stats.moments import Moments
from reclens.stats.sequential import group_sequential

CLICKS = {"name": "clicks", "value": "y"}


def plan(*, arms: tuple[str, ...] = ("a", "b"), **more: Any) -> Plan:
    shares = {arm: 1 / len(arms) for arm in arms}
    return Plan(**({"name": "t", "arms": shares, "metrics": ({**CLICKS, "effect": 0.05},)} | more))


def shares(found: Readout) -> tuple[float, float]:
    effect = found.effects[0]
    return effect.p_value, effect.absolute.low


@pytest.mark.parametrize("looks", [1, 4])
def test_nothing_is_found_in_an_a_a_test_but_by_chance(looks: int) -> None:
    """2,000 experiments without an effect, read at every planned look until one is decided: 5 % are."""
    rng = np.random.default_rng(7)
    y = rng.normal(10, 3, (2000, 2, looks, 1000 // looks))
    n = 1000 // looks * np.arange(1, looks + 1)
    total, squares = y.sum(axis=3).cumsum(axis=2), (y**2).sum(axis=3).cumsum(axis=2)
    variance = (squares - total**2 / n) / (n - 1)
    z = np.diff(total / n, axis=1)[:, 0] / np.sqrt(variance.sum(axis=1) / n)
    more = {"sequential": {"looks": looks}, "days": 7 * looks} if looks > 1 else {}
    asked = plan(metrics=({**CLICKS, "effect": 0.04},), **more)

    def decision(at: int, means: list[float], sds: list[float]) -> str:
        rows = [
            {"arm": arm, "n": int(n[at]), "sum:y": 0.0, "shift:y": mean, "product:y:y": sd**2 * (n[at] - 1)}
            for arm, mean, sd in zip("ab", means, sds, strict=True)
        ]
        made = Aggregates.of_rows(rows, arms=["a", "b"])
        return read_sums(asked, made, days=7 * (at + 1)).decisions[0].code

    # No bound is below 1.9, so that only experiments beyond that need to be read.
    assert {
        decision(at, [10, 10 + s * 1.9 * 3 * (2 / n[at]) ** 0.5], [3, 3]) for at in range(looks) for s in (-1, 1)
    } == {"undecided"}
    decided = 0
    for run in np.flatnonzero((np.abs(z) > 1.9).any(axis=1)):
        for at in np.flatnonzero(np.abs(z[run]) > 1.9):
            word = decision(at, *((each[run, :, at]).tolist() for each in (total / n, np.sqrt(variance))))
            assert word in ("undecided", "ship", "do_not_ship")
            if word != "undecided":
                decided += 1
                break
    assert abs(decided / 2000 - 0.05) < 3 * (0.05 * 0.95 / 2000) ** 0.5


@pytest.mark.parametrize("a_look", [4, 10])
def test_few_units_a_look_keep_to_the_level(a_look: int, rate_error) -> None:
    # Pocock's bounds of normal statistics find .09 to .11 with four units a look where the statistic is t.
    rng, runs, stopped, naive = np.random.default_rng(8), 1500, 0, 0
    bounds = group_sequential(5, spending="pocock").upper
    for _ in range(runs):
        y = rng.normal(0, 1, (2, 5 * a_look))
        found = [compare_arms(*[Moments.of({"y": arm[: k * a_look]}) for arm in y], "y") for k in range(1, 6)]
        stopped += any(abs(each.z) >= bound for each, bound in zip(found, bounds, strict=True))
        naive += any(abs(each.statistic) >= bound for each, bound in zip(found, bounds, strict=True))
    assert abs(stopped / runs - 0.05) < rate_error(0.05, runs)
    assert a_look > 4 or naive / runs > 0.05 + rate_error(0.05, runs)
