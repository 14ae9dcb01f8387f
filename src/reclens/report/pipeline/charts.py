"""The chart of what each stage of a pipeline loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, colour_of, dots, rows_of, zero
from reclens.report._toolkit.format import format_estimate, format_number, whole

__all__ = ["loss_chart"]


def loss_chart(losses: Sequence[Mapping[str, Any]], *, metric: str, by: str) -> Any:
    """What each stage of a pipeline loses by one metric: a waterfall over all users, dots with intervals by segment.

    Args:
        losses: Rows of a stage evaluation.
        metric: The metric.
        by: ``"overall"``, or a segmentation.
    """
    import altair as alt

    rows: list[dict[str, Any]] = []
    for row in losses:
        if row["metric"] == metric and row["by"] == by:
            who = "" if by == "overall" else f" · {row['segment']}"
            ends = (
                {"from": row["before"] - row["low"], "to": row["before"] - row["high"]}
                if row["low"] is not None
                else {}
            )
            tip = f"{row['stage']}{who}: loss {format_estimate(row, signed=True)}, n = {whole(row['n'])}"
            rows.append(
                {**row, **ends, "label": row["stage"] + who, "system": row["stage"], "small": False, "tip": tip}
            )
    order = [row["label"] for row in rows]
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    if by != "overall":
        points = dots(
            rows,
            y=rows_of("label", order),
            row_height=ROW_HEIGHT * len(rows),
            systems=stages,
            title=f"loss of {metric}",
        )
        return alt.layer(zero(), points)
    last = rows[-1]["after"]
    rows.append(
        {
            "label": "final lists",
            "before": last,
            "after": 0,
            "system": "final lists",
            "tip": f"final lists: {metric} {format_number(last)}",
        }
    )
    base = base_of(rows, height=(ROW_HEIGHT + 8) * len(rows))
    y = rows_of("label", [*order, "final lists"])
    colour = colour_of(stages, extra={"final lists": "var(--muted)"})
    x = alt.X("after:Q", title=metric, scale=alt.Scale(zero=True))
    bars = base.mark_bar(height=16, opacity=0.85).encode(x=x, x2="before:Q", y=y, color=colour, tooltip="tip:N")
    if not any("from" in row for row in rows):
        return alt.layer(bars)
    known = base.transform_filter("isValid(datum.from)")
    return alt.layer(bars, known.mark_rule(strokeWidth=2, color="var(--ink)").encode(x="to:Q", x2="from:Q", y=y))
