"""A metric of a system over its runs in time, with what its gate came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.report._toolkit.charts import base_of, title_of
from reclens.report._toolkit.format import format_estimate, whole
from reclens.report._toolkit.tables import Table

__all__ = ["OUTCOMES", "history_chart", "history_table"]

OUTCOMES: Final[Mapping[str | None, str]] = {
    "pass": "pass",
    "fail": "fail",
    "cannot_tell": "cannot tell",
    None: "no bound",
}
"""What a gate comes to, in words."""

_COLOURS: Final = {
    "pass": "var(--good)",
    "fail": "var(--bad)",
    "cannot tell": "var(--open)",
    "no bound": "var(--muted)",
}


def history_chart(rows: Sequence[Mapping[str, Any]], *, metric: str, at_least: float | None = None) -> Any:
    """Every run at its time with its interval, coloured by what the gate came to, and the bound."""
    import altair as alt

    shown = [
        {
            "time": row["created"].isoformat(),
            "value": row["value"],
            "low": row["low"],
            "high": row["high"],
            "outcome": OUTCOMES[row["outcome"]],
            "tip": f"{row['run']}, {row['created']:%Y-%m-%d %H:%M}: {format_estimate(row)}, {OUTCOMES[row['outcome']]}",
        }
        for row in rows
    ]
    base = base_of(shown, height=260)
    used = [each for each in _COLOURS if any(row["outcome"] == each for row in shown)]
    scale = alt.Scale(domain=used, range=[_COLOURS[each] for each in used])
    legend = None if used == ["no bound"] else alt.Legend(title=None, orient="top", labelColor="var(--ink)")
    colour = alt.Color("outcome:N", scale=scale, legend=legend)
    x = alt.X("time:T", title=None, axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=title_of(metric), scale=alt.Scale(zero=False))
    layers = [base.mark_line(strokeWidth=1, color="var(--muted)").encode(x=x, y=y)]
    if any(row["low"] is not None for row in shown):
        layers.append(base.mark_rule(strokeWidth=2).encode(x=x, y="low:Q", y2="high:Q", color=colour))
    layers.append(base.mark_circle(size=80, opacity=1).encode(x=x, y=y, color=colour, tooltip="tip:N"))
    if at_least is not None:
        line = alt.Chart(alt.Data(values=[{"bound": at_least}]))  # type: ignore[arg-type]
        layers.append(line.mark_rule(color="var(--ink)", strokeDash=[5, 4]).encode(y="bound:Q"))
    return alt.layer(*layers)


def history_table(rows: Sequence[Mapping[str, Any]], *, system: str, metric: str) -> Table:
    """The runs, the newest first, each with what its gate came to."""
    ordered = list(reversed(rows))
    cells = tuple(
        (
            row["run"],
            f"{row['created']:%Y-%m-%d %H:%M}",
            format_estimate(row),
            OUTCOMES[row["outcome"]],
            whole(row["n"]),
        )
        for row in ordered
    )
    note = "pass and fail: the whole interval lies on that side of the bound; cannot tell: it holds the bound."
    heads = ("run", "written (UTC)", metric, "gate", "n")
    return Table(
        title=f"{metric} of {system}, run by run", columns=heads, rows=cells, records=tuple(ordered), notes=(note,)
    )
