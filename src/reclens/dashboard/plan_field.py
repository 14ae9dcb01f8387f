"""The field for a plan: from the workspace or from a file, with errors beside it."""

from __future__ import annotations

import tomllib
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.widgets import choose, plain
from reclens.errors import RecLensError
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.workspace import Workspace

__all__ = ["plan_field"]

_FILE: Final = "a file …"


def plan_field(workspace: Workspace) -> Plan | None:
    """Draw the field.

    Args:
        workspace: Where plans are kept.

    Returns:
        The plan, or None, with a message, if there is none.
    """
    kept = store.names(workspace, "plan")
    picked = choose("Plan", [*kept, _FILE], key="plan", help="Kept by `reclens experiment plan --keep NAME`.")
    if picked is not None and picked != _FILE:
        return store.load(workspace, "plan", picked) if readable(workspace, "plan", [picked]) else None
    text = "As `reclens experiment plan` writes it."
    brought = st.file_uploader("Plan as TOML", ["toml"], key="file-plan", help=text)
    if brought is None:
        st.caption(
            "Its arms, metrics and rule. The calculator writes one, and `reclens experiment plan --example` too."
        )
        return None
    try:
        return load_plan(tomllib.loads(brought.getvalue().decode("utf-8-sig")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        st.error(plain(f"{brought.name}: it is no TOML: {error}"), icon=":material/error:")
    except RecLensError as error:
        st.error(plain(f"{brought.name}: {error}"), icon=":material/error:")
    return None
