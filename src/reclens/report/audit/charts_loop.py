"""Charts of the feedback loop: what each measure does over the rounds, for all users and for each group."""

from __future__ import annotations

import math
from typing import Any

from reclens.audit import Audit
from reclens.evaluation.results import OVERALL
from reclens.report._toolkit.charts import base_of, told_colour
from reclens.report._toolkit.format import between

__all__ = ["loop_chart", "loop_measures"]

_ALL = "all users"


def loop_measures(audit: Audit) -> list[str]:
    """The measures of the loop, in the order in which they were taken."""
    return [] if audit.loop is None else list(dict.fromkeys(each.measure for each in audit.loop.points))


def loop_chart(audit: Audit, measure: str, *, by: str | None = None) -> Any | None:
    """The mean over the runs of one measure in every round, with intervals; None without a loop.

    Args:
        audit: The audit.
        measure: What is shown.
        by: The segmentation whose groups are shown; the first one by default.
    """
    import altair as alt

    if audit.loop is None:
        return None
    known = [each for each in audit.loop.points if each.measure == measure and math.isfinite(each.value.value)]
    groups = list(dict.fromkeys(each.by for each in known if each.by != OVERALL[0]))
    chosen = by if by in groups else next(iter(groups), None)
    rows: list[dict[str, Any]] = []
    for each in known:
        if each.by not in (OVERALL[0], chosen):
            continue
        name = _ALL if each.by == OVERALL[0] else f"{each.segment} ({each.by})"
        found = each.value
        rows.append(
            {
                "round": each.round,
                "system": name,
                "value": found.value,
                "low": found.value if found.low is None else found.low,
                "high": found.value if found.high is None else found.high,
                "tip": f"{name}, round {each.round}: {between(found, signed=False)}",
            }
        )
    if not rows:
        return None
    names = list(dict.fromkeys(row["system"] for row in rows))
    last = max(row["round"] for row in rows)
    base = base_of(rows, height=220)
    x = alt.X("round:Q", title="round", axis=alt.Axis(format="d", values=list(range(last + 1))))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    colour = told_colour(names, symbol="circle")
    return alt.layer(
        base.mark_rule(strokeWidth=1).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_circle(size=45, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"),
    )
