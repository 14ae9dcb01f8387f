"""Data: the profile of a data set or a split, the time spans of its parts, its problems, and an SQL console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.colours import legend
from reclens.dashboard.console import draw_console
from reclens.dashboard.data_summary import Described, describe_data, table_of
from reclens.dashboard.isolated_parts import drawn_alone, standing
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import chart, choose, choose_view, empty, grid, plain, table
from reclens.data.curves import WHOLE, parts_of
from reclens.report import TASKS_IN_WORDS
from reclens.report._toolkit.format import whole
from reclens.report.data import profile as shape
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_KINDS = ("split", "dataset")


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Data")
    known = {f"{kind} {name}": (kind, name) for kind in _KINDS for name in store.names(workspace, kind)}
    if not store.listing(workspace):
        empty(
            "No data yet",
            "A job splits data and keeps the split: `reclens run job.toml`, or `reclens data split "
            "ratings.csv`; the demo on **Home** does too.",
        )
        return
    if not known:
        empty(
            "No split and no data set",
            "What is here can be asked by SQL; `reclens data split ratings.csv` keeps a split to look at.",
        )
        draw_console(workspace, None, None)
        return
    left, right = st.columns(2)
    with left:
        chosen = choose("Data", list(known), key="data") or next(iter(known))
    kind, name = known[chosen]
    parts: list[str] = []
    with standing(workspace):
        parts = list(parts_of(store.load(workspace, kind, name)))
    if not parts:  # the reason has been shown; the rest can be queried by SQL
        draw_console(workspace, None, None)
        return
    with right:
        part = choose("Part", [WHOLE, *parts] if len(parts) > 1 else parts, key="part", default=parts[0]) or parts[0]

    def draw_view() -> None:
        view = choose_view([*_VIEWS, "SQL"])
        if view != "SQL":
            _VIEWS[view](describe_data(workspace, kind, name, part))
            return
        # The log has a separate table if it contains repeated pairs.
        logs = ("train_log", "train") if kind == "split" else ("log", "interactions")
        names = {each: table_of(workspace, kind, name, each) for each in (*logs, "items")}
        draw_console(workspace, names[logs[0]] or names[logs[1]], names["items"])

    drawn_alone(workspace, draw_view)


def _profile(found: Described) -> None:
    about = found.profile
    if found.task is not None:
        st.caption(f"What counts: {TASKS_IN_WORDS[found.task]}.")
    sizes = {"interactions": about.n_interactions, "users": about.n_users, "items": about.n_items}
    for (label, number), place in zip(sizes.items(), st.columns(3), strict=True):
        with place:
            st.metric(label, whole(number))
    table(shape.profile_table(about), key="profile")


def _long_tail(found: Described) -> None:
    legend(list(found.tails), systems=False)
    drawn = {
        "tail": (draw(shape.tail_chart, found.tails), "Lorenz curve of the interactions"),
        "places": (draw(shape.popularity_curve_chart, found.places), "Interactions by place"),
    }
    for name, place in grid(list(drawn)):
        with place:
            chart(*drawn[name], key=name)
    st.caption(
        "The further a curve lies below the diagonal, the fewer items (users) have most of the interactions. On "
        "logarithmic axes a long tail is near a straight line."
    )


def _over_time(found: Described) -> None:
    if not found.times:
        empty(
            "No times",
            "These interactions have no timestamps: choose their column when you bring the data.",
            ":material/schedule:",
        )
        return
    legend(list(dict.fromkeys(row["part"] for row in found.times)), systems=False)
    chart(draw(shape.time_chart, found.times, step=found.step), f"Interactions a {found.step}", key="times")
    chart(
        draw(shape.time_share_chart, found.times, step=found.step),
        f"Share of each part a {found.step}",
        key="time-shares",
    )
    st.caption("Where the test part lies among the training part, a model learns from what came after.")


def _problems(found: Described) -> None:
    for note in found.notes:
        st.warning(plain(note), icon=":material/warning:")
    if found.problems:
        table(shape.problems_table(found.problems), key="problems")
    elif not found.notes:
        empty(
            "Nothing found",
            "Neither the rows nor the split have a problem that RecLens looks for.",
            ":material/check_circle:",
        )
    if found.profile.rules:
        st.subheader("What was done on reading")
        table(shape.rules_table(found.profile.rules), key="rules")


_VIEWS: Final[Mapping[str, Callable[[Described], None]]] = {
    "Profile": _profile,
    "Long tail": _long_tail,
    "Over time": _over_time,
    "Problems": _problems,
}
"""Title -> what draws it."""


PAGE = Page(title="Data", icon=":material/database:", section="Data", order=40, show=show, path="data")
