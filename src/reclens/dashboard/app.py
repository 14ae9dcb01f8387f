"""The application that Streamlit runs: the navigation, the login where there is one, and what happens to errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from reclens.dashboard.launch import login_is_configured
from reclens.dashboard.navigation import Page, pages
from reclens.dashboard.show import plain
from reclens.dashboard.style import STYLE
from reclens.errors import RecLensError
from reclens.workspace import Workspace

__all__ = ["draw_page", "main"]


def main(folder: str | None = None) -> None:
    """Draw the page that is asked for."""
    # A file: Streamlit would fetch an icon of its fonts from the network.
    icon = str(Path(__file__).with_name("icon.svg"))
    st.set_page_config(page_title="RecLens", page_icon=icon, layout="wide")
    st.html(STYLE)
    if login_is_configured() and not _logged_in():
        return
    workspace = Workspace(folder or _folder())
    sections: dict[str, list[st.Page]] = {}
    for each in pages():
        place = st.Page(_drawer(each, workspace), title=each.title, icon=each.icon, url_path=each.path,
                        default=each.path == "home")  # fmt: skip
        sections.setdefault(each.section, []).append(place)
    chosen = st.navigation(sections)
    with st.sidebar:
        st.caption(f"Workspace `{workspace.folder.name}`", help=str(workspace.folder))
    chosen.run()


def draw_page(page: Page, workspace: Workspace) -> None:
    """Draw one page; what the library refuses is said in its own words, and anything else is a fault that is shown."""
    try:
        page.show(workspace)
    except RecLensError as error:
        st.error(plain(str(error)), icon=":material/error:")


def _drawer(page: Page, workspace: Workspace) -> Callable[[], None]:
    def draw() -> None:
        draw_page(page, workspace)

    draw.__name__ = page.path
    return draw


def _logged_in() -> bool:
    if st.user.is_logged_in:
        with st.sidebar:
            st.button("Log out", on_click=st.logout, icon=":material/logout:")
        return True
    st.title("RecLens")
    st.write("This workspace asks who you are.")
    st.button("Log in", on_click=st.login, type="primary")
    return False


def _folder() -> Path:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    return parser.parse_known_args()[0].workspace
