"""Draw one page without the navigation, for Streamlit's test driver."""

from __future__ import annotations

from reclens.dashboard.app import draw_page
from reclens.dashboard.navigation import pages
from reclens.workspace import Workspace

__all__ = ["draw"]


def draw(path: str, folder: str) -> None:
    """Draw a page by name for a workspace."""
    page = next(each for each in pages() if each.path == path)
    draw_page(page, Workspace(folder))
