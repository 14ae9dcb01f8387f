"""What a plan decides before the data are seen, in sentences: its trust checks, its decision rule and its risks."""

from __future__ import annotations

from typing import Final

from reclens.experiment.planning.decision_rule import LEAST_POWER, TOO_SKEWED
from reclens.experiment.planning.metric import OF_ARM, Metric
from reclens.experiment.planning.plan import Plan
from reclens.experiment.planning.sizing import MetricSize, SizeNote
from reclens.report._toolkit.format import percent, significant, whole
from reclens.report.experiment.words import amount, margin_text

__all__ = ["SIZE_NOTES", "decision_rule", "describe_checks", "risks_of", "simulated_text"]


SIZE_NOTES: Final[dict[SizeNote, str]] = {
    "needs_exposures": "not sized: it needs exposures of the past",
    "needs_history": "not sized: it needs a history, or a baseline",
    "by_standard_error": "size by the standard error of the readout's test, power by simulation",
}
"""Why a metric has no size, or how it was found."""


def simulated_text(each: MetricSize) -> str:
    """How the power of a metric was simulated."""
    runs = each.simulated.n if each.simulated is not None else 0
    return f"simulated: {whole(runs)} experiments resampled from {whole(each.simulated_from or 0)} units"


def describe_checks(plan: Plan) -> tuple[str, ...]:
    """What is checked before any decision; one that fails forbids the decision to ship."""
    looks = (
        "looks are those of the plan, at bounds of the plan"
        if plan.sequential is not None
        else "there is one look, at the end: anything earlier is peeking"
    )
    covariates = sorted({each for metric in plan.metrics for each in metric.covariates})
    said = [
        "Sample ratio: the units of the arms stand in the planned shares, over all days and by day and segment.",
        "One arm each: no unit in two arms, no arm that the plan does not know.",
        "Rows of a log: as many values are missing and rows duplicated in one arm as in another, beyond chance.",
        "Extreme units: no arm has more units with values far beyond all others, such as bots.",
        "Unit: no id that several units share stands in one arm more often than chance, unless it is the cluster.",
        f"Peeking: {looks}.",
        "Outliers: no handful of units carries the effect (a metric with a cap is cut there, as planned).",
        (
            f"Power: at least {percent(LEAST_POWER, 0)} for the smallest effect worth finding, at the "
            "planned sample, by the "
            "spread that was seen, with correction and looks; less than the planned "
            f"{percent(plan.power, 0)} is a caveat."
        ),
    ]
    if plan.uneven:
        said.append(
            f"Skewness: that of a difference between arms of unequal size is at most {significant(TOO_SKEWED)}, which "
            "the tests allow for."
        )
    if plan.triggered is not None:
        said.append("Triggered units: they stand in the planned shares too, and the others are alike in all arms.")
    if covariates:
        said.append(f"A/A on the past: what was measured before ({', '.join(covariates)}) is alike in all arms.")
    return tuple(said)


def decision_rule(plan: Plan) -> tuple[str, ...]:
    """The decision rule of a plan, step by step: the first that applies is the decision."""
    several = len(plan.treatments) > 1 or len(plan.primary) > 1
    corrected = several and plan.correction != "none"
    correction = (
        f" with a p-value of at most {significant(plan.alpha, 2)} after correction over all primary metrics and arms "
        f"({plan.correction})"
        if corrected
        else ""
    )
    primary = " or ".join(_moves(metric, plan) for metric in plan.primary)
    worse = " or ".join(_moves(metric, plan, worse=True) for metric in plan.primary)
    arm = plan.treatments[0] if len(plan.treatments) == 1 else "an arm"
    steps = ["If a trust check fails: no decision. Fix the cause and run again; nothing is shipped on these numbers."]
    steps += _looks(plan, arm)
    steps.append(f"Do not ship if {worse}{correction}.")
    if plan.guardrails:
        limits = "; ".join(_limit(metric) for metric in plan.guardrails)
        steps.append(
            f"Do not ship if the {percent(plan.level, 0)} interval of a guardrail lies wholly beyond "
            f"its margin: {limits}."
        )
        steps.append(
            f"Ship {arm} if {primary}{correction}, and the interval of every guardrail excludes a loss (with ±, a "
            "move) beyond its margin. Guardrails need no correction: all of them have to hold."
        )
        steps.append(
            "If the primary metric improves but the interval of a guardrail still includes its margin: not "
            "proven safe. Run longer."
        )
    else:
        steps.append(f"Ship {arm} if {primary}{correction}.")
    immaterial = [metric for metric in plan.primary if metric.loss[0]]
    if immaterial:
        limits = " and ".join(f"{metric.name} within {margin_text(metric)}" for metric in immaterial)
        steps.append(
            f"No material difference if the whole {percent(plan.level, 0)} interval of every primary metric lies "
            f"within its margin ({limits}) and every guardrail holds. A metric whose interval does is neither "
            "better nor worse, whatever its p-value."
        )
    steps.append("Otherwise: it cannot be concluded. The interval says which effects remain possible; keep control.")
    return tuple(steps)


def _looks(plan: Plan, arm: str) -> list[str]:
    """What the looks before the end decide."""
    steps: list[str] = []
    if plan.sequential is not None and plan.sequential.method == "group":
        when = ", ".join(percent(time, 0) for time in plan.sequential.times)
        steps.append(
            f"At each planned look ({when} of the sample): stop if the statistic of the primary metric is "
            "beyond the bound of that look; otherwise go on, and decide nothing else."
        )
        if plan.sequential.futility is not None:
            steps.append(
                f"Stop {arm} for futility if every primary metric is below the futility bound "
                f"({plan.sequential.futility}) of a look before the last."
            )
    elif plan.sequential is not None:
        steps.append(
            "At any moment: stop if the always-valid interval of the primary metric excludes zero; the sample "
            "ends at its planned size."
        )
    return steps


def risks_of(plan: Plan) -> tuple[str, ...]:
    """What may go wrong with a plan."""
    said = []
    if plan.days is not None and plan.days % 7:
        said.append(
            f"{plan.days} days are not whole weeks: weekdays count unevenly. Plan for {-(-plan.days // 7) * 7}."
        )
    if plan.days is not None and plan.days < 14:
        said.append(
            "Less than two weeks: novelty cannot be told from a lasting effect. Look at the effect by days "
            "since first exposure."
        )
    said.append(
        "Interference: arms that learn from each other's logs blur or even turn the effect. Train each arm on "
        "its own arm's data, and simulate both designs."
    )
    if min(plan.arms.values()) < 0.2:
        said.append("A small arm: its share decides the width of every interval.")
    if len(plan.primary) > 1:
        said.append(f"{len(plan.primary)} primary metrics share the alpha. One that decides needs fewer units.")
    if not plan.guardrails:
        said.append(
            "There is no guardrail: a gain in the primary metric could be paid by diversity, coverage or "
            "retention, and nobody would see it."
        )
    if any(metric.kind in OF_ARM for metric in plan.metrics):
        said.append(
            "Coverage, Gini and effective items of exposure change with the number of users: where arms differ "
            "in size, as many users of the larger one are drawn at random, over and over, as the smaller has."
        )
    if any(metric.kind == "mean" and metric.cap is None for metric in plan.primary):
        said.append("The primary metric has no cap: a single absurd value can carry the mean. Decide on a cap now.")
    if plan.sequential is not None:
        said.append("Stopped early, the plain estimate is too large: read the one that allows for stopping.")
    return (*said, *plan.conditions)


def _moves(metric: Metric, plan: Plan, *, worse: bool = False) -> str:
    side = "below" if (metric.better == "higher") == worse else "above"
    return f"the whole {percent(plan.level, 0)} interval of {metric.name} lies {side} zero"


def _limit(metric: Metric) -> str:
    sign = "±" if metric.equivalence else "−" if metric.better == "higher" else "+"
    loss, relative = metric.loss
    return f"{metric.name} {sign}{amount(metric, loss)}" + (" of control" if relative else "")
