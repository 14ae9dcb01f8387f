"""The findings of an audit report, criterion by criterion: claim, charts, evidence, confounders, limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reclens.audit import Audit, AuditRow
from reclens.audit.rows import Section
from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import count_of, decimal, sentence, whole
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.audit import charts, charts_loop, charts_users
from reclens.report.audit.annexes import (
    described_table,
    disparity_rows_of,
    disparity_table,
    examination_table,
    identified_sentence,
    joint_table,
    trend_table,
)
from reclens.report.audit.charts_loop import loop_measures
from reclens.report.audit.sentences import explained_sentence, is_shown, row_sentence, section_sentence, telling_gaps
from reclens.report.audit.tables import adjusted_table, evidence_table, tier_table
from reclens.report.audit.words import LIMITS, QUESTIONS, SECTIONS, crossed_caption, group_caption, measure_name

__all__ = ["finding_parts", "item_attributes", "section_figures", "section_title"]

_CLAIMS = 3
_ATTRIBUTES = 4


def section_title(section: Section) -> str:
    """The title of the part of a criterion."""
    return f"Findings: {SECTIONS[section][0].lower()}{SECTIONS[section][1:]}"


def finding_parts(audit: Audit) -> list[DocumentPart]:
    """One part for each criterion that was measured."""
    made: Mapping[Section, Callable[[Audit], list[DocumentPart]]]
    made = {"position": _position, "loop": _loop, "two_sided": _two_sided}
    parts = []
    for section in audit.opinions:
        if section in made:
            parts += made[section](audit)
        elif audit.section(section):
            parts.append(_part(audit, section))
    return parts


def _position(audit: Audit) -> list[DocumentPart]:
    """The curve of attention, where there was a log; it is described and not graded."""
    found, chart = audit.position, charts.examination_chart(audit)
    if found is None:
        return []
    figures = () if chart is None else (figure_of(chart, "Attention by position; muted: clicks alone"),)
    return [
        DocumentPart(
            title=section_title("position"),
            lead=f"{QUESTIONS['position']} Estimated from the log, relative to the first position; not graded.",
            points=(identified_sentence(found), f"Limits. {LIMITS['position']}"),
            figures=figures,
            tables=(examination_table(found),),
        )
    ]


def _loop(audit: Audit) -> list[DocumentPart]:
    """The drift of the loop: tested by its growth, described by its slopes."""
    rows, found = audit.section("loop"), audit.loop
    if not rows or found is None:
        return []
    tested = [row for row in rows if not row.measure.endswith("_slope")]
    drawn = [(charts_loop.loop_chart(audit, each), measure_name(f"loop_{each}")) for each in loop_measures(audit)]
    trends = trend_table(audit)
    return [
        DocumentPart(
            title=section_title("loop"),
            lead=f"{QUESTIONS['loop']} {section_sentence(audit, 'loop')} {found.recommender} was trained anew in "
            f"{count_of(found.rounds, 'round')}, in {count_of(found.seeds, 'run')} of a world that is fitted to the "
            "training data.",
            points=(*(row_sentence(audit, row) for row in _telling(rows)), f"Limits. {LIMITS['loop']}"),
            figures=tuple(figure_of(chart, sentence(told)) for chart, told in drawn if chart is not None),
            tables=(
                evidence_table(tested, title="Evidence: last round beside the first"),
                *(() if trends is None else (trends,)),
            ),
        )
    ]


def _two_sided(audit: Audit) -> list[DocumentPart]:
    """The annex that decides nothing."""
    rows = audit.section("two_sided")
    if not rows:
        return []
    disparity = disparity_rows_of(rows)
    chart = charts_users.disparity_chart(audit)
    tables = [table for table in (joint_table(rows), described_table(rows)) if table is not None]
    if disparity:
        tables.append(disparity_table(_farthest(disparity)))
    return [
        DocumentPart(
            title=section_title("two_sided"),
            lead=f"{QUESTIONS['two_sided']} Described, and neither tested nor graded.",
            points=(f"Warning. {LIMITS['two_sided']}",),
            figures=() if chart is None else (figure_of(chart, "Bias disparity: lists beside histories"),),
            tables=tuple(tables),
        )
    ]


def _farthest(rows: Iterable[AuditRow]) -> list[AuditRow]:
    """The rows whose ratio is farthest from 1 first."""
    known = [row for row in rows if row.ratio.value > 0]
    return sorted(known, key=lambda row: -abs(math.log(row.ratio.value)))


def item_attributes(audit: Audit) -> list[str]:
    """The attributes of items that were audited, in the order asked for."""
    found = dict.fromkeys(row.attribute for row in audit.rows if row.attribute is not None)
    asked = [name for name in audit.card["settings"]["attributes"] if name in found]
    return asked + [name for name in found if name not in asked]


def section_figures(audit: Audit, section: Section) -> list[Figure]:
    """The charts of a criterion."""
    drawn: list[tuple[Any, str]] = []
    attributes = item_attributes(audit)[:_ATTRIBUTES]
    if section == "exposure":
        drawn.append((charts.lorenz_chart(audit), f"Concentration over single items{_gini(audit)}"))
        drawn += [
            (charts.merit_chart(audit, each), f"Exposure by {each}, with the line of parity") for each in attributes
        ]
    if section == "popularity":
        drawn.append((charts.lift_chart(audit), "Popularity lift by group of users (ΔGAP)"))
        if "popularity" in attributes:
            drawn.append((charts.stage_chart(audit, "popularity"), "Tiers of popularity, from catalogue to lists"))
    if section == "calibration":
        drawn += [(charts.calibration_chart(audit, each), f"Histories and lists by {each}") for each in attributes]
        drawn.append((_forest(audit.section(section), "rest"), "Miscalibration of groups of users beside the others"))
    if section in ("users", "lists"):
        drawn += _user_charts(audit, section)
    return [figure_of(chart, caption, tall=_tall(chart)) for chart, caption in drawn if chart is not None]


def _user_charts(audit: Audit, section: Section) -> list[tuple[Any, str]]:
    rows = [
        row for row in audit.section(section) if not row.measure.startswith("stage_")
    ]  # they tell where it comes from
    drawn: list[tuple[Any, str]] = []
    for measure in dict.fromkeys(row.measure for row in sorted(rows, key=lambda row: row.measure)):
        chart = charts_users.measure_chart(audit, measure)
        drawn.append((chart, f"{group_caption(measure)} of each group beside the others"))
    if section == "users":
        for one, other in charts_users.crossed_pairs(audit):
            caption = crossed_caption(one, other)
            drawn.append((charts_users.intersection_chart(audit, one, other), caption))
        drawn += [
            (charts_users.waterfall_chart(gap), f"What explains the gap of {gap.segment} ({gap.by})")
            for gap in telling_gaps(audit.adjusted)
        ]
    return drawn


def _part(audit: Audit, section: Section) -> DocumentPart:
    rows = audit.section(section)
    points = [row_sentence(audit, row) for row in _telling(rows)]
    if section == "users":
        points += _explained(audit)
        points += _searched(audit)
    elif section in ("exposure", "lists", "calibration", "popularity"):
        points.append("Confounders. Not adjusted: groups are compared as they are.")
    tables: tuple[Table, ...] = (evidence_table(rows, title=f"Evidence: {SECTIONS[section].lower()}"),)
    if section == "popularity" and audit.bias:
        tables = (*tables, tier_table(audit))
    if section == "users" and audit.adjusted:
        tables = (*tables, adjusted_table(audit.adjusted))
    return DocumentPart(
        title=section_title(section),
        lead=f"{QUESTIONS[section]} {section_sentence(audit, section)}",
        points=(*points, f"Limits. {LIMITS[section]}"),
        figures=tuple(section_figures(audit, section)),
        tables=tables,
    )


def _explained(audit: Audit) -> list[str]:
    """What explains the gaps that are there; of gaps that may be chance nothing is to be explained."""
    told = [gap for gap in telling_gaps(audit.adjusted) if is_shown(gap.raw)]
    if audit.adjusted and not told:
        return ["Confounders. No raw gap can be told from chance, so that there is none to explain."]
    return [f"Confounders. {explained_sentence(gap)}" for gap in told]


def _telling(rows: Iterable[AuditRow]) -> list[AuditRow]:
    """The gravest row of each group, the first few of them."""
    found: dict[tuple[str | None, str, str], AuditRow] = {}
    for row in rows:
        if row.severity in ("critical", "high", "medium", "low"):
            found.setdefault((row.attribute, row.by, row.subject), row)
    return list(found.values())[:_CLAIMS]


def _searched(audit: Audit) -> list[str]:
    found = audit.intersections
    if found is None:
        return []
    small = f" {whole(found.small)} of them have too few users to tell." if found.small else ""
    return [
        (
            f"Searched. {whole(found.groups)} crossed groups by {found.metric}, corrected together (Benjamini and "
            f"Hochberg): what is found here is exploratory, to be confirmed on other data.{small}"
        )
    ]


def _forest(rows: Iterable[AuditRow], reference: str) -> Any | None:
    return charts_users.forest_chart([row for row in rows if row.reference == reference], most=12)


def _gini(audit: Audit) -> str:
    names = {"shown": "lists", "owned": "histories"}
    told = ", ".join(f"{names[name]} {decimal(value, 2)}" for name, value in audit.gini.items() if name in names)
    return f" (Gini: {told})" if told else ""


def _tall(chart: Any) -> bool:
    heights = [each.height for each in getattr(chart, "layer", []) if isinstance(each.height, int | float)]
    return bool(heights) and max(heights) > 420
