"""What a page has drawn, with the choices behind it: from this the page is saved as a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from reclens.report import Table
from reclens.report._toolkit.html import Figure

__all__ = ["Seen", "begin", "choice", "figure", "is_first", "of_page", "rows", "text"]

_KEY: Final = "_seen"
_FIELDS: Final = "_fields"


@dataclass
class Seen:
    """What stands on a page.

    Attributes:
        title: Of the page.
        choices: Label of each field -> what is chosen.
        parts: Key -> what was drawn, in its order: a chart, a table, or sentences.
    """

    title: str
    choices: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Figure | Table | tuple[str, ...]] = field(default_factory=dict)


def begin(title: str) -> None:
    """Forget what was drawn before: a page begins."""
    if title != of_page().title:
        st.session_state[_FIELDS] = set()
        _restore_query()
    st.session_state[_KEY] = Seen(title)


def _restore_query() -> None:
    """Give back what a link asked for: Streamlit drops what the page before had a field of the same name for.

    A view is a page's own, and the address of the page before still names it.
    """
    context = get_script_run_ctx()
    asked = parse_qs(context.query_string) if context is not None else {}
    for name, values in asked.items():
        if name not in st.query_params and name not in ("view", "part"):
            st.query_params[name] = values


def is_first(key: str) -> bool:
    """Whether a field is met for the first time since the reader came to the page."""
    met: set[str] = st.session_state.setdefault(_FIELDS, set())
    first = key not in met
    met.add(key)
    return first


def of_page() -> Seen:
    """What stands on the page up to now."""
    return st.session_state.setdefault(_KEY, Seen(""))


def figure(key: str, drawn: Figure, caption: str) -> None:
    """Note a chart."""
    of_page().parts[f"chart-{key}"] = replace(drawn, caption=caption)


def rows(key: str, shown: Table) -> None:
    """Note a table."""
    of_page().parts[f"table-{key}"] = shown


def text(key: str, sentences: Sequence[str]) -> None:
    """Note sentences."""
    of_page().parts[f"text-{key}"] = tuple(sentences)


def choice(label: str, chosen: str | Sequence[str] | None) -> None:
    """Note what is chosen in a field."""
    said = chosen if isinstance(chosen, str) else ", ".join(chosen or ())
    if said:
        of_page().choices[label] = said
