"""One user: history, the lists of each system, the items chosen later, and explanations."""

from __future__ import annotations

import contextlib
from typing import Any

import polars as pl
import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.drilldown import Drilldown, drilldown_of
from reclens.dashboard.lists import side_by_side
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import choose, empty, frame, plain
from reclens.data.titles import title_column
from reclens.errors import UnknownNameError
from reclens.evaluation.inspect import UserView, view_user
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("User")
    scope = drilldown_of(workspace)
    if scope is None:
        return
    asked = st.text_input("User id", key="user", bind="query-params", placeholder="an id, such as 42")
    users = scope.split.test_users
    if not asked:
        st.caption(plain(f"For example: {', '.join(str(each) for each in users.head(8))}."))
        return
    user: Any = asked
    if users.dtype.is_integer():
        with contextlib.suppress(ValueError):  # what is no number is no user, which is said below
            user = int(asked)
    k = st.slider("Places shown", 5, 50, 10, key="k", bind="query-params")
    try:
        found = view_user(user, scope.runs, scope.split.train, scope.split.test, k=k)
    except (UnknownNameError, pl.exceptions.PolarsError):
        empty(
            f"Unknown user {asked}",
            f"Look at an id of the data: the split of this job has {len(users):,} users.",
            ":material/person_off:",
        )
        return
    if found.attributes:
        st.text(" · ".join(f"{name}: {value}" for name, value in found.attributes.items() if value is not None))
    st.subheader("Lists")
    side_by_side(found, scope)
    _why(workspace, scope, found)
    left, right = st.columns(2)
    with left:
        st.subheader("Items chosen later")
        frame(found.held_out, key="held-out")
    with right:
        st.subheader("History")
        frame(found.history, key="history")


def _why(workspace: Workspace, scope: Drilldown, found: UserView) -> None:
    known = set(store.names(workspace, "model"))
    models = [system for system in found.lists if system in known and found.lists[system].height]
    st.subheader("Why was it recommended?")
    if not models:
        st.caption("The models of these lists are not in the workspace; lists from elsewhere cannot be explained.")
        return
    left, right = st.columns(2)
    with left:
        system = choose("System", models, key="why-system")
    if system is None:
        return
    title = title_column(scope.split.train.items)
    rows = found.lists[system].to_dicts()
    names = {str(row["item_id"]): f"{row['rank']}. {row[title] if title else row['item_id']}" for row in rows}
    with right:
        item = choose("Item", list(names), key="why-item", format_func=lambda each: names[each])
    if item is None:
        return
    model = store.load(workspace, "model", system)
    wanted = next(row["item_id"] for row in rows if str(row["item_id"]) == item)
    explained = model.explain(found.user, wanted, n=8)
    st.text(explained.sentence)
    reasons = [
        {"because of": scope.title(reason) if explained.kind == "item" else str(reason), "adds": part}
        for reason, part in explained.reasons
    ]
    frame([*reasons, {"because of": "everything else", "adds": explained.rest}], key="reasons")


PAGE = Page("User", ":material/person:", "Diagnose", 20, show, "users")
