"""Charts of the lab: offline metrics against true lifts, designs against the truth, and the long run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from reclens.lab.correlation import OfflineOnline
from reclens.lab.interference_study import Interference
from reclens.lab.long_run import LongRun
from reclens.lab.simulation import Simulation
from reclens.metrics import describe
from reclens.report._toolkit.charts import base_of, colour_of, dots, rows_of, zero
from reclens.report._toolkit.format import between, format_estimate, format_number, in_words, percent, share, whole
from reclens.stats.estimate import Estimate

__all__ = [
    "age_chart",
    "bias_chart",
    "correlation_chart",
    "design_chart",
    "estimate_chart",
    "holdout_power_chart",
    "lift_chart",
    "offline_online_chart",
    "sign_chart",
]

_ROW = 30
_HEIGHT = 340
"""Of a scatter, in pixels."""
_NAME = 130
"""Widest name in it; what is longer is cut, and told on hover."""


def offline_online_chart(found: OfflineOnline, *, metric: str, segment: tuple[str, str]) -> Any:
    """The true lift of each strategy, with its interval, against an offline metric; better is to the right."""
    import altair as alt

    # The study turns the sign where lower is better; a reader wants the value, on an axis that is turned instead.
    turned = describe(metric.partition("@")[0]).higher_is_better is False
    rows = [
        {**row, "x": -row["offline"] if turned else row["offline"]}
        for row in found.points
        if (row["metric"], row["by"], row["segment"]) == (metric, *segment) and not math.isnan(row["offline"])
    ]
    ends = [row[name] for row in rows for name in ("low", "high", "lift") if row[name] is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.01
    domain = (low - room, high + room)
    for row, place in zip(rows, _spread([row["lift"] for row in rows], domain), strict=True):
        row |= {
            "place": place,
            "tip": f"{row['strategy']}: {metric} {format_number(row['x'])}, lift "
            f"{format_estimate(row, value='lift', signed=True, digits=2, in_percent=True)}",
        }
    title = f"{metric} (lower is better, axis turned)" if turned else metric
    x = alt.X("x:Q", title=title, scale=alt.Scale(zero=False, padding=12, reverse=turned))
    lift = f"true lift over {found.lifts.control}"
    scale = alt.Scale(domain=list(domain), nice=False)
    y = alt.Y("lift:Q", title=lift, axis=alt.Axis(format="%", grid=True), scale=scale)
    base = base_of(rows, height=_HEIGHT)
    # Names stand in a column at the right, each with a thin line to its dot: good strategies lie close together.
    right = {"x": alt.XValue("width"), "y": alt.Y("place:Q", title=lift, scale=scale)}
    return alt.layer(
        base.mark_rule(strokeWidth=1, color="var(--line)").encode(x=x, y=y, x2=alt.X2Value("width"), y2="place:Q"),
        base.mark_rule(strokeWidth=2, opacity=0.5, color="var(--s0)").encode(
            x=x, y=alt.Y("low:Q", title=lift, scale=scale), y2="high:Q"
        ),
        base.mark_circle(size=80, opacity=1, color="var(--s0)").encode(x=x, y=y, tooltip="tip:N"),
        base.mark_text(align="left", dx=4, fontSize=11, limit=_NAME, color="var(--ink)").encode(
            text="strategy:N", **right
        ),
    ).properties(padding={"left": 5, "top": 5, "bottom": 5, "right": 20})  # the room of names is a guess of Vega's


def _spread(values: Sequence[float], domain: tuple[float, float]) -> list[float]:
    """A place for the name of each value, near it and at least a line away from the others."""
    line = min(14 / _HEIGHT, 1 / len(values)) * (domain[1] - domain[0])
    order = sorted(range(len(values)), key=values.__getitem__)
    places = [values[at] for at in order]
    for at in range(1, len(places)):
        places[at] = max(places[at], places[at - 1] + line)
    ceiling = domain[1] - line / 2
    for at in reversed(range(len(places))):
        places[at] = ceiling = min(places[at], ceiling)
        ceiling -= line
    found = [0.0] * len(values)
    for at, place in zip(order, places, strict=True):
        found[at] = place
    return found


def correlation_chart(found: OfflineOnline, *, segment: tuple[str, str]) -> Any:
    """The rank correlation of every metric with the true lift, best first; faded where the interval holds 0."""
    import altair as alt

    rows = []
    for each in found.correlations:
        rho = each.spearman
        if each.segment == segment and not math.isnan(rho.value):
            known = rho.low is not None and rho.high is not None
            rows.append(
                {
                    "row": each.metric,
                    "system": "metric",
                    "value": rho.value,
                    "low": rho.low,
                    "high": rho.high,
                    "small": known and (rho.low or 0.0) <= 0 <= (rho.high or 0.0),
                    "tip": f"{each.metric}: Spearman {rho}, {rho.n} strategies; it takes {each.chosen}, which costs "
                    f"{percent(each.regret, 2)} of lift",
                }
            )
    if not rows:
        return None
    chart = dots(
        rows,
        y=rows_of("row", [row["row"] for row in rows]),
        row_height=22 * len(rows),
        systems=["metric"],
        title="rank correlation with the true lift",
    )
    return alt.layer(zero(), chart)


def design_chart(found: Interference) -> Any:
    """The mean estimate of each design below the truth, with intervals over worlds."""
    truth = found.designs[0].truth
    named = [("truth", truth, "truth"), *((each.design, each.estimate, "estimate") for each in found.designs)]
    return _forest(named, systems=["truth", "estimate"], title=f"effect on {in_words(found.metric)} a user")


def bias_chart(found: Interference) -> Any:
    """Estimate minus truth of each design, with its interval over worlds."""
    named = [(each.design, each.bias, "bias") for each in found.designs]
    return _forest(named, systems=["bias"], title=f"estimate minus truth, {in_words(found.metric)} a user")


def sign_chart(found: Interference) -> Any:
    """The share of tests whose estimate has the wrong sign, with its Wilson interval."""
    import altair as alt

    rows = [_row(each.design, each.wrong_sign, "share", of=share) for each in found.designs]
    base = base_of(rows, height=_ROW * len(rows))
    y = rows_of("row", [row["row"] for row in rows])
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%")
    x = alt.X("value:Q", title="tests with the wrong sign", scale=scale, axis=axis)
    return alt.layer(
        base.mark_rule(strokeWidth=2, color="var(--s1)").encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=y),
        base.mark_circle(size=70, opacity=1, color="var(--s1)").encode(x=x, y=y, tooltip="tip:N"),
    )


def holdout_power_chart(found: LongRun) -> Any:
    """Power after each month, and the power that was asked for as a line across."""
    import altair as alt

    rows = [
        {
            **row,
            "tip": f"after {row['month']} months: power {percent(row['power'], 0)}, a lift of "
            f"{percent(row['detectable_lift'], 2)} is found with {percent(found.goal, 0)}",
        }
        for row in found.power
    ]
    base = base_of(rows, height=260)
    x = alt.X("month:Q", title="months", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))
    y = alt.Y("power:Q", title="power", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", grid=True))
    goal = alt.Chart(alt.Data(values=[{"power": found.goal, "tip": "power asked for"}]))  # type: ignore[arg-type]
    return alt.layer(
        goal.mark_rule(strokeWidth=1.5, strokeDash=[5, 4], color="var(--muted)").encode(y=y, tooltip="tip:N"),
        base.mark_line(strokeWidth=2, color="var(--s0)").encode(x=x, y=y),
        base.mark_circle(size=60, opacity=1, color="var(--s0)").encode(x=x, y=y, tooltip="tip:N"),
    )


def estimate_chart(found: LongRun) -> Any:
    """The long-term effect: as the index predicts it, as the long test finds it, and as it is."""
    if found.surrogate is None:
        return None
    study = found.surrogate
    named = [
        ("truth", study.truth, "truth"),
        (f"index, day {found.short}", study.index, "estimate"),
        (f"test, day {found.long}", study.long, "estimate"),
    ]
    return _forest(named, systems=["truth", "estimate"], title=f"effect on {in_words(found.metric)} a user")


def age_chart(found: LongRun) -> Any:
    """The effect on each day since first exposure: its interval as a band, and zero."""
    import altair as alt

    if not found.ages:
        return None
    rows = [
        {
            **row,
            "tip": f"day {row['age']}: {format_estimate(row, value='difference', signed=True)}, "
            f"{whole(row['users'])} users",
        }
        for row in found.ages
    ]
    base = base_of(rows, height=260)
    x = alt.X("age:Q", title="days since first exposure", scale=alt.Scale(nice=False))
    title = f"effect on {in_words(found.metric)} a user and day"
    y = alt.Y("difference:Q", title=title, axis=alt.Axis(grid=True))
    ground = alt.Chart(alt.Data(values=[{"none": 0}]))  # type: ignore[arg-type]
    return alt.layer(
        ground.mark_rule(strokeWidth=1, color="var(--muted)").encode(y=alt.Y("none:Q", title=title)),
        base.mark_area(opacity=0.18, color="var(--s0)").encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=2, color="var(--s0)").encode(x=x, y=y),
        base.mark_circle(size=50, opacity=1, color="var(--s0)").encode(x=x, y=y, tooltip="tip:N"),
    )


def lift_chart(found: Simulation, *, arm: str) -> Any:
    """What the A/B test says of each metric beside the truth, as lifts; None where nothing can be said."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for (name, metric), said in found.differences.items():
        if name == arm:
            truth = found.truths[arm][metric].lift if arm in found.truths else None
            pair = (("A/B estimate", said.relative), ("truth", truth))
            rows += [
                _row(in_words(metric), lift, what, of=share)
                for what, lift in pair
                if lift is not None and not math.isnan(lift.value)
            ]
    if not rows:
        return None
    systems = list(dict.fromkeys(row["system"] for row in rows))
    metrics = list(dict.fromkeys(row["row"] for row in rows))
    offset = alt.YOffset("system:N", sort=systems, scale=alt.Scale(paddingOuter=0.5))
    base = base_of(rows, height=40 * len(metrics))
    y, colour = rows_of("row", metrics), _told(systems)
    title = f"lift over {found.run.arms[0]}"
    x = alt.X("value:Q", title=title, axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    return alt.layer(
        zero(),
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=title), x2="high:Q", y=y, yOffset=offset, color=colour
        ),
        base.mark_circle(size=70, opacity=1).encode(x=x, y=y, yOffset=offset, color=colour, tooltip="tip:N"),
    )


def _forest(named: Sequence[tuple[str, Estimate, str]], *, systems: list[str], title: str) -> Any:
    """A dot with its interval for each name, and zero."""
    import altair as alt

    rows = [_row(name, estimate, system) for name, estimate, system in named]
    chart = dots(
        rows,
        y=rows_of("row", [name for name, _, _ in named]),
        row_height=_ROW * len(rows),
        systems=systems,
        title=title,
    )
    return alt.layer(zero(), chart)


def _row(name: str, found: Estimate, system: str, *, of: Callable[[Estimate], str] = between) -> dict[str, Any]:
    return {
        "row": name,
        "system": system,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "small": False,
        "tip": f"{name}, {system}: {of(found)}",
    }


def _told(systems: Sequence[str]) -> Any:
    """A legend of colours above the chart."""
    return colour_of(systems).legend(
        title=None, orient="top", labelColor="var(--ink)", labelFontSize=12, symbolType="circle"
    )
