"""What a readout tells beside its effects, in sentences: adjustments, caveats and next steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reclens.errors import in_python
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.analysis.remarks import Remark
from reclens.experiment.check_result import TrustCheck, TrustCheckCode
from reclens.report._toolkit.format import decimal, p_text, percent, sentence, significant, whole
from reclens.report._toolkit.notes import note_text
from reclens.report.experiment.check_words import Named, check_text, named_check_text
from reclens.report.experiment.words import CHECK_NAMES, look_text, unknown_text

__all__ = ["adjustment_sentences", "caveat_sentences", "step_sentences"]

_NEED: Final = (
    "Coverage, Gini and effective items need what the arms showed ({exposures}), and quantiles one row a unit."
)
_MOST: Final = 10  # small segments that are named


def adjustment_sentences(readout: Readout) -> list[str]:
    """What was adjusted, and how."""
    return [_ADJUSTMENTS[each.code](readout, each) for each in readout.adjustments]


def caveat_sentences(readout: Readout, named: Named = in_python) -> list[str]:
    """What to keep in mind.

    Args:
        readout: What was read.
        named: How the parameters that it advises to give are written.
    """
    return [_caveat(readout, each, named) for each in readout.caveats]


def step_sentences(readout: Readout) -> list[str]:
    """What to do next."""
    return list(dict.fromkeys(_step(readout, each) for each in readout.next_steps))


def _guardrails(readout: Readout, remark: Remark) -> str:
    both = " (with ±, of equivalence)" if remark.names else ""
    return f"Guardrails are tests of non-inferiority{both} against their margins, not corrected: all have to hold."


def _cuped(readout: Readout, remark: Remark) -> str:
    thetas = ", ".join(
        f"{each.name.replace('theta:', 'theta of ', 1)} = {significant(each.value, 4)}"
        for each in remark.numbers
        if each.unit == "coefficient"
    )
    return (
        f"{remark.metric}, {remark.arm}: adjusted by what was measured before (CUPED, {thetas}), which removes "
        f"{percent(remark['variance_removed'], 0)} of the variance."
    )


def _segments(readout: Readout, remark: Remark) -> str:
    said = "Segments are adjusted together by Benjamini and Hochberg; whether they differ at all is Cochran's Q"
    looks = ", which is of this look alone and allows for no earlier one." if readout.plan.sequential else "."
    return said + looks


_ADJUSTMENTS: Final[dict[str, Callable[[Readout, Remark], str]]] = {
    "level_each": lambda _, remark: f"Intervals are of level {percent(remark['level'], 0)}, each by itself.",
    "level_simultaneous": lambda _, remark: (
        f"Intervals are of level {percent(remark['level'], 0)}, all of a family of questions together (Bonferroni)."
    ),
    "triggered_only": lambda *_: "Effects and units are those of triggered units, whose experience could differ.",
    "primary_family": lambda _, remark: (
        f"The {significant(remark['tests'])} p-values of primary metrics are a family of their own, adjusted together "
        f"({remark.names[0]})."
    ),
    "secondary_family": lambda *_: (
        "Secondary metrics are adjusted among themselves by Benjamini and Hochberg; they explain and do not decide."
    ),
    "guardrails_not_corrected": _guardrails,
    "valid_at_this_look": lambda readout, _: (
        f"Intervals and p-values of all metrics hold at this look: {look_text(readout.interim)}."
    ),
    "lost_by_correction": lambda _, remark: (
        f"{remark.metric}, {remark.arm}: its interval excludes zero by itself ({p_text(remark['p_value'])}); corrected "
        f"for the {significant(remark['tests'])} questions of the {remark.names[0]} family, "
        f"{p_text(remark['p_adjusted'])}. Simultaneous intervals show it."
    ),
    "stopped_here": lambda _, remark: (
        f"{remark.metric}, {remark.arm}: the lift allows for the stop at this look (median-unbiased, stage-wise "
        f"ordering). The plain estimate, {percent(remark['plain'], signed=True)}, is too large on average at a stop."
    ),
    "crossed_before": lambda _, remark: (
        f"{remark.metric}, {remark.arm}: an earlier look was beyond its bound, and the test went on. Go by the plain "
        "estimate over all data: no stop has selected it."
    ),
    "post_stratified": lambda _, remark: (
        f"Means are weighted to the strata of all arms together (post-stratified over {significant(remark['strata'])} "
        "strata)."
    ),
    "cuped": _cuped,
    "capped": lambda _, remark: (
        f"{remark.metric}: values above {significant(remark['cap'])} count as that, as planned."
    ),
    "segments_corrected": _segments,
}


def _caveat(readout: Readout, remark: Remark, named: Named) -> str:
    match remark.code:
        case "check_warns":
            return named_check_text(_check(readout, remark), named)
        case "check_skipped":
            check = _check(readout, remark)
            return f"{sentence(CHECK_NAMES[check.code])}: not checked. {check_text(check, named)}"
        case "note":
            return f"{remark.metric}, {remark.arm}: {note_text(remark.note)}."
        case "crossed_before":
            return (
                f"{remark.metric}, {remark.arm}: the plan would have stopped at look {significant(remark['look'])} "
                f"({percent(remark['information'], 0)} of the sample, {remark.names[0]}). With the users who had come "
                f"in by then z is {decimal(remark['z'], 2, signed=True)}, beyond the bound of "
                f"±{decimal(remark['bound'], 2)}."
            )
        case "segments_differ":
            return (
                f"The effect on {remark.metric} differs by {remark.names[0]} (Cochran's Q, adjusted "
                f"{p_text(remark['p_adjusted'])}): the average does not hold for everyone."
            )
        case "small_segments":
            left = len(remark.names) - _MOST
            more = f", and {whole(left)} more" if left > 0 else ""
            shown = ", ".join(remark.names[:_MOST])
            return f"Segments with fewer than 30 units in an arm were not tested: {shown}{more}."
        case "not_known":
            return f"It is not known {unknown_text(_unknown(readout, remark))}."
        case "not_measured":
            told = remark.advice.said(named, text=_NEED) if remark.advice is not None else ""
            return f"Not measured: {', '.join(remark.names)}. {told}"
        case _:
            pass
    return (
        "Users of one arm may have changed what the other saw (shared training data, stock, word of mouth): such "
        "interference is not in the intervals."
    )


def _check(readout: Readout, remark: Remark) -> TrustCheck:
    return next(check for check in readout.trust_checks if check.code == remark.names[0])


def _unknown(readout: Readout, remark: Remark) -> Unknown:
    return next(each for each in readout.unknown if each.code == remark.names[0])


_FIXES: Final[dict[TrustCheckCode, str]] = {
    "power": "Run longer, or plan a test of more units: with so few nothing can be concluded.",
    "outliers": "Look at the units that hold most. Leave bots out of all arms by one rule, or cap the metric; then "
    "read again.",
    "peeking": "Wait for the planned end or look, or say how far the experiment is, then read again.",
}


def _step(readout: Readout, remark: Remark) -> str:
    control, arm = readout.plan.control, remark.arm
    match remark.code:
        case "fix_check":
            code = _check(readout, remark).code
            return _FIXES.get(code, f"Explain and fix '{CHECK_NAMES[code]}', then read again.")
        case "roll_out":
            arms = remark.names[0] if len(remark.names) == 1 else f"one of {', '.join(remark.names)}"
            return f"Roll out {arms}, and keep a holdout to see whether the effect lasts."
        case "keep_control_for_harm":
            return f"Keep {control}; look at the segments for where {arm} does harm."
        case "choose_by_cost":
            return (
                f"Choose between {arm} and {control} by what they cost: of what was measured, nothing that matters "
                "tells them apart."
            )
        case "keep_control_for_futility":
            return f"Keep {control}: the effect that was hoped for in {arm} would hardly be found any more."
        case _:
            pass
    head = (
        "Go on to the next look of the plan."
        if remark.code == "go_on"
        else f"Keep {control}: the plan has no look left."
    )
    effects = {metric.name: metric.effect for metric in readout.plan.primary}
    needed = [
        f"{each.name}: {decimal(each.value, 1)} times the users for an effect of {percent(effects[each.name])}"
        for each in remark.numbers
    ]
    return head + (f" To find what was planned: {'; '.join(needed)}." if needed else "")
