"""Charts of evaluations and comparisons: leaderboard, segments, gaps, differences, trade-offs, exposure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.evaluation import Comparison, Evaluation, PairedDifference
from reclens.evaluation.trade_off import TradeOff, trade_off
from reclens.metrics import is_share
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, dots, rows_of, title_of, within, zero
from reclens.report._toolkit.format import format_estimate, p_in_words, percent, whole
from reclens.report._toolkit.labels import EDGE, label_layers, label_sides
from reclens.report._toolkit.notes import note_text
from reclens.report._toolkit.system_colours import system_colour
from reclens.report.evaluation.tables import best_first
from reclens.report.evaluation.words import why_not_significant

__all__ = [
    "difference_chart",
    "gap_chart",
    "leaderboard_chart",
    "lorenz_chart",
    "p_values",
    "segment_chart",
    "segment_count",
    "trade_off_chart",
]


def leaderboard_chart(results: Mapping[str, Evaluation], *, metric: str) -> Any:
    """One metric of every system over all users: a dot with its interval, the best first."""
    rows = _estimates({name: results[name] for name in best_first(results, metric)}, metric, "overall")
    return dots(
        rows,
        y=rows_of("system", [row["system"] for row in rows]),
        row_height=ROW_HEIGHT * len(rows),
        systems=list(results),
        colour=system_colour(list(results)),
        title=title_of(metric),
    )


def segment_chart(results: Mapping[str, Evaluation], *, metric: str, by: str, most: int | None = None) -> Any:
    """One metric by segment, the systems beside each other, with intervals; thin dots are of small segments.

    Args:
        results: Name -> evaluation.
        metric: The metric.
        by: The segmentation.
        most: Show only so many segments: those with the most users.
    """
    import altair as alt

    rows = _estimates(results, metric, by)
    if most is not None:
        sizes: dict[str, int] = {}
        for row in rows:
            sizes[row["segment"]] = max(row["n"], sizes.get(row["segment"], 0))
        largest = set(sorted(sizes, key=lambda name: -sizes[name])[:most])
        rows = [row for row in rows if row["segment"] in largest]
    segments = list(dict.fromkeys(row["segment"] for row in rows))
    systems = list(results)
    offset = alt.YOffset("system:N", sort=systems, scale=alt.Scale(paddingOuter=0.4))
    return dots(
        rows,
        y=rows_of("segment", segments),
        row_height=max(13 * len(systems), ROW_HEIGHT) * len(segments),
        systems=systems,
        colour=system_colour(systems),
        title=title_of(metric),
        offset=offset,
        domain=within(rows),
    )


def segment_count(results: Mapping[str, Evaluation], *, metric: str, by: str) -> int:
    """How many segments :func:`segment_chart` has to show."""
    return len({name for result in results.values() for name in result[metric].by.get(by, {})})


def gap_chart(results: Mapping[str, Evaluation], *, metric: str, by: Sequence[str] | None = None) -> Any:
    """The largest gap between two segments, by segmentation and system; None where there is nothing to compare.

    ``by`` names the segmentations to show; all of them by default.
    """
    import altair as alt

    rows = []
    for system, result in results.items():
        for gap in result[metric].gaps.values():
            if by is not None and gap.by not in by:
                continue
            numbers = format_estimate(gap.to_dicts()[0])
            verdict = "conclusive" if gap.conclusive else "cannot be concluded"
            tip = f"{system}, {gap.by}: {gap.highest} over {gap.lowest} by {numbers}; {verdict} ({gap.n_pairs} pairs)"
            rows.append({**gap.to_dicts()[0], "system": system, "small": not gap.conclusive, "tip": tip})
    if not rows:
        return None
    segmentations = list(dict.fromkeys(row["by"] for row in rows))
    offset = alt.YOffset("system:N", sort=list(results), scale=alt.Scale(paddingOuter=0.4))
    chart = dots(
        rows,
        y=rows_of("by", segmentations),
        row_height=max(13 * len(results), ROW_HEIGHT) * len(segmentations),
        systems=list(results),
        colour=system_colour(list(results)),
        title=f"gap in {metric}",
        offset=offset,
    )
    return alt.layer(zero(), chart)


def difference_chart(comparison: Comparison, *, metric: str) -> Any:
    """Every system against the baseline by one metric: the difference with its interval, and zero."""
    import altair as alt

    rows = []
    for found in comparison.differences:
        if (found.metric, found.by) != (metric, "overall"):
            continue
        row = dict(vars(found))
        numbers = format_estimate(row, value="difference", signed=True)
        tip = f"{found.system}: {numbers}, {p_values(found, comparison)}, n = {whole(found.n)}"
        rows.append({**row, "value": row["difference"], "small": not row["significant"], "tip": tip})
    systems = list(comparison.card["systems"])
    order = rows_of("system", [row["system"] for row in rows])
    chart = dots(
        rows,
        y=order,
        row_height=ROW_HEIGHT * len(rows),
        systems=systems,
        colour=system_colour(systems),
        title=f"{metric}, difference from {comparison.baseline}",
    )
    return alt.layer(zero(), chart)


def p_values(row: PairedDifference, comparison: Comparison) -> str:
    """The p-value and the adjusted one, and why they differ from what the interval says."""
    if row.p_adjusted is None:
        return "not tested"
    reason = why_not_significant(row, comparison.correction)
    said = f"p {p_in_words(row.p_randomization)}, adjusted p {p_in_words(row.p_adjusted)}"
    return said if reason is None else f"{said}: {reason}"


def trade_off_chart(results: Mapping[str, Evaluation], *, x: str, y: str) -> Any:
    """Two metrics of every system against each other, with their intervals, and the Pareto front.

    A label stands only where it touches no other dot, no other label and not the front, at any width. Systems without
    a label have a number, which a legend tells; hover tells those beyond the first few.
    """
    import altair as alt

    found = trade_off(results, x, y)
    rows = [_trade_row(system, results[system], found) for system in results]
    intervals = tuple(
        [row[name] for row in rows for name in (f"{axis}_low", f"{axis}_high") if row[name] is not None]
        for axis in "xy"
    )
    across = [((row["x_low"], row["y"]), (row["x_high"], row["y"])) for row in rows if row["x_low"] is not None]
    upward = [((row["x"], row["y_low"]), (row["x"], row["y_high"])) for row in rows if row["y_low"] is not None]
    sides = label_sides(
        [(row["system"], row["x"], row["y"]) for row in rows],
        found.front,
        intervals=(intervals[0], intervals[1]),
        bars=[*across, *upward],
    )
    rows = _numbered([{**row, "side": side} for row, side in zip(rows, sides, strict=True)])
    base = base_of(rows, height=_TRADE_HEIGHT)
    colour = _named_below(system_colour(list(results)), rows)
    axes = {"x": _trade_axis(alt.X, "x", x), "y": _trade_axis(alt.Y, "y", y)}
    front = [{"x": found.points[name][0], "y": found.points[name][1]} for name in found.front]
    line = alt.Chart(alt.Data(values=front)).mark_line(color="var(--muted)", strokeDash=[4, 3], strokeWidth=1.5)  # type: ignore[arg-type]
    layers = [line.encode(**axes)]
    for side, ends in (
        ("x", {"x": "x_low:Q", "x2": "x_high:Q", "y": axes["y"]}),
        ("y", {"x": axes["x"], "y": "y_low:Q", "y2": "y_high:Q"}),
    ):
        if any(row[f"{side}_low"] is not None for row in rows):  # metrics of all lists together have no interval
            layers.append(base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(**ends, color=colour))
    layers.append(base.mark_circle(size=90, opacity=1).encode(**axes, color=colour, tooltip="tip:N"))
    if any(row["number"] for row in rows):
        number = base.mark_text(fontSize=9, fontWeight="bold", color="var(--paper)").encode(**axes, text="number:N")
        layers.append(number)
    return alt.layer(*layers, *label_layers(base, rows, text="system", side="side", axes=axes))


def _numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with a number on the dots whose labels have no room: among greys no colour tells which is which."""
    unnamed = sorted((row for row in rows if row["side"] is None and row["x"] == row["x"]), key=lambda row: row["x"])
    numbers = {row["system"]: str(at) for at, row in enumerate(unnamed[:_MOST_UNNAMED], 1)}
    return [{**row, "number": numbers.get(row["system"], "")} for row in rows]


def _named_below(colour: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The colours, with a legend of the systems whose labels have no room."""
    unnamed = {row["system"]: row["number"] for row in rows if row["number"]}
    if not unnamed:
        return colour
    told = {name: f"{number}  {name}" for name, number in unnamed.items()}
    return colour.legend(
        values=sorted(unnamed, key=lambda name: int(unnamed[name])),
        labelExpr=f"{json.dumps(told)}[datum.label]",
        title="without room for a label, by number",
        titleFontWeight="normal",
        titleColor="var(--muted)",
        titleLimit=300,
        orient="bottom",
        columns=2,
        labelColor="var(--ink)",
        labelFontSize=12,
        labelLimit=140,
        symbolType="circle",
        symbolOpacity=1,
    )


def _trade_row(system: str, result: Evaluation, found: TradeOff) -> dict[str, Any]:
    across, up = result[found.x].overall, result[found.y].overall
    on = "; on the Pareto front" if system in found.front else ""
    return {
        "system": system,
        "x": across.value,
        "x_low": across.low,
        "x_high": across.high,
        "y": up.value,
        "y_low": up.low,
        "y_high": up.high,
        "tip": f"{system}: {found.x} {across}, {found.y} {up}{on}",
    }


def _trade_axis(channel: Any, field: str, metric: str) -> Any:
    import altair as alt

    share = is_share(metric)
    # Rounded ends of an axis would draw the dots nearer together than their labels are placed for.
    scale = alt.Scale(zero=False, nice=False, padding=EDGE)
    return channel(
        f"{field}:Q", title=title_of(metric), scale=scale, axis=alt.Axis(format="%") if share else alt.Axis()
    )


_TRADE_HEIGHT: Final = 300
_MOST_UNNAMED: Final = 12
"""Names in the legend of those without a label."""


def lorenz_chart(results: Mapping[str, Evaluation], *, consumed: Sequence[Mapping[str, Any]]) -> Any:
    """Share of exposure against share of items, the least shown first, beside what users consumed in training.

    Args:
        results: Name -> evaluation.
        consumed: Points ``items, share`` of the consumption curve, as of ``Evaluation.lorenz("popularity")``.
    """
    import altair as alt

    rows = [{**point, "system": name} for name, result in results.items() for point in result.lorenz("count")]
    rows += [{**point, "system": "consumed"} for point in consumed]
    for row in rows:
        row["tip"] = (
            f"{row['system']}: the {percent(float(row['items']), 0)} least shown items have "
            f"{percent(float(row['share']), 1)}"
        )
    names = [*results, "consumed"]
    dash = alt.StrokeDash(
        "system:N", scale=alt.Scale(domain=names, range=[[1, 0]] * len(results) + [[5, 4]]), legend=None
    )
    axes: dict[str, Any] = {
        "x": alt.X("items:Q", title="share of items, the least shown first", axis=alt.Axis(format="%")),
        "y": alt.Y("share:Q", title="share of exposure", axis=alt.Axis(format="%")),
    }
    base = base_of(rows, height=300)
    colour = system_colour(list(results), extra={"consumed": "var(--ink)"})
    even = alt.Chart(alt.Data(values=[{"items": 0, "share": 0}, {"items": 1, "share": 1}]))  # type: ignore[arg-type]
    return alt.layer(
        even.mark_line(strokeWidth=1, color="var(--line)").encode(**axes),
        base.mark_line(strokeWidth=2).encode(**axes, color=colour, strokeDash=dash),
        base.mark_point(opacity=0, size=120).encode(**axes, tooltip="tip:N"),
    )


def _estimates(results: Mapping[str, Evaluation], metric: str, by: str) -> list[dict[str, Any]]:
    rows = []
    for system, result in results.items():
        for row in result.to_dicts():
            if row["metric"] == metric and row["by"] == by:
                note = f"; {note_text(row['note'], row.get('coverage'))}" if row["note"] else ""
                few = "; too few users to conclude from" if row["small"] else ""
                place = "" if by == "overall" else f", {row['segment']}"
                tip = f"{system}{place}: {metric} {format_estimate(row)}, n = {whole(row['n'])}{few}{note}"
                rows.append({**row, "system": system, "tip": tip})
    return rows
