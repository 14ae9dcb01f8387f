"""Charts of a watched system: all indicators in one look, one series with its band, incidents, and what moved a number.

An indicator of any unit fits one chart by its band: the grey stripe is the band of each day, and the line is drawn in
half-widths of it, cut off at one stripe beyond.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any, Final

import polars as pl

from reclens.monitor.health import ALERTING, Health, History
from reclens.monitor.records import Annotation, Incident, SeriesKey
from reclens.monitor.week import Week
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, legend_above, rows_of
from reclens.report._toolkit.format import percent
from reclens.report.monitor.sentences import gravest_first, incident_title
from reclens.report.monitor.values import (
    day_text,
    indicator_name,
    interval_text,
    is_share,
    slice_text,
    unit_of,
    value_text,
)
from reclens.report.monitor.words import INCIDENT_STATES, SEVERITIES, STATES

__all__ = ["contribution_chart", "history_chart", "incidents_chart", "overview_chart", "series_of"]

_HALF: Final = 0.26
"""Half of the band of a row, in rows."""
_WIDEST: Final = 1.7
"""Half-widths of the band at which a line is cut off."""
_BAND: Final = ("expected", "low", "high")
_DAYS: Final = 28
_FEWEST: Final = 7
_ROOM: Final = 1.0
"""Spans of the values that a band may reach beyond them in the chart of one series."""
_LABEL: Final = 32
"""Letters of a label that have room beside a row: a longer name is cut, and its value is not."""
_SMALL, _TINY = 0.05, 0.005
"""Shares below which an axis has one decimal, and two."""
_TONES: Final[Mapping[str, str]] = {
    "alert": "var(--bad)",
    "warning": "var(--open)",
    "ok": "var(--good)",
    "not judged": "var(--muted)",
}
_SEVERITY: Final[Mapping[str, str]] = {
    "critical": "var(--bad)",
    "warning": "var(--open)",
    "note": "var(--muted)",
}


def series_of(found: History | Week, key: SeriesKey) -> pl.DataFrame:
    """The days of one series, the oldest first."""
    mine = (pl.col("indicator") == key.indicator) & (pl.col("dimension") == key.dimension)
    return found.detections.filter(mine & (pl.col("slice") == key.slice)).sort("day")


def overview_chart(found: History, *, keys: Sequence[tuple[str, str, str]], days: int = _DAYS) -> Any | None:
    """A row a series: its line in its band, and how it stands today.

    Args:
        found: The days.
        keys: The series, from top to bottom.
        days: Days that are drawn.
    """
    import altair as alt

    if not keys:
        return None
    today = found.last
    # Of a history that has just begun there is less to draw, but a week at least.
    begun = min(found.days[0].day, today.day - timedelta(days=_FEWEST - 1))
    first = max(begun, today.day - timedelta(days=days - 1))
    lines: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    labels = []
    for at, names in enumerate(keys):
        key = SeriesKey(*names)
        rows = series_of(found, key).filter(pl.col("day") >= first).to_dicts()
        drawn = [{**_place(row, at), "row": at} for row in _with_bands(rows)]
        lines += drawn
        now = rows[-1] if rows and rows[-1]["day"] == today.day else None
        labels.append(_row_label(key, now))
        points.append(_today(today, key, now, at, drawn[-1]["y"] if now is not None else None))
    height = ROW_HEIGHT * len(keys) + 8
    order = list(range(len(keys)))
    axis = alt.Axis(
        values=order, labelExpr=f"{json.dumps(labels)}[datum.value]", labelLimit=220, grid=False, tickCount=len(keys)
    )
    scale = alt.Scale(domain=[len(keys) - 0.5, -0.5], nice=False, zero=False)
    y = alt.Y("y:Q", title=None, axis=axis, scale=scale)
    ends = [first.isoformat(), today.day.isoformat()]
    x = alt.X("day:T", title=None, scale=alt.Scale(type="utc", domain=ends), axis=_days_axis())
    layers = []
    banded = [row for row in lines if row["banded"]]
    if banded:
        band = base_of(banded, height=height).mark_area(color="var(--grid)")
        top = alt.Y("top:Q", title=None, axis=axis, scale=scale)
        layers.append(band.encode(x=x, y=top, y2="bottom:Q", detail="row:N"))
    if lines:
        line = base_of(lines, height=height).mark_line(strokeWidth=1.5, color="var(--s0)")
        layers.append(line.encode(x=x, y=y, detail="row:N"))
    shown = base_of(points, height=height)
    tones = legend_above(
        alt.Color("status:N", scale=alt.Scale(domain=list(_TONES), range=list(_TONES.values()))), symbol="circle"
    ).legend(columns=2, title=None, orient="top", labelColor="var(--ink)", labelFontSize=12, symbolType="circle")
    layers.append(shown.mark_circle(size=80, opacity=1).encode(x=x, y=y, color=tones, tooltip="tip:N"))
    return alt.layer(*layers)


def _with_bands(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Days with the band that they are drawn by: the first one before it, the spread of the values without any."""
    usual = next(({name: row[name] for name in _BAND} for row in rows if _banded(row)), None)
    values = [row["value"] for row in rows if row["value"] is not None]
    if usual is None and values:
        middle = median(values)
        spread = max(abs(each - middle) for each in values)
        usual = {"expected": middle, "low": middle - spread, "high": middle + spread}
    return [{**row, **({} if _banded(row) else usual or {}), "banded": _banded(row)} for row in rows]


def _banded(row: Mapping[str, Any]) -> bool:
    return all(row[name] is not None for name in _BAND)


def _place(row: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Where a day of a row is drawn."""
    day = row["day"].isoformat()
    edges = {"top": at - _HALF, "bottom": at + _HALF, "banded": row["banded"]}
    where = _distance(row)
    return {"day": day, **edges, "y": None if where is None else round(at - _HALF * where, 3)}


def _distance(row: Mapping[str, Any]) -> float | None:
    """Half-widths of the band between a value and what was expected, cut off."""
    value, expected = row["value"], row["expected"]
    if value is None or expected is None or row["low"] is None or row["high"] is None:
        return None
    half = row["high"] - expected if value >= expected else expected - row["low"]
    if not half > 0:
        return 0.0
    return max(-_WIDEST, min(_WIDEST, (value - expected) / half))


def _row_label(key: SeriesKey, now: Mapping[str, Any] | None) -> str:
    name = indicator_name(key.indicator) if key.slice == "all" else slice_text(key)
    value = "" if now is None else f"  {value_text(key.indicator, now['value'])}"
    room = _LABEL - len(value)
    return f"{name if len(name) <= room else f'{name[: room - 1].rstrip()}…'}{value}"


def _today(day: Health, key: SeriesKey, now: Mapping[str, Any] | None, at: int, y: float | None) -> dict[str, Any]:
    """The dot of today."""
    state = "no_value" if now is None else now["state"]
    status = day.status(key, state) or "not judged"
    return {
        "day": day.day.isoformat(),
        "y": at if y is None else y,
        "status": status,
        "tip": _tip(key, now, state),
    }


def _tip(key: SeriesKey, row: Mapping[str, Any] | None, state: str) -> str:
    name = (
        indicator_name(key.indicator) if key.slice == "all" else f"{indicator_name(key.indicator)}, {slice_text(key)}"
    )
    words: Mapping[str, str] = {**STATES}
    if row is None:
        return f"{name}: no value"
    band = f"; expected {interval_text(key.indicator, row['low'], row['high'])}" if row["low"] is not None else ""
    return f"{name}, {day_text(row['day'])}: {value_text(key.indicator, row['value'])}, {words[state]}{band}"


def history_chart(
    found: History | Week, *, key: tuple[str, str, str], annotations: Iterable[Annotation] = (), height: int = 190
) -> Any | None:
    """One series with its band, what was expected of it, the days that stood out, and what happened.

    Args:
        found: The days.
        key: The series.
        annotations: What happened, as lines.
        height: Of the chart.
    """
    import altair as alt

    series = SeriesKey(*key)
    rows = [each for each in series_of(found, series).iter_rows(named=True) if each["value"] is not None]
    if not rows:
        return None
    shown = _ends([row["value"] for row in rows])
    drawn: list[dict[str, Any]] = [
        {
            **{name: _short(row[name]) for name in ("value", "expected")},
            **{name: _short(_within(row[name], shown)) for name in ("low", "high")},
            "day": row["day"].isoformat(),
            "tip": _tip(series, row, row["state"]),
            "moved": row["state"] in ALERTING,
        }
        for row in rows
    ]
    scale = alt.Scale(zero=False, nice=True)
    form: dict[str, Any] = {"format": "%"} if is_share(series.indicator) else {}
    most = max(row["value"] for row in rows)
    if is_share(series.indicator) and most < _SMALL:
        form = {"format": ".1%" if most > _TINY else ".2%"}
    axis = alt.Axis(**form, tickCount=4)
    y: dict[str, Any] = {"title": unit_of(series.indicator) or None, "scale": scale, "axis": axis}
    x = alt.X("day:T", title=None, scale=alt.Scale(type="utc"), axis=_days_axis())
    base = base_of(drawn, height=height)
    layers = []
    banded = [row for row in drawn if row["low"] is not None]
    if banded:
        within = base_of(banded, height=height)
        layers.append(within.mark_area(color="var(--grid)").encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q"))
        layers.append(
            within.mark_line(strokeWidth=1, strokeDash=[4, 3], color="var(--muted)").encode(
                x=x, y=alt.Y("expected:Q", **y)
            )
        )
    value = alt.Y("value:Q", **y)
    layers.append(base.mark_line(strokeWidth=2, color="var(--s0)").encode(x=x, y=value))
    layers += _rules(annotations, {row["day"].isoformat() for row in rows}, x=x, height=height)
    layers.append(base.mark_point(opacity=0, size=90).encode(x=x, y=value, tooltip="tip:N"))
    stood = [row for row in drawn if row["moved"]]
    if stood:
        out = base_of(stood, height=height)
        layers.append(out.mark_circle(size=60, opacity=1, color="var(--bad)").encode(x=x, y=value, tooltip="tip:N"))
    return alt.layer(*layers)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """How far a band is drawn: one that is much wider than what it is about would flatten the line."""
    low, high = min(values), max(values)
    room = _ROOM * ((high - low) or abs(high))
    return low - room, high + room


def _within(value: float | None, ends: tuple[float, float]) -> float | None:
    return value if value is None else min(max(value, ends[0]), ends[1])


def _rules(annotations: Iterable[Annotation], days: set[str], *, x: Any, height: int) -> list[Any]:
    """Lines where something happened."""
    told = [
        {"day": each.start.isoformat(), "tip": f"{day_text(each.start)}: {each.text}"}
        for each in annotations
        if each.start.isoformat() in days
    ]
    if not told:
        return []
    return [base_of(told, height=height).mark_rule(strokeDash=[2, 2], color="var(--ink)").encode(x=x, tooltip="tip:N")]


def _short(value: float | None) -> float | None:
    """Five digits are more than a picture shows, and a document has hundreds of days."""
    if value is None or value != value:
        return None
    return round(value, 4 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else value


def _days_axis() -> Any:
    import altair as alt

    return alt.Axis(
        format="%-d %b", tickCount=4, grid=False, labelFlush=False, labelOverlap="greedy", labelSeparation=10
    )


def incidents_chart(incidents: Sequence[Incident], *, first: date, last: date) -> Any | None:
    """The life of each incident as a bar over days, the gravest first.

    Args:
        incidents: The incidents.
        first: First day of the axis.
        last: Last day of the axis.
    """
    import altair as alt

    shown = [each for each in gravest_first(incidents) if each.last_day >= first and each.first_day <= last]
    if not shown:
        return None
    rows: list[dict[str, Any]] = [
        {
            "name": incident_title(each),
            "severity": SEVERITIES[each.severity],
            "from": max(each.first_day, first).isoformat(),
            "to": (min(each.last_day, last) + timedelta(days=1)).isoformat(),
            "open": each.status == "open",
            "tip": f"{incident_title(each)}: {SEVERITIES[each.severity]}, {INCIDENT_STATES[each.status]}, "
            f"{day_text(each.first_day)} to {day_text(each.last_day)}",
        }
        for each in shown[:20]
    ]
    names = list(_SEVERITY)
    colour = alt.Color("severity:N", scale=alt.Scale(domain=names, range=list(_SEVERITY.values())))
    ends = [first.isoformat(), (last + timedelta(days=1)).isoformat()]
    x = alt.X("from:T", title=None, scale=alt.Scale(type="utc", domain=ends), axis=_days_axis())
    base = base_of(rows, height=ROW_HEIGHT * len({row["name"] for row in rows}))
    return base.mark_bar(height=12, cornerRadius=3).encode(
        x=x,
        x2="to:T",
        y=rows_of("name", [row["name"] for row in rows], widest=190),
        color=legend_above(colour, symbol="square"),
        opacity=alt.condition("datum.open", alt.value(1), alt.value(0.55)),
        tooltip="tip:N",
    )


def contribution_chart(incident: Incident) -> Any | None:
    """What each slice added to the change over all: by its own value, and by its share of the traffic."""
    import altair as alt

    if not incident.contributions:
        return None
    name = incident.root.indicator
    parts = {"rate": "its own value", "mix": "its share of the traffic"}
    rows: list[dict[str, Any]] = [
        {
            "slice": slice_text(SeriesKey(name, row["dimension"], row["slice"])),
            "part": parts[part],
            "value": _short(row[part] * (100 if is_share(name) else 1)),
            "tip": f"{slice_text(SeriesKey(name, row['dimension'], row['slice']))}, by {parts[part]}: "
            f"{value_text(name, row[part], signed=True)}; {percent(row['share'], 0)} of the change",
        }
        for row in incident.contributions[:8]
        for part in parts
    ]
    order = [row["slice"] for row in rows]
    colour = alt.Color("part:N", scale=alt.Scale(domain=list(parts.values()), range=["var(--s0)", "var(--s1)"]))
    unit = "pp" if is_share(name) else unit_of(name)
    title = f"change of {indicator_name(name)}{f' ({unit})' if unit else ''}"
    base = base_of(rows, height=ROW_HEIGHT * len(set(order)) + 10)
    return base.mark_bar(height=12).encode(
        x=alt.X("value:Q", title=title, axis=alt.Axis(format="+~g", tickCount=4)),
        y=rows_of("slice", order, widest=160),
        color=legend_above(colour, symbol="square"),
        tooltip="tip:N",
    )
