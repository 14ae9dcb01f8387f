"""Charts of what groups of users get: a forest of ratios, crossed groups, and what explains a gap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from reclens.audit import AdjustedGap, Audit, AuditRow
from reclens.evaluation.results import OVERALL
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, legend_above, rows_of, zero
from reclens.report._toolkit.format import between, decimal, whole
from reclens.report.audit.charts_severity import parity_line, ratio_axis, severity_marks
from reclens.report.audit.sentences import claim, subject_text, verdict_text
from reclens.report.audit.words import SEVERITIES, STEPS, measure_name
from reclens.stats.estimate import Estimate

__all__ = [
    "crossed_pairs",
    "disparity_chart",
    "forest_chart",
    "intersection_chart",
    "measure_chart",
    "waterfall_chart",
    "waterfall_of",
]

_LONG: Final = 22
"""Letters of a name beside which a legend has room for one column."""
_WIDEST: Final = 8.0
"""Ratios beyond this, or below its inverse, are drawn at the edge: they say 'nothing like parity'."""

_CLASSES: Final = (
    ("below 0.80", 0.8, "var(--bad)"),
    ("0.80 to 0.90", 0.9, "var(--open)"),
    ("0.90 to 1.11", 1 / 0.9, "var(--grid)"),
    ("above 1.11", math.inf, "var(--favoured)"),
)
"""Classes of ratios, their upper ends and their colours, which are those of severities and follow light and dark."""


def forest_chart(
    rows: Sequence[AuditRow],
    *,
    most: int = 24,
    title: str = "ratio (1 is parity)",
    label: Callable[[AuditRow], str] = subject_text,
) -> Any | None:
    """The ratio of each group with its interval, on a logarithm, with parity and the band of no material difference.

    Args:
        rows: The rows; those without a ratio are left out.
        most: Groups that are shown, the gravest first as given.
        title: Of the axis.
        label: What each row is called.
    """
    import altair as alt

    shown: list[dict[str, Any]] = []
    for row in rows:
        if not (row.ratio.value > 0 and math.isfinite(row.ratio.value)) or len(shown) == most:
            continue
        shown.append(
            {
                "label": label(row),
                "severity": SEVERITIES[row.severity],
                "value": _inside(row.ratio.value),
                "low": None if row.ratio.low is None else _inside(row.ratio.low),
                "high": None if row.ratio.high is None else _inside(row.ratio.high),
                "tip": f"{claim(row)}; n = {whole(row.n)}; {verdict_text(row)}",
            }
        )
    if not shown:
        return None
    y = rows_of("label", [row["label"] for row in shown], widest=200)
    base = base_of(shown, height=ROW_HEIGHT * len(shown))
    ends = [row[end] for row in shown for end in ("low", "value", "high") if row[end] is not None]
    x = ratio_axis(ends, title=title)
    scale = x["scale"]
    band = alt.Chart(alt.Data(values=[{"from": 0.9, "to": 1 / 0.9}]))  # type: ignore[arg-type]
    layers = [
        band.mark_rect(color="var(--soft)").encode(x=alt.X("from:Q", scale=scale), x2="to:Q"),
        parity_line(),
    ]
    # The legend stands above the marks alone: beside long names there is room for one column on a phone and on paper.
    marks = severity_marks(shown, columns=1 if max(len(row["label"]) for row in shown) > _LONG else 2)
    if any(row["low"] is not None for row in shown):
        rule = base.mark_rule(strokeWidth=2)
        layers.append(rule.encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=y, color=marks["color"]))
    layers.append(base.mark_point(size=75, filled=True, opacity=1).encode(x=x, y=y, tooltip="tip:N", **marks))
    return alt.layer(*layers)


def measure_chart(audit: Audit, measure: str, *, by: str | None = None) -> Any | None:
    """The forest of one measure of groups of users: of one segmentation, or of all that are no product."""
    rows = [row for row in audit.rows if row.measure == measure and row.section in ("users", "lists")]
    chosen = [row for row in rows if (" × " not in row.by if by is None else row.by == by)]
    return forest_chart(chosen, title=f"{measure_name(measure)}: group ÷ others (1 is parity)")


def disparity_chart(audit: Audit, *, by: str | None = None) -> Any | None:
    """Bias disparity of groups of items in the lists of groups of users, the farthest from 1 first.

    Args:
        audit: The audit.
        by: The segmentation of users or the attribute of items that is shown, where it has such rows; all otherwise.
    """
    known = [row for row in audit.section("two_sided") if row.measure == "bias_disparity" and row.ratio.value > 0]
    chosen = [row for row in known if by in (row.by, row.attribute)] or known
    chosen.sort(key=lambda row: -abs(math.log(row.ratio.value)))
    return forest_chart(chosen, title="lists ÷ histories (1: as in the histories)", label=_of_whom)


def _of_whom(row: AuditRow) -> str:
    """The group of items and of users, without the names of their attributes: beside a chart there is little room."""
    return f"{row.group} for {'all users' if (row.by, row.segment) == OVERALL else row.segment}"


def crossed_pairs(audit: Audit) -> list[tuple[str, str]]:
    """The pairs of segmentations that the search crossed, each crossing once: the plain one across, the other down."""
    found = audit.intersections
    if found is None:
        return []
    singles = list(dict.fromkeys(row.by for row in audit.rows if row.measure == found.metric))
    pairs: dict[str, tuple[str, str]] = {}
    known = {row.by for row in found.rows}
    # Of "activity × age × income" the names of two across would lie on each other: one is across, two are down.
    for one in sorted(singles, key=lambda by: by.count(" × ")):
        for other in singles:
            if one != other and f"{one} × {other}" in known:
                pairs.setdefault(f"{one} × {other}", (one, other))
    return list(pairs.values())


def intersection_chart(audit: Audit, one: str, other: str) -> Any | None:
    """The primary metric in each crossed group beside all other users; hatched where there are too few to tell."""
    import altair as alt

    found = audit.intersections
    if found is None:
        return None
    sides = [_segments(audit, by, found.metric) for by in (one, other)]
    known = {row.segment: row for row in audit.rows if row.by == f"{one} × {other}" and row.measure == found.metric}
    cells: list[dict[str, Any]] = []
    for a in sides[0]:
        for b in sides[1]:
            row = known.get(f"{a} × {b}")
            few = row is None or row.reason is not None or not math.isfinite(row.ratio.value)
            cells.append(
                {
                    "one": a,
                    "other": b,
                    "small": few,
                    "class": None if few or row is None else _class_of(row.ratio.value),
                    "text": "" if row is None else decimal(row.ratio.value, 2),
                    "tip": f"{a} × {b}: too few users to tell"
                    if row is None
                    else f"{claim(row)}; n = {whole(row.n)}; {verdict_text(row)}",
                }
            )
    if not cells:
        return None
    base = base_of(cells, height=max(34 * len(sides[1]), 80))
    x = alt.X("one:N", sort=sides[0], title=None, axis=alt.Axis(labelAngle=0, orient="top", labelLimit=110))
    y = alt.Y("other:N", sort=sides[1], title=None, axis=alt.Axis(labelLimit=150))
    classes = [name for name, _, _ in _CLASSES]
    scale = alt.Scale(domain=classes, range=[colour for _, _, colour in _CLASSES])
    colour = legend_above(alt.Color("class:N", scale=scale), symbol="square")
    told = base.transform_filter("!datum.small")
    return alt.layer(
        told.mark_rect(stroke="var(--paper)", strokeWidth=2, opacity=0.45).encode(
            x=x, y=y, color=colour, tooltip="tip:N"
        ),
        base.transform_filter("datum.small")
        .mark_rect(fill=_hatched(), stroke="var(--paper)", strokeWidth=2)  # type: ignore[arg-type]
        .encode(x=x, y=y, tooltip="tip:N"),
        told.mark_text(fontSize=12, color="var(--ink)").encode(x=x, y=y, text="text:N", tooltip="tip:N"),
    )


def waterfall_chart(gap: AdjustedGap) -> Any:
    """From the raw gap to what is left: what activity and the popularity of profiles explain of it."""
    import altair as alt

    rows: list[dict[str, Any]] = [_step("raw", 0.0, gap.raw, whole=True)]
    at = gap.raw.value
    for name, part in gap.explained.items():
        rows.append(_step(name, at, Estimate(-part.value, low=None, high=None, n=part.n, level=part.level), told=part))
        at -= part.value
    rows.append(_step("left", 0.0, gap.left, whole=True))
    base = base_of(rows, height=ROW_HEIGHT * len(rows) + 10)
    y = rows_of("label", [row["label"] for row in rows], widest=170)
    x = alt.X("from:Q", title=f"{gap.metric}: {gap.segment} - others", axis=alt.Axis(format="+~g", tickCount=3))
    names = ["gap", "explained"]
    scale = alt.Scale(domain=names, range=["var(--s0)", "var(--s7)"])
    colour = legend_above(alt.Color("kind:N", scale=scale), symbol="square")
    bars = base.mark_bar(height=14).encode(x=x, x2="to:Q", y=y, color=colour, tooltip="tip:N")
    ends = base.transform_filter("datum.low != null")
    whiskers = ends.mark_rule(strokeWidth=1.5, color="var(--ink)").encode(x="low:Q", x2="high:Q", y=y)
    return alt.layer(zero(), bars, whiskers)


def waterfall_of(audit: Audit, *, at: int) -> Any:
    """The waterfall of one of the adjusted gaps of an audit."""
    return waterfall_chart(audit.adjusted[at])


def _step(
    name: str, start: float, part: Estimate, *, whole: bool = False, told: Estimate | None = None
) -> dict[str, Any]:
    shown = told or part
    return {
        "label": STEPS[name] if whole else f"due to {STEPS[name]}",
        "kind": "gap" if whole else "explained",
        "from": start,
        "to": start + part.value,
        "low": part.low if whole else None,
        "high": part.high if whole else None,
        "tip": f"{STEPS[name]}: {between(shown)}",
    }


def _class_of(ratio: float) -> str:
    return next(name for name, below, _ in _CLASSES if ratio < below or below == math.inf)


def _segments(audit: Audit, by: str, metric: str) -> list[str]:
    return sorted({row.segment for row in audit.rows if row.by == by and row.measure == metric})


def _inside(value: float) -> float:
    return min(max(value, 1 / _WIDEST), _WIDEST)


def _hatched() -> dict[str, Any]:
    """Stripes, as a gradient with hard edges: Vega has no patterns."""
    stops: list[dict[str, Any]] = []
    count = 9
    for at in range(count):
        colour = "var(--line)" if at % 2 else "var(--soft)"
        stops += [{"offset": at / count, "color": colour}, {"offset": (at + 1) / count - 1e-6, "color": colour}]
    return {"gradient": "linear", "x1": 0, "y1": 0, "x2": 1, "y2": 1, "stops": stops}
