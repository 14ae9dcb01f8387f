"""The application that Streamlit runs: navigation, optional login and error handling."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.isolated_parts import say_why
from reclens.dashboard.links import PLACES
from reclens.dashboard.login import Login, is_allowed, read_login
from reclens.dashboard.navigation import ALIASES, Page, pages
from reclens.dashboard.save_report import draw_save
from reclens.dashboard.style import STYLE
from reclens.dashboard.widgets import plain
from reclens.errors import RecLensError
from reclens.report._toolkit.document import SYNTHETIC
from reclens.report._toolkit.system_colours import share_colours
from reclens.workspace import Workspace

__all__ = ["DRAWN", "draw_page", "main"]

DRAWN: Final = threading.Event()
"""Set once this process has drawn a page."""

_SIDEBAR: Final = 232
"""Width of the navigation in pixels: its names are short, and the room is better used by charts."""


def main(folder: str | None = None) -> None:
    """Draw the requested page."""
    # Use a file: Streamlit would fetch an icon from its fonts over the network.
    icon = str(Path(__file__).with_name("icon.svg"))
    st.set_page_config(page_title="RecLens", page_icon=icon, layout="wide", initial_sidebar_state=_SIDEBAR)
    st.html(STYLE)
    asked = _asked()
    if not _let_in(asked):
        return
    try:
        workspace = Workspace(folder or asked.workspace)
    except RecLensError as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")
        return
    sections: dict[str, list[st.Page]] = {}
    places: dict[str, st.Page] = {}
    for each in pages():
        first = each.path == "home"
        # The page at the root needs no address but still reserves one, which could clash with another page.
        address = "root" if first else each.path
        place = st.Page(_drawer(each, workspace), title=each.title, icon=each.icon, url_path=address, default=first)
        sections.setdefault(each.section, []).append(place)
        places[each.path] = place
    st.session_state[PLACES] = places
    for name, (path, choices) in ALIASES.items():
        place = st.Page(_leader(name, places[path], choices), title=name, url_path=name, visibility="hidden")
        sections[""].append(place)
    chosen = st.navigation(sections, expanded=True)
    with st.sidebar:
        st.caption(f"Workspace `{workspace.folder.name}`", help=str(workspace.folder))
    chosen.run()


def draw_page(page: Page, workspace: Workspace) -> None:
    """Draw one page; show the library's errors as messages and any other exception as a fault."""
    banner = st.empty()
    try:
        store.begin(workspace)
        seen.begin(page.title)
        share_colours(name for each in store.groups(workspace)[:1] for name in each.names)
        page.show(workspace)
        if store.synthetic_shown():
            # Known only after the page has loaded its content, but drawn above it.
            banner.warning(f"**Synthetic data.** {SYNTHETIC}", icon=":material/casino:")
        draw_save(workspace)
        store.end()
    except Exception as error:
        say_why(workspace, error)
    finally:
        DRAWN.set()


def _drawer(page: Page, workspace: Workspace) -> Callable[[], None]:
    def draw() -> None:
        draw_page(page, workspace)

    draw.__name__ = page.path
    return draw


def _leader(name: str, place: st.Page, choices: Mapping[str, str]) -> Callable[[], None]:
    """Return a redirect from an alternative address to its page, keeping the choices in the address."""

    def lead() -> None:
        st.switch_page(place, query_params={**choices, **st.query_params.to_dict()})

    lead.__name__ = name
    return lead


def _let_in(asked: argparse.Namespace) -> bool:
    """Return whether this reader may see the workspace; if not, draw what they can do."""
    try:
        login = read_login()
    except RecLensError as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")
        return False
    if (asked.require_login and login is None) or (asked.require_list and (login is None or login.allowed is None)):
        st.error(
            "This dashboard was started with a login, whose configuration is gone: put .streamlit/secrets.toml "
            "back, or start it anew.",
            icon=":material/lock:",
        )
        return False
    if login is None:
        return True
    if not st.user.is_logged_in:
        _ask_who(login)
        return False
    with st.sidebar:
        st.button("Log out", on_click=st.logout, icon=":material/logout:")
    if not is_allowed(login, st.user.to_dict()):
        st.error(
            "You are logged in, and not on the list of those who may see this workspace. Ask whoever runs it.",
            icon=":material/lock:",
        )
        return False
    return True


def _ask_who(login: Login) -> None:
    st.title("RecLens")
    st.write("This workspace asks who you are.")
    for name in login.providers:
        st.button(
            f"Log in with {name}" if name else "Log in",
            on_click=st.login,
            args=(name,) if name else (),
            type="primary",
            key=f"login-{name}",
        )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--require-login", action="store_true")
    parser.add_argument("--require-list", action="store_true")
    return parser.parse_known_args()[0]
