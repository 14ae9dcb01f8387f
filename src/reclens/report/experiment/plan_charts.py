"""Charts of experiments: power and what can be found before them, effects and bounds after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.report._toolkit.charts import base_of, told_colour
from reclens.report._toolkit.format import decimal, percent, whole

__all__ = ["bounds_chart", "detectable_chart", "power_curve_chart"]


def power_curve_chart(rows: Sequence[Mapping[str, Any]], *, power: float, planned: float | None = None) -> Any:
    """Power against the number of units, a curve for each effect, with the power asked for and the planned sample.

    Args:
        rows: ``effect, n, power`` of :func:`reclens.experiment.planning.sizing.power_curve`.
        power: The power asked for, a line across.
        planned: Units that are planned, a line up; none without it.
    """
    import altair as alt

    effects = list(dict.fromkeys(row["effect"] for row in rows))
    names = [percent(effect, 2, signed=True) for effect in effects]
    named = dict(zip(effects, names, strict=True))
    told = [
        {
            **row,
            "system": named[row["effect"]],
            "tip": (
                f"effect {named[row['effect']]}: {whole(row['n'])} units find it with a power of "
                f"{percent(row['power'], 0)}"
            ),
        }
        for row in rows
    ]
    x = alt.X(
        "n:Q",
        title="units over all arms",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~s", tickCount=6),
    )
    y = alt.Y("power:Q", title="power", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", grid=True))
    base = base_of(told, height=280)
    colour = told_colour(names, title="effect")
    layers = [
        _line(alt, {"power": power}, y=y, what="power asked for"),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_point(opacity=0, size=120).encode(x=x, y=y, tooltip="tip:N"),
    ]
    if planned is not None:
        layers.append(_line(alt, {"n": planned}, x=x, what=f"planned: {whole(planned)} units"))
    return alt.layer(*layers)


def detectable_chart(rows: Sequence[Mapping[str, Any]], *, worth: float | None = None, days: int | None = None) -> Any:
    """Smallest effect that is found after each day, with the effect worth finding and the planned length.

    Args:
        rows: ``days, n, effect`` of :func:`reclens.experiment.planning.sizing.effect_by_days`.
        worth: The effect worth finding, a line across.
        days: Planned days, a line up.
    """
    import altair as alt

    told: list[dict[str, Any]] = [
        {
            **row,
            "effect": abs(row["effect"]),
            "tip": (
                f"after {row['days']} days ({whole(row['n'])} units) an effect of {percent(abs(row['effect']), 2)} is "
                "found"
            ),
        }
        for row in rows
    ]
    most = max([row["effect"] for row in told[1:]] or [1.0])
    x = alt.X("days:Q", title="days", axis=alt.Axis(tickMinStep=1))
    y = alt.Y(
        "effect:Q",
        title="smallest effect found, relative",
        axis=alt.Axis(format="%", grid=True),
        scale=alt.Scale(domain=[0, most * 1.1], clamp=True),
    )
    base = base_of(told, height=280)
    layers = [
        base.mark_line(strokeWidth=2, color="var(--s0)").encode(x=x, y=y),
        base.mark_point(opacity=0, size=120).encode(x=x, y=y, tooltip="tip:N"),
    ]
    if worth is not None:
        layers.append(_line(alt, {"effect": abs(worth)}, y=y, what=f"worth finding: {percent(abs(worth), 2)}"))
    if days is not None:
        layers.append(_line(alt, {"days": days}, x=x, what=f"planned: {days} days"))
    return alt.layer(*layers)


def bounds_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The bounds of a group-sequential plan at each look: stop above, below, or for futility.

    Args:
        rows: Of :meth:`reclens.stats.sequential.GroupSequential.to_dicts`.
    """
    import altair as alt

    kinds = {"upper": "stop: an effect", "lower": "stop: harm", "futility": "stop: futility"}
    told = [
        {
            "information": row["information"],
            "z": row[kind],
            "system": name,
            "tip": f"look {row['look']} at {percent(row['information'], 0)}: {name} beyond z = {decimal(row[kind], 2)}",
        }
        for row in rows
        for kind, name in kinds.items()
        if row[kind] is not None and abs(row[kind]) < 9
    ]
    names = list(dict.fromkeys(row["system"] for row in told))
    base = base_of(told, height=280)
    x = alt.X(
        "information:Q", title="share of the planned sample", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")
    )
    y = alt.Y("z:Q", title="z-statistic", axis=alt.Axis(grid=True))
    colour = told_colour(names)
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_circle(size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )


def _line(alt: Any, where: Mapping[str, float], *, what: str, x: Any = None, y: Any = None) -> Any:
    """A thin horizontal or vertical line with a label."""
    data = alt.Data(values=[{**where, "tip": what}])
    channels = {name: channel for name, channel in (("x", x), ("y", y)) if channel is not None}
    return (
        alt.Chart(data)
        .mark_rule(strokeWidth=1.5, strokeDash=[5, 4], color="var(--muted)")
        .encode(**channels, tooltip="tip:N")
    )
