"""Initial values of a page's fields: from the link that led to the page, else from the reader's last choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from reclens.dashboard import seen

__all__ = ["begin"]


def begin(key: str, options: Sequence[str], start: str | list[str]) -> None:
    """Set a field's initial value when the reader opens the page: the value in the URL, else ``start``.

    Streamlit prefers the value of a field with the same name on the previous page, and writes only changes to the URL.
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
    """Return whether a value, or each of several, can be chosen; no value can."""
    return all(each in options for each in (value if isinstance(value, list) else [] if value is None else [value]))
