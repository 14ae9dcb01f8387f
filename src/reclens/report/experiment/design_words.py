"""The calculator and the checks of an assignment, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from reclens.experiment.assignment.assign import LayerPair
from reclens.experiment.assignment.checks import BUCKETS, AssignmentCheck
from reclens.experiment.planning.calculator import Calculation
from reclens.report._toolkit.format import NOTHING, decimal, p_text, p_value, percent, whole
from reclens.report._toolkit.tables import Table
from reclens.report.experiment.method_words import FORMULA_TITLES

__all__ = ["assignment_check_name", "assignment_check_table", "assignment_check_text", "calculation_text", "layer_text"]

_NAMES: Final = {
    "shares": "shares as planned",
    "uniform": "uniform over {buckets} buckets",
    "independent": "independent of '{of}'",
    "mix": "the same mix of {of} in every arm",
}


def calculation_text(found: Calculation) -> str:
    """The answer of the calculator."""
    answer, margin = found.answer, found.question.margin
    aim = f"an effect of {percent(answer.effect, signed=True)}"
    if margin is not None:
        aim = f"that no more than {percent(margin)} is lost"
    if margin is not None and found.question.equivalence:
        aim = f"that the difference lies within ±{percent(margin)}"
    verb = "find" if margin is None else "show"
    days = "" if found.days is None else f" in {whole(found.days)} days"
    power = percent(answer.power, 1)
    if answer.asked == "effect" and margin is not None:
        return (
            f"{whole(answer.n)} units over all arms{days} {verb} {aim} with a power of {power} if the true effect is "
            f"{percent(answer.effect, signed=True)} ({FORMULA_TITLES[answer.formula]})."
        )
    each = "treatment" if len(found.plan.arms) == 2 else "each treatment"
    return (
        f"{whole(answer.n)} units over all arms ({whole(answer.n_control)} in control, {whole(answer.n_treatment)} in "
        f"{each}){days} {verb} {aim} with a power of {power} ({FORMULA_TITLES[answer.formula]})."
    )


def assignment_check_name(check: AssignmentCheck) -> str:
    """What a check of an assignment tested."""
    return _NAMES[check.code].format(buckets=BUCKETS, of=check.of)


def assignment_check_text(check: AssignmentCheck) -> str:
    """What a check of an assignment says."""
    name = assignment_check_name(check)
    if math.isnan(check.p):
        return f"{name}: too few units to tell, expected 5 or more in every cell."
    return (
        f"{name}: {'yes' if check.fine else 'NO'} (chi² = {decimal(check.statistic, 1)}, {check.df} degrees of "
        f"freedom, {p_text(check.p)})."
    )


def assignment_check_table(checks: Sequence[AssignmentCheck]) -> Table:
    """The checks of an assignment, a row each."""
    rows = tuple(
        (
            assignment_check_name(each),
            NOTHING if math.isnan(each.statistic) else decimal(each.statistic, 1),
            whole(each.df),
            p_value(each.p),
            whole(each.n),
            "yes" if each.fine else "NO",
        )
        for each in checks
    )
    records = tuple(row for each in checks for row in each.to_dicts())
    return Table(
        title="Checks", columns=("check", "chi²", "df", "p", "units", "as it should be"), rows=rows, records=records
    )


def layer_text(pair: LayerPair) -> str:
    """How two experiments that run at the same time share their units."""
    if pair.relation == "independent":
        return f"{pair.one} and {pair.other} overlap independently: they are in different layers."
    return f"{pair.one} and {pair.other} exclude each other: they share the layer {pair.layer}."
