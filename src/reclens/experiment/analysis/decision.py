"""The decision: primary metrics, guardrails and trust checks, combined by the rule of the plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.check_result import TrustCheck, TrustCheckCode
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Decision", "DecisionCode", "Rival", "decide"]

DecisionCode = Literal["ship", "do_not_ship", "no_material_difference", "stop_for_futility", "undecided", "blocked"]


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The arm that is ahead against another one that may be shipped too.

    Attributes:
        arm: The other arm.
        metric: The primary metric.
        lift: Lift of the arm that is ahead over the other, with the interval that holds at this look.
        difference: Their difference, in the unit of the metric.
        p_value: p-value that holds at this look.
    """

    arm: str
    metric: str
    lift: Estimate
    difference: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Decision(Tabular):
    """What to do with one treated arm.

    ``reclens.report.experiment`` says it in sentences.

    Attributes:
        arm: The arm.
        code: ``ship``, ``do_not_ship``, ``undecided``; ``no_material_difference`` where every primary metric is shown
            to lie within its margin and every guardrail holds; ``stop_for_futility`` where every primary metric is
            below the futility bound of its look; ``blocked`` where a trust check forbids a decision.
        metrics: What it rests on: metrics that are harmed (``do_not_ship``), lie within their margin
            (``no_material_difference``) or below the bound (``stop_for_futility``), or are improved (``ship``,
            ``undecided``).
        open_guardrails: Guardrails that are not shown to hold.
        unmeasured: Guardrails that were not measured.
        failed_checks: Trust checks that forbid a decision.
        futility_bound: Futility bound of this look, a z value, where the arm is stopped by it.
        early: Whether the experiment goes on.
        winners: Arms that may be shipped, where there are several.
        ahead: The one of them with the largest lift on the first primary metric.
        rivals: It against the others.
    """

    arm: str
    code: DecisionCode
    metrics: tuple[str, ...] = ()
    open_guardrails: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    failed_checks: tuple[TrustCheckCode, ...] = ()
    futility_bound: float | None = None
    early: bool = False
    winners: tuple[str, ...] = ()
    ahead: str | None = None
    rivals: tuple[Rival, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "arm": self.arm,
                "decision": self.code,
                "metrics": ", ".join(self.metrics) or None,
                "open_guardrails": ", ".join(self.open_guardrails) or None,
                "unmeasured": ", ".join(self.unmeasured) or None,
                "failed_checks": ", ".join(self.failed_checks) or None,
                "futility_bound": self.futility_bound,
                "ahead": self.ahead,
            }
        ]


def decide(
    plan: Plan,
    effects: Sequence[Effect],
    checks: Sequence[TrustCheck],
    interim: InterimAnalysis,
    *,
    between: Callable[[Metric, str, str], Difference | None] | None = None,
) -> tuple[Decision, ...]:
    """One decision for each treated arm, by the rule of the plan.

    :func:`reclens.report.experiment.plan_words.decision_rule` writes the rule out.

    Where several arms may be shipped, each says so, and how the one that is ahead compares with the others: ``between``
    gives the difference of the arm named last to the one named before.
    """
    found = [_decide(plan, arm, [e for e in effects if e.arm == arm], checks, interim) for arm in plan.treatments]
    winners = tuple(decision.arm for decision in found if decision.code == "ship")
    if len(winners) < 2:
        return tuple(found)
    metric = plan.primary[0]
    lifts = {e.arm: metric.sign * e.found.absolute.value for e in effects if e.metric is metric and e.arm in winners}
    first = max(winners, key=lambda arm: lifts.get(arm, -math.inf))
    rivals: list[Rival] = []
    for arm in winners:
        gap = between(metric, arm, first) if between is not None and arm != first else None
        if gap is not None:
            rivals.append(
                Rival(
                    arm=arm,
                    metric=metric.name,
                    lift=interim.interval(gap, relative=True),
                    difference=gap.absolute.value,
                    p_value=interim.p_value(gap),
                )
            )
    return tuple(
        replace(each, winners=winners, ahead=first, rivals=tuple(rivals)) if each.arm in winners else each
        for each in found
    )


def _decide(
    plan: Plan, arm: str, effects: Sequence[Effect], checks: Sequence[TrustCheck], interim: InterimAnalysis
) -> Decision:
    failed: tuple[TrustCheckCode, ...] = tuple(check.code for check in checks if check.status == "fail")
    asked = [e for e in effects if e.metric.role == "primary"]
    rails = [e for e in effects if e.metric.role == "guardrail"]
    better, worse = (_names(asked, verdict) for verdict in ("better", "worse"))
    broken = _names(rails, "broken")
    measured = {e.metric.name for e in effects}
    unseen = tuple(m.name for m in plan.guardrails if m.name not in measured)
    unsafe = (*_names(rails, "not_shown_to_hold"), *_names(rails, "not_testable"), *unseen)

    def found(code: DecisionCode, metrics: Sequence[str] = (), bound: float | None = None) -> Decision:
        return Decision(
            arm=arm,
            code=code,
            metrics=tuple(metrics),
            open_guardrails=unsafe,
            unmeasured=unseen,
            failed_checks=failed,
            futility_bound=bound,
            early=interim.early,
        )

    names = [e.metric.name for e in asked]
    if failed:
        return found("blocked")
    if worse or broken:
        return found("do_not_ship", (*worse, *broken))
    if not unsafe and asked and all(e.verdict == "no_material_difference" for e in asked):
        return found("no_material_difference", names)
    bound = interim.futility_bound
    if bound is not None and asked and all(e.metric.sign * e.found.z < bound for e in asked):
        return found("stop_for_futility", names, bound)
    return found("ship" if better and not unsafe else "undecided", better)


def _names(effects: Sequence[Effect], verdict: str) -> tuple[str, ...]:
    return tuple(e.metric.name for e in effects if e.verdict == verdict)
