"""Tables on a phone: each row is a card with all of its cells, because a grid would cut off columns."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

import polars as pl
import streamlit as st

from reclens.report._toolkit.format import NOTHING, decimal, format_number, is_identifier, percent, whole
from reclens.schema import RATING

__all__ = ["cards_html", "draw_cards", "wide"]

Told = tuple[str, str, str | None]
"""Label of a column, its type and its format."""

_MOST: Final = 10
"""Rows that are cards; the others are in the file, and on a wider screen."""


def wide(key: str) -> Any:
    """Return a container for content of wide screens only; its replacement on a phone follows below.

    Args:
        key: A unique key on the page.
    """
    return st.container(key=f"wide-{key}", gap="small")


def draw_cards(
    rows: Any, columns: Mapping[str, Any] | None = None, leads: tuple[str, Sequence[Any]] | None = None
) -> None:
    """Draw the output of :func:`cards_html`; draw nothing for a table without rows."""
    cards = cards_html(rows, columns, leads)
    if cards:
        st.html(cards)


def cards_html(
    rows: Any, columns: Mapping[str, Any] | None = None, leads: tuple[str, Sequence[Any]] | None = None
) -> str:
    """Return the rows of a table as cards that are visible only on a phone.

    Args:
        rows: A frame, a list of rows, or a mapping of columns.
        columns: Streamlit's column configuration: labels and picture columns.
        leads: A query parameter of the page and its value for each row, if rows are links.
    """
    heads, cells = _cells(rows)
    told = {head: _told(head, (columns or {}).get(head)) for head in heads}
    name, values = leads or ("", [None] * len(cells))
    links = ["" if value is None else _address(name, value) for value in values]
    cards = "".join(_card(heads, told, row, link) for row, link in zip(cells[:_MOST], links, strict=False))
    more = len(cells) - _MOST
    rest = f"<li>{whole(more)} more on a wider screen.</li>" if more > 0 else ""
    return f'<ul class="cards">{cards}{rest}</ul>' if cells else ""


def _cells(rows: Any) -> tuple[list[str], Sequence[Sequence[Any]]]:
    if isinstance(rows, pl.DataFrame):
        return rows.columns, rows.head(_MOST + 1).rows() + [()] * max(rows.height - _MOST - 1, 0)
    if isinstance(rows, Mapping):
        return list(rows), list(zip(*rows.values(), strict=True))
    heads = list(rows[0]) if rows else []
    return heads, [[row.get(head) for head in heads] for row in rows]


def _address(name: str, value: Any) -> str:
    """Return the URL of this page with one choice changed."""
    kept = {each: st.query_params.get_all(each) for each in st.query_params}
    return f"?{urlencode({**kept, name: str(value)}, doseq=True)}"


def _told(head: str, config: Any) -> Told:
    """Return the label, type and format of a column from its configuration."""
    if isinstance(config, str):
        return config, "text", None
    about = config or {}
    kind = about.get("type_config") or {}
    label = about.get("label")
    return head if label is None else label, kind.get("type", "text"), kind.get("format")


def _card(heads: Sequence[str], told: Mapping[str, Told], row: Sequence[Any], lead: str) -> str:
    first, *others = zip(heads, row, strict=True)
    name = html.escape(_text(first[0], first[1], *told[first[0]][1:]))
    title = f'<a href="{html.escape(lead)}" target="_self">{name}</a>' if lead else name
    said = [_cell(head, value, *told[head]) for head, value in others]
    return f"<li><b>{title}</b> {' '.join(filter(None, said))}</li>"


def _cell(head: str, value: Any, label: str, kind: str, form: str | None) -> str:
    if value is None or value in ("", NOTHING):  # an empty cell
        return ""
    name = f"<i>{html.escape(label)}</i> " if label.strip() not in ("", value) else ""
    if kind == "image":
        return f'<span><img src="{html.escape(str(value))}" alt="{html.escape(label)}"></span>'
    return f"<span>{name}{html.escape(_text(head, value, kind, form))}</span>"


def _text(head: str, value: Any, kind: str, form: str | None) -> str:
    """Format a value as the grid does."""
    if value is None:
        return NOTHING
    if isinstance(value, list | tuple | pl.Series):
        return ", ".join(_text(head, each, kind, form) for each in value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date | str | bool):
        return str(value)
    if form == "bytes":
        return f"{decimal(value / 1e6, 1)} MB" if value >= 1e6 else f"{decimal(value / 1e3, 1)} KB"
    if form == "percent":
        return percent(value, 1)
    if isinstance(value, int):
        return str(value) if is_identifier(head) or form == "plain" else whole(value)
    if isinstance(value, float):
        return whole(int(value)) if head == RATING and value.is_integer() else format_number(value)
    return str(value)
