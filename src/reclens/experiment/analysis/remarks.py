"""What a readout says beside its numbers: what was adjusted, what to keep in mind, and what to do next."""

from __future__ import annotations

from reclens.experiment.aggregate.unknown import CHECKED, Unknown
from reclens.experiment.analysis.decision import Decision
from reclens.experiment.analysis.effects import Effect
from reclens.experiment.analysis.interim import Crossing, InterimAnalysis
from reclens.experiment.analysis.segments import Heterogeneity
from reclens.experiment.analysis.words import p_in_words
from reclens.experiment.check_result import TrustCheck
from reclens.experiment.plan.plan import Plan

__all__ = ["adjusted_words", "caveats_of", "next_steps_of"]


def adjusted_words(plan: Plan, look: InterimAnalysis, effects: tuple[Effect, ...], segmented: bool) -> tuple[str, ...]:
    """What was adjusted and how."""
    asked = sum(e.metric.role == "primary" for e in effects)
    together = any(e.simultaneous for e in effects)
    how = "all of a family of questions together (Bonferroni)" if together else "each by itself"
    said = [f"Intervals are of level {plan.level:.0%}, {how}."]
    if plan.triggered is not None:
        said.append("Effects and units are those of triggered units, whose experience could differ.")
    if asked > 1:
        said.append(
            f"The {asked} p-values of primary metrics are a family of their own, adjusted together ({plan.correction})."
        )
    if any(e.metric.role == "secondary" for e in effects):
        said.append(
            "Secondary metrics are adjusted among themselves by Benjamini and Hochberg; they explain and do not decide."
        )
    if plan.guardrails:
        both = " (with ±, of equivalence)" if any(metric.equivalence for metric in plan.guardrails) else ""
        said.append(
            f"Guardrails are tests of non-inferiority{both} against their margins, not corrected: all have to hold."
        )
    if plan.sequential is not None:
        said.append(f"Intervals and p-values of all metrics hold at this look: {look.words}.")
    said += [
        f"{e.metric.name}, {e.arm}: its interval excludes zero by itself ({p_in_words(e.p_value)}); corrected for "
        f"the {e.family_size} questions of the {e.family} family, {p_in_words(e.p_adjusted)}. Simultaneous intervals "
        "show it."
        for e in effects
        if e.disagrees(plan.alpha)
    ]
    said += _stops(effects)
    strata = next((e.found.method for e in effects if "post-stratified" in e.found.method), None)
    if strata:
        said.append(f"Means are weighted to the strata of all arms together ({strata.split(', ')[-1]}).")
    for effect in effects:
        details = dict(effect.found.details)
        removed = details.pop("variance removed", None)
        if removed is not None:
            thetas = ", ".join(f"{name} = {value:.4g}" for name, value in details.items())
            said.append(
                f"{effect.metric.name}, {effect.arm}: adjusted by what was measured before (CUPED, {thetas}), "
                f"which removes {removed:.0%} of the variance."
            )
        if effect.metric.cap is not None:
            said.append(f"{effect.metric.name}: values above {effect.metric.cap:g} count as that, as planned.")
    if segmented:
        said.append(
            "Segments are adjusted together by Benjamini and Hochberg; whether they differ at all is Cochran's Q"
            + (", which is of this look alone and allows for no earlier one." if plan.sequential is not None else ".")
        )
    return tuple(dict.fromkeys(said))


def _stops(effects: tuple[Effect, ...]) -> list[str]:
    """Which lift is shown after a bound was crossed, and what the other one says."""
    said: list[str] = []
    for effect in effects:
        of, plain = f"{effect.metric.name}, {effect.arm}", effect.relative
        if effect.stopped is not None:
            said.append(
                f"{of}: the lift allows for the stop at this look (median-unbiased, stage-wise ordering). "
                f"The plain estimate, {plain.value:+.2%}, is too large on average at a stop."
            )
        elif effect.crossing is not None:
            said.append(
                f"{of}: an earlier look was beyond its bound, and the test went on. Go by the plain estimate "
                "over all data: no stop has selected it."
            )
    return said


def caveats_of(
    plan: Plan,
    effects: tuple[Effect, ...],
    trust_checks: tuple[TrustCheck, ...],
    differing: tuple[Heterogeneity, ...],
    small: tuple[str, ...],
    unknown: tuple[Unknown, ...] = (),
) -> tuple[str, ...]:
    """What to keep in mind."""
    said = [
        f"{check.name[0].upper()}{check.name[1:]}: {check.finding}" for check in trust_checks if check.status == "warn"
    ]
    said += [
        f"{check.name[0].upper()}{check.name[1:]} was not checked: {check.finding}"
        for check in trust_checks
        if check.status == "skipped"
    ]
    said += [f"{e.metric.name}, {e.arm}: {note}" for e in effects for note in e.found.notes]
    said += [_crossed(e.crossing) for e in effects if e.crossing is not None]
    said += [
        f"The effect on {each.metric} differs by {each.by} (Cochran's Q, adjusted {p_in_words(each.p_adjusted)}): "
        "the average does not hold for everyone."
        for each in differing
        if each.p_adjusted <= plan.alpha
    ]
    if small:
        more = f", and {len(small) - 10:,} more" if len(small) > 10 else ""
        said.append(f"Segments with fewer than 30 units in an arm were not tested: {', '.join(small[:10])}{more}.")
    said += [f"It is not known {each.words}." for each in unknown if each.code not in CHECKED]
    missing = [m.name for m in plan.metrics if m.name not in {e.metric.name for e in effects}]
    if missing:
        said.append(
            f"Not measured: {', '.join(missing)}. Coverage, Gini and effective items need what the arms showed "
            "(--exposures), and quantiles one row a unit."
        )
    said.append(
        "Users of one arm may have changed what the other saw (shared training data, stock, word of mouth): "
        "such "
        "interference is not in the intervals."
    )
    return tuple(said)


def _crossed(crossing: Crossing) -> str:
    return (
        f"{crossing.metric}, {crossing.arm}: the plan would have stopped at look {crossing.look} "
        f"({crossing.information:.0%} of the sample, {crossing.day}). With the users who had come in by then z is "
        f"{crossing.z:+.2f}, beyond the bound of ±{crossing.bound:.2f}."
    )


def next_steps_of(
    plan: Plan,
    look: InterimAnalysis,
    decisions: tuple[Decision, ...],
    trust_checks: tuple[TrustCheck, ...],
    effects: tuple[Effect, ...],
) -> tuple[str, ...]:
    """What to do next."""
    said: list[str] = []
    todo = {
        "power": "Run longer, or plan a test of more units: with so few nothing can be concluded.",
        "outliers": "Look at the users that hold most. Leave bots out of all arms by one rule, or cap the metric; then "
        "read again.",
        "peeking": "Wait for the planned end or look, or say how far the experiment is, then read again.",
    }
    said += [
        todo.get(check.code, f"Explain and mend '{check.name}', then read again.")
        for check in trust_checks
        if check.status == "fail"
    ]
    winners = [decision.arm for decision in decisions if decision.code == "ship"]
    for decision in decisions:
        if decision.code == "ship":
            arms = decision.arm if len(winners) == 1 else f"one of {', '.join(winners)}"
            said.append(f"Roll out {arms}, and keep a holdout to see whether the effect lasts.")
        elif decision.code == "do not ship":
            said.append(f"Keep {plan.control}; look at the segments for where {decision.arm} does harm.")
        elif decision.code == "no material difference":
            said.append(
                f"Choose between {decision.arm} and {plan.control} by what they cost: of what was measured, "
                "nothing that matters tells them apart."
            )
        elif decision.code == "stop for futility":
            said.append(f"Keep {plan.control}: what {decision.arm} was hoped to do would hardly be found any more.")
        elif decision.code == "undecided":
            needed = [
                f"{e.metric.name}: {(e.detectable / e.metric.effect) ** 2:.1f} times the users for an effect of "
                f"{e.metric.effect:.2%}"
                for e in effects
                if e.arm == decision.arm
                and e.metric.role == "primary"
                and e.metric.effect
                and e.detectable > e.metric.effect
            ]
            more = f" To find what was planned: {'; '.join(needed)}." if needed else ""
            head = (
                "Go on to the next look of the plan."
                if look.early
                else f"Keep {plan.control}: the plan has no look left."
            )
            said.append(head + more)
    return tuple(dict.fromkeys(said))
