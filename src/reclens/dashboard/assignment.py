"""Checks of a plan's assignment of unit ids against its shares, other plans and attributes."""

from __future__ import annotations

import polars as pl
import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.files import open_file
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.plan_field import plan_field
from reclens.dashboard.widgets import choose_many, download, plain, table
from reclens.errors import RecLensError
from reclens.experiment.assignment.assign import assign, check_layers
from reclens.experiment.assignment.checks import check_assignment
from reclens.experiment.planning.plan import Plan
from reclens.report.experiment.design_words import assignment_check_table, assignment_check_text, layer_text
from reclens.workspace import Workspace

__all__ = ["show_assignment"]


def show_assignment(workspace: Workspace) -> None:
    """Draw the inputs for a plan and for the ids, and the checks."""
    left, right = st.columns(2)
    with left:
        plan = plan_field(workspace)
        known = readable(workspace, "plan", store.names(workspace, "plan"))
        kept = {name: store.load(workspace, "plan", name) for name in known}
        others = [name for name, each in kept.items() if plan is not None and each.name != plan.name]
        chosen = choose_many("Plans that run at the same time", others, key="others", default=[]) if others else []
    raw, units, attributes = None, None, []
    with right:
        try:
            raw = open_file("units", "Units", "A row a unit: its id, and columns that have to be alike in all arms.")
            if raw is not None:
                columns = raw.frame.columns
                start = columns.index(plan.unit) if plan is not None and plan.unit in columns else 0
                unit = st.selectbox("Column of the ids", columns, index=start, key=f"unit-{hash(tuple(columns))}")
                rest = [name for name in columns if name != unit]
                attributes = st.multiselect("Alike in all arms", rest, key=f"alike-{hash(tuple(columns))}")
                units = raw.frame[unit]
        except RecLensError as error:
            st.error(plain(said_on_page(error)), icon=":material/error:")
    if plan is None or units is None or raw is None:
        st.info(
            "Bring the plan and the ids of the units; an id gets the same arm here as in production.",
            icon=":material/upload_file:",
        )
        return
    beside = [kept[name] for name in chosen]
    try:
        for pair in check_layers([plan, *beside]):
            st.caption(plain(layer_text(pair)))
        _checked(plan, units, beside, raw.frame.select(attributes) if attributes else None)
    except RecLensError as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")


def _checked(plan: Plan, units: pl.Series, others: list[Plan], attributes: pl.DataFrame | None) -> None:
    found = check_assignment(units, plan, others=others, attributes=attributes)
    failed = [each for each in found if not each.fine]
    said = [assignment_check_text(each) for each in failed or found]
    seen.text("assignment", said)
    shown = st.error if failed else st.success
    head = "The assignment is not what it should be." if failed else "The assignment is as planned."
    shown(head + "\n" + "\n".join(f"- {plain(each)}" for each in said), icon=":material/shuffle:")
    table(assignment_check_table(found), key="assignment")

    def arms() -> str:
        return assign(units, plan).table.write_csv()

    download("Arms as CSV", arms, "arms.csv", "text/csv", key="download-arms")
