"""Parts of the findings that are described: the feedback loop's trends, position bias, the two-sided annex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from reclens.audit import Audit, AuditRow
from reclens.audit.joint import PARTS
from reclens.audit.position import Method, PositionBias, Unidentified
from reclens.evaluation.results import OVERALL
from reclens.report._toolkit.format import NOTHING, between, count_of, format_number, whole
from reclens.report._toolkit.tables import Table
from reclens.report.audit.sentences import ratio_text, subject_text
from reclens.report.audit.words import measure_name

__all__ = [
    "METHODS",
    "UNIDENTIFIED",
    "described_table",
    "disparity_rows_of",
    "disparity_table",
    "examination_table",
    "identified_sentence",
    "joint_table",
    "trend_table",
]

METHODS: Final[Mapping[Method, str]] = {
    "harvest": "intervention harvesting",
    "em": "expectation-maximisation",
    "swap": "swaps at random",
}
UNIDENTIFIED: Final[Mapping[Unidentified, str]] = {
    "one_place_each": "no item was shown to one user at two positions, as by one ranker that does not change",
    "places_apart": "some positions have no item in common with the first",
    "no_clicks": "a position was never clicked",
}
_JOINT: Final = "jme_"
_TIMES: Final = 1_000
"""What joint measures are shown as multiples of: squares of shares of exposure are small."""


def identified_sentence(found: PositionBias) -> str:
    """How the curve was told, and whether it can be told at all."""
    shown = sum(found.impressions)
    how = f"By {METHODS[found.method]}, from {count_of(shown, 'impression')}"
    pairs = (
        f" and {count_of(found.pairs, 'pair')} of a user and an item seen at several positions" if found.pairs else ""
    )
    if found.unidentified is None:
        return f"{how}{pairs}: every position could be told."
    return f"{how}{pairs}: some positions could not be told, since {UNIDENTIFIED[found.unidentified]}."


def examination_table(found: PositionBias) -> Table:
    """Attention by position, beside clicks alone, which relevance confounds."""
    rows = zip(found.examination, found.clicks, found.impressions, strict=True)
    cells = tuple(
        (f"{at}", whole(shown), ratio_text(each), format_number(clicks))
        for at, (each, clicks, shown) in enumerate(rows, start=1)
    )
    heads = ("position", "impressions", "attention", "clicks")
    notes = ("Both relative to the first position. Clicks mix attention with how good the items of a position are.",)
    return Table(title="Attention by position", columns=heads, rows=cells, records=tuple(found.to_dicts()), notes=notes)


def trend_table(audit: Audit) -> Table | None:
    """How fast each measure of the loop moves a round, a row a group; None without a loop."""
    if audit.loop is None:
        return None
    trends = audit.loop.trends
    measures = list(dict.fromkeys(each.measure for each in trends))
    slopes = {(each.by, each.segment, each.measure): between(each.slope) for each in trends}
    groups = list(dict.fromkeys((each.by, each.segment) for each in trends))
    cells = tuple(
        (
            "all users" if group == OVERALL else f"{group[1]} ({group[0]})",
            *(slopes.get((*group, measure), NOTHING) for measure in measures),
        )
        for group in groups
    )
    notes = (f"Least squares over {count_of(audit.loop.rounds, 'round')}; intervals over the runs.",)
    records = tuple(row for each in trends for row in each.to_dicts())
    heads = ("group", *(measure_name(f"loop_{measure}") for measure in measures))
    return Table(title="Change a round", columns=heads, rows=cells, records=records, notes=notes)


def joint_table(rows: Sequence[AuditRow]) -> Table | None:
    """The joint measures, each with its fairness and its relevance alone beside it; None where there are none."""
    joint = [row for row in rows if row.measure.startswith(_JOINT)]
    found: dict[tuple[str, str | None, str], dict[str, AuditRow]] = {}
    for row in joint:
        kind, _, part = row.measure.removeprefix(_JOINT).partition("_")
        found.setdefault((kind, row.attribute, row.by), {})[f"_{part}" if part else ""] = row
    if not found:
        return None
    cells = tuple(
        (
            kind.upper(),
            attribute or NOTHING,
            "all users" if by == OVERALL[0] else by,
            *(_number(parts.get(part), times=_TIMES) for part in PARTS),
        )
        for (kind, attribute, by), parts in sorted(found.items(), key=lambda each: tuple(map(str, each[0])))
    )
    heads = ("measure", "items by", "users by", "joint", "fairness alone", "relevance alone")
    notes = (
        (
            f"All numbers × {whole(_TIMES)}. Joint: mean square of exposure less its target; 0 is parity. Fairness "
            "alone: mean square of exposure. Relevance alone: mean product of exposure and target; more is better. "
            "There is no interval where resampling users would inflate the number, as it does squares of noisy means."
        ),
    )
    return Table(
        title=f"Joint measures of exposure, × {whole(_TIMES)}",
        columns=heads,
        rows=cells,
        records=tuple(row.to_dicts()[0] for row in joint),
        notes=notes,
    )


def described_table(rows: Sequence[AuditRow]) -> Table | None:
    """Differential fairness and the unfairness of predicted ratings; None where there are none."""
    shown = [row for row in rows if not row.measure.startswith(_JOINT) and row.measure != "bias_disparity"]
    if not shown:
        return None
    cells = tuple((measure_name(row.measure), subject_text(row), whole(row.n), _number(row)) for row in shown)
    records = tuple(row.to_dicts()[0] for row in shown)
    return Table(title="Other two-sided numbers", columns=("measure", "of", "n", "value"), rows=cells, records=records)


def disparity_rows_of(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Rows of bias disparity, the largest first."""
    return [row for row in rows if row.measure == "bias_disparity"]


def disparity_table(rows: Sequence[AuditRow], *, most: int = 20) -> Table:
    """How often lists have each group of items, beside histories."""
    cells = tuple(
        (
            subject_text(row),
            whole(row.n),
            format_number(row.reference_value.value),
            format_number(row.value.value),
            ratio_text(row.ratio),
        )
        for row in rows[:most]
    )
    left = len(rows) - len(cells)
    notes = ("1 is parity with the catalogue: what histories or lists have of the group ÷ what the catalogue has.",)
    notes += (f"{whole(left)} more are in the annex of numbers (CSV).",) if left else ()
    heads = ("group", "n", "in histories", "in lists", "lists ÷ histories")
    records = tuple(row.to_dicts()[0] for row in rows[:most])
    return Table(title="Bias disparity", columns=heads, rows=cells, records=records, notes=notes)


def _number(row: AuditRow | None, *, times: float = 1.0) -> str:
    if row is None:
        return NOTHING
    found = row.value
    if found.low is None or found.high is None:
        return format_number(found.value * times)
    ends = replace(found, value=found.value * times, low=found.low * times, high=found.high * times)
    return between(ends, signed=False)
