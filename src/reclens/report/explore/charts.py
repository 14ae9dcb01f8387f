"""Charts of explorations: the map, wanted against shown, the coverage curve, reasons, recall by region."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.errors import UsageError
from reclens.explore.result import Exploration
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, colour_of, dots, legend_above, rows_of
from reclens.report._toolkit.format import percent, whole
from reclens.report._toolkit.point_map import BEHIND
from reclens.report._toolkit.raster import EDGE, counts_of, picture_url, png_of, shaded
from reclens.report.explore.states import REASON_COLOURS, STATE_COLOURS, WANTED, css_colour, picture_colour, states_of
from reclens.report.explore.words import REASONS

__all__ = ["curve_chart", "map_chart", "map_picture", "reason_chart", "recall_chart", "wanted_chart"]

_POINTS: Final = 3_000
_HEIGHT: Final = 420
_REGIONS: Final = 20
_LABEL: Final = 7
"""Width of a letter of a label in pixels; its height is twice as much."""
_NARROW: Final = 600
"""Pixels of a chart in which no two labels overlap."""


def map_chart(found: Exploration) -> Any | None:
    """The places on the map by whether they are shown and wanted, and the largest labels.

    Up to 3,000 points are drawn one by one; more of them as a picture, in which dense places are the more opaque. Both
    axes have one scale, so that distances keep their proportion.
    """
    import altair as alt

    if found.map is None:
        return None
    few = len(found.map) <= _POINTS
    low, high = found.map.points.min(axis=0).astype(float), found.map.points.max(axis=0).astype(float)
    middle, size = (low + high) / 2, np.maximum((high - low) / (1 - 2 * EDGE), 1e-9)
    unit = f"max({size[0]} / width, {size[1]} / height)"  # of the map, for a pixel
    axes: dict[str, Any] = {
        name: getattr(alt, name.upper())(
            f"{name}:Q",
            axis=None,
            scale=alt.Scale(
                domainMin=alt.ExprRef(f"{middle[at]} - {unit} * {pixels} / 2"),
                domainMax=alt.ExprRef(f"{middle[at]} + {unit} * {pixels} / 2"),
                nice=False,
                zero=False,
            ),
        )
        for at, (name, pixels) in enumerate((("x", "width"), ("y", "height")))
    }
    there = _in_order(states_of(found))
    tones = [css_colour(STATE_COLOURS[each]) if few else picture_colour(each) for each in there]
    scale = alt.Scale(domain=there, range=tones)
    legend = alt.Legend(title=None, orient="top", labelColor="var(--ink)", symbolType="circle", symbolOpacity=1)
    colour = alt.Color("state:N", scale=scale, legend=legend)
    points = base_of(_rows(found) if few else [{"state": each} for each in there], height=_HEIGHT)
    if few:
        drawn = [points.mark_circle(size=14, opacity=0.8).encode(**axes, color=colour, tooltip="tip:N")]
    else:
        place = dict(zip("xy", middle.tolist(), strict=True))
        picture = base_of([{"url": picture_url(map_picture(found)), **place}], height=_HEIGHT)
        whole: dict[str, Any] = {
            "width": {"expr": f"{size[0]} / {unit}"},
            "height": {"expr": f"{size[1]} / {unit}"},
        }
        drawn = [
            picture.mark_image(aspect=False, **whole).encode(**axes, url="url:N"),
            points.mark_circle(size=0, opacity=0).encode(color=colour),  # for its legend
        ]
    labels = base_of(_labels(found, max(size[0] / _NARROW, size[1] / _HEIGHT)), height=_HEIGHT)
    named = labels.mark_text(fontSize=11, color="var(--ink)", fontWeight="bold").encode(**axes, text="text:N")
    return alt.layer(*drawn, named)


def _in_order(states: np.ndarray) -> list[str]:
    """The states that there are; the later ones lie above."""
    return [each for each in STATE_COLOURS if (states == each).any()]


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
    states = states_of(found)
    there = _in_order(states)
    groups = np.zeros(len(states), np.int64)
    for at, each in enumerate(there):
        groups[states == each] = at
    width = width or int(np.clip(5 * np.sqrt(len(groups)), 200, 1_600))
    counts = counts_of(found.map.points, groups, width=width, height=max(1, 3 * width // 4))
    return png_of(shaded(counts, [picture_colour(each) for each in there]))


def _rows(found: Exploration) -> list[dict[str, Any]]:
    assert found.map is not None
    states = states_of(found).tolist()
    rows: list[dict[str, Any]] = [
        {
            "x": float(x),
            "y": float(y),
            "state": states[row],
            "tip": f"{found.map.ids[row]}: {states[row]}; {found.regions.name(int(found.regions.fine[row]))}",
        }
        for row, (x, y) in enumerate(found.map.points)
    ]
    rows.sort(key=lambda row: list(STATE_COLOURS).index(row["state"]))  # what matters is drawn last
    return rows


def _labels(found: Exploration, unit: float) -> list[dict[str, Any]]:
    """Labels of the coarser level, at the middle of their points; of two that would overlap, that of the larger region.

    Args:
        found: An exploration with a map.
        unit: Of the map, for a pixel.
    """
    assert found.map is not None
    group = found.regions.coarse[found.regions.fine]
    sizes = np.bincount(group, minlength=len(found.regions.coarse_names))
    taken: list[tuple[float, float, float]] = []
    rows: list[dict[str, Any]] = []
    for at in np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]:
        text = found.regions.coarse_names[at].split(" · ")[0]
        x, y = np.median(found.map.points[group == at], axis=0).tolist()
        half = len(text) * _LABEL * unit / 2
        if any(abs(x - left) < half + wide and abs(y - up) < 2 * _LABEL * unit for left, up, wide in taken):
            continue
        taken.append((x, y, half))
        rows.append({"x": x, "y": y, "text": text})
    return rows


def wanted_chart(found: Exploration) -> Any | None:
    """What is wanted of a region less what is shown of it, with its interval; the regions with the largest gaps."""
    import altair as alt

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
    colours = {"region": css_colour(BEHIND), "blind spot": css_colour(STATE_COLOURS[WANTED])}
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return dots(
        rows,
        y=rows_of("name", order),
        row_height=ROW_HEIGHT * len(rows),
        systems=list(colours),
        title="share wanted - share shown",
        form="%",
        colour=legend_above(alt.Color("system:N", scale=scale), symbol="circle"),
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
    named = [row["reason"] for row in rows]
    scale = alt.Scale(domain=named, range=[css_colour(REASON_COLOURS[each]) for each in named])
    return base.mark_bar(height=14).encode(
        x=alt.X("items:Q", title="items"),
        color=alt.Color("reason:N", scale=scale, legend=None),
        y=rows_of("reason", named, widest=220),
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
