"""What every HTML document is made of: one self-contained file that needs no network.

A document is put together from tables and charts; the template lays it out and computes nothing. The page carries Vega,
Vega-Lite and Vega-Embed (BSD-3) inside, and a content security policy that allows no connection.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reclens.metrics import describe
from reclens.report._toolkit import charts, tables

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "Document",
    "Figure",
    "Section",
    "definition_of",
    "environment",
    "figure_of",
    "reading_of",
    "render",
    "still_of",
]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
"""The font of page and charts: Vega measures its labels in the font it is told."""

_TITLE = 32
"""Letters in a line of the title of an axis: on a phone a chart leaves little more beside the labels of its rows."""

_NEAR_THE_END = 16
"""Pixels from the end of an axis within which a label stands beside its tick: half of the longest label, ``−100%``."""

_STILL = 420
"""Width of a chart that is drawn beforehand, in pixels: on a phone its text shrinks little."""

_LETTER = 6.5
"""Width of a letter in pixels: a title beside a chart may be as long as the chart is high."""


@dataclass(frozen=True)
class Figure:
    """A chart with its caption; a tall one takes the height of two. ``svg`` is its picture, if it is drawn already."""

    caption: str
    spec: Mapping[str, Any]
    tall: bool = False
    svg: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report: text, then figures, then tables; some tables may be folded away.

    Attributes:
        title: Its heading.
        lead: What it says, in a sentence or two.
        points: Sentences of a list.
        figures: Charts.
        tables: Tables that are always shown.
        folded: Tables that a reader opens.
    """

    title: str
    lead: str = ""
    points: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[tables.Table, ...] = ()
    folded: tuple[tables.Table, ...] = ()


@dataclass(frozen=True)
class Document:
    """A finished report.

    Attributes:
        title: Its title.
        html: The whole page.
    """

    title: str
    html: str = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write the page whole or not at all; returns the file.

        Raises:
            WorkspaceError: If it cannot be written.
        """
        from reclens.files import write_text

        write_text(Path(path), self.html)
        return Path(path)


def render(template: str, page: Mapping[str, Any]) -> Document:
    """Fill a template of the folder ``templates``; ``page`` holds its ``title`` and what it shows."""
    shared = {"created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "theme": charts.THEME, "font": FONT}
    html = environment().get_template(template).render(**{"still": False, **shared, **page, "bundle": _bundle})
    return Document(page["title"], html)


def figure_of(chart: alt.TopLevelMixin, caption: str, *, tall: bool = False) -> Figure:
    """A chart in the colours and the font of the page."""
    # Its parts were checked against the schema when they were made; to check the whole again takes seconds.
    drawn = chart.to_dict(validate=False)
    height = drawn.get("height") or max((each.get("height") or 0 for each in drawn.get("layer", ())), default=0)
    spec = _wrapped(drawn, beside=max(_TITLE, int(height / _LETTER)))
    spec["config"] = _config()
    spec["background"] = "transparent"
    return Figure(caption, spec, tall)


def still_of(figure: Figure) -> Figure:
    """A chart drawn as SVG: it needs no script, as in a mail, and follows light and dark; it tells nothing on hover."""
    import vl_convert

    # Labels are measured in another font than that of the page: on their side there is some room.
    fit, pad = {"type": "fit-x", "contains": "padding"}, {"left": 32, "right": 8, "top": 4, "bottom": 4}
    svg = vl_convert.vegalite_to_svg({**figure.spec, "width": _STILL, "padding": pad, "autosize": fit})
    return replace(figure, svg=svg)


def reading_of(shown: Iterable[tables.Table]) -> list[tuple[str, list[str]]]:
    """How to read the tables of a document: title of a table -> its notes, each said once."""
    said: set[str] = set()
    found: list[tuple[str, list[str]]] = []
    for table in shown:
        new = [note for note in dict.fromkeys(table.notes) if note not in said]
        said.update(new)
        if new:
            found.append((table.title, new))
    return found


def definition_of(name: str) -> dict[str, Any]:
    """What a metric means, for the template."""
    info = describe(name)
    return {"name": name, "title": info.title, "summary": info.summary, "facts": info.facts}


def _wrapped(spec: Any, *, beside: int) -> Any:
    """Wrap long axis titles of a spec, because titles wider than the chart are cut off.

    Args:
        spec: The spec.
        beside: Letters that have room beside the chart, where a title is as long as the chart is high.
    """
    if isinstance(spec, list):
        return [_wrapped(each, beside=beside) for each in spec]
    if not isinstance(spec, dict):
        return spec
    found = {name: value if name == "data" else _wrapped(value, beside=beside) for name, value in spec.items()}
    for channel, most in (("x", _TITLE), ("y", beside)):
        about = found.get("encoding", {}).get(channel)
        if isinstance(about, dict) and isinstance(about.get("title"), str) and len(about["title"]) > most:
            about["title"] = _lines(about["title"], most)
    return found


def _lines(title: str, most: int) -> list[str]:
    """Split a title into lines of limited length; a trailing part in parentheses gets its own line.

    >>> _lines("serendipity@10 (higher is better)", 32), _lines("share of the users who could be shown it", 32)
    (['serendipity@10', '(higher is better)'], ['share of the users who could be', 'shown it'])
    """
    head, mark, end = title.rpartition(" (")
    parts = [head, f"({end}"] if mark and title.endswith(")") else [title]
    return [line for part in parts for line in textwrap.wrap(part, most)]


def _config() -> dict[str, Any]:
    axis = {
        "domainColor": "var(--line)",
        "gridColor": "var(--grid)",
        "tickColor": "var(--line)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelFont": FONT,
        "titleFont": FONT,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    }
    return {
        "axis": axis,
        "axisY": {"labelColor": "var(--ink)", "grid": False, "domain": False, "ticks": False, "labelPadding": 9},
        "axisX": {"tickCount": 4, "titleAnchor": "end"},
        # A label in the middle of its tick would be cut off where that is so near the end of the axis.
        "axisXQuantitative": {"labelFlush": _NEAR_THE_END},
        "axisYQuantitative": {"tickCount": 5, "labelColor": "var(--muted)"},
        "text": {"font": FONT},
        "view": {"stroke": None},
        "customFormatTypes": False,
    }


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return vl_convert.javascript_bundle().replace("</script", "<\\/script")  # pyright: ignore[reportCallIssue]


@cache
def environment() -> Any:
    """Jinja with escaping on, and an undefined name an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reclens.report._toolkit"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # NaN is not JSON: it would break every chart of the page.
    environment.policies["json.dumps_function"] = _dumps
    return environment


def _dumps(value: Any, **options: Any) -> str:
    return json.dumps(_finite(value), **options)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value != value else value
