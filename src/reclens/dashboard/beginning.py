"""What a field of a page begins with: what the link says that led to it, else what the reader looked at before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from reclens.dashboard import seen

__all__ = ["begin"]


def begin(key: str, options: Sequence[str], start: str | list[str]) -> None:
    """Choose what a field begins with when the reader comes to the page: what the URL says, else ``start``.

    Streamlit prefers what a field of this name had on the page before, and writes changes alone into the URL.
    """
    if not seen.is_first(key):
        return
    asked = [value for value in st.query_params.get_all(key) if value in options]
    if asked:
        st.session_state[key] = asked if isinstance(start, list) else asked[-1]
    elif start and key not in st.query_params:
        st.session_state[key] = start
        st.query_params[key] = start
    elif not _among(st.session_state.get(key), options):
        del st.session_state[key]


def _among(value: Any, options: Sequence[str]) -> bool:
    """Whether a value, or each of several, can be chosen; nothing can."""
    return all(each in options for each in (value if isinstance(value, list) else [] if value is None else [value]))
