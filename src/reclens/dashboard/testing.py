"""One page without the navigation, for Streamlit's test driver, which draws a single page."""

from __future__ import annotations

from reclens.dashboard.app import draw_page
from reclens.dashboard.navigation import pages
from reclens.workspace import Workspace

__all__ = ["draw"]


def draw(path: str, folder: str) -> None:
    """Draw the page of a name over a workspace."""
    page = next(each for each in pages() if each.path == path)
    draw_page(page, Workspace(folder))
