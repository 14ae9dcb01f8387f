"""A small HTML report of comparisons between segments: claims, charts with their data, tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from reclens.learn.exercise import Draw
from reclens.learn.headers import fingerprint

__all__ = ["Row", "bias_page"]

_NAMES: Final = {"ndcg": "NDCG@10", "genres": "genres in a list"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: a segment with all other users."""

    measure: str
    segment: str
    n: int
    n_others: int
    estimate: float
    low: float
    high: float
    p_adjusted: float | None
    verdict: str


def bias_page(draw: Draw, rows: Sequence[Row], drawn: Sequence[Row], *, fewest: int) -> str:
    """A page: claims, a figure and a table a measure, and what cannot be concluded.

    Args:
        draw: Whose page it is.
        rows: The comparisons.
        drawn: What the charts show.
        fewest: Users of a segment about which something may be concluded.
    """
    parts = ["<h1>How the lists serve six segments</h1>", "<p>Each segment is compared with all other users.</p>"]
    parts += [_claim(each) for each in rows if each.verdict in {"worse", "better"}]
    for measure in dict.fromkeys(each.measure for each in rows):
        shown = [each for each in drawn if each.measure == measure]
        parts += [_drawing(measure, shown), _tabled(measure, [each for each in rows if each.measure == measure])]
    small = sorted({each.segment for each in rows if each.verdict == "inconclusive"})
    if small:
        parts.append(f"<p>Nothing can be concluded about {' and '.join(small)}: fewer than {fewest} users each.</p>")
    body = "\n".join(parts)
    return (
        f"<!doctype html>\n<!--\n# exercise {draw.exercise}, learner {fingerprint(draw.seed)}\n-->\n"
        '<html lang="en">\n<head><meta charset="utf-8"><title>Bias report</title></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _claim(row: Row) -> str:
    at = f'class="claim" data-measure="{row.measure}" data-segment="{row.segment}"'
    interval = f"95 % interval of the difference {row.low:.3f} to {row.high:.3f}"
    who, what = row.segment.capitalize(), _NAMES[row.measure]
    return f"<p {at}>{who} are {row.verdict} off by {abs(row.estimate):.3f} in {what} ({interval}).</p>"


def _drawing(measure: str, rows: Sequence[Row]) -> str:
    """A dot and an interval a segment, to scale."""
    ends = [0.0, *(end for each in rows for end in (each.low, each.high))]
    low, width = min(ends), (max(ends) - min(ends)) or 1.0
    marks = "".join(
        f'<line x1="{_x(each.low, low, width)}" x2="{_x(each.high, low, width)}" y1="{y}" y2="{y}" stroke="#888"/>'
        f'<circle data-segment="{each.segment}" cx="{_x(each.estimate, low, width)}" cy="{y}" r="4"/>'
        f'<text x="0" y="{y + 4}">{each.segment}</text>'
        for y, each in zip(range(20, 1000, 24), rows, strict=False)
    )
    label = f"{_NAMES[measure]}: how much each segment differs from all other users, with its 95 % interval"
    data = [{key: getattr(each, key) for key in ("segment", "estimate", "low", "high")} for each in rows]
    return (
        f'<figure data-measure="{measure}">\n<svg role="img" aria-label="{escape(label)}" viewBox="0 0 520 170">'
        f'{marks}</svg>\n<script type="application/json">{json.dumps(data)}</script>\n</figure>'
    )


def _x(value: float, low: float, width: float) -> float:
    return round(110 + 400 * (value - low) / width, 2)


def _tabled(measure: str, rows: Sequence[Row]) -> str:
    lines = [
        [
            each.segment,
            f"{each.n}",
            *(f"{value:.3f}" for value in (each.estimate, each.low, each.high)),
            "-" if each.p_adjusted is None else f"{each.p_adjusted:.3f}",
            each.verdict,
        ]
        for each in rows
    ]
    head = ("segment", "n", "estimate", "low", "high", "p_adjusted", "verdict")
    cells = [*(["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines])]
    header = "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"
    return f'<table data-measure="{measure}">\n' + "\n".join([header, *cells]) + "\n</table>"
