"""The decision of a readout and its reasons, in sentences."""

from __future__ import annotations

from reclens.errors import in_python
from reclens.experiment.analysis.decision import Decision
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.planning.metric import Metric
from reclens.report._toolkit.format import decimal, in_words, listed, p_text, share
from reclens.report.experiment.check_words import Named, named_check_text
from reclens.report.experiment.words import gap_text, margin_text
from reclens.stats.estimate import Estimate

__all__ = ["decision_sentences", "summary_of_readout"]


def summary_of_readout(readout: Readout, named: Named = in_python) -> list[str]:
    """The decision on each arm and why, in sentences; the decision first.

    Args:
        readout: What was read.
        named: How the parameters that it advises to give are written.
    """
    told = [decision_sentences(readout, decision, named) for decision in readout.decisions]
    said = [sentences[0] for sentences in told]
    for decision, sentences in zip(readout.decisions, told, strict=True):
        said += [f"{decision.arm}: {text}" if len(told) > 1 else text for text in sentences[1:]]
    return said


def decision_sentences(readout: Readout, decision: Decision, named: Named = in_python) -> list[str]:
    """Why an arm is decided on as it is; the decision first."""
    said = [_head(readout, decision)]
    if decision.code == "blocked":
        said += [
            named_check_text(check, named) for check in readout.trust_checks if check.code in decision.failed_checks
        ]
    if decision.ahead is not None:
        said += _rivals(readout, decision)
    own = [e for e in readout.effects if e.arm == decision.arm]
    corrected = readout.plan.correction != "none" and len(readout.plan.treatments) * len(readout.plan.primary) > 1
    said += [_fact(e, corrected) for e in own if e.metric.role == "primary"]
    said += [_guardrail(e) for e in own if e.metric.role == "guardrail"]
    if decision.unmeasured:
        said.append(f"Not measured: {', '.join(decision.unmeasured)}.")
    return said


def _head(readout: Readout, decision: Decision) -> str:
    plan, arm, names = readout.plan, decision.arm, ", ".join(decision.metrics)
    safe = bool(plan.guardrails)
    match decision.code:
        case "blocked":
            n = len(decision.failed_checks)
            return f"No decision on {arm}: {n} trust {'check fails' if n == 1 else 'checks fail'}."
        case "do_not_ship":
            return f"Do not ship {arm}: it harms {names}."
        case "no_material_difference":
            held = ", and every guardrail holds" if safe else ""
            return f"No material difference of {arm} from {plan.control}: {names} within the margin{held}."
        case "stop_for_futility":
            z = {e.metric.name: e.metric.sign * e.found.z for e in readout.effects if e.arm == arm}
            seen = ", ".join(f"{name} {decimal(z[name], 2, signed=True)}" for name in decision.metrics)
            bound = decimal(decision.futility_bound, 2, signed=True)
            return f"Stop {arm} for futility: z of {seen} is below the futility bound of this look, {bound}."
        case "ship":
            held = "and every guardrail holds" if safe else "and the plan has no guardrail"
            others = " or ".join(each for each in decision.winners if each != arm)
            which = f"{arm} or {others}, one of them" if others else arm
            return f"Ship {which}: it improves {names}, {held}."
        case "undecided":
            pass
    if decision.metrics:
        return f"Nothing is decided on {arm}: it improves {names}, but {_open(decision)}."
    goes_on = " The experiment goes on." if decision.early else ""
    return f"Nothing is decided on {arm}: no primary metric is shown to be better.{goes_on}"


def _open(decision: Decision) -> str:
    """What stands against an arm that improves: guardrails that could still lose, and those without a measurement."""
    could = [name for name in decision.open_guardrails if name not in decision.unmeasured]
    said = [f"{listed(could)} could still lose more than allowed"] if could else []
    if decision.unmeasured:
        said.append(f"{listed(decision.unmeasured)} {'was' if len(decision.unmeasured) == 1 else 'were'} not measured")
    return ", and ".join(said)


def _rivals(readout: Readout, decision: Decision) -> list[str]:
    """How the arm that is ahead compares with the others that may be shipped."""
    metric, first = readout.plan.primary[0].name, decision.ahead
    said = [f"{listed(decision.winners)} are each better than {readout.plan.control}. By {metric}, {first} is ahead."]
    gaps = [_lift(readout.plan.primary[0], each.lift, each.difference) for each in decision.rivals]
    return said + [
        f"{first} against {each.arm}: {each.metric} {gap}, {p_text(each.p_value)}."
        for each, gap in zip(decision.rivals, gaps, strict=True)
    ]


def _fact(effect: Effect, corrected: bool) -> str:
    lift = _lift(effect.metric, effect.lift, effect.absolute.value)
    if effect.verdict == "no_material_difference":
        return (
            f"{effect.metric.name}: {lift}, no material difference: within {margin_text(effect.metric)}, "
            f"{p_text(effect.p_equivalence)}."
        )
    after = " after correction" if corrected else ""
    p = f", {p_text(effect.p_adjusted)}{after}" if effect.p_adjusted == effect.p_adjusted else ""
    return f"{effect.metric.name}: {lift}, {in_words(effect.verdict)}{p}."


def _lift(metric: Metric, lift: Estimate, gap: float) -> str:
    """A lift with its interval; the difference where there is no lift."""
    return share(lift) if lift.value == lift.value else gap_text(metric, Estimate(gap, low=None, high=None, n=0))


def _guardrail(effect: Effect) -> str:
    """The lift of a guardrail; its difference where control is zero, or the margin is absolute."""
    metric = effect.metric
    of_control = metric.loss[1] and effect.relative.value == effect.relative.value
    seen = share(effect.relative) if of_control else gap_text(metric, effect.absolute)
    side = "move" if metric.equivalence else "fall" if metric.better == "higher" else "rise"
    return f"Guardrail {metric.name} {in_words(effect.verdict)}: {seen}, it may {side} by {margin_text(metric)}."
