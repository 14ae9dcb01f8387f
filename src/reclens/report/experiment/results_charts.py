"""Charts of a page of results: lifts as bars coloured by verdict, how likely they are, segments, and units by day."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.experiment.analysis.effects import Effect, Verdict
from reclens.experiment.analysis.readout import Readout
from reclens.report._toolkit.charts import base_of, told_colour, zero
from reclens.report._toolkit.format import chance, in_words, p_text, percent, share, whole
from reclens.stats.estimate import Estimate

__all__ = ["lift_chart", "probability_chart", "segment_lift_chart", "units_chart"]

_COLOURS: Final = {"good": "var(--good)", "bad": "var(--bad)", "open": "var(--muted)"}
"""No arm has one of them; the words stand beside each bar."""

_TONES: Final[Mapping[Verdict, str]] = {
    "better": "good",
    "holds": "good",
    "no_material_difference": "good",
    "worse": "bad",
    "broken": "bad",
    "no_difference_shown": "open",
    "not_shown_to_hold": "open",
    "not_testable": "open",
}
_ROW: Final = 46
_BETWEEN: Final = " · "
_STEPS: Final = 121
"""Points of a curve."""


def lift_chart(readout: Readout, *, role: str | None = None) -> Any:
    """Every lift as a bar over its interval, coloured by what may be said; a tick at each margin.

    Args:
        readout: The readout.
        role: Only metrics of this role; None draws all.

    Returns:
        The chart; None where no metric has a lift.
    """
    several = len(readout.plan.treatments) > 1
    rows = [
        {
            **_bar(e.lift, _TONES[e.verdict], in_words(e.verdict)),
            "row": f"{e.metric.name}{_BETWEEN}{e.arm}" if several else e.metric.name,
            "margins": _margins(e),
            "tip": f"{e.metric.name}, {e.arm} ({e.metric.role}): {share(e.lift)}, {in_words(e.verdict)}",
        }
        for e in readout.effects
        if role in (None, e.metric.role) and _finite(e.lift)
    ]
    return _bars(rows, title=f"lift over {readout.plan.control}") if rows else None


def segment_lift_chart(readout: Readout, *, by: str, metric: str, arm: str) -> Any:
    """The lift of an arm in each segment as a bar over its interval, and over all units on top.

    Args:
        readout: The readout.
        by: The segmentation.
        metric: A primary metric.
        arm: A treated arm.

    Returns:
        The chart; None where there is no segment.
    """
    sign = readout.plan.metric(metric).sign
    rows = []
    for each in readout.segments:
        if (each.by, each.metric, each.arm) != (by, metric, arm) or not _finite(each.relative):
            continue
        shown = each.p_adjusted <= readout.plan.alpha
        tone = ("good" if sign * each.found.absolute.value > 0 else "bad") if shown else "open"
        said = {"good": "better", "bad": "worse", "open": "no difference shown"}[tone]
        tip = (
            f"{by} {each.segment}: {share(each.relative)}, adjusted {p_text(each.p_adjusted)}, n = "
            f"{whole(each.relative.n)}"
        )
        rows.append({**_bar(each.relative, tone, said), "row": each.segment, "margins": [], "tip": tip})
    overall = [e for e in readout.effects if (e.metric.name, e.arm) == (metric, arm) and _finite(e.lift)]
    top = [
        {
            **_bar(e.lift, _TONES[e.verdict], in_words(e.verdict)),
            "row": "all",
            "margins": [],
            "tip": f"all units: {share(e.lift)}, {in_words(e.verdict)}, n = {whole(e.lift.n)}",
        }
        for e in overall
    ]
    return _bars([*top, *rows], title=f"lift of {metric}") if rows else None


def probability_chart(readout: Readout, *, metric: str) -> Any:
    """How likely each lift is under a flat prior: a curve an arm, with the chance that it is better than control.

    Args:
        readout: The readout.
        metric: A primary metric.

    Returns:
        The chart; None where there is no posterior.
    """
    import altair as alt

    rows = []
    for each in readout.posteriors:
        found = each.posterior
        if each.metric != metric or not found.se > 0:
            continue
        label = f"{each.arm}: {chance(found.p_win)} better"
        middle = found.value.value
        for step in range(_STEPS):
            z = 8 * step / (_STEPS - 1) - 4
            row = {"lift": middle + z * found.se, "density": math.exp(-z * z / 2) / found.se, "system": label}
            rows.append(row | {"tip": f"{label}; lift {share(found.value)}"})
    if not rows:
        return None
    base, colour = base_of(rows, height=220), told_colour(list(dict.fromkeys(row["system"] for row in rows)))
    x = alt.X("lift:Q", title=f"lift of {metric}", axis=alt.Axis(format="%"))
    y = alt.Y("density:Q", title=None, axis=None)
    return alt.layer(
        zero(),
        base.mark_area(fillOpacity=0.2).encode(x=x, y=alt.Y("density:Q", stack=None, axis=None), color=colour),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )


def units_chart(readout: Readout) -> Any:
    """New units of each arm by day of first exposure: an arm that loses units is seen here first.

    Args:
        readout: The readout.

    Returns:
        The chart; None where days were not gathered.
    """
    import altair as alt

    first = readout.plan.primary[0].name
    rows = [
        {
            "day": row["day"],
            "n": row["n"],
            "system": row["arm"],
            "tip": f"{row['arm']}, {row['day']}: {whole(row['n'])}",
        }
        for row in readout.daily
        if row["metric"] == first
    ]
    if not rows:
        return None
    base, colour = base_of(rows, height=200), told_colour(list(readout.plan.arms))
    step = max(1, -(-len({row["day"] for row in rows}) // 5))
    days: Any = {"interval": "day", "step": step}
    x = alt.X("day:T", title="day of first exposure", axis=alt.Axis(format="%b %-d", tickCount=days))
    y = alt.Y("n:Q", title=f"new units ({readout.plan.unit})", axis=alt.Axis(grid=True, format=",d", tickMinStep=1))
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_circle(size=40, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )


def _finite(lift: Estimate) -> bool:
    return math.isfinite(lift.value)


def _bar(lift: Estimate, tone: str, said: str) -> dict[str, Any]:
    return {
        "value": lift.value,
        "low": lift.low,
        "high": lift.high,
        "system": tone,
        "label": f"{percent(lift.value, signed=True)} {said}",
    }


def _margins(effect: Effect) -> list[float]:
    metric = effect.metric
    if metric.margin is None:
        return []
    sides = (-1, 1) if metric.aim != "non-inferiority" else (-metric.sign,)
    return [side * metric.margin for side in sides]


def _rows(order: Sequence[str]) -> Any:
    """A row each, the metric above the arm: beside each other they would be cut off."""
    import altair as alt

    axis = alt.Axis(labelLimit=150, labelExpr=f"split(datum.label, '{_BETWEEN}')")
    return alt.Y("row:N", sort=list(order), title=None, axis=axis)


def _bars(rows: Sequence[dict[str, Any]], *, title: str) -> Any:
    """A bar over each interval, a tick at its value, the words above it, and ticks at margins."""
    import altair as alt

    order, height = [row["row"] for row in rows], _ROW * len(rows)
    told = [
        {"row": row["row"], "margin": at, "tip": f"margin of {row['row']}: {percent(at, 2, signed=True)}"}
        for row in rows
        for at in row["margins"]
    ]
    bare = [{name: value for name, value in row.items() if name != "margins"} for row in rows]
    base, y = base_of(bare, height=height), _rows(order)
    scale = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    colour = alt.Color("system:N", scale=scale, legend=None)
    axis = alt.Axis(format="%", grid=True)
    # Room on both sides: the words above a bar are wider than it where the chart is small.
    reach = alt.Scale(zero=True, nice=False, padding=48)
    x = alt.X("value:Q", title=title, axis=axis, scale=reach)
    layers = [
        zero(),
        base.mark_bar(height=14, cornerRadius=7, opacity=0.45).encode(
            x=alt.X("low:Q", title=title, axis=axis, scale=reach), x2="high:Q", y=y, color=colour, tooltip="tip:N"
        ),
        base.mark_tick(thickness=3, size=20).encode(x=x, y=y, color=colour, tooltip="tip:N"),
        # On a ground of its own: the line at zero would run through it.
        base.mark_text(dy=-18, fontSize=12, stroke="var(--paper)", strokeWidth=4).encode(x=x, y=y, text="label:N"),
        base.mark_text(dy=-18, fontSize=12, color="var(--ink)").encode(x=x, y=y, text="label:N"),
    ]
    if told:
        layers.append(
            base_of(told, height=height)
            .mark_tick(thickness=2, size=20, color="var(--muted)")
            .encode(x=alt.X("margin:Q", title=title, scale=reach), y=y, tooltip="tip:N")
        )
    return alt.layer(*layers)
