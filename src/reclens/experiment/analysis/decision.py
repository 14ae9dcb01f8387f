"""The decision: primary metrics, guardrails and trust checks, combined by one rule that is written out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import InterimAnalysis
from reclens.experiment.analysis.words import p_in_words
from reclens.experiment.check_result import TrustCheck
from reclens.experiment.plan.metric import Metric
from reclens.experiment.plan.plan import Plan
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Decision", "decide"]

DecisionCode = Literal["ship", "do not ship", "no material difference", "stop for futility", "undecided", "blocked"]


@dataclass(frozen=True)
class Decision(Tabular):
    """What to do with one treated arm.

    Attributes:
        arm: The arm.
        code: ``ship``, ``do not ship``, ``undecided``; ``no material difference`` where every primary metric is shown
            to lie within its margin and every guardrail holds; ``stop for futility`` where every primary metric is
            below the futility bound of its look; ``blocked`` where a trust check forbids a verdict.
        sentences: Why, the decision first.
    """

    arm: str
    code: DecisionCode
    sentences: tuple[str, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"arm": self.arm, "decision": self.code, "why": " ".join(self.sentences)}]


def decide(
    plan: Plan,
    effects: Sequence[Effect],
    trust_checks: Sequence[TrustCheck],
    look: InterimAnalysis,
    *,
    between: Callable[[Metric, str, str], Difference | None] | None = None,
) -> tuple[Decision, ...]:
    """One decision for each treated arm, by the rule of the plan.

    :func:`~reclens.experiment.plan.decision_rule.decision_rule` writes the rule out.

    Where several arms may be shipped, each says so, and how the one that is ahead compares with the others: ``between``
    gives the difference of the arm named last to the one named before.
    """
    found = [_decide(plan, arm, [e for e in effects if e.arm == arm], trust_checks, look) for arm in plan.treatments]
    winners = [decision.arm for decision in found if decision.code == "ship"]
    if len(winners) < 2:
        return tuple(found)
    metric = plan.primary[0]
    lifts = {e.arm: metric.sign * e.found.absolute.value for e in effects if e.metric is metric and e.arm in winners}
    first = max(winners, key=lambda arm: lifts.get(arm, -math.inf))
    said = [f"{' and '.join(winners)} are each better than {plan.control}. By {metric.name}, {first} is ahead."]
    for arm in winners:
        gap = between(metric, arm, first) if between is not None and arm != first else None
        if gap is not None:
            lift = look.interval(gap, relative=True)
            said.append(
                f"{first} against {arm}: {metric.name} {_lift(lift, gap.absolute.value)}, "
                f"{p_in_words(look.p_value(gap))}."
            )
    return tuple(
        replace(each, sentences=(_one_of(each, winners), *said, *each.sentences[1:])) if each.arm in winners else each
        for each in found
    )


def _one_of(decision: Decision, winners: Sequence[str]) -> str:
    """The decision on one of several winners: not more than one can be shipped."""
    others = " or ".join(arm for arm in winners if arm != decision.arm)
    return decision.sentences[0].replace(f"Ship {decision.arm}:", f"Ship {decision.arm} or {others}, one of them:", 1)


def _decide(
    plan: Plan, arm: str, effects: Sequence[Effect], trust_checks: Sequence[TrustCheck], look: InterimAnalysis
) -> Decision:
    blocking = [check for check in trust_checks if check.status == "fail"]
    better, worse = ([e for e in effects if e.metric.role == "primary" and e.verdict == v] for v in ("better", "worse"))
    rails = {
        v: [e for e in effects if e.metric.role == "guardrail" and e.verdict == v]
        for v in ("broken", "not shown to hold", "not testable")
    }
    measured = {e.metric.name for e in effects}
    unseen = [m.name for m in plan.guardrails if m.name not in measured]
    corrected = plan.correction != "none" and len(plan.treatments) * len(plan.primary) > 1
    facts = [_fact(e, corrected) for e in effects if e.metric.role == "primary"]
    facts += [_rail(e) for e in effects if e.metric.role == "guardrail"]
    if unseen:
        facts.append(f"Not measured: {', '.join(unseen)}.")
    if blocking:
        why = [f"{check.name[0].upper()}{check.name[1:]}: {check.finding}" for check in blocking]
        return Decision(
            arm, "blocked", (f"No verdict on {arm}: {_count(len(blocking), 'trust check')} first.", *why, *facts)
        )
    if worse or rails["broken"]:
        names = ", ".join(e.metric.name for e in (*worse, *rails["broken"]))
        return Decision(arm, "do not ship", (f"Do not ship {arm}: it harms {names}.", *facts))
    open_rails = [e.metric.name for e in (*rails["not shown to hold"], *rails["not testable"])] + unseen
    asked = [e for e in effects if e.metric.role == "primary"]
    if not open_rails and asked and all(e.verdict == "no material difference" for e in asked):
        names = ", ".join(e.metric.name for e in asked)
        safe = ", and every guardrail holds" if plan.guardrails else ""
        head = f"No material difference of {arm} from {plan.control}: {names} within the margin{safe}."
        return Decision(arm, "no material difference", (head, *facts))
    bound = look.futility_bound
    if bound is not None and asked and all(e.metric.sign * e.found.z < bound for e in asked):
        seen = ", ".join(f"{e.metric.name} {e.metric.sign * e.found.z:+.2f}" for e in asked)
        head = f"Stop {arm} for futility: z of {seen} is below the futility bound of this look, {bound:+.2f}."
        return Decision(arm, "stop for futility", (head, *facts))
    if better and not open_rails:
        names = ", ".join(e.metric.name for e in better)
        safe = "and every guardrail holds" if plan.guardrails else "and the plan has no guardrail"
        return Decision(arm, "ship", (f"Ship {arm}: it improves {names}, {safe}.", *facts))
    if better:
        head = f"Nothing is decided on {arm}: it improves {', '.join(e.metric.name for e in better)}, but "
        head += f"{', '.join(open_rails)} could still lose more than allowed."
    else:
        head = f"Nothing is decided on {arm}: no primary metric is shown to be better."
        if look.early:
            head += " The experiment goes on."
    return Decision(arm, "undecided", (head, *facts))


def _fact(effect: Effect, corrected: bool) -> str:
    if effect.verdict == "no material difference":
        return (
            f"{effect.metric.name}: {_lift(effect.lift, effect.absolute.value)}, no material difference: "
            f"within {effect.metric.margin_in_words}, {p_in_words(effect.p_equivalence)}."
        )
    after = " after correction" if corrected else ""
    p = f", {p_in_words(effect.p_adjusted)}{after}" if effect.p_adjusted == effect.p_adjusted else ""
    return f"{effect.metric.name}: {_lift(effect.lift, effect.absolute.value)}, {effect.verdict}{p}."


def _lift(lift: Estimate, gap: float) -> str:
    """A lift with its interval; the difference where there is no lift."""
    between = f" [{lift.low:+.2%}, {lift.high:+.2%}]" if lift.low is not None and lift.high is not None else ""
    return f"{lift.value:+.2%}{between}" if lift.value == lift.value else f"{gap:+.4g}"


def _rail(effect: Effect) -> str:
    """The lift of a guardrail; its difference where control is zero, or the margin is absolute."""
    relative = effect.metric.loss[1]
    found, form = (
        (effect.relative, "+.2%")
        if relative and effect.relative.value == effect.relative.value
        else (effect.absolute, "+.4g")
    )
    between = f" [{found.low:{form}}, {found.high:{form}}]" if found.low is not None and found.high is not None else ""
    side = "move" if effect.metric.equivalence else "fall" if effect.metric.better == "higher" else "rise"
    return (
        f"Guardrail {effect.metric.name} {effect.verdict}: {found.value:{form}}{between}, it may {side} by "
        f"{effect.metric.margin_in_words}."
    )


def _count(n: int, word: str) -> str:
    return f"{n} {word} blocks" if n == 1 else f"{n} {word}s block"
