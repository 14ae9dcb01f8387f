"""Charts of what items get: Lorenz curves, exposure against merit, stages from catalogue to list, popularity lift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.audit import Audit, AuditComparison, AuditRow
from reclens.evaluation.results import OVERALL
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, rows_of, told_colour
from reclens.report._toolkit.format import percent, sentence, whole
from reclens.report._toolkit.labels import EDGE, label_layers, label_sides
from reclens.report._toolkit.system_colours import system_colour
from reclens.report.audit.charts_severity import parity_line, ratio_axis, severity_colour, severity_marks
from reclens.report.audit.sentences import claim, ratio_text, verdict_text
from reclens.report.audit.words import CHANGES, SEVERITIES, measure_name, reference_name, short_name
from reclens.stats.estimate import Estimate

__all__ = [
    "calibration_chart",
    "change_chart",
    "examination_chart",
    "lift_chart",
    "lorenz_chart",
    "merit_chart",
    "stage_caption",
    "stage_chart",
    "stage_rows",
]

_CURVES: Final = {"shown": "lists", "owned": "what users had"}
STAGES: Final = {
    "catalogue": "catalogue",
    "profile": "histories",
    "merit": "relevant items",
    "scores": "candidates",
    "lists": "lists",
}
"""The same share at each stage, from what there is to what is shown."""


def lorenz_chart(audit: Audit) -> Any | None:
    """Share of exposure against share of items, the least shown first; None where nothing was shown."""
    import altair as alt

    rows = [
        {**point, "system": _CURVES[name]} for name, curve in audit.lorenz.items() if name in _CURVES for point in curve
    ]
    if not rows:
        return None
    for row in rows:
        row["tip"] = (
            f"{row['system']}: the {percent(float(row['items']), 0)} of the items with the least have "
            f"{percent(float(row['share']), 1)}"
        )
    names = [_CURVES[name] for name in audit.lorenz if name in _CURVES]
    axes: dict[str, Any] = {
        "x": alt.X("items:Q", title="share of items, the least shown first", axis=alt.Axis(format="%")),
        "y": alt.Y("share:Q", title="share of what is shown or had", axis=alt.Axis(format="%")),
    }
    even = alt.Chart(alt.Data(values=[{"items": 0, "share": 0}, {"items": 1, "share": 1}]))  # type: ignore[arg-type]
    base = base_of(rows, height=300)
    return alt.layer(
        even.mark_line(strokeWidth=1, color="var(--line)").encode(**axes),
        base.mark_line(strokeWidth=2).encode(**axes, color=told_colour(names)),
        base.mark_point(opacity=0, size=120).encode(**axes, tooltip="tip:N"),
    )


def merit_chart(audit: Audit, attribute: str) -> Any | None:
    """Share of exposure of each group against its share of the relevant items, with the line of parity.

    Without a truth it is the share of the catalogue. None where the attribute was not audited.
    """
    import altair as alt

    against = "merit" if _shares(audit, attribute, "merit") else "catalogue"
    rows: list[dict[str, Any]] = [
        {
            "severity": SEVERITIES[row.severity],
            "merit": row.reference_value.value,
            "value": row.value.value,
            "low": row.value.low,
            "high": row.value.high,
            "group": row.group,
            "tip": f"{claim(row)}; {verdict_text(row)}",
        }
        for row in _shares(audit, attribute, against)
        if math.isfinite(row.value.value) and math.isfinite(row.reference_value.value)
    ]
    if not rows:
        return None
    most = max(max(row["merit"], row["high"] or row["value"]) for row in rows)
    axis = alt.Axis(format="%")
    scale = alt.Scale(domain=[0, most], nice=False, padding=EDGE)
    x = alt.X("merit:Q", title=f"share of the {STAGES[against]}", axis=axis, scale=scale)
    y = alt.Y("value:Q", title="share of the exposure", axis=axis, scale=scale)
    line = alt.Chart(alt.Data(values=[{"merit": 0, "value": 0}, {"merit": most, "value": most}]))  # type: ignore[arg-type]
    _name(rows, most)
    base = base_of(rows, height=300)
    marks = severity_marks(rows)
    layers = [
        line.mark_line(strokeWidth=1, color="var(--ink)", strokeDash=[4, 3]).encode(x=x, y=y),
        base.mark_point(size=80, filled=True, opacity=1).encode(x=x, y=y, tooltip="tip:N", **marks),
    ]
    layers += label_layers(base, rows, text="group", side="named", axes={"x": x, "y": y})
    if any(row["low"] is not None for row in rows):
        layers.insert(1, base.mark_rule(strokeWidth=2).encode(x=x, y="low:Q", y2="high:Q", color=marks["color"]))
    return alt.layer(*layers)


def _name(rows: Sequence[dict[str, Any]], most: float) -> None:
    """Choose the side of its point for the name of each group, the farthest from parity first, without overlaps."""
    dots = [(row["group"], row["merit"], row["value"]) for row in rows]
    far = [abs(row["value"] - row["merit"]) for row in rows]
    sides = label_sides(dots, intervals=((0.0, most), (0.0, most)), first=far)
    for row, side in zip(rows, sides, strict=True):
        row["named"] = side


def stage_rows(audit: Audit, attribute: str) -> list[dict[str, Any]]:
    """The share of each group in the catalogue, in histories, among the relevant items, and in lists."""
    found: list[dict[str, Any]] = []
    for reference, stage in STAGES.items():
        if reference in ("scores", "lists"):
            continue
        found += [_stage(row, stage, row.reference_value) for row in _shares(audit, attribute, reference)]
    found += [
        _stage(row, STAGES["scores"], row.value)
        for row in audit.rows
        if row.measure == "stage_scores" and row.attribute == attribute
    ]
    lists = _shares(audit, attribute, "catalogue")
    return found + [_stage(row, STAGES["lists"], row.value) for row in lists]


def stage_caption(audit: Audit, attribute: str) -> str:
    """The stages that the chart shows, in their order."""
    known = {row["stage"] for row in stage_rows(audit, attribute)}
    return f"{sentence(attribute)}: {', '.join(stage for stage in STAGES.values() if stage in known)}"


def _label(row: AuditRow) -> str:
    return "all users" if (row.by, row.segment) == OVERALL else f"{row.segment} ({row.by})"


def _stage(row: AuditRow, stage: str, share: Estimate) -> dict[str, Any]:
    return {"group": row.group, "stage": stage, "value": share.value, "low": share.low, "high": share.high}


def stage_chart(audit: Audit, attribute: str, *, most: int = 8) -> Any | None:
    """Bars of the share of each group at each stage: the same gap from the data to the lists."""
    import altair as alt

    rows = [row for row in stage_rows(audit, attribute) if math.isfinite(row["value"])]
    groups = _largest(rows, most)
    rows = [row for row in rows if row["group"] in groups]
    if not rows:
        return None
    for row in rows:
        row["tip"] = f"{row['group']}: {percent(row['value'], 1)} of the {row['stage']}"
    stages = [stage for stage in STAGES.values() if any(row["stage"] == stage for row in rows)]
    return _bars(rows, groups, "stage", stages, alt.X("value:Q", title="share", axis=alt.Axis(format="%")))


def calibration_chart(audit: Audit, attribute: str, *, most: int = 8) -> Any | None:
    """What users had (p) beside what they are shown (q), by group of items; None without training data."""
    import altair as alt

    pairs = _shares(audit, attribute, "profile")
    rows = [_stage(row, "histories (p)", row.reference_value) for row in pairs]
    rows += [_stage(row, "lists (q)", row.value) for row in pairs]
    rows = [row for row in rows if math.isfinite(row["value"])]
    groups = _largest(rows, most)
    rows = [row for row in rows if row["group"] in groups]
    if not rows:
        return None
    for row in rows:
        row["tip"] = f"{row['group']}: {percent(row['value'], 1)} of the {row['stage']}"
    x = alt.X("value:Q", title="share", axis=alt.Axis(format="%"))
    return _bars(rows, groups, "stage", ["histories (p)", "lists (q)"], x)


def lift_chart(audit: Audit) -> Any | None:
    """ΔGAP by group of users: how much more popular lists are than histories, with intervals."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        {
            "label": _label(row),
            "severity": SEVERITIES[row.severity],
            "value": row.ratio.value - 1,
            "low": None if row.ratio.low is None else row.ratio.low - 1,
            "high": None if row.ratio.high is None else row.ratio.high - 1,
            "tip": f"{claim(row)}; n = {whole(row.n)}; {verdict_text(row)}",
        }
        for row in _in_order([row for row in audit.rows if row.measure == "popularity_lift"])
        if math.isfinite(row.ratio.value)
    ]
    if not rows:
        return None
    y = rows_of("label", [row["label"] for row in rows])
    base = base_of(rows, height=ROW_HEIGHT * len(rows))
    x = alt.X("value:Q", title="ΔGAP: lists beside histories", axis=alt.Axis(format="+%", tickCount=3))
    bars = base.mark_bar(height=12).encode(x=x, y=y, color=severity_colour(rows), tooltip="tip:N")
    if all(row["low"] is None for row in rows):
        return alt.layer(bars)
    whiskers = base.mark_rule(strokeWidth=2, color="var(--ink)").encode(x="low:Q", x2="high:Q", y=y)
    return alt.layer(bars, whiskers)


def change_chart(found: AuditComparison, *, most: int = 24) -> Any | None:
    """Impact ratios before and after as dumbbells, what moved most for sure first."""
    import altair as alt

    order = ("worse", "improved", "undecided", "not_tested")
    known = [each for each in found.changes if each.before.value > 0 and each.after.value > 0]
    known.sort(key=lambda each: (order.index(each.outcome), -abs(math.log(each.after.value / each.before.value))))
    ends, lines = [], []
    named: set[str] = set()
    for each in known[:most]:
        group = each.subject if each.attribute is None else f"{each.subject} ({each.attribute})"
        whole = f"{group}: {measure_name(each.measure)}, {reference_name(each.reference)}"
        short = short_name(each.measure, each.reference)
        # The attribute is named where two of them have a group of one name.
        label = next((name for name in (f"{each.subject}: {short}", f"{group}: {short}") if name not in named), whole)
        named.add(label)
        tip = (
            f"{whole}: {ratio_text(each.before)} → {ratio_text(each.after)}, {CHANGES[each.outcome]}, "
            f"change {ratio_text(each.change)}"
        )
        lines.append({"label": label, "before": each.before.value, "after": each.after.value, "tip": tip})
        ends += [
            {"label": label, "system": name, "value": value, "tip": tip}
            for name, value in ((found.before, each.before.value), (found.after, each.after.value))
        ]
    if not ends:
        return None
    y = rows_of("label", [row["label"] for row in lines], widest=230)
    x = ratio_axis([row["value"] for row in ends], title="impact ratio (1 is parity)")
    scale = x["scale"]
    height = ROW_HEIGHT * len(lines)
    bars = base_of(lines, height=height).mark_rule(strokeWidth=3, color="var(--line)")
    dots = base_of(ends, height=height).mark_circle(size=80, opacity=1)
    return alt.layer(
        parity_line(),
        bars.encode(x=alt.X("before:Q", scale=scale), x2="after:Q", y=y),
        dots.encode(x=x, y=y, color=system_colour([found.before, found.after], told=True), tooltip="tip:N"),
    )


def examination_chart(audit: Audit) -> Any | None:
    """How often each position is looked at, relative to the first, with intervals; None without a log."""
    import altair as alt

    if audit.position is None:
        return None
    rows = [
        {
            "position": at,
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "tip": f"position {at}: looked at {ratio_text(each)} times as often as the first",
        }
        for at, each in enumerate(audit.position.examination, start=1)
        if math.isfinite(each.value)
    ]
    if not rows:
        return None
    base = base_of(rows, height=240)
    x = alt.X("position:Q", title="position", axis=alt.Axis(format="d"), scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title="attention, relative to the first position", scale=alt.Scale(domainMin=0))
    naive = [{"position": at, "value": each} for at, each in enumerate(audit.position.clicks, 1) if math.isfinite(each)]
    layers = [
        base_of(naive, height=240).mark_line(strokeWidth=1, strokeDash=[4, 3], color="var(--muted)").encode(x=x, y=y),
        base.mark_line(strokeWidth=2, color="var(--s0)").encode(x=x, y=y),
    ]
    if any(row["low"] is not None for row in rows):
        rule = base.mark_rule(strokeWidth=1.5, color="var(--s0)")
        layers.append(rule.encode(x=x, y=alt.Y("low:Q"), y2="high:Q"))
    return alt.layer(*layers, base.mark_circle(size=60, color="var(--s0)").encode(x=x, y=y, tooltip="tip:N"))


def _shares(audit: Audit, attribute: str, reference: str) -> list[AuditRow]:
    return [
        row
        for row in audit.rows
        if (row.measure, row.attribute, row.reference) == ("exposure_share", attribute, reference)
        and (row.by, row.segment) == OVERALL
    ]


def _in_order(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """All users first, then by segmentation."""
    return sorted(rows, key=lambda row: (row.by != OVERALL[0], row.by, row.segment))


def _largest(rows: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """The groups with the largest share at any stage."""
    largest: dict[str, float] = {}
    for row in rows:
        largest[row["group"]] = max(row["value"], largest.get(row["group"], 0.0))
    return sorted(largest, key=lambda group: -largest[group])[:most]


def _bars(rows: list[dict[str, Any]], groups: list[str], field: str, names: list[str], x: Any) -> Any:
    import altair as alt

    for row in rows:
        row["system"] = row[field]
    y = rows_of("group", groups)
    offset = alt.YOffset("system:N", sort=names, scale=alt.Scale(paddingOuter=0.2))
    base = base_of(rows, height=max(13 * len(names), ROW_HEIGHT) * len(groups))
    bars = base.mark_bar(opacity=0.85).encode(
        x=x, y=y, yOffset=offset, color=told_colour(names, symbol="square"), tooltip="tip:N"
    )
    if all(row["low"] is None for row in rows):
        return alt.layer(bars)
    whiskers = base.mark_rule(strokeWidth=1.5, color="var(--ink)").encode(x="low:Q", x2="high:Q", y=y, yOffset=offset)
    return alt.layer(bars, whiskers)
