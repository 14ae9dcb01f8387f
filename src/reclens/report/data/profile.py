"""Charts and tables of data sets and splits: their profile, long tails, times and problems; answers of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from reclens.data.problems import Problem
from reclens.data.profile import Profile
from reclens.report._toolkit.charts import base_of, colour_of
from reclens.report._toolkit.format import format_number, is_identifier, moment, percent, whole
from reclens.report._toolkit.tables import Table
from reclens.report.data.profile_words import problem_detail, problem_name, profile_rows
from reclens.report.data.words import rule_detail, rule_name

__all__ = [
    "frame_table",
    "popularity_curve_chart",
    "problems_table",
    "profile_table",
    "rules_table",
    "tail_chart",
    "time_chart",
    "time_share_chart",
]


def profile_table(profile: Profile) -> Table:
    """Every measure of a profile but its problems and rules, with what it means."""
    records = [row for row in profile_rows(profile) if row["section"] not in ("problems", "rules applied")]
    rows = tuple((row["section"], row["measure"], _value(row), row["detail"]) for row in records)
    heads = ("of", "measure", "value", "what it is")
    return Table(title=f"Profile of {profile.name}", columns=heads, rows=rows, records=tuple(records))


def problems_table(problems: Iterable[Problem]) -> Table:
    """What is wrong or odd, with row counts and what it leads to."""
    told = [(problem_name(each), each.rows, problem_detail(each)) for each in problems]
    records = tuple({"problem": name, "rows": count, "detail": detail} for name, count, detail in told)
    rows = tuple((name, whole(count), detail) for name, count, detail in told)
    return Table(title="Problems", columns=("problem", "rows", "what it leads to"), rows=rows, records=records)


def rules_table(rules: Iterable[Mapping[str, Any]]) -> Table:
    """The rules that were applied to rows, with their counts."""
    records = tuple({"rule": rule_name(each), "rows": each["count"], "detail": rule_detail(each)} for each in rules)
    rows = tuple((str(each["rule"]), _cell(each["rows"]), str(each["detail"])) for each in records)
    return Table(title="Rules applied", columns=("rule", "rows", "what it does"), rows=rows, records=records)


def frame_table(title: str, frame: pl.DataFrame) -> Table:
    """Any rows, as text and as numbers."""
    records = tuple(frame.to_dicts())
    rows = tuple(
        tuple(
            str(value) if isinstance(value, int) and is_identifier(name) else _cell(value)
            for name, value in zip(frame.columns, row, strict=True)
        )
        for row in frame.iter_rows()
    )
    return Table(title=title, columns=tuple(frame.columns), rows=rows, records=records)


def tail_chart(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """Lorenz curves of interactions, of items and of users: the further from the diagonal, the longer the tail.

    Args:
        curves: What -> rows ``across, share`` of ``reclens.data.curves.tail_curve``.
    """
    import altair as alt

    rows = [
        {
            **row,
            "system": what,
            "tip": (
                f"the {percent(row['across'], 0)} {what} with the fewest have "
                f"{percent(row['share'], 1)} of the interactions"
            ),
        }
        for what, curve in curves.items()
        for row in curve
    ]
    axes: dict[str, Any] = {
        "x": alt.X(
            "across:Q", title="share of items, or of users, the fewest interactions first", axis=alt.Axis(format="%")
        ),
        "y": alt.Y("share:Q", title="share of interactions", axis=alt.Axis(format="%")),
    }
    base, colour = base_of(rows, height=300), colour_of(list(curves))
    even = alt.Chart(alt.Data(values=[{"across": 0, "share": 0}, {"across": 1, "share": 1}]))  # type: ignore[arg-type]
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(**axes, color=colour),
        base.mark_point(opacity=0, size=120).encode(**axes, tooltip="tip:N"),
        even.mark_line(strokeWidth=1, color="var(--line)").encode(**axes),
    )


def popularity_curve_chart(curves: Mapping[str, Sequence[Mapping[str, int]]]) -> Any:
    """Interactions of the item and of the user at each place, both axes logarithmic.

    Args:
        curves: What -> rows ``place, interactions`` of ``reclens.data.curves.by_popularity``.
    """
    import altair as alt

    rows = [
        {
            **row,
            "system": what,
            "tip": f"{what}, place {whole(row['place'])}: {whole(row['interactions'])} interactions",
        }
        for what, curve in curves.items()
        for row in curve
    ]
    if not rows:
        return None
    log = alt.Scale(type="log", nice=False)
    axes: dict[str, Any] = {
        "x": alt.X("place:Q", title="place, the most interactions first", scale=log),
        "y": alt.Y("interactions:Q", title="interactions", scale=log),
    }
    base, colour = base_of(rows, height=300), colour_of(list(curves))
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(**axes, color=colour),
        base.mark_point(opacity=0, size=90).encode(**axes, tooltip="tip:N"),
    )


def time_chart(rows: Sequence[Mapping[str, Any]], *, step: str) -> Any:
    """Interactions a step of time, the parts of a split on top of each other; None without times.

    Args:
        rows: Rows of ``reclens.data.curves.over_time``.
        step: What a step is.
    """
    import altair as alt

    if not rows:
        return None
    shown = [{**_dated(row), "top": row["below"] + row["interactions"], "tip": _tip(row, step)} for row in rows]
    base = base_of(shown, height=260)
    colour = colour_of(list(dict.fromkeys(row["part"] for row in rows)))
    # Bars that have a place of their own in time are thinner than a hair where there are many: hence the stroke.
    return alt.layer(
        base.mark_bar(strokeWidth=0.5).encode(
            x=alt.X("start:T", title=None),
            x2="end:T",
            y=alt.Y("below:Q", title=f"interactions a {step}"),
            y2="top:Q",
            color=colour,
            tooltip="tip:N",
        )
    )


def time_share_chart(rows: Sequence[Mapping[str, Any]], *, step: str) -> Any:
    """Share of each part's interactions a step of time: where the parts lie beside each other. None for a single part.

    Args:
        rows: Rows of ``reclens.data.curves.over_time``.
        step: What a step is.
    """
    import altair as alt

    parts = list(dict.fromkeys(row["part"] for row in rows))
    if len(parts) < 2:
        return None
    shown = [{**_dated(row), "tip": _tip(row, step)} for row in rows]
    base, colour = base_of(shown, height=220), colour_of(parts)
    axes: dict[str, Any] = {
        "x": alt.X("start:T", title=None),
        "y": alt.Y("share:Q", title="share of the part", axis=alt.Axis(format="%")),
    }
    return alt.layer(
        base.mark_line(strokeWidth=2, interpolate="step-after").encode(**axes, color=colour),
        base.mark_point(opacity=0, size=90).encode(**axes, tooltip="tip:N"),
    )


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "start": f"{row['start']:%Y-%m-%d}", "end": f"{row['end']:%Y-%m-%d}", "system": row["part"]}


def _tip(row: Mapping[str, Any], step: str) -> str:
    return (
        f"{row['part']}, {step} from {row['start']:%Y-%m-%d}: {whole(row['interactions'])} interactions, "
        f"{percent(row['share'], 1)} of the part"
    )


def _value(row: Mapping[str, Any]) -> str:
    """The value of a measure: the first and the last time as moments, and counts without decimals."""
    value = row["value"]
    if row["section"] == "time" and isinstance(value, str):
        return moment(value)
    return _cell(int(value) if isinstance(value, float) and value.is_integer() else value)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return whole(value) if isinstance(value, int) else format_number(value)
