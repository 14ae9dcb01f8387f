"""Check the numbers of an exploration against bounds, like the gates of evaluations and audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reclens.errors import UnknownNameError, UsageError
from reclens.explore.result import Exploration, MeasureName
from reclens.stats.gate import Bound, GateResult, GateRow, judge

__all__ = ["ExploreGateRule", "explore_gate"]


@dataclass(frozen=True, kw_only=True)
class ExploreGateRule:
    """One condition that an exploration has to meet.

    Attributes:
        measure: What was measured, such as ``"index_unreachable"`` or ``"recall"``.
        bound: Where it has to lie.
        unsure: What becomes of the gate if this cannot be told: ``"fail"`` or ``"pass"``.
    """

    measure: MeasureName
    bound: Bound
    unsure: Literal["fail", "pass"] = "fail"


def explore_gate(found: Exploration, rules: Sequence[ExploreGateRule]) -> GateResult:
    """Hold an exploration to rules: each passes, fails, or cannot be told, by its whole interval.

    Numbers of the catalogue as it is are exact, and held as they are.

    Args:
        found: The exploration.
        rules: The rules.

    Raises:
        UnknownNameError: If a rule names what was not measured.
        UsageError: If there is no rule.
    """
    if not rules:
        raise UsageError("the gate has no rule. Give at least one: a measure and a bound.")
    return GateResult(tuple(_row(found, rule) for rule in rules))


def _row(found: Exploration, rule: ExploreGateRule) -> GateRow:
    known = {each.measure: each for each in found.measures}
    if rule.measure not in known:
        raise UnknownNameError("measure of the gate among what was explored", rule.measure, known)
    measure = known[rule.measure]
    return judge(
        rule.bound,
        measure.estimate,
        system=found.name,
        metric=rule.measure,
        of="value",
        by="overall",
        segment="all",
        unsure=rule.unsure,
        exact=measure.exact,
    )
