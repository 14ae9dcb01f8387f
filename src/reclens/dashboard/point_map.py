"""A map of points on a page: a Streamlit component around ``report/_toolkit/point_map``."""

from __future__ import annotations

from functools import cache
from typing import Any

from streamlit.components import v2

from reclens.report._toolkit.point_map import component_script, component_style

__all__ = ["show_map"]

_HOST = '<div class="pm-host"></div>'


@cache
def _component() -> Any:
    return v2.component("reclens_point_map", html=_HOST, css=component_style(), js=component_script())


def show_map(packed: bytes, *, key: str) -> list[int]:
    """Draw a map.

    Args:
        packed: The result of :func:`reclens.report._toolkit.point_map.pack_map`.
        key: A unique key on the page.

    Returns:
        Indices of the points selected by lasso, search, filter or finding, at most 5,000; empty without a
        selection.
    """
    result = _component()(data=packed, key=key, on_selected_change=lambda: None)
    return [int(index) for index in result.selected or ()]
