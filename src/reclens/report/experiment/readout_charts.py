"""Charts of a read experiment: effects as a forest, the effect as days come in, values by day, and novelty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.experiment.analysis.readout import Readout
from reclens.report._toolkit.charts import base_of, dots, rows_of, told_colour, zero
from reclens.report._toolkit.format import format_estimate, in_words, p_text, percent, share, whole
from reclens.report.experiment.words import value_text

__all__ = ["cumulative_chart", "daily_chart", "forest_chart", "novelty_chart", "segment_forest_chart"]

_ROW = 30


def forest_chart(readout: Readout) -> Any:
    """Every lift with its interval, and zero; faded where nothing is shown; a tick at the margin of a guardrail."""
    import altair as alt

    rows = _forest_rows(readout)
    if not rows:
        return None
    order = rows_of("row", [row["row"] for row in rows])
    roles = [role for role in ("primary", "secondary", "guardrail") if any(row["system"] == role for row in rows)]
    chart = dots(
        rows,
        y=order,
        row_height=_ROW * len(rows),
        systems=roles,
        title="lift over control",
        form="%",
        told=len(roles) > 1,
    )
    layers = [zero(), chart]
    told = [
        {"row": row["row"], "margin": at, "tip": f"margin of {row['row']}: {percent(at, 2, signed=True)}"}
        for row in rows
        for at in row.pop("margins")
    ]
    if told:
        layers.append(
            base_of(told, height=_ROW * len(rows))
            .mark_tick(thickness=2, size=18, color="var(--muted)")
            .encode(x=alt.X("margin:Q"), y=order, tooltip="tip:N")
        )
    return alt.layer(*layers)


def _forest_rows(readout: Readout) -> list[dict[str, Any]]:
    """The lifts with their intervals and margins."""
    rows: list[dict[str, Any]] = []
    for effect in readout.effects:
        lift = effect.lift
        if lift.value != lift.value:
            continue
        several = len(readout.plan.treatments) > 1
        name = f"{effect.metric.name} · {effect.arm}" if several else effect.metric.name
        rows.append(
            {
                "row": name,
                "system": effect.metric.role,
                "value": lift.value,
                "low": lift.low,
                "high": lift.high,
                "small": effect.verdict in ("no_difference_shown", "not_shown_to_hold", "not_testable"),
                "margins": []
                if effect.metric.margin is None
                else [
                    side * effect.metric.margin
                    for side in (-1, 1)
                    if effect.metric.aim != "non-inferiority" or side != effect.metric.sign
                ],
                "tip": f"{name} ({effect.metric.role}): {share(lift)}, {in_words(effect.verdict)}",
            }
        )
    return rows


def segment_forest_chart(readout: Readout, *, by: str) -> Any:
    """The lift of each segment with its interval, the treated arms beside each other; None where there is none."""
    import altair as alt

    rows = []
    for each in readout.segments:
        lift = each.relative
        if each.by == by and each.metric == readout.plan.primary[0].name and lift.value == lift.value:
            rows.append(
                {
                    "segment": each.segment,
                    "system": each.arm,
                    "value": lift.value,
                    "low": lift.low,
                    "high": lift.high,
                    "small": not each.p_adjusted <= readout.plan.alpha,
                    "tip": f"{by} {each.segment}: {share(lift)}, adjusted {p_text(each.p_adjusted)}, "
                    f"n = {whole(lift.n)}",
                }
            )
    if not rows:
        return None
    arms = list(dict.fromkeys(row["system"] for row in rows))
    segments = list(dict.fromkeys(row["segment"] for row in rows))
    offset = alt.YOffset("system:N", sort=arms, scale=alt.Scale(paddingOuter=0.4)) if len(arms) > 1 else None
    chart = dots(
        rows,
        y=rows_of("segment", segments),
        row_height=max(14 * len(arms), _ROW) * len(segments),
        systems=arms,
        title=f"lift of {readout.plan.primary[0].name}",
        offset=offset,
        form="%",
    )
    return alt.layer(zero(), chart)


def _lift(row: Mapping[str, Any]) -> str:
    return format_estimate(row, signed=True, digits=2, in_percent=True)


def _known(row: Mapping[str, Any]) -> bool:
    """Whether there is a lift: where control has nothing on a day there is none."""
    return row["value"] == row["value"]


def cumulative_chart(readout: Readout, *, metric: str, arm: str) -> Any:
    """The lift after each day of entry: its plain interval as a band, and the bounds of the plan's looks as lines."""
    rows = [
        {**row, "tip": f"up to {row['day']}: {_lift(row)}, n = {whole(row['n'])}"}
        for row in readout.cumulative
        if (row["metric"], row["arm"]) == (metric, arm) and _known(row)
    ]
    return _band(rows, x="day:T", title=f"lift of {metric}", across="up to the day of entry") if rows else None


def novelty_chart(readout: Readout, *, metric: str, arm: str) -> Any:
    """The lift by days since first exposure: a novelty that wears off falls towards zero, primacy rises."""
    rows = [
        {**row, "tip": f"day {row['age']}: {_lift(row)}, n = {whole(row['n'])}"}
        for row in readout.novelty
        if (row["metric"], row["arm"]) == (metric, arm) and _known(row)
    ]
    return _band(rows, x="age:Q", title=f"lift of {metric}", across="days since first exposure") if rows else None


def daily_chart(readout: Readout, *, metric: str) -> Any:
    """The value of each arm by day of first exposure; shares in percent."""
    import altair as alt

    of = readout.plan.metric(metric)
    rows = [
        {
            **row,
            "system": row["arm"],
            "tip": f"{row['arm']}, {row['day']}: {value_text(of, row['value'])}, n = {whole(row['n'])}",
        }
        for row in readout.daily
        if row["metric"] == metric
    ]
    if not rows:
        return None
    base, colour = base_of(rows, height=240), told_colour(list(readout.plan.arms))
    x = alt.X("day:T", title="day of first exposure", axis=_days(rows))
    axis = alt.Axis(grid=True, format="%") if of.is_share else alt.Axis(grid=True)
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False), axis=axis)
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_circle(size=50, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )


def _days(rows: Sequence[Mapping[str, Any]]) -> Any:
    """An axis of days that writes every one alike: month and day."""
    import altair as alt

    return alt.Axis(
        format="%b %-d", tickCount={"interval": "day", "step": max(1, -(-len({row["day"] for row in rows}) // 5))}
    )  # type: ignore[arg-type]


def _band(rows: Sequence[Mapping[str, Any]], *, x: str, title: str, across: str) -> Any:
    """A line within a band, zero, and bounds as dashed lines where the rows have them."""
    import altair as alt

    # Early intervals are so wide that they would flatten all the rest: the scale follows the last half of the rows.
    late = rows[len(rows) // 2 :]
    ends = [
        abs(row[name])
        for row in late
        for name in ("low", "high", "bound_low", "bound_high")
        if row.get(name) is not None and row[name] == row[name]
    ] or [abs(row["value"]) for row in late]
    width = 1.6 * max([*ends, 1e-9])
    base = base_of(rows, height=260)
    at = alt.X(x, title=across, axis=_days(rows) if x == "day:T" else alt.Axis(tickMinStep=1))
    scale = alt.Scale(domain=[-width, width])
    y = alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(format="%", grid=True))
    ground = alt.Chart(alt.Data(values=[{"none": 0}])).mark_rule(strokeWidth=1, color="var(--muted)")  # type: ignore[arg-type]
    layers = [
        ground.encode(y=alt.Y("none:Q", scale=scale, title=title)),
        base.mark_area(opacity=0.18, clip=True, color="var(--s0)").encode(
            x=at, y=alt.Y("low:Q", scale=scale, title=title), y2="high:Q"
        ),
        base.mark_line(strokeWidth=2, clip=True, color="var(--s0)").encode(x=at, y=y),
        base.mark_circle(size=60, opacity=1, clip=True, color="var(--s0)").encode(x=at, y=y, tooltip="tip:N"),
    ]
    looked = [row for row in rows if row.get("bound_low") is not None]
    if looked:
        layers += [
            base_of(looked, height=260)
            .mark_line(point={"color": "var(--s1)"}, clip=True, strokeWidth=1.5, strokeDash=[5, 4], color="var(--s1)")
            .encode(x=at, y=alt.Y(f"{end}:Q", scale=scale, title=title))
            for end in ("bound_low", "bound_high")
        ]
    return alt.layer(*layers)
