"""Links between pages; each carries the current choices in its URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st

from reclens.findings import Finding
from reclens.report.learn.words import with_links

__all__ = ["PLACES", "lead", "leads_of", "to_glossary"]

PLACES: Final = "_places"
"""Where the session keeps the pages of the navigation: path -> page."""


def lead(label: str, path: str, query: Mapping[str, Any], *, icon: str | None = None, key: str) -> None:
    """Draw a link to another page.

    Args:
        label: Its text, as Markdown.
        path: The page.
        query: Its choices; None and empty values are left out.
        icon: A Material symbol.
        key: A unique key on the page.
    """
    kept = {name: value for name, value in query.items() if value not in (None, "", [])}
    place = st.session_state.get(PLACES, {}).get(path)
    if place is not None:
        st.page_link(place, label=label, icon=icon, query_params=kept)
    else:  # the page is drawn without the navigation
        st.link_button(label, f"{path}?{urlencode(kept, doseq=True)}", icon=icon, key=f"lead-{key}")


def to_glossary(text: str) -> str:
    """Markdown whose links to terms lead to the glossary of the page Learn."""
    return with_links(text.replace("$", "\\$"), lambda slug: f"?part=Glossary&term={slug}")


def leads_of(found: Finding, runs: Sequence[str]) -> tuple[str, str, dict[str, Any]]:
    """Return the link to a finding: text, page and choices."""
    chosen = list(runs)
    row = found.evidence[0] if found.evidence else {}
    if found.kind == "gap":
        choices = {"runs": chosen, "view": "Segments", "metric": row["metric"], "by": [row["by"]]}
        return "See the segments", "diagnostics", choices
    if found.kind == "verdict":
        choices = {"runs": chosen, "system": row["system"], "baseline": row["baseline"], "metric": row["metric"]}
        return "See who gains and who loses", "compare", choices
    if found.kind == "problem" and found.code in _OF_USERS:
        return "See the users", "diagnostics", {"runs": chosen, "view": "Users", "system": found.about[0]}
    return "See the runs", "diagnostics", {"runs": chosen}


_OF_USERS: Final = ("users_without_list", "users_with_short_list", "users_without_relevant_items")
"""Codes whose users can be looked at."""
