"""One item: whom each system shows it to, beside who went on to choose it."""

from __future__ import annotations

import streamlit as st

from reclens.dashboard.chart_cache import draw
from reclens.dashboard.drilldown import drilldown_of
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import chart, choose, choose_many, empty, frame, legend, table
from reclens.evaluation.inspect import item_exposure, search_items
from reclens.report.evaluation.diagnostics import exposure_chart, exposure_table
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Item")
    scope = drilldown_of(workspace)
    if scope is None:
        return
    train = scope.split.train
    text = st.text_input("Search by title or id", key="q", bind="query-params", placeholder="a title, or an id")
    if not text:
        st.caption("A part of a title is enough; an id has to be whole.")
        return
    found = search_items(train, text)
    if not found.height:
        empty(f"No item is called {text}", "Try a part of the title, or the whole id.", ":material/search_off:")
        return
    names = {
        str(row["item_id"]): f"{row['title'] or row['item_id']} ({row['users']:,} users)" for row in found.to_dicts()
    }
    item = choose("Item", list(names), key="item", format_func=lambda each: names[each])
    if item is None:
        return
    code = next(each for each in found["item_id"] if str(each) == item)
    known = [] if train.segments is None else [name for name in train.segments.columns if name != "user_id"]
    left, right = st.columns(2)
    with left:
        k = st.slider("Places that count as shown", 1, 50, 10, key="k", bind="query-params")
    with right:
        by = choose_many("Segmentations", known, key="by", default=known)
    rows = item_exposure(code, scope.runs, train, scope.split.test, k=k, by=by)
    records = [row for each in rows for row in each.to_dicts()]
    legend(list(scope.runs))
    for name in ("overall", *by):
        what = "all users" if name == "overall" else name
        drawn = draw(exposure_chart, records, by=name, systems=list(scope.runs))
        chart(drawn, f"Share of lists that show it, {what}", key=f"exposure-{name}")
    table(exposure_table(records), key="exposure")
    if train.items is not None:
        st.subheader("What is known of it")
        frame(train.items.filter(train.items["item_id"] == code), key="about")


PAGE = Page("Item", ":material/inventory_2:", "Diagnose", 30, show, "items")
