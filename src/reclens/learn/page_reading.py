"""Reading an HTML report: its figures, tables, claims and text, and whatever it would load from elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

__all__ = ["Claim", "Figure", "Page", "read_page"]

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "base", "embed", "source", "area", "col", "wbr"})
_LOADING: Final = frozenset({"link", "iframe", "frame", "object", "embed", "base", "applet", "portal"})
_ADDRESSES: Final = frozenset({"src", "srcset", "poster", "data", "href", "xlink:href", "action", "formaction"})
_STYLED: Final = re.compile(r"@import|url\(\s*['\"]?(?!['\"]?(?:data:|#)|\s)", re.IGNORECASE)
_POSITIONS: Final = ("x", "y", "cx", "cy", "x1", "x2", "y1", "y2", "width", "height")


@dataclass
class Figure:
    """A chart.

    Attributes:
        measure: What its ``data-measure`` says.
        label: Alternative text of its SVG.
        data: Text of its JSON.
        marks: Segment -> attribute -> number, of the elements with ``data-segment``.
    """

    measure: str
    label: str = ""
    data: str = ""
    marks: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass
class Claim:
    """An element of the class ``claim``."""

    measure: str
    segment: str
    text: str = ""


@dataclass(kw_only=True)
class Page:
    """A report as it was read.

    Attributes:
        language: Of the document.
        title: Its title.
        figures: Its figures.
        tables: Measure -> rows of cells.
        claims: Its claims.
        text: What is written outside figures, tables and claims.
        loads: What it would load or run, by tag or attribute.
        values: ``id`` -> ``data-value``, of the elements that have both.
        metas: Name -> content of the ``meta`` elements.
    """

    language: str = ""
    title: str = ""
    figures: list[Figure] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    text: str = ""
    loads: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    metas: dict[str, str] = field(default_factory=dict)


def read_page(source: str) -> Page:
    """Read a page; whatever is no HTML is text.

    Args:
        source: The page.

    Example:
        >>> read_page('<script src="https://x.example/d3.js"></script>').loads
        ['script']
    """
    reader = _Reader()
    reader.feed(source)
    reader.close()
    reader.page.text = "".join(reader.texts)
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.texts: list[str] = []
        # Where each tag is open, so that a page of many open elements takes no longer than one of few.
        self._open: list[tuple[str, Mapping[str, str]]] = []
        self._places: dict[str, list[int]] = {}
        self._open_claims = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.loads += _loads(tag, given)
        if "id" in given and "data-value" in given:
            self.page.values.setdefault(given["id"], given["data-value"])
        if tag == "meta":
            self.page.metas[given.get("name", "")] = given.get("content", "")
        if tag == "html":
            self.page.language = given.get("lang", "")
        elif tag == "figure":
            self.page.figures.append(Figure(given.get("data-measure", "")))
        elif tag == "table":
            self.page.tables.setdefault(given.get("data-measure", ""), [])
        elif tag == "tr" and (table := self._inside("table")) is not None:
            self.page.tables[table.get("data-measure", "")].append([])
        elif tag in {"td", "th"} and (table := self._inside("table")) is not None:
            rows = self.page.tables[table.get("data-measure", "")]
            if rows:
                rows[-1].append("")
        elif self._inside("figure") is not None:
            self._drawn(tag, given)
        if _is_claim(given):
            self.page.claims.append(Claim(given.get("data-measure", ""), given.get("data-segment", "")))
        if tag not in _VOID:
            self._places.setdefault(tag, []).append(len(self._open))
            self._open.append((tag, given))
            self._open_claims += _is_claim(given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        places = self._places.get(tag)
        at = places[-1] if places else len(self._open)
        while len(self._open) > at:
            name, given = self._open.pop()
            self._places[name].pop()
            self._open_claims -= _is_claim(given)

    def handle_data(self, data: str) -> None:
        tag = self._open[-1][0] if self._open else ""
        if tag == "style":
            self.page.loads += ["style"] * bool(_STYLED.search(data))
        elif tag == "title" and self._inside("svg") is None:
            self.page.title += data.strip()
        elif self._inside("figure") is not None:
            self._of_figure(tag, data)
        elif (table := self._inside("table")) is not None:
            rows = self.page.tables[table.get("data-measure", "")]
            if rows and rows[-1] and tag not in {"table", "tr"}:
                rows[-1][-1] += data.strip()
        elif self._open_claims:
            self.page.claims[-1].text += data
        elif tag != "script":
            self.texts.append(f" {data}")

    def _of_figure(self, tag: str, data: str) -> None:
        figure = self.page.figures[-1]
        if tag == "script":
            figure.data += data
        elif tag == "title":
            figure.label = figure.label or data.strip()
        elif tag == "figcaption":
            self.texts.append(f" {data}")

    def _drawn(self, tag: str, given: Mapping[str, str]) -> None:
        figure = self.page.figures[-1]
        if tag == "svg":
            figure.label = given.get("aria-label", "").strip()
        segment = given.get("data-segment")
        if segment is not None:
            numbers = {name: _number(given[name]) for name in _POSITIONS if name in given}
            figure.marks.setdefault(segment, {}).update({name: v for name, v in numbers.items() if v is not None})

    def _inside(self, tag: str) -> Mapping[str, str] | None:
        places = self._places.get(tag)
        return self._open[places[-1]][1] if places else None


def _is_claim(given: Mapping[str, str]) -> bool:
    return "claim" in given.get("class", "").split()


def _loads(tag: str, given: Mapping[str, str]) -> list[str]:
    """What an element would load or run: nothing but data may be inside the page."""
    found = [tag] if tag in _LOADING or (tag == "meta" and "http-equiv" in given) else []
    if tag == "script" and (given.get("type") != "application/json" or "src" in given):
        found.append(tag)
    for name, value in given.items():
        plain = re.sub(r"[\s\x00-\x1f]", "", value).lower()
        runs = name.startswith("on") or plain.startswith(("javascript:", "vbscript:", "data:text/html"))
        fetches = name in _ADDRESSES and tag not in {"a", "script"} and not plain.startswith(("data:image/", "#"))
        if runs or fetches or (name == "style" and _STYLED.search(value)):
            found.append(name)
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
