"""The chart of a lesson or of a scenario: a row a number, with its interval where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, rows_of, zero
from reclens.report._toolkit.format import decimal, percent, whole
from reclens.report.learn.interviewing import choice_text

__all__ = ["Row", "lesson_caption", "lesson_chart", "scenario_chart"]

_AXES: Final[dict[str, tuple[str, str]]] = {
    "1.a": ("NDCG of the first ten places", "3"),
    "1.b": ("NDCG of the first ten places", "3"),
    "1.c": ("events, and cells of the matrix", "n"),
    "2.a": ("tests of nothing that find an effect", "%"),
    "2.b": ("change of a guardrail; the margin is 2 %", "%"),
    "2.c": ("lift over the holdout", "%"),
    "2.d": ("Kendall's τ with the clicks online", "3"),
    "3.a": ("AUC; a coin gives one half", "3"),
    "3.b": ("share of the best items among the candidates", "%"),
    "3.c": ("largest weight of attention", "%"),
    "4.a": ("clicks at a place, of items that are all as good", "%"),
    "4.b": ("quality for women minus quality for men", "3"),
    "4.c": ("divergence of the lists from the histories", "3"),
    "5.a": ("false alerts in the healthy days", "3"),
    "5.b": ("share of the nearest items that are found", "%"),
    "5.c": ("mean lift of the chosen change", "3"),
}
"""Lesson -> title of the axis, and how its numbers are written."""

_LABELS: Final = {
    "popular": "popularity",
    "item_knn": "item-kNN",
    "ease": "EASE",
    "backwards": "EASE backwards",
    "hybrid": "item-kNN + content",
}
"""Labels that are names of models."""

Row = tuple[str, float, float | None, float | None]
"""Label, value, and the ends of the interval."""


def lesson_caption(code: str) -> str:
    """What the chart of a lesson shows, as a sentence for those who do not see it.

    >>> lesson_caption("2.c")
    'Lift over the holdout'
    """
    title = _AXES[code][0]
    return title[:1].upper() + title[1:]


def lesson_chart(code: str, bars: Sequence[Row]) -> Any:
    """The numbers of a lesson as bars.

    Args:
        code: Code of the lesson.
        bars: Its rows, from top to bottom.
    """
    title, form = _AXES[code]
    return _chart(title, form, [(_LABELS.get(label, label), value, low, high) for label, value, low, high in bars])


def scenario_chart(tables: Mapping[str, pl.DataFrame]) -> tuple[Any, str]:
    """The chart of a scenario, and its caption.

    Args:
        tables: The tables of its dashboard.
    """
    if "weeks" in tables:
        rows = [(f"week {row['week']}", row["lift"], row["low"], row["high"]) for row in tables["weeks"].to_dicts()]
        title, form = "lift of the clicks per user", "%"
    elif "gaps" in tables:
        rows = [(f"{row['users']} users", row["gap"], row["low"], row["high"]) for row in tables["gaps"].to_dicts()]
        title, form = "quality in the region minus that of others", "3"
    else:
        frames = (tables[by] for by in ("platform", "surface", "version"))
        slices = [row for frame in frames for row in frame.to_dicts()]
        rows = [(choice_text(row["slice"]), row["ctr"] / row["ctr_before"] - 1, None, None) for row in slices]
        title, form = "change of the click rate against the days before", "%"
    return _chart(title, form, rows), f"{title[:1].upper()}{title[1:]}"


def _chart(title: str, form: str, shown: Sequence[Row]) -> Any:
    import altair as alt

    rows = [
        {
            "label": label,
            "value": value,
            "low": low,
            "high": high,
            "tip": _tip(form, label, value, low, high),
        }
        for label, value, low, high in shown
    ]
    height = ROW_HEIGHT * len(rows)
    axis = alt.Axis(format="%") if form == "%" else alt.Axis()
    y = rows_of("label", [label for label, *_ in shown], widest=230)
    base = base_of(rows, height=height)
    x = alt.X("value:Q", title=title, axis=axis)
    layers = [base.mark_bar(color="var(--s0)", opacity=0.55, height=14).encode(x=x, y=y, tooltip="tip:N")]
    if any(row["low"] is not None for row in rows):
        rule = base.mark_rule(strokeWidth=2, color="var(--ink)")
        layers.append(rule.encode(x=alt.X("low:Q", title=title, axis=axis), x2="high:Q", y=y, tooltip="tip:N"))
    return alt.layer(*layers, zero())


def _written(form: str, value: float) -> str:
    return whole(value) if form == "n" else percent(value, 1) if form == "%" else decimal(value, 3)


def _tip(form: str, label: str, value: float, low: float | None, high: float | None) -> str:
    said = f"{label}: {_written(form, value)}"
    return said if low is None or high is None else f"{said}, from {_written(form, low)} to {_written(form, high)}"
