"""One user: history, the lists of each system, the items chosen later, and explanations."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import polars as pl
import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.drilldown import Drilldown, drilldown_of
from reclens.dashboard.lists import side_by_side
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import choose, empty, folded, frame, plain
from reclens.data.titles import title_column
from reclens.errors import MissingExtraError, UnknownNameError
from reclens.evaluation.inspect import UserView, view_user
from reclens.evaluation.starting_points import most_changed, share_without_any, worst_served
from reclens.models.sasrec import SASRec
from reclens.report._toolkit.format import sentence, whole
from reclens.report.evaluation.charts_hits import no_hit_headline
from reclens.report.evaluation.explanations import explanation_rows, explanation_share, explanation_text
from reclens.report.evaluation.training import attention_rows
from reclens.schema import TIMESTAMP
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_NARROW: Final = {
    "title": st.column_config.TextColumn("title", width=190),
    TIMESTAMP: st.column_config.DateColumn("day", width=90),
}
"""Columns of items, as wide as two tables beside each other have room for."""


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("User")
    scope = drilldown_of(workspace)
    if scope is None:
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        asked = st.text_input("User id", key="user", bind="query-params", placeholder="an id, such as 42")
    with right:
        k = st.slider("Places shown", 5, 50, 10, key="k", bind="query-params")
    users = scope.split.test_users
    if not asked:
        _begin(workspace, scope, k)
        return
    user: Any = asked
    if users.dtype.is_integer():
        with contextlib.suppress(ValueError):  # text that is not a number is not a user; a message below says so
            user = int(asked)
    try:
        found = view_user(user, scope.runs, scope.split.train, scope.split.test, k=k)
    except (UnknownNameError, pl.exceptions.PolarsError):
        empty(
            f"Unknown user {asked}",
            f"Look at an id of the data: the split of this job has {whole(len(users))} users.",
            ":material/person_off:",
        )
        return
    st.button("Other users worth a look", on_click=_clear, type="tertiary", icon=":material/arrow_back:", key="back")
    if found.attributes:
        st.text(" · ".join(f"{name}: {value}" for name, value in found.attributes.items() if value is not None))
    st.subheader("Lists")
    side_by_side(found, scope)
    _why(workspace, scope, found)
    left, right = st.columns(2)
    with left:
        st.subheader("Items chosen later")
        frame(_titled(found.held_out, scope), key="held-out", columns=_NARROW)
    with right:
        st.subheader("History")
        frame(_titled(found.history, scope), key="history", columns=_NARROW)


def _begin(workspace: Workspace, scope: Drilldown, k: int) -> None:
    """Draw the users with the worst lists of a system, and those whose hits differ most from another system."""
    systems = list(scope.runs)
    hits = store.user_hits(workspace, scope.name, systems, k)
    one, two = st.columns(2)
    with one:
        system = choose("System", systems, key="system") or systems[0]
    with two:
        others = [name for name in systems if name != system]
        before = choose("Against", others, key="against") if others else None
    share = share_without_any(hits, system)
    st.subheader(plain(no_hit_headline(share, system, f"in {k} places")))
    st.caption(f"Choose a row to look at the user. Hits are items of the first {k} places that the user chose later.")
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{plain(system)} serves worst**")
        worst = worst_served(hits, system)
        kept = [name for name in worst.columns if name not in systems or name in (system, before)]
        _pick(worst.select(kept), key=f"worst-{system}-{k}")
    with right:
        if before is not None:
            st.markdown(f"**Largest changes from {plain(before)}**")
            _pick(most_changed(hits, before, system), key=f"changes-{before}-{system}-{k}")


def _pick(rows: pl.DataFrame, *, key: str) -> None:
    """Draw users as selectable rows."""
    if not rows.height:
        st.caption("There are none.")
        return
    ids = rows["user_id"].to_list()
    columns = {"user_id": st.column_config.TextColumn("user"), "n_relevant": "held-out items"}

    def choose_row() -> None:
        picked = st.session_state[f"rows-{key}"]["selection"]["rows"]
        if picked:
            st.session_state["user"] = str(ids[picked[0]])

    shown = rows.with_columns(pl.col("user_id").cast(pl.String))
    frame(shown, key=f"rows-{key}", columns=columns, on_select=choose_row, leads=("user", ids))


def _clear() -> None:
    st.session_state["user"] = ""


def _titled(rows: pl.DataFrame, scope: Drilldown) -> pl.DataFrame:
    """Return the rows with the title of the item first, then the time, and its id last."""
    title = title_column(scope.split.train.items)
    if title is None or title not in rows.columns:
        return rows
    times = [name for name in rows.columns if name == TIMESTAMP]
    others = [name for name in rows.columns if name not in (title, TIMESTAMP, "item_id")]
    return rows.select(title, *times, *others, pl.col("item_id").cast(pl.String))


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
    try:
        explained = model.explain(found.user, wanted, n=8)
    except MissingExtraError as error:
        st.info(plain(sentence(said_on_page(error))), icon=":material/extension:")
        return
    st.text(explanation_share(explained))
    bars = {"share": _bar("share of the score")}
    frame(explanation_rows(explained, scope.title), key="reasons", columns=bars)
    folded("In a sentence", lambda: st.text(explanation_text(explained)), key="sentence")
    if isinstance(model, SASRec):
        _attention(model, found.user, scope)


def _attention(model: SASRec, user: Any, scope: Drilldown) -> None:
    """Draw which past items the attention of a model weighs for what comes next."""
    st.subheader("Which past items spoke?")
    rows = attention_rows(model.attention(user), scope.title)
    share = {name: _bar(name) for name in rows[0] if name.startswith("block ")}
    frame(rows, key="attention", columns=share)
    st.caption(
        "Weights of attention, which add up to 100 % in each block: what the network mixes, and not what the score "
        "would be without an item, which the reasons above estimate."
    )


def _bar(label: str) -> Any:
    return st.column_config.ProgressColumn(label, format="percent", min_value=0, max_value=1)


PAGE = Page(title="User", icon=":material/person:", section="Diagnose", order=20, show=show, path="users")
