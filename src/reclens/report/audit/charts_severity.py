"""What charts of severities and ratios share: colours, shapes, the line of parity, the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from reclens.audit.rows import Severity
from reclens.report._toolkit.charts import legend_above
from reclens.report.audit.words import SEVERITIES

__all__ = ["parity_line", "ratio_axis", "severity_colour", "severity_marks"]

_MARKS: Final[Mapping[Severity, tuple[str, str]]] = {
    "critical": ("var(--bad)", "diamond"),
    "high": ("var(--high)", "triangle-down"),
    "medium": ("var(--open)", "square"),
    "low": ("var(--low)", "square"),
    "favoured": ("var(--favoured)", "triangle-up"),
    "none": ("var(--good)", "circle"),
    "inconclusive": ("var(--muted)", "circle"),
    "descriptive": ("var(--muted)", "circle"),
}
"""Colour and shape of each severity. The colours are those of verdicts: no system has one of them."""
_TICKS: Final = (
    *(0.01, 0.02, 0.05, 0.1, 0.125, 0.2, 0.25, 0.33, 0.5, 0.65, 0.8, 0.9, 0.95),
    *(1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 20.0, 50.0, 100.0),
)
"""Ratios that stand on an axis."""


def severity_colour(rows: Sequence[Mapping[str, Any]], *, symbol: str = "square") -> Any:
    """The colour of each severity, told above the chart."""
    import altair as alt

    seen = _seen(rows)
    scale = alt.Scale(domain=[SEVERITIES[code] for code in seen], range=[_MARKS[code][0] for code in seen])
    return legend_above(alt.Color("severity:N", scale=scale), symbol=symbol)


def severity_marks(rows: Sequence[Mapping[str, Any]], *, columns: int = 2) -> dict[str, Any]:
    """Colour and shape of each severity, for points: who cannot tell the colours sees the shapes.

    Args:
        rows: The rows of the chart.
        columns: Of the legend.
    """
    import altair as alt

    seen = _seen(rows)
    names = [SEVERITIES[code] for code in seen]
    scale = alt.Scale(domain=names, range=[_MARKS[code][1] for code in seen])
    legend = alt.Legend(title=None, orient="top", columns=columns, labelColor="var(--ink)", labelFontSize=12)
    colours = alt.Scale(domain=names, range=[_MARKS[code][0] for code in seen])
    return {
        "color": alt.Color("severity:N", scale=colours, legend=legend),
        "shape": alt.Shape("severity:N", scale=scale, legend=legend),
    }


def _seen(rows: Sequence[Mapping[str, Any]]) -> list[Severity]:
    return [code for code in _MARKS if any(row["severity"] == SEVERITIES[code] for row in rows)]


def parity_line(*, at: float = 1.0) -> Any:
    """A line where groups are treated alike."""
    import altair as alt

    data = alt.Data(values=[{"at": at}])  # type: ignore[arg-type]
    return alt.Chart(data).mark_rule(strokeWidth=1, color="var(--ink)", strokeDash=[4, 3]).encode(x="at:Q")


def ratio_axis(values: Iterable[float], *, title: str) -> Any:
    """A logarithmic axis of ratios with room at both ends, so that no interval seems cut off.

    Args:
        values: What lies on the axis: ratios and the ends of their intervals; parity is on it too.
        title: Of the axis.
    """
    import altair as alt

    known = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min([*known, 0.9]), max([*known, 1 / 0.9])
    room = (high / low) ** 0.04
    low, high = low / room, high * room
    ticks = [each for each in _TICKS if low <= each <= high]
    step = -(-len(ticks) // 7)  # a phone has room for seven
    one = ticks.index(1.0)
    axis = alt.Axis(values=ticks[one % step :: step], format="~g", grid=True)
    return alt.X("value:Q", title=title, scale=alt.Scale(type="log", nice=False, domain=[low, high]), axis=axis)
