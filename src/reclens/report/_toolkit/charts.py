"""What charts are made of, as Vega-Lite by Altair: colours, rows, dots with intervals. The charts stand in each room.

Colours are CSS variables of the page (``--ink``, ``--line``, ``--s0`` …), so that a chart follows light and dark
without being drawn again; ``THEME`` has values for both. The palette is Okabe and Ito's (2008), which colour-blind
people can tell apart, shifted for contrast on each ground. Every mark tells its numbers on hover.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from reclens.metrics import describe, names

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "BACKGROUND",
    "ROW_HEIGHT",
    "THEME",
    "base_of",
    "colour_of",
    "dots",
    "legend_above",
    "rows_of",
    "title_of",
    "told_colour",
    "within",
    "zero",
]

THEME: Final = {
    "light": ("#0072b2", "#d55e00", "#007a5a", "#a4508b", "#8a6d00", "#3b5bdb", "#b02a37", "#5c636a"),
    "dark": ("#56b4e9", "#ff9d4d", "#2fc79a", "#e29ac8", "#f0e442", "#91a7ff", "#ff8787", "#adb5bd"),
}
"""Colours of the systems on a light and on a dark ground; contrast with it is at least 3 : 1."""

BACKGROUND: Final = "#8a9199"
"""What other points stand out from, on a light and on a dark ground."""

ROW_HEIGHT: Final = 26
"""Height of a row in pixels."""


def dots(
    rows: Sequence[Mapping[str, Any]],
    *,
    y: Any,
    row_height: int,
    systems: list[str],
    title: str,
    offset: Any = None,
    form: str | None = None,
    domain: tuple[float, float] | None = None,
    told: bool = False,
    colour: Any = None,
) -> Any:
    """A dot with its interval in each row.

    Args:
        rows: ``system, value, low, high, small, tip`` of each.
        y: The rows.
        row_height: Height of the chart.
        systems: What is told apart by colour.
        title: Of the axis.
        offset: Within a row.
        form: Format of the axis, such as ``%``.
        domain: Its ends, where it is not to follow the rows; what lies beyond is cut off.
        told: Whether a legend says which colour is which.
        colour: The encoding of the colours; by default they follow the order of the systems.
    """
    import altair as alt

    base = base_of(rows, height=row_height)
    intervals = any(row["low"] is not None for row in rows)

    if colour is None:
        colour = told_colour(systems, symbol="circle") if told else colour_of(systems)
    channels: dict[str, Any] = {"y": y, "color": colour}
    if offset is not None:
        channels["yOffset"] = offset
    scale = alt.Scale(zero=False, nice=True) if domain is None else alt.Scale(domain=list(domain), nice=False)
    axis = alt.Axis() if form is None else alt.Axis(format=form)
    cut = {"clip": True} if domain is not None else {}
    x = alt.X("value:Q", title=title, scale=scale, axis=axis)
    faded = alt.condition("datum.small", alt.value(0.45), alt.value(1))
    points = base.mark_circle(size=70, **cut).encode(x=x, opacity=faded, tooltip="tip:N", **channels)
    if not intervals:  # a rule without ends would leave the scale without an extent
        return alt.layer(points)
    bars = base.mark_rule(strokeWidth=2, **cut).encode(
        x=alt.X("low:Q", title=title, axis=axis), x2="high:Q", opacity=faded, **channels
    )
    return alt.layer(bars, *_beyond(rows, domain, y=y, faded=faded, channels=channels, height=row_height), points)


def _beyond(
    rows: Sequence[Mapping[str, Any]],
    domain: tuple[float, float] | None,
    *,
    y: Any,
    faded: Any,
    channels: Mapping[str, Any],
    height: int,
) -> list[Any]:
    """Heads of arrows where bars are cut off at an end of the axis: they go on."""
    import altair as alt

    if domain is None:
        return []
    heads = []
    for side, shape, place, inside in (("low", "triangle-left", 0, 4), ("high", "triangle-right", "width", -4)):
        sign, end = (-1, domain[0]) if side == "low" else (1, domain[1])
        cut = [row for row in rows if row[side] is not None and sign * row[side] > sign * end]
        if cut:
            mark = base_of(cut, height=height).mark_point(shape=shape, size=45, filled=True, xOffset=inside, clip=True)
            heads.append(mark.encode(x=alt.value(place), opacity=faded, tooltip="tip:N", **channels))
    return heads


def within(rows: Sequence[Mapping[str, Any]], *, zero: bool = False) -> tuple[float, float] | None:
    """Ends of an axis for intervals of which some are far wider than the others; None where none is.

    An interval of two users would press all others into a dot. The axis holds every value, and of the intervals what
    lies within three typical half-widths of the values, or half of the distance of the values where that is more.

    Args:
        rows: ``value, low, high`` of each.
        zero: Whether the axis holds zero too.
    """
    import statistics

    known = [row for row in rows if row["low"] is not None and row["high"] is not None]
    if not known:
        return None
    values = [row["value"] for row in known] + [0.0] * zero
    reach = max(1.5 * statistics.median(row["high"] - row["low"] for row in known), (max(values) - min(values)) / 2)
    least, most = min(row["low"] for row in known), max(row["high"] for row in known)
    if not reach or (least >= min(values) - reach and most <= max(values) + reach):
        return None
    low, high = max(least, min(values) - reach), min(most, max(values) + reach)
    room = 0.02 * (high - low)  # a dot at an end is seen whole
    return low - room, high + room


def base_of(rows: Sequence[Mapping[str, Any]], *, height: int) -> Any:
    """What every chart starts from: its rows, as wide as its place."""
    import altair as alt

    data = alt.Data(values=[dict(row) for row in rows])  # type: ignore[arg-type]
    return alt.Chart(data, height=height, width="container")


def rows_of(field: str, order: Sequence[str], *, widest: int = 150) -> alt.Y:
    """A row for each value of a field, in the order given; labels are cut at ``widest`` pixels."""
    import altair as alt

    return alt.Y(f"{field}:N", sort=list(dict.fromkeys(order)), title=None, axis=alt.Axis(labelLimit=widest))


def colour_of(systems: Sequence[str], *, extra: Mapping[str, str] | None = None) -> alt.Color:
    """A colour for each of some names, in their order; those of systems are in ``system_colours``.

    There are as many colours as people can tell apart: the names beyond them are grey.
    """
    import altair as alt

    colours = [f"var(--s{at})" if at < len(THEME["light"]) else "var(--muted)" for at in range(len(systems))]
    more = extra or {}
    scale = alt.Scale(domain=[*systems, *more], range=[*colours, *more.values()])
    return alt.Color("system:N", scale=scale, legend=None)


def told_colour(names: Sequence[str], *, title: str | None = None, symbol: str = "stroke") -> Any:
    """The colours of a few curves, told above the chart: beside them there is no room on a phone."""
    return legend_above(colour_of(names), title=title, symbol=symbol)


def legend_above(
    colour: alt.Color, *, title: str | None = None, symbol: str = "stroke", columns: int | None = None
) -> Any:
    """A colour with its legend above the chart, by default in as many columns as a phone has room for."""
    return colour.legend(
        title=title,
        titleOrient="left",
        titleColor="var(--muted)",
        orient="top",
        columns=columns or (3 if title else 2),
        labelColor="var(--ink)",
        labelFontSize=12,
        symbolType=symbol,
        symbolStrokeWidth=3,
        labelLimit=200,
    )


def zero() -> Any:
    """A line at zero."""
    import altair as alt

    return alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeWidth=1, color="var(--muted)").encode(x="zero:Q")  # type: ignore[arg-type]


def title_of(metric: str) -> str:
    """A metric as the title of an axis: its unit, and which direction is better."""
    if metric.split("@")[0] not in names():  # of a metric that is not registered here the name is all there is
        return metric
    info = describe(metric)
    arrow = {True: " (higher is better)", False: " (lower is better)", None: ""}[info.higher_is_better]
    unit = "" if info.unit in ("", "share") else f" in {info.unit}"
    return f"{metric}{unit}{arrow}"
