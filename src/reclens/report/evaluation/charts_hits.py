"""Charts of users without a hit, and of a list as a row of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.evaluation import Evaluation
from reclens.evaluation.hits import tells_hits, without_hit_by_segment
from reclens.report._toolkit.charts import ROW_HEIGHT, dots, rows_of
from reclens.report._toolkit.format import format_estimate, percent, share, whole
from reclens.report._toolkit.system_colours import system_colour
from reclens.stats.estimate import Estimate

__all__ = ["no_hit_chart", "no_hit_headline", "places_svg"]


def no_hit_headline(missed: Estimate, system: str, how: str) -> str:
    """The share of the users who get no hit, as a headline; ``how`` is such as ``by ndcg@10`` or ``in 10 places``."""
    return f"{percent(missed.value, 0)} of the users get no hit {how} under {system} ({share(missed, 1, signed=False)})"


def no_hit_chart(results: Mapping[str, Evaluation], *, metric: str, by: str) -> Any:
    """The share of the users without a hit, of all and by segment; None of a metric whose 0 does not mean that."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for system, result in results.items():
        if not tells_hits(result, metric):
            continue
        for row in without_hit_by_segment(result, metric, by):
            shown = format_estimate(row, digits=1, in_percent=True)
            tip = f"{system}, {row['segment']}: {shown} of the users get no hit, n = {whole(row['n'])}"
            rows.append({**row, "system": system, "tip": tip})
    if not rows:
        return None
    segments = list(dict.fromkeys(row["segment"] for row in rows))
    systems = list(results)
    return dots(
        rows,
        y=rows_of("segment", segments),
        row_height=max(13 * len(systems), ROW_HEIGHT) * len(segments),
        systems=systems,
        colour=system_colour(systems),
        title="share of users without a hit",
        offset=alt.YOffset("system:N", sort=systems, scale=alt.Scale(paddingOuter=0.4)),
        form="%",
    )


def places_svg(hits: Sequence[bool], *, colour: str, ground: str) -> str:
    """A list as a row of places, those of hits in colour."""
    size, step = 12, 15
    boxes = "".join(
        f'<rect x="{at * step}" y="1" width="{size}" height="{size}" rx="2" fill="{colour if hit else ground}"/>'
        for at, hit in enumerate(hits)
    )
    width = max(len(hits) * step, 1)
    said = ", ".join(str(at) for at, hit in enumerate(hits, 1) if hit) or "none"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 14" width="{width}" height="14" '
        f'style="max-width:100%" role="img" aria-label="Places with a hit: {said}">{boxes}</svg>'
    )
