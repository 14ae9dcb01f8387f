"""Check evaluations and their differences from a baseline against bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation.compare import Comparison
from reclens.evaluation.results import MINIMUM_SEGMENT, OVERALL, Evaluation
from reclens.metrics.registry import canonical, direction, in_unit_range
from reclens.stats.estimate import Estimate
from reclens.stats.gate import Bound, GateResult, GateRow, judge
from reclens.stats.proportions import exact_interval

__all__ = ["GateRule", "gate", "no_loss_rules"]


@dataclass(frozen=True, kw_only=True)
class GateRule:
    """A condition that systems have to meet.

    Attributes:
        metric: The metric, such as ``"ndcg@10"``.
        bound: The bounds.
        of: ``"value"``: the metric itself; ``"difference"``: its difference from the baseline.
        system: The system to check; None for all, and for differences all except the baseline.
        by: A segmentation: the rule holds for each of its segments; None for all users.
        segment: One segment of ``by``; None for each of them.
        unsure: Result of the gate if the data cannot tell: ``"fail"`` or ``"pass"``.

    Raises:
        UsageError: If ``segment`` is given without ``by``.
    """

    metric: str
    bound: Bound
    of: Literal["value", "difference"] = "value"
    system: str | None = None
    by: str | None = None
    segment: str | None = None
    unsure: Literal["fail", "pass"] = "fail"

    def __post_init__(self) -> None:
        if self.segment is not None and self.by is None:
            raise UsageError(f"segment is '{self.segment}' and by is missing: name the segmentation it is of.")


def gate(
    results: Mapping[str, Evaluation], rules: Sequence[GateRule], *, comparison: Comparison | None = None
) -> GateResult:
    """Check evaluations against rules: each passes, fails, or cannot be decided, by its whole interval.

    Intervals are those of the evaluations and of the comparison; a share of users, such as a hit rate, has its exact
    interval. A metric of the whole catalogue is exact and is compared with its bound directly. Values of fewer than 30
    users cannot be decided, and none passes by an interval whose coverage is known to be below its level, such as those
    of few and skewed values.

    Args:
        results: Name -> evaluation.
        rules: The rules.
        comparison: The comparison with the baseline, if a rule is about a difference.

    Returns:
        One row per rule, system and segment.

    Raises:
        UnknownNameError: If a system, metric, segmentation or segment was not measured.
        UsageError: If there is no rule, or a rule is about a difference and there is no comparison.

    Example:
        >>> import reclens as rl
        >>> lists = {"user_id": [1, 2], "item_id": [5, 5], "rank": [1, 1]}
        >>> result = rl.evaluate(lists, {"user_id": [1, 2], "item_id": [5, 6]}, metrics=["mrr@10"])
        >>> rule = GateRule(metric="mrr@10", bound=Bound(at_least=0.3))
        >>> [(row.value, row.outcome) for row in gate({"ours": result}, [rule]).rows]
        [(0.5, 'cannot_tell')]
    """
    if not rules:
        raise UsageError("the gate has no rule. Give at least one: a metric and a bound.")
    return GateResult(tuple(row for rule in rules for row in _rows(rule, results, comparison)))


def no_loss_rules(comparison: Comparison) -> list[GateRule]:
    """Rules that no system is worse than the baseline over all users, by any metric that has a better direction.

    A rule fails if the whole interval is on the worse side; a rule that cannot be decided passes.
    """
    metrics = dict.fromkeys(row.metric for row in comparison.differences)
    return [
        GateRule(
            metric=name, of="difference", unsure="pass", bound=Bound(at_least=0.0) if better else Bound(at_most=0.0)
        )
        for name in metrics
        if (better := direction(name)) is not None
    ]


def _rows(rule: GateRule, results: Mapping[str, Evaluation], comparison: Comparison | None) -> Iterator[GateRow]:
    metric = canonical(rule.metric)
    if rule.of == "difference" and comparison is None:
        raise UsageError(f"the gate asks for a difference in {metric}, and nothing was compared: name a baseline.")
    against = None if comparison is None or rule.of == "value" else comparison
    systems = [name for name in results if against is None or name != against.baseline]
    if rule.system is not None and rule.system not in systems:
        raise UnknownNameError("system of the gate", rule.system, systems)
    for name in systems if rule.system is None else [rule.system]:
        for cell in _cells(rule, results[name], metric):
            yield _row(rule, metric, name, cell, results[name], against)


def _cells(rule: GateRule, result: Evaluation, metric: str) -> list[tuple[str, str]]:
    found = result[metric]  # refuses a metric that was not measured
    if rule.by is None:
        return [OVERALL]
    if rule.by not in found.by:
        raise UnknownNameError("segmentation of the gate", rule.by, found.by)
    segments = list(found.by[rule.by])
    if rule.segment is not None and rule.segment not in segments:
        raise UnknownNameError(f"segment of {rule.by}", rule.segment, segments)
    return [(rule.by, name) for name in (segments if rule.segment is None else [rule.segment])]


def _row(
    rule: GateRule,
    metric: str,
    system: str,
    cell: tuple[str, str],
    result: Evaluation,
    comparison: Comparison | None,
) -> GateRow:
    found = _value(result, metric, cell) if comparison is None else _difference(comparison, system, metric, cell)
    exact = (metric, *cell) in result.catalogue
    few = found.n < MINIMUM_SEGMENT and (cell != OVERALL or not exact)
    return judge(
        rule.bound,
        found,
        system=system,
        metric=metric,
        of=rule.of,
        by=cell[0],
        segment=cell[1],
        unsure=rule.unsure,
        exact=exact,
        few=few,
        narrow=found.coverage is not None,
    )


def _value(result: Evaluation, metric: str, cell: tuple[str, str]) -> Estimate:
    """The estimate of the evaluation; where all values are 0 or 1, with the interval that holds at each end."""
    known, summary = result[metric], result.summary
    found = known.overall if cell == OVERALL else known.by[cell[0]][cell[1]]
    if found.low is None or not in_unit_range(metric):
        return found
    i, j = summary.index(cell, metric)
    total = float(summary.total[i, j])
    if not math.isclose(total, summary.squares[i, j], rel_tol=1e-12):  # x = x² for all, as 0 ≤ x ≤ 1
        return found
    low, high = exact_interval(round(total), found.n, level=found.level)
    return replace(found, low=low, high=high)


def _difference(comparison: Comparison, system: str, metric: str, cell: tuple[str, str]) -> Estimate:
    row = comparison.find(system, metric, by=cell[0], segment=cell[1])
    return Estimate(
        row.difference,
        low=row.low,
        high=row.high,
        n=row.n,
        level=comparison.level,
        note=row.note,
        coverage=row.coverage,
    )
