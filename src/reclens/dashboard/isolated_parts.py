"""Parts of a page that stand by themselves: where one cannot be drawn, why stands in its place, and the others are."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.widgets import plain
from reclens.errors import DataError, RecLensError
from reclens.workspace import Workspace

__all__ = ["readable", "say_why", "standing"]


@contextmanager
def standing(workspace: Workspace) -> Generator[None]:
    """Draw a part of a page; what the library refuses, and what an older version made otherwise, is said."""
    try:
        yield
    except Exception as error:
        say_why(workspace, error)


def say_why(workspace: Workspace, error: Exception) -> None:
    """Say why something cannot be drawn.

    Args:
        workspace: The workspace; where it has changed since the page began, the page is drawn anew.
        error: What was raised.

    Raises:
        Exception: The error, where it is a fault of this version.
    """
    store.redraw_if_changed(workspace)
    old = store.outdated_shown()
    if isinstance(error, RecLensError):
        st.error(plain(said_on_page(error)), icon=":material/error:")
    elif old:
        said = "; ".join(f"{plain(what)}: make it again with {how}" for what, how in old.items())
        st.error(
            f"An older version of RecLens made this, and this one cannot show it. {said}.", icon=":material/error:"
        )
    else:
        raise error


def readable(workspace: Workspace, kind: str, names: Sequence[str]) -> list[str]:
    """Those of some artefacts that can be read; of the others it is said why they are left out."""
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
