"""Isolated parts of a page: if one cannot be drawn, a message replaces it; a part can also be redrawn alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.widgets import plain
from reclens.errors import DataError, RecLensError
from reclens.workspace import Workspace

__all__ = ["drawn_alone", "readable", "say_why", "standing"]


@contextmanager
def standing(workspace: Workspace) -> Generator[None]:
    """Draw a part of a page; show errors of the library and artefacts of an older version as messages."""
    try:
        yield
    except Exception as error:
        say_why(workspace, error)


def drawn_alone(workspace: Workspace, draw: Callable[[], None], *, key: str = "view") -> None:
    """Draw a part of a page that is redrawn alone when a choice in it changes; the rest of the page stays as it is.

    Args:
        workspace: The workspace. If it has changed since the page was drawn, the page is redrawn.
        draw: Draws the part. What stands outside of it may not depend on a choice in it.
        key: A key of its own on the page.
    """
    page = seen.of_page()
    again = False

    @st.fragment
    def part() -> None:
        nonlocal again
        synthetic = store.synthetic_shown()
        with seen.part(page, key), standing(workspace):
            if again:
                store.begin_part(workspace)
            draw()
        if again:
            store.end()
            seen.record_link(page)
            if store.synthetic_shown() != synthetic:  # what says so stands above the part
                st.rerun()
        again = True

    part()


def say_why(workspace: Workspace, error: Exception) -> None:
    """Say why something cannot be drawn.

    Args:
        workspace: The workspace; if it has changed since the page began, the page is redrawn.
        error: The exception.

    Raises:
        Exception: The error, if it is a fault of this version.
    """
    store.redraw_if_changed(workspace)
    old = store.outdated_shown()
    if isinstance(error, RecLensError):
        st.error(plain(said_on_page(error)), icon=":material/error:")
    elif old:
        said = " ".join(f"{plain(what)}: {plain(how)}" for what, how in old.items())
        st.error(f"An older version of RecLens made this, and this one cannot show it. {said}", icon=":material/error:")
    else:
        raise error


def readable(workspace: Workspace, kind: str, names: Sequence[str]) -> list[str]:
    """Return the readable ones of some artefacts, and show why the others are left out."""
    good = []
    for name in names:
        try:
            store.load(workspace, kind, name)
        except DataError as error:
            store.redraw_if_changed(workspace)
            st.warning(f"Left out: {plain(said_on_page(error))}", icon=":material/warning:")
        else:
            good.append(name)
    return good
