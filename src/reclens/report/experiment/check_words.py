"""What trust checks found, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from reclens.errors import Setting, in_python
from reclens.experiment.aggregate.tally import Tally
from reclens.experiment.analysis.check_facts import (
    Compared,
    NotKnown,
    Progress,
    RatioPart,
    RowFault,
    RowFaults,
    RowRules,
    SampleRatio,
    SharedIds,
    Weeks,
)
from reclens.experiment.analysis.effect_facts import OutlierEffect, Outliers, Power, Skewness, UnknownSkewness
from reclens.experiment.check_result import BEYOND_CHANCE, TrustCheck
from reclens.report._toolkit.format import decimal, p_text, percent, sentence, significant, whole
from reclens.report.experiment.words import CHECK_NAMES, look_text, rule_text, unknown_text

__all__ = ["Named", "check_text", "named_check_text"]

Named = Callable[[Setting], str]
"""How a surface writes a parameter: ``in_python``, or as an option or a field."""

_ADVICE: Final = {
    "say_days": "If users came in on fewer days than it ran, say how many those were ({days}).",
    "say_progress": "Say how far it is: {days} (with days in the plan) or {planned_units}.",
    "say_units": "{planned_units} tells.",
    "say_looks": "Wait for the next one. Where looks were made at other times, for reasons that have nothing to do "
    "with the results, say which ({looks_taken}), so that the bounds are made for those.",
    "drop_duplicates": "Fix the log, or count each row once ({duplicates}).",
}


def named_check_text(check: TrustCheck, named: Named = in_python) -> str:
    """The name of a check and what it found."""
    return f"{sentence(CHECK_NAMES[check.code])}: {check_text(check, named)}"


def check_text(check: TrustCheck, named: Named = in_python) -> str:
    """What a check found, in a sentence or several.

    Args:
        check: The check.
        named: How the parameters that it advises to give are written.
    """
    said = _WRITERS[type(check.facts)](check, check.facts)
    return said if check.advice is None else f"{said} {check.advice.said(named, text=_ADVICE[check.advice.code])}"


def _ratio(check: TrustCheck, facts: SampleRatio) -> str:
    seen = ", ".join(f"{arm} {whole(n)}" for arm, n in facts.overall.counts.items())
    wanted = ", ".join(percent(share, 0) for share in facts.shares.values())
    p = facts.overall.p_value
    text = f"{seen} units, planned {wanted}: {p_text(p)}"
    places = "; ".join(map(_part, facts.off[:5]))
    if check.reason == "mismatch":
        alone = " No single day or segment stands out." if facts.parts else ""
        where = f" It is seen in {places}." if facts.off else alone
        return (
            f"Mismatch: {text}.{where} Units were lost or added on the way to an arm: find out why before you read any "
            "effect."
        )
    if check.reason == "mismatch_in_parts":
        return f"Mismatch in {places}, though not overall ({text})."
    if check.reason == "uneven":
        return (
            f"{text}: chance makes one in {whole(max(1, round(1 / p)))} experiments as uneven; only below "
            f"{significant(BEYOND_CHANCE)} is it beyond chance."
        )
    return f"{text}."


def _part(part: RatioPart) -> str:
    return f"{part.by} {part.segment} ({p_text(part.p_adjusted)})"


def _compared(check: TrustCheck, facts: Compared) -> str:
    if check.reason == "no_others":
        return "Every unit in the table was triggered."
    if check.reason == "no_covariates":
        return "The plan has no covariate measured before the experiment."
    worst, past = facts.worst, facts.of == "covariate"
    if worst is None:
        return "No covariate varies." if past else "No metric varies among the others."
    if past:
        text = (
            f"{worst.name} differs by {decimal(worst.standardised, 3, signed=True)} standard deviations in {worst.arm} "
            f"before the experiment, adjusted {p_text(worst.p_adjusted)}"
        )
    else:
        text = (
            f"{worst.name} of {worst.arm} differs by {significant(worst.found.absolute.value, 4, signed=True)}, "
            f"{p_text(worst.p_adjusted)}"
        )
    if check.reason == "alike":
        return f"The most uneven of {len(facts.arms)}: {text}."
    if past:
        return f"The arms were not alike: {text}. Look for a carry-over, or a faulty randomisation."
    return (
        f"The units that were not triggered differ: {text}. Their experience was not the same, or the trigger depends "
        "on the arm."
    )


def _rules(check: TrustCheck, facts: RowRules) -> str:
    if not facts.rules:
        return "Every unit is in one arm of the plan."
    return f"{sentence('; '.join(map(rule_text, facts.rules)))}."


_CLEAN: Final = {
    "missing_values": "Every value is there.",
    "duplicates": "No row is there twice.",
    "extreme_units": "No unit has values far beyond all others.",
}


def _faults(check: TrustCheck, facts: RowFaults) -> str:
    if check.reason == "clean":
        return _CLEAN[check.code]
    return " ".join(_fault(each) for each in facts.faults if each.status == check.status)


def _fault(fault: RowFault) -> str:
    tally, p = fault.tally, p_text(fault.p_adjusted)
    if fault.code == "not_checked":
        return "Rows carry neither a time of day nor an id, so that duplicates cannot be told."
    if tally.code == "extreme_units":
        return _extreme(fault, p)
    if tally.code == "duplicate_rows":
        seen = f"{_shares(tally)} rows are repeated ({tally.column}; {p})"
        return {
            "repeated_unevenly": f"Not alike: {seen}.",
            "counted_once": f"{seen}; each counts once.",
            "counted_every_time": f"{seen}; all of them count.",
        }[fault.code]
    seen = f"{_shares(tally)} {'events' if tally.code == 'missing_events' else 'units'} have no {tally.column} ({p})"
    if fault.code == "lost_unevenly":
        return f"Not alike: {seen}. Find out why the log of one arm loses more values."
    if fault.code == "meaning_unsaid":
        return (
            f'{seen}, and the plan does not say what that means. Say missing = "zero" of the metric where nothing '
            'happened, "leave_out" where it is not known.'
        )
    done = "counted as 0, as planned" if fault.code == "counted_as_zero" else "left out"
    return f"{seen}, {done}{': the arms differ, which the effect itself may do' if fault.uneven else ''}."


def _extreme(fault: RowFault, p: str) -> str:
    tally = fault.tally
    held = ", ".join(
        f"{arm} {whole(each.faulty)} ({percent(each.rows / each.of_rows if each.of_rows else 0, 1)} of all its "
        f"{tally.column})"
        for arm, each in tally.arms.items()
    )
    limit = tally.limit or 0.0
    at = whole(limit) if limit >= 1000 else significant(limit, 4)
    seen = f"Units with more than {at} {tally.column}, far beyond all others: {held}, {p}."
    if fault.code != "extreme_unevenly":
        return seen
    return (
        f"Not alike: {seen} Are they bots? Leave them out of all arms by a rule that does not know the arm, or cap the "
        "metric."
    )


def _shares(tally: Tally) -> str:
    """The share of each arm, such as ``old 0.00%, new 15.20% of the``."""
    parts = (f"{arm} {percent(each.rows / each.of_rows if each.of_rows else 0)}" for arm, each in tally.arms.items())
    return f"{', '.join(parts)} of the"


def _ids(check: TrustCheck, facts: SharedIds) -> str:
    if check.reason == "one_by_one":
        return f"Units of one {', '.join(each.column for each in facts.ids)} fall into the arms one by one."
    worst = facts.worst
    return (
        f"{whole(worst.one_arm)} of the {whole(worst.groups)} values of {worst.column} with several units have all of "
        f"them in one arm; randomised one by one it would be {whole(worst.expected)} of them "
        f"({p_text(worst.p_value)}). If "
        f'{worst.column} was randomised, say cluster = "{worst.column}" in the plan: units that share it are not '
        "independent."
    )


def _outliers(check: TrustCheck, facts: Outliers) -> str:
    if check.reason == "not_gathered":
        return "The largest values were not gathered with the sums, so that they were not looked at."
    if check.reason == "harmless":
        return "No unit holds 1 % of a metric, and cutting off values changes no conclusion."
    return f"{'; '.join(map(_outlier, facts.notable))}."


def _outlier(effect: OutlierEffect) -> str:
    below = "" if effect.cap_per is None else f" ({effect.per} at {significant(effect.cap_per, 6)})"
    return (
        f"{effect.metric}: one unit of {effect.where} holds {percent(effect.held_by_one, 1)} of its sum "
        f"({significant(effect.largest, 6)}); cut off at {significant(effect.cap, 6)}{below}, the difference of "
        f"{effect.arm} goes from {significant(effect.difference, 4, signed=True)} ({p_text(effect.p_value)}) to "
        f"{significant(effect.difference_cut, 4, signed=True)} ({p_text(effect.p_value_cut)})"
    )


def _skewness(check: TrustCheck, facts: Skewness) -> str:
    if check.reason == "equal_arms":
        return "The arms are of one size, so that skewed values cancel."
    if check.reason == "nothing_varies":
        return "No metric is a mean or a ratio that varies."
    worst = facts.worst
    text = (
        f"{worst.metric} in {worst.arm}: the skewness of the difference (that of the values × imbalance of the arms ÷ "
        f"√n) is {decimal(worst.skewness, 2, signed=True)}"
    )
    if check.reason == "too_skewed":
        return (
            f"{text}, beyond ±{significant(facts.limit)}, up to which the test allows for it. The smaller arm has too "
            "few units for values that are so skewed: cap the metric, or take in more units."
        )
    return f"{text}; up to ±{significant(facts.limit)} the test allows for it."


def _unknown_skewness(check: TrustCheck, facts: UnknownSkewness) -> str:
    worst = facts.worst
    seen = (
        f"The skewness of the values is not known, and {whole(worst.n_control)} against {whole(worst.n_treatment)} "
        f"units stand one of {significant(worst.tolerated_skewness, 3)}"
    )
    if check.reason == "tolerated":
        return f"{seen}, which is more than values have ({significant(worst.assumed_skewness)})."
    fix = "Give it (a column VALUE_skewness beside mean and sd), read a table of units, or take in more units."
    return f"{seen}; values may have up to {significant(worst.assumed_skewness)}. {fix}"


def _progress(check: TrustCheck, facts: Progress) -> str:
    interim, plan = facts.interim, facts.interim.plan
    share = percent(interim.information, 0)
    times = ", ".join(percent(time, 0) for time in plan.sequential.times) if plan.sequential is not None else ""
    if check.reason == "too_early":
        return (
            f"Only {share} of the planned sample is in and the plan has no looks before the end: a p-value read on the "
            "way is significant too often. Wait, or plan looks ([sequential]) before the next experiment."
        )
    if check.reason == "look_unknown":
        return f"The plan has looks at {times} of the sample, and nothing tells which this is."
    if check.reason == "off_plan":
        return (
            f"{share} of the planned sample is in, and the plan has looks at {times}: looks in between find too much."
        )
    if check.reason == "length_unknown":
        planned = [
            f"{plan.days} days" if plan.days else "",
            f"{significant(plan.daily_units)} units a day" if plan.daily_units else "",
        ]
        said = " of ".join(each for each in planned if each)
        told = f"The plan is for {said}, and nothing tells how many have passed" if said else "The plan names no length"
        told += "" if said else " and no looks"
        return f"{told}: that this is the end is taken on trust."
    return f"{sentence(look_text(interim))}."


def _power(check: TrustCheck, facts: Power) -> str:
    low = facts.weakest
    if low is None:
        least = facts.detectable
        found = "" if least is None else f" Effects from {percent(least)} on are found."
        return f"The plan names no smallest effect worth finding.{found}"
    when = " at the planned sample" if facts.at_planned_sample else ""
    text = (
        f"{low.metric}: an effect of {percent(low.planned_effect)} is found with power {percent(low.power, 0)}{when} "
        f"(planned {percent(facts.planned, 0)}); the smallest one found with that is {percent(low.detectable)}"
    )
    if facts.more_units:
        return f"{text}: plan for more units."
    if check.status != "fail":
        return f"{text}."
    return (
        f"{text}. An effect that is significant at too little power is exaggerated (Gelman and Carlin 2014), and one "
        "that is not significant shows nothing."
    )


def _weeks(check: TrustCheck, facts: Weeks) -> str:
    if not facts.days:
        return "The days were not gathered."
    seen = f"The log covers {facts.days} days" if facts.of_log else f"Units came in over {facts.days} days"
    return f"{seen}: days of the week do not count alike." if check.reason == "part_weeks" else f"{seen}, whole weeks."


def _not_known(check: TrustCheck, facts: NotKnown) -> str:
    return f"It is not known {'; nor '.join(map(unknown_text, facts.unknown))}."


_WRITERS: Final[dict[type, Callable[[TrustCheck, Any], str]]] = {
    SampleRatio: _ratio,
    Compared: _compared,
    RowRules: _rules,
    RowFaults: _faults,
    SharedIds: _ids,
    Outliers: _outliers,
    Skewness: _skewness,
    UnknownSkewness: _unknown_skewness,
    Progress: _progress,
    Power: _power,
    Weeks: _weeks,
    NotKnown: _not_known,
}
