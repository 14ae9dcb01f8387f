"""Charts of explorations: the map, wanted against shown, the coverage curve, reasons, recall by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reclens.explore.result import Exploration
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, colour_of, dots, rows_of
from reclens.report._toolkit.format import percent
from reclens.report.explore.words import REASONS

__all__ = ["curve_chart", "map_chart", "reason_chart", "recall_chart", "wanted_chart"]

_POINTS: Final = 3_000
_REGIONS: Final = 20
_STATES: Final[Mapping[str, str]] = {
    "shown": "var(--line)",
    "never shown": "var(--s0)",
    "wanted, never shown": "var(--s6)",
}


def map_chart(found: Exploration) -> Any | None:
    """The places on the map, at most 3,000 of them, by whether they are shown and wanted; and the largest labels."""
    import altair as alt

    if found.map is None:
        return None
    points = found.map.points
    chosen = np.arange(len(points))
    if len(points) > _POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(points), _POINTS, replace=False))
    states = _states(found)
    rows: list[dict[str, Any]] = [
        {
            "x": float(points[row, 0]),
            "y": float(points[row, 1]),
            "state": states[row],
            "tip": f"{found.map.ids[int(row)]}: {states[row]}; {found.regions.name(int(found.regions.fine[row]))}",
        }
        for row in chosen
    ]
    rows.sort(key=lambda row: list(_STATES).index(row["state"]))  # what matters is drawn last
    scale = alt.Scale(domain=list(_STATES), range=list(_STATES.values()))
    legend = alt.Legend(title=None, orient="top", labelColor="var(--ink)", symbolType="circle")
    axes: dict[str, Any] = {"x": alt.X("x:Q", axis=None), "y": alt.Y("y:Q", axis=None)}
    base = base_of(rows, height=420)
    labels = base_of(_labels(found), height=420)
    colour = alt.Color("state:N", scale=scale, legend=legend)
    return alt.layer(
        base.mark_circle(size=14, opacity=0.8).encode(**axes, color=colour, tooltip="tip:N"),
        labels.mark_text(fontSize=11, color="var(--ink)", fontWeight="bold").encode(**axes, text="text:N"),
    )


def _states(found: Exploration) -> list[str]:
    if found.coverage is None:
        return ["shown"] * len(found.regions.fine)
    wants = found.coverage.wants
    return [
        "shown" if shown else "wanted, never shown" if wants[row] else "never shown"
        for row, shown in enumerate(found.coverage.shown)
    ]


def _labels(found: Exploration) -> list[dict[str, Any]]:
    """Labels of the coarser level, at the middle of their points."""
    if found.map is None or not found.regions.coarse_names:
        return []
    group = found.regions.coarse[found.regions.fine]
    return [
        {"x": float(x), "y": float(y), "text": name.split(" · ")[0]}
        for at, name in enumerate(found.regions.coarse_names)
        for x, y in [np.median(found.map.points[group == at], axis=0)]
    ]


def wanted_chart(found: Exploration) -> Any | None:
    """What is wanted of a region less what is shown of it, with its interval; the regions with the largest gaps."""
    if found.coverage is None or not found.coverage.wants.any():
        return None
    regions = sorted(found.coverage.regions, key=lambda each: -each.gap.value)[:_REGIONS]
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "system": "blind spot" if each.blind else "region",
            "value": each.gap.value,
            "low": each.gap.low,
            "high": each.gap.high,
            "small": False,
            "tip": f"{each.name}: wanted {percent(each.wanted, 1)}, shown {percent(each.shown, 1)}",
        }
        for each in regions
    ]
    order = [row["name"] for row in rows]
    return dots(
        rows,
        y=rows_of("name", order),
        row_height=ROW_HEIGHT * len(rows),
        systems=["region", "blind spot"],
        title="share wanted - share shown",
        form="%",
        told=True,
    )


def curve_chart(found: Exploration) -> Any | None:
    """Different items in the lists of so many users."""
    import altair as alt

    if found.coverage is None or len(found.coverage.curve.users) < 2:
        return None
    rows: list[dict[str, Any]] = [
        {**row, "tip": f"{row['users']:,} users: {row['items']:,.0f} items"} for row in found.coverage.curve.to_dicts()
    ]
    axes: dict[str, Any] = {
        "x": alt.X("users:Q", title="users"),
        "y": alt.Y("items:Q", title="different items in their lists"),
    }
    base = base_of(rows, height=240)
    level = base_of([{"expected": found.coverage.curve.expected}], height=240)
    return alt.layer(
        level.mark_rule(strokeDash=[4, 3], color="var(--ink)").encode(y="expected:Q"),
        base.mark_line(strokeWidth=2, color="var(--s0)").encode(**axes),
        base.mark_point(opacity=0, size=120).encode(**axes, tooltip="tip:N"),
    )


def reason_chart(found: Exploration) -> Any | None:
    """Items in no list by the reason."""
    import altair as alt

    if found.reach is None:
        return None
    rows: list[dict[str, Any]] = [
        {"reason": REASONS[reason], "items": count, "tip": f"{REASONS[reason]}: {count:,}"}
        for reason, count in found.reach.counts().items()
        if count
    ]
    if not rows:
        return None
    base = base_of(rows, height=ROW_HEIGHT * len(rows))
    return base.mark_bar(color="var(--s0)", height=14).encode(
        x=alt.X("items:Q", title="items"),
        y=rows_of("reason", [row["reason"] for row in rows], widest=220),
        tooltip="tip:N",
    )


def recall_chart(found: Exploration) -> Any | None:
    """Recall of the index in its worst regions."""
    if found.retrieval is None or not found.retrieval.regions:
        return None
    worst = found.retrieval.regions[:_REGIONS]
    if worst[0].recall.value == 1:
        return None
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "system": "region",
            "value": each.recall.value,
            "low": each.recall.low,
            "high": each.recall.high,
            "small": False,
            "tip": f"{each.name}: {percent(each.recall.value, 1)} of {each.recall.n:,} queries",
        }
        for each in worst
    ]
    return dots(
        rows,
        y=rows_of("name", [row["name"] for row in rows]),
        row_height=ROW_HEIGHT * len(rows),
        systems=["region"],
        title=f"recall at {found.retrieval.k}",
        form="%",
        colour=colour_of(["region"]),
    )
