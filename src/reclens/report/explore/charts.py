"""Charts of explorations: the map, wanted against shown, the coverage curve, reasons, recall by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reclens.errors import UsageError
from reclens.explore.result import Exploration
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, colour_of, dots, rows_of
from reclens.report._toolkit.format import percent, whole
from reclens.report._toolkit.raster import EDGE, counts_of, picture_url, png_of, shaded
from reclens.report.explore.words import REASONS

__all__ = ["curve_chart", "map_chart", "map_picture", "reason_chart", "recall_chart", "wanted_chart"]

_POINTS: Final = 3_000
_HEIGHT: Final = 420
_REGIONS: Final = 20
_STATES: Final[Mapping[str, str]] = {
    "shown": "var(--line)",
    "never shown": "var(--s0)",
    "wanted, never shown": "var(--s6)",
}
_TONES: Final = ("#8a9199", "#2f8fd0", "#d9485a")
"""The same in a picture, which cannot take the colours of its page: they are seen on light and on dark."""


def map_chart(found: Exploration) -> Any | None:
    """The places on the map by whether they are shown and wanted, and the largest labels.

    Up to 3,000 points are drawn one by one; more of them as a picture, in which dense places are the more opaque.
    """
    import altair as alt

    if found.map is None:
        return None
    few = len(found.map) <= _POINTS
    low, high = found.map.points.min(axis=0), found.map.points.max(axis=0)
    edge = np.maximum((high - low) * EDGE / (1 - 2 * EDGE), 1e-9)
    axes: dict[str, Any] = {
        name: getattr(alt, name.upper())(
            f"{name}:Q",
            axis=None,
            scale=alt.Scale(domain=[float(low[at] - edge[at]), float(high[at] + edge[at])], nice=False, zero=False),
        )
        for at, name in enumerate("xy")
    }
    scale = alt.Scale(domain=list(_STATES), range=list(_STATES.values() if few else _TONES))
    legend = alt.Legend(title=None, orient="top", labelColor="var(--ink)", symbolType="circle", symbolOpacity=1)
    colour = alt.Color("state:N", scale=scale, legend=legend)
    points = base_of(_rows(found) if few else [{"state": each} for each in _STATES], height=_HEIGHT)
    if few:
        drawn = [points.mark_circle(size=14, opacity=0.8).encode(**axes, color=colour, tooltip="tip:N")]
    else:
        middle = dict(zip("xy", ((low + high) / 2).tolist(), strict=True))
        picture = base_of([{"url": picture_url(map_picture(found)), **middle}], height=_HEIGHT)
        whole: dict[str, Any] = {"width": {"expr": "width"}, "height": {"expr": "height"}}
        drawn = [
            picture.mark_image(aspect=False, **whole).encode(**axes, url="url:N"),
            points.mark_circle(size=0, opacity=0).encode(color=colour),  # for its legend
        ]
    labels = base_of(_labels(found), height=_HEIGHT)
    named = labels.mark_text(fontSize=11, color="var(--ink)", fontWeight="bold").encode(**axes, text="text:N")
    return alt.layer(*drawn, named)


def map_picture(found: Exploration, *, width: int | None = None) -> bytes:
    """All points of the map as a PNG file, by whether they are shown and wanted: for millions of them too.

    Args:
        found: An exploration with a map.
        width: Pixels across, four for three up; None for the more the more points there are, up to 1,600, so that a
            point can be seen.

    Raises:
        UsageError: If it has no map.
    """
    if found.map is None:
        raise UsageError("the exploration has no map: explore with point_map=.")
    order = {each: at for at, each in enumerate(_STATES)}
    groups = np.array([order[each] for each in _states(found)])
    width = width or int(np.clip(5 * np.sqrt(len(groups)), 200, 1_600))
    counts = counts_of(found.map.points, groups, width=width, height=max(1, 3 * width // 4))
    return png_of(shaded(counts, _TONES[: len(counts)]))


def _rows(found: Exploration) -> list[dict[str, Any]]:
    assert found.map is not None
    states = _states(found)
    rows: list[dict[str, Any]] = [
        {
            "x": float(x),
            "y": float(y),
            "state": states[row],
            "tip": f"{found.map.ids[row]}: {states[row]}; {found.regions.name(int(found.regions.fine[row]))}",
        }
        for row, (x, y) in enumerate(found.map.points)
    ]
    rows.sort(key=lambda row: list(_STATES).index(row["state"]))  # what matters is drawn last
    return rows


def _states(found: Exploration) -> list[str]:
    coverage = found.coverage
    if coverage is None:
        return ["shown"] * len(found.regions.fine)
    states = np.where(coverage.shown, "shown", np.where(coverage.wants > 0, "wanted, never shown", "never shown"))
    return states.tolist()


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
        {**row, "tip": f"{whole(row['users'])} users: {whole(row['items'])} items"}
        for row in found.coverage.curve.to_dicts()
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
        {"reason": REASONS[reason], "items": count, "tip": f"{REASONS[reason]}: {whole(count)}"}
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
            "tip": f"{each.name}: {percent(each.recall.value, 1)} of {whole(each.recall.n)} queries",
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
