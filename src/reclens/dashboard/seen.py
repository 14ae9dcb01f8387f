"""What a page has drawn, with the choices behind it: from this the page is saved as a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import streamlit as st

from reclens.report import Table
from reclens.report._toolkit.html import Figure

__all__ = ["Seen", "begin", "choice", "figure", "of_page", "rows", "text"]

_KEY: Final = "_seen"


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
    st.session_state[_KEY] = Seen(title)


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
