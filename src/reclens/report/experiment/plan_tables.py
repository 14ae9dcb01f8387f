"""Tables of experiment plans: sizes with their formula, neighbours, bounds, the price of looking, arms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reclens.experiment.planning.plan import Plan
from reclens.experiment.planning.sizing import Sizing
from reclens.report._toolkit.format import NOTHING, decimal, format_number, p_value, percent, significant, whole
from reclens.report._toolkit.tables import Table
from reclens.report.experiment.method_words import BOUND_TEXTS, FORMULA_SOURCES, FORMULA_TITLES, PRICED_PLANS
from reclens.report.experiment.plan_words import SIZE_NOTES
from reclens.report.experiment.words import margin_text
from reclens.stats.power import Answer
from reclens.stats.sequential import GroupSequential, Price

__all__ = ["arm_table", "bounds_table", "metric_table", "neighbour_table", "price_table", "size_table"]


def arm_table(plan: Plan) -> Table:
    """The arms with their shares, and whether each is control."""
    records: list[dict[str, Any]] = [
        {"arm": arm, "share": share, "control": arm == plan.control} for arm, share in plan.arms.items()
    ]
    rows = tuple(
        (row["arm"], percent(row["share"], 2), "control" if row["control"] else "treatment") for row in records
    )
    return Table(title="Arms", columns=("arm", "share", "role"), rows=rows, records=tuple(records))


def metric_table(plan: Plan) -> Table:
    """What is measured, what for, and what counts as an effect or a loss."""
    records, rows = [], []
    for metric in plan.metrics:
        made = f"{metric.value} / {metric.per}" if metric.per else metric.value or "exposure of the arm"
        made = f"{percent(metric.q, 0)} quantile of {made}" if metric.q is not None else made
        made += f", capped at {significant(metric.cap)}" if metric.cap is not None else ""
        records.append({**metric.to_dicts()[0], "made_from": made})
        lost = margin_text(metric) or NOTHING
        rows.append(
            (
                metric.name,
                metric.role,
                metric.kind,
                made,
                metric.better,
                _percent(metric.effect),
                lost,
                ", ".join(metric.covariates) or NOTHING,
            )
        )
    heads = ("metric", "role", "kind", "made from", "better", "worth finding", "margin", "covariates")
    note = "Effects and margins in percent are relative to control; a margin is what a guardrail may lose, with ± what "
    note += "it may move, or what does not matter of another metric; covariates were measured before (CUPED)."
    return Table(title="Metrics", columns=heads, rows=tuple(rows), records=tuple(records), notes=(note,))


def size_table(sizing: Sizing) -> Table:
    """Units and days each metric needs, and what the planned sample can find."""
    rows = []
    for each in sizing.metrics:
        size, known = each.size, each.known
        power = NOTHING if each.achieved is None else percent(each.achieved, 1)
        if each.simulated is not None and each.simulated.low is not None and each.simulated.high is not None:
            found = each.simulated
            power = f"{percent(found.value, 1)} [{percent(found.low, 1)}, {percent(found.high, 1)}] simulated"
        rows.append(
            (
                each.metric.name,
                each.metric.role,
                format_number(known.mean) if known else NOTHING,
                format_number(known.sd) if known else NOTHING,
                percent(known.r2, 0) if known and known.r2 else NOTHING,
                whole(size.n) if size else NOTHING,
                whole(each.days) if each.days is not None else NOTHING,
                power,
                _percent(each.found.effect if each.found else None, signed=True),
                FORMULA_TITLES[size.formula] if size else SIZE_NOTES[each.note] if each.note else NOTHING,
            )
        )
    heads = (
        "metric",
        "role",
        "mean",
        "sd of a unit",
        "removed by CUPED",
        "units needed",
        "days",
        "power as planned",
        "detectable as planned",
        "formula",
    )
    notes = [
        (
            f"Units over all arms, for a power of {percent(sizing.plan.power, 0)} at a level of "
            f"{percent(sizing.plan.level, 0)}."
        )
    ]
    if sizing.planned is not None:
        notes.append(
            f"As planned: {whole(sizing.planned)} units in {sizing.plan.days} days. Detectable of a guardrail is "
            "the true loss that would still be confirmed to be within its margin."
        )
    return Table(title="Sizes", columns=heads, rows=tuple(rows), records=tuple(sizing.to_dicts()), notes=tuple(notes))


def neighbour_table(answers: Sequence[tuple[str, Answer]]) -> Table:
    """The same question by every formula, the one that is used first."""
    records: list[dict[str, Any]] = [
        {"metric": name, "formula": FORMULA_TITLES[formula], "value": value, "used": formula == answer.formula}
        for name, answer in answers
        # Units of the formula that is used are those of the plan: each arm rounded up.
        for formula, value in (
            (answer.formula, answer.n if answer.asked == "size" else answer.value),
            *answer.neighbours,
        )
    ]
    asked = answers[0][1].asked if answers else "size"
    several = len(answers) > 1
    show = {
        "size": lambda value: whole(math.ceil(value)),
        "effect": lambda value: percent(value, 3, signed=True),
        "power": lambda value: percent(value, 2),
    }[asked]
    rows = tuple(
        (
            *([row["metric"]] if several else []),
            row["formula"] + (" (used)" if row["used"] else ""),
            show(row["value"]) if math.isfinite(row["value"]) else NOTHING,
        )
        for row in records
    )
    sources = dict.fromkeys(
        f"{FORMULA_TITLES[answer.formula]}: {FORMULA_SOURCES[answer.formula]}." for _, answer in answers
    )
    heads = (
        *(["metric"] if several else []),
        "formula",
        {"size": "units", "effect": "effect", "power": "power"}[asked],
    )
    return Table(
        title="The same question by other formulas",
        columns=heads,
        rows=rows,
        records=tuple(records),
        notes=tuple(sources),
    )


def bounds_table(plan: GroupSequential, *, schedule: Sequence[Mapping[str, Any]] = ()) -> Table:
    """The bound of each look, and the chance to have stopped by then.

    Args:
        plan: The bounds.
        schedule: Units, day and power of each look, of :func:`~reclens.experiment.planning.sizing.look_schedule`;
            without it the power is that of the size which the bounds ask for.
    """
    records: list[dict[str, Any]] = [{**row, "units": None, "day": None} for row in plan.to_dicts()]
    for row, at in zip(records, schedule, strict=bool(schedule)):
        row |= {
            "units": at["units"],
            "day": at["day"],
            "power_so_far": math.nan if at["power"] is None else at["power"],
        }
    rows = tuple(
        (
            str(row["look"]),
            percent(row["information"], 0),
            _count(row["units"]),
            _count(row["day"]),
            decimal(row["upper"], 3),
            p_value(row["nominal_p"]),
            NOTHING if row["futility"] is None else decimal(row["futility"], 3),
            decimal(row["error_spent"], 4),
            NOTHING if math.isnan(row["power_so_far"]) else percent(row["power_so_far"], 1),
        )
        for row in records
    )
    heads = (
        "look",
        "of the sample",
        "units",
        "day",
        "stop beyond z",
        "nominal p",
        "futile below z",
        "error spent",
        "power by then",
    )
    notes = [
        f"Bounds: {BOUND_TEXTS[plan.spending]}.",
        f"The sample is {significant(plan.inflation, 4)} times that of one look.",
    ]
    of = next((at["metric"] for at in schedule if at["metric"] is not None), None)
    if of is not None:
        notes.append(
            f"Power: to have found what is planned for {of} by then; at the last look it is its power as planned."
        )
    return Table(title="Looks", columns=heads, rows=rows, records=tuple(records), notes=tuple(notes))


def price_table(prices: Sequence[Price]) -> Table:
    """What each way to look early costs, beside one look at the end and beside peeking."""
    records = [row for each in prices for row in each.to_dicts()]
    rows = tuple(
        (
            PRICED_PLANS[each.plan],
            str(each.looks),
            percent(each.false_positives, 1),
            percent(each.power, 1),
            _times(each.inflation),
            _times(each.expected_size),
            _times(each.expected_size_null),
        )
        for each in prices
    )
    heads = (
        "plan",
        "looks",
        "false positives",
        "power",
        "sample for full power",
        "mean sample with the effect",
        "mean sample without",
    )
    notes = (
        "Power: with the sample that one look needs. The other columns are multiples of that sample.",
        "Peeking without a plan is held to no level, so that its power means nothing.",
    )
    return Table(title="What looking early costs", columns=heads, rows=rows, records=tuple(records), notes=notes)


def _count(value: int | None) -> str:
    return NOTHING if value is None else whole(value)


def _percent(value: float | None, *, signed: bool = False) -> str:
    return NOTHING if value is None else percent(value, 2, signed=True) if signed else percent(value, 2)


def _times(value: float | None) -> str:
    return NOTHING if value is None else decimal(value, 3)
