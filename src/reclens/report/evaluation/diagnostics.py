"""Charts and tables for looking closer: curves over cut-offs, spread over users, popularity, gainers and losers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.evaluation import Evaluation
from reclens.evaluation.results import MINIMUM_SEGMENT
from reclens.evaluation.views import exposure_by_popularity, metric_by_cutoff, spread, worst_users
from reclens.metrics import direction
from reclens.report._toolkit.charts import base_of, dots, rows_of, title_of
from reclens.report._toolkit.format import format_estimate, format_number, percent, significant, whole
from reclens.report._toolkit.system_colours import system_colour
from reclens.report._toolkit.tables import Table

__all__ = [
    "distribution_chart",
    "exposure_chart",
    "exposure_table",
    "metric_by_cutoff_chart",
    "popularity_chart",
    "worst_users_table",
]


def metric_by_cutoff_chart(results: Mapping[str, Evaluation], *, family: str) -> Any:
    """One metric over its cut-offs, with a band of intervals; None unless some system has two cut-offs."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for system, result in results.items():
        curve = metric_by_cutoff(result, family)
        rows += [{**row, "system": system, "tip": f"{system}: {row['metric']} {format_estimate(row)}"} for row in curve]
    ks = sorted({row["k"] for row in rows})
    if len(ks) < 2:
        return None
    base, colour = base_of(rows, height=260), system_colour(list(results))
    x = alt.X("k:Q", title="k", axis=alt.Axis(values=ks, format="d"), scale=alt.Scale(padding=12))
    y = alt.Y("value:Q", title=family, scale=alt.Scale(zero=False))
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    points = base.mark_circle(size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N")
    if all(row["low"] is None for row in rows):
        return alt.layer(line, points)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    return alt.layer(bars, line, points)


def distribution_chart(results: Mapping[str, Evaluation], *, metric: str) -> Any:
    """The value that a share of the users stays at or below: a mean hides who gets nothing."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for system, result in results.items():
        for row in spread(result, metric):
            tip = (
                f"{system}: {percent(row['users'], 0)} of the users have {metric} at or below "
                f"{format_number(row['value'])}"
            )
            rows.append({**row, "system": system, "tip": tip})
    axes = {
        "x": alt.X("users:Q", title=f"share of users, {_first(metric)} first", axis=alt.Axis(format="%")),
        "y": alt.Y("value:Q", title=title_of(metric)),
    }
    base, colour = base_of(rows, height=280), system_colour(list(results))
    return alt.layer(
        base.mark_line(strokeWidth=2, interpolate="step-before").encode(**axes, color=colour),
        base.mark_point(opacity=0, size=100).encode(**axes, tooltip="tip:N"),
    )


def _first(metric: str) -> str:
    """Order users by their value, the lowest first."""
    return {True: "the worst", False: "the best", None: "the lowest"}[direction(metric)]


def popularity_chart(results: Mapping[str, Evaluation], *, tiers: int = 10) -> Any:
    """Share of exposure of each tenth of the catalogue, beside what users consumed in training."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for system, result in results.items():
        rows += [
            {"tier": each["tier"], "share": each["exposure"], "system": system}
            for each in exposure_by_popularity(result, tiers=tiers)
        ]
    first = next(iter(results.values()))
    rows += [
        {"tier": each["tier"], "share": each["consumption"], "system": "consumed"}
        for each in exposure_by_popularity(first, tiers=tiers)
    ]
    for row in rows:
        row["tip"] = f"{row['system']}: {percent(row['share'], 1)} on part {row['tier']} of {tiers} of the catalogue"
    base = base_of(rows, height=300)
    colour = system_colour(list(results), extra={"consumed": "var(--ink)"})
    x = alt.X("tier:O", title="tenths of the catalogue, the most popular on the right", axis=alt.Axis(labelAngle=0))
    y = alt.Y("share:Q", title="share", axis=alt.Axis(format="%"))
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_circle(size=60, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )


def worst_users_table(
    result: Evaluation,
    *,
    metric: str,
    n: int = 20,
    above: float | None = None,
    within: tuple[float, float] | None = None,
) -> Table:
    """The users with the worst values of a metric, with their segments.

    Args:
        result: The evaluation.
        metric: The metric.
        n: Most users.
        above: Leave out users with a value up to this.
        within: Only users with a value within these ends.
    """
    more_is_better = direction(metric) is not False
    frame = worst_users(result, metric, n=n, higher_is_better=more_is_better, above=above, within=within)
    records = frame.to_dicts()
    cells = tuple(
        tuple(
            format_number(value) if name == metric else "–" if value is None else str(value)
            for name, value in row.items()
        )
        for row in records
    )
    said = {"n_relevant": "held-out items", "list_length": "places", "user_id": "user"}
    heads = tuple(said.get(name, name) for name in frame.columns)
    note = "Among equals, those with the most held-out items first."
    word = "Lowest" if direction(metric) is None else "Worst"
    beyond = "" if above is None else f" above {significant(above)}"
    if within is not None:
        beyond = f" from {format_number(within[0])} to {format_number(within[1])}"
    return Table(
        title=f"{word} {metric}{beyond} of {result.system}",
        columns=heads,
        rows=cells,
        records=tuple(records),
        notes=(note,),
    )


def exposure_chart(rows: Sequence[Mapping[str, Any]], *, by: str, systems: list[str]) -> Any:
    """Share of the users of each segment who are shown one item, of those who could be, with intervals.

    Args:
        rows: Rows of item exposures.
        by: ``"overall"``, or a segmentation.
        systems: The systems, in the order of their colours.
    """
    import altair as alt

    shown: list[dict[str, Any]] = []
    for row in rows:
        if row["by"] == by:
            shown_to = format_estimate(row, digits=1, in_percent=True)
            tip = (
                f"{row['system']}, {row['segment']}: shown to {shown_to} of {whole(row['n'])} users who could be shown "
                "it"
            )
            shown.append({**row, "small": row["n"] < MINIMUM_SEGMENT, "tip": tip})
    segments = list(dict.fromkeys(row["segment"] for row in shown))
    offset = alt.YOffset("system:N", sort=systems, scale=alt.Scale(paddingOuter=0.4))
    height = max(13 * len(systems), 26) * len(segments)
    return dots(
        shown,
        y=rows_of("segment", segments),
        row_height=height,
        systems=systems,
        colour=system_colour(systems),
        title="share of the users who could be shown it",
        offset=offset,
        form="%",
    )


def exposure_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Share of the users who are shown one item, and share of those who went on to choose it, by segment."""
    cells = tuple(
        (
            row["system"],
            "all" if row["by"] == "overall" else f"{row['by']}: {row['segment']}",
            format_estimate(row, digits=1, in_percent=True),
            percent(row["chosen"], 1),
            whole(row["n"]),
            whole(row["had"]),
        )
        for row in rows
    )
    notes = (
        "n: users with a list who could be shown the item, without those who had it where lists leave that out.",
        "Intervals are Wilson's, over users. Chosen: the share of the same users who had the item held out.",
    )
    heads = ("system", "users", "shown to", "chosen by", "n", "left out: had it")
    return Table(title="Who is shown it", columns=heads, rows=cells, records=tuple(rows), notes=notes)
