"""Charts and tables of one system in the place of another: who gains, who loses, how much, and examples."""

from __future__ import annotations

from typing import Any

import polars as pl

from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.differences import PairedDifference
from reclens.evaluation.winners import change_curve, changes_within, largest_changes
from reclens.metrics import direction
from reclens.report._toolkit.charts import base_of, dots, rows_of, title_of, within, zero
from reclens.report._toolkit.format import count_of, format_estimate, format_number, percent, whole
from reclens.report._toolkit.system_colours import system_colour
from reclens.report._toolkit.tables import Table
from reclens.report.evaluation.charts import p_values
from reclens.stats.proportions import proportion

__all__ = ["change_chart", "changes_table", "gain_chart", "gain_difference_chart", "movers_tables"]


def gain_chart(comparison: Comparison, *, system: str, metric: str, by: str = "overall") -> Any:
    """Share of the users of each segment who gain (right) and who lose (left); the rest tie. None without such users.

    Where neither direction is better, the right side is of users whose value rises.
    """
    import altair as alt

    rows: list[dict[str, Any]] = []
    for found in _rows(comparison, system, metric, by):
        if found.gained is None or found.lost is None or not found.n:
            continue
        for what, count, sign in (("gain", found.gained, 1), ("lose", found.lost, -1)):
            share = proportion(count, found.n, level=comparison.level).to_dicts()[0]
            tip = (
                f"{found.segment}: {whole(count)} of {whole(found.n)} users {what}, a share of {format_estimate(share)}"
            )
            numbers = {"share": share["value"], "low": share["low"], "high": share["high"]}
            rows.append(
                {
                    "segment": found.segment,
                    "what": what,
                    "users": count,
                    "n": found.n,
                    **numbers,
                    "place": sign * share["value"],
                    "tip": tip,
                }
            )
    if not rows:
        return None
    segments = list(dict.fromkeys(row["segment"] for row in rows))
    told = ["var(--good)", "var(--bad)"] if direction(metric) is not None else ["var(--ink)", "var(--muted)"]
    sides = alt.Scale(domain=["gain", "lose"], range=told)
    share = alt.Axis(format="%", labelExpr="format(abs(datum.value), '.0%')")
    bars = base_of(rows, height=26 * len(segments)).mark_bar(height=15, opacity=0.9)
    drawn = bars.encode(
        x=alt.X("place:Q", title="← lose · gain →", axis=share, scale=alt.Scale(domain=[-1, 1])),
        y=rows_of("segment", segments),
        color=alt.Color("what:N", scale=sides, legend=None),
        tooltip="tip:N",
    )
    return alt.layer(drawn, zero())


def gain_difference_chart(comparison: Comparison, *, system: str, metric: str, by: str = "overall") -> Any:
    """The mean difference of each segment with its interval, and zero; faded where it is not significant."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for found in _rows(comparison, system, metric, by):
        row = {"value": found.difference, "low": found.low, "high": found.high}
        tip = (
            f"{found.segment}: {format_estimate(row, signed=True)}, {p_values(found, comparison)}, n = {whole(found.n)}"
        )
        rows.append({**row, "segment": found.segment, "system": system, "small": not found.significant, "tip": tip})
    if not rows:
        return None
    segments = [row["segment"] for row in rows]
    chart = dots(
        rows,
        y=rows_of("segment", segments),
        row_height=26 * len(rows),
        systems=list(comparison.card["systems"]),
        colour=system_colour(list(comparison.card["systems"])),
        title=f"difference in {metric}",
        domain=within(rows, zero=True),
    )
    return alt.layer(zero(), chart)


def change_chart(ours: Evaluation, theirs: Evaluation, *, metric: str) -> Any:
    """The change that a share of the users stays at or below: where it crosses zero, losing turns into gaining."""
    import altair as alt

    rows = [
        {
            **row,
            "tip": (
                f"{percent(row['users'], 0)} of the users change by {format_number(row['change'], signed=True)} or less"
            ),
        }
        for row in change_curve(ours, theirs, metric)
    ]
    if not rows:
        return None
    axes = {
        "x": alt.X("users:Q", title="share of users, the largest loss of value first", axis=alt.Axis(format="%")),
        "y": alt.Y("change:Q", title=f"change of {title_of(metric)}"),
    }
    base = base_of(rows, height=280)
    line = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color="var(--muted)").encode(y="zero:Q")  # type: ignore[arg-type]
    return alt.layer(
        line,
        base.mark_line(strokeWidth=2, interpolate="step-before", color="var(--ink)").encode(**axes),
        base.mark_point(opacity=0, size=100).encode(**axes, tooltip="tip:N"),
    )


def movers_tables(ours: Evaluation, theirs: Evaluation, *, metric: str, n: int = 10) -> tuple[Table, Table]:
    """The users who gain the most and those who lose the most, with their segments."""
    gained, lost = largest_changes(ours, theirs, metric, n=n)
    note = f"{metric} under {theirs.system} (before) and under {ours.system} (after)."
    return _moved("Users who gain the most", gained, note), _moved("Users who lose the most", lost, note)


def changes_table(
    ours: Evaluation, theirs: Evaluation, *, metric: str, ends: tuple[float, float], n: int = 20
) -> Table:
    """The users whose change lies within a range, the largest rise first, with their segments."""
    frame, count = changes_within(ours, theirs, metric, ends, n=n)
    low, high = (format_number(end, signed=True) for end in ends)
    some = f", the first {n}" if count > n else ""
    note = f"{metric} under {theirs.system} (before) and under {ours.system} (after)."
    return _moved(f"{count_of(count, 'user')} with a change from {low} to {high}{some}", frame, note)


def _moved(title: str, frame: pl.DataFrame, note: str) -> Table:
    records = frame.to_dicts()
    cells = tuple(
        tuple(
            format_number(value, signed=name == "change")
            if name in ("before", "after", "change")
            else "–"
            if value is None
            else str(value)
            for name, value in row.items()
        )
        for row in records
    )
    heads = tuple({"n_relevant": "held-out items", "user_id": "user"}.get(name, name) for name in frame.columns)
    return Table(title=title, columns=heads, rows=cells, records=tuple(records), notes=(note,))


def _rows(comparison: Comparison, system: str, metric: str, by: str) -> list[PairedDifference]:
    return [row for row in comparison.differences if (row.system, row.metric, row.by) == (system, metric, by)]
