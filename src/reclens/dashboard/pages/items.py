"""One item: the users that each system shows it to and those who chose it; first, a selection of items."""

from __future__ import annotations

import polars as pl
import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.colours import legend
from reclens.dashboard.drilldown import Drilldown, drilldown_of
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import chart, choose, choose_many, empty, folded, frame, grid, plain, table
from reclens.evaluation.inspect import item_exposure, search_items
from reclens.evaluation.starting_points import most_shown, never_shown
from reclens.report._toolkit.format import whole
from reclens.report.evaluation.diagnostics import exposure_chart, exposure_table
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Item")
    scope = drilldown_of(workspace)
    if scope is None:
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        text = st.text_input("Search by title or id", key="q", bind="query-params", placeholder="a title, or an id")
    with right:
        k = st.slider("Places that count as shown", 1, 50, 10, key="k", bind="query-params")
    if not text:
        _begin(workspace, scope, k)
        return
    found = search_items(scope.split.train, text)
    if not found.height:
        empty(f"No item is called {text}", "Try a part of the title, or the whole id.", ":material/search_off:")
        return
    names = {
        str(row["item_id"]): f"{row['title'] or row['item_id']} ({whole(row['users'])} users)"
        for row in found.to_dicts()
    }
    item = choose("Item", list(names), key="item", format_func=lambda each: names[each])
    if item is not None:
        st.button(
            "Other items worth a look", on_click=_clear, type="tertiary", icon=":material/arrow_back:", key="back"
        )
        _one(scope, next(each for each in found["item_id"] if str(each) == item), k)


def _begin(workspace: Workspace, scope: Drilldown, k: int) -> None:
    """Draw the items that a system shows most often, and those that it never shows."""
    systems = list(scope.runs)
    system = choose("System", systems, key="system") or systems[0]
    exposure = store.item_exposures(workspace, scope.name, systems, k)
    users = scope.split.test_users.len()
    st.caption(f"Choose a row to see whom the item is shown to. There are {whole(users)} users with held-out items.")
    left, right = st.columns(2)
    with left:
        st.subheader("Shown most")
        _pick(most_shown(exposure, system), f"lists of {system}", key=f"most-{system}-{k}")
    with right:
        st.subheader("Never shown")
        _pick(never_shown(exposure, system), "lists of another system", key=f"never-{system}-{k}")


def _pick(rows: pl.DataFrame, lists: str, *, key: str) -> None:
    """Draw items as selectable rows."""
    if not rows.height:
        st.caption("There are none.")
        return
    ids, most = rows["item_id"].to_list(), max(rows["lists"].to_list())
    columns = {
        # The names are short so that all columns fit beside another table.
        "title": st.column_config.TextColumn("title", width=190),
        "lists": st.column_config.ProgressColumn(
            lists, format="localized", min_value=0, max_value=max(most, 1), width=150
        ),
        "users": st.column_config.NumberColumn("have it", help="Users who have the item", format="localized", width=80),
    }

    def choose_row() -> None:
        picked = st.session_state[f"rows-{key}"]["selection"]["rows"]
        if picked:
            st.session_state["q"] = str(ids[picked[0]])

    frame(rows.drop("item_id"), key=f"rows-{key}", columns=columns, on_select=choose_row, leads=("q", ids))


def _clear() -> None:
    st.session_state["q"] = ""


def _one(scope: Drilldown, code: object, k: int) -> None:
    train = scope.split.train
    st.subheader(plain(scope.title(code)))
    known = [] if train.segments is None else [name for name in train.segments.columns if name != "user_id"]
    by = choose_many("Segmentations", known, key="by", default=known)
    rows = item_exposure(code, scope.runs, train, scope.split.test, k=k, by=by)
    records = [row for each in rows for row in each.to_dicts()]
    legend(list(scope.runs))
    every = ["overall", *by]
    drawn = {name: draw(exposure_chart, records, by=name, systems=list(scope.runs)) for name in every}
    for name, place in grid(every, drawn):
        what = "all users" if name == "overall" else name
        with place:
            chart(drawn[name], f"Share of the users who could be shown it and are, {what}", key=f"exposure-{name}")
    table(exposure_table(records), key="exposure")
    if train.items is not None:
        about = train.items.filter(train.items["item_id"] == code)
        folded("What is known of it", lambda: frame(about, key="about"), key="about")


PAGE = Page(title="Item", icon=":material/inventory_2:", section="Diagnose", order=30, show=show, path="items")
