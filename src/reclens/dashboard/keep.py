"""Keep the result of a page: a name, a button, and errors beside them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from reclens.dashboard.widgets import plain
from reclens.errors import NameTakenError, RecLensError
from reclens.workspace import Workspace

__all__ = ["keep_button", "keepable"]


def keepable(text: str) -> str:
    """Convert a text to a valid name for a workspace.

    >>> keepable("item-kNN on the home page")
    'item-kNN-on-the-home-page'
    """
    name = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in text)
    return name.strip("-._")[:60] or "experiment"


def keep_button(workspace: Workspace, artefact: Any, kind: str, *, start: str, choose: str | None = None) -> None:
    """Draw the name and the button that keep an artefact.

    Args:
        workspace: The workspace to keep it in.
        artefact: The artefact to keep.
        kind: Its kind, as the workspace calls it.
        start: The suggested name.
        choose: The field of the page that then shows the kept artefact.
    """
    field, outcome = f"keep-{kind}-name", f"keep-{kind}-outcome"
    name = st.text_input("Name in the workspace", start, key=field)

    def keep() -> None:
        try:
            workspace.save(artefact, name)
        except NameTakenError:
            st.session_state[outcome] = (False, f"There is a {kind} “{name}”: choose another name.")
        except RecLensError as error:
            st.session_state[outcome] = (False, str(error))
        else:
            st.session_state[outcome] = (True, f"Kept as {kind} “{name}”.")
            if choose is not None:
                st.session_state[choose] = name

    st.button(f"Keep the {kind}", key=f"keep-{kind}", icon=":material/inventory_2:", on_click=keep)
    said = st.session_state.pop(outcome, None)
    if said is not None:
        good, words = said
        (st.success if good else st.error)(plain(words), icon=":material/check:" if good else ":material/error:")
