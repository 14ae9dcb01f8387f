"""Record of the content and the choices of a page, from which the page is saved as a report."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qs, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from reclens.report import Table
from reclens.report._toolkit.html import Figure

__all__ = ["Seen", "begin", "choice", "figure", "is_first", "of_page", "part", "record_link", "rows", "text"]

_KEY: Final = "_seen"
_FIELDS: Final = "_fields"


@dataclass
class Seen:
    """The content of a page.

    Attributes:
        title: Title of the page.
        choices: Label of each field -> its value.
        parts: Key -> drawn content in order: a chart, a table, sentences, or a part that is drawn alone.
        link: URL of the page with all choices.
    """

    title: str
    choices: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Figure | Table | tuple[str, ...] | Seen] = field(default_factory=dict)
    link: str = ""

    def content(self) -> list[Figure | Table | tuple[str, ...]]:
        """Return all that is drawn, with the content of each part in its place."""
        return [
            inner for each in self.parts.values() for inner in (each.content() if isinstance(each, Seen) else [each])
        ]

    def every_choice(self) -> dict[str, str]:
        """Return the choices of the page, then those of each of its parts."""
        inner = [each.every_choice() for each in self.parts.values() if isinstance(each, Seen)]
        return {label: value for each in (self.choices, *inner) for label, value in each.items()}


def begin(title: str) -> None:
    """Start a page: clear the record of the previous one."""
    if title != of_page().title:
        st.session_state[_FIELDS] = set()
        _restore_query()
    st.session_state[_KEY] = Seen(title)


def _restore_query() -> None:
    """Restore the query parameters of a link: Streamlit drops those with a field of the same name on the last page.

    ``view`` and ``part`` belong to one page; the URL may still hold those of the previous page.
    """
    context = get_script_run_ctx()
    asked = parse_qs(context.query_string) if context is not None else {}
    for name, values in asked.items():
        if name not in st.query_params and name not in ("view", "part"):
            st.query_params[name] = values


def is_first(key: str) -> bool:
    """Return whether a field is drawn for the first time since the reader opened the page."""
    met: set[str] = st.session_state.setdefault(_FIELDS, set())
    first = key not in met
    met.add(key)
    return first


def of_page() -> Seen:
    """Return the content of the page so far."""
    return st.session_state.setdefault(_KEY, Seen(""))


@contextmanager
def part(page: Seen, key: str) -> Generator[None]:
    """Record what is drawn as a part of a page, in the place of what that part has held so far."""
    inner = page.parts[key] = Seen(page.title)
    st.session_state[_KEY] = inner
    try:
        yield
    finally:
        st.session_state[_KEY] = page


def record_link(page: Seen) -> None:
    """Record the URL of the page with all choices: a file that is made on demand cannot ask for it."""
    query = urlencode({name: st.query_params.get_all(name) for name in st.query_params}, doseq=True)
    page.link = f"{(st.context.url or '').split('?')[0]}?{query}" if query and st.context.url else ""


def figure(key: str, drawn: Figure, caption: str) -> None:
    """Record a chart."""
    of_page().parts[f"chart-{key}"] = replace(drawn, caption=caption)


def rows(key: str, shown: Table) -> None:
    """Record a table."""
    of_page().parts[f"table-{key}"] = shown


def text(key: str, sentences: Sequence[str]) -> None:
    """Record sentences."""
    of_page().parts[f"text-{key}"] = tuple(sentences)


def choice(label: str, chosen: str | Sequence[str] | None) -> None:
    """Record the value of a field."""
    said = chosen if isinstance(chosen, str) else ", ".join(chosen or ())
    if said:
        of_page().choices[label] = said
