"""Plans of one metric and arms with exact means, for tests of readouts."""

from __future__ import annotations

from typing import Any

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import Readout

CLICKS = {"name": "clicks", "value": "y"}


def plan(*, arms: tuple[str, ...] = ("a", "b"), **more: Any) -> Plan:
    shares = {arm: 1 / len(arms) for arm in arms}
    return Plan(**({"name": "t", "arms": shares, "metrics": ({**CLICKS, "effect": 0.05},)} | more))


def sums(*, n: int = 1000, mean: float = 100.0, sd: float = 100.0, **gaps: float) -> Aggregates:
    """Arms of n units with exact means and standard deviations: a has the mean, each other one a gap to it."""
    arms = {"a": 0.0, **gaps}
    return Aggregates.of_rows(
        [
            {"arm": arm, "n": n, "sum:y": 0.0, "shift:y": mean + gap, "product:y:y": sd**2 * (n - 1)}
            for arm, gap in arms.items()
        ],
        arms=list(arms),
    )


def shares(found: Readout) -> tuple[float, float]:
    effect = found.effects[0]
    return effect.p_value, effect.absolute.low


def check(found: Readout, name: str) -> Any:
    return next(each for each in found.trust_checks if each.code == name)
