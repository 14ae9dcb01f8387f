"""Plans of the workspace: the question, the number of units, the dates of the looks, and the readouts."""

from __future__ import annotations

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.keep import keep_button, keepable
from reclens.dashboard.plan_field import plan_field
from reclens.dashboard.widgets import bullets, chart, download, empty, folded, frame, grid, plain, table
from reclens.errors import DataError, RecLensError, UsageError
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.planning.plan import Plan
from reclens.experiment.planning.sizing import MetricSize, Sizing, size_plan
from reclens.report import Table
from reclens.report._toolkit.format import whole
from reclens.report._toolkit.html import Figure
from reclens.report.experiment.plan import build_plan_document, figures_of, summary_of
from reclens.report.experiment.plan_tables import arm_table, metric_table, size_table
from reclens.report.experiment.plan_words import decision_rule
from reclens.workspace import Workspace

__all__ = ["show_plans"]

_AT_ONCE = 3
"""Sentences that are seen at once."""


def show_plans(workspace: Workspace) -> None:
    """Draw the chosen plan and its readouts."""
    plan = plan_field(workspace)
    if plan is None:
        empty(
            "No plan is chosen",
            "Bring one as TOML, keep one by `reclens experiment plan plan.toml --keep NAME`, or size a test in the "
            "**Calculator** and keep its plan.",
            ":material/assignment:",
        )
        return
    st.subheader(plain(plan.name))
    _readouts(workspace, plan)
    try:
        sizing = _sized(plan.to_toml(), plan)
    except UsageError as error:
        st.info(plain(f"It is not sized: {error}"), icon=":material/straighten:")
        sizing = None
    except RecLensError as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")
        sizing = None
    if sizing is not None:
        _sizes(sizing)
    table(arm_table(plan), key="arms")
    table(metric_table(plan), key="metrics")
    rule = decision_rule(plan)
    folded("How it will be decided", lambda: bullets(rule, ordered=True), key="rule", icon=":material/gavel:")
    _files(plan, sizing)
    kept = readable(workspace, "plan", store.names(workspace, "plan"))
    if plan not in [store.load(workspace, "plan", name) for name in kept]:
        with st.expander("Keep this plan in the workspace", icon=":material/inventory_2:"):
            keep_button(workspace, plan, "plan", start=keepable(plan.name), choose="plan")


def _readouts(workspace: Workspace, plan: Plan) -> None:
    """Draw the readouts of exactly this plan, newest first, each with a link."""
    found = [
        (each, read)
        for each in store.listing(workspace, "readout")
        if each.card.get("plan") == plan.name and (read := _read(workspace, each.name)) is not None
    ]
    own = [(each, read) for each, read in found if read.plan == plan]
    if not own:
        st.caption(
            "Nothing was read of it yet: bring its results under **Results**, or keep them by "
            "`reclens experiment read plan.toml DATA --keep NAME`."
        )
        return
    rows = [
        (
            each.name,
            f"{each.created:%Y-%m-%d}",
            whole(sum(read.units.values())),
            "; ".join(f"{one.arm}: {one.code.replace('_', ' ')}" for one in read.decisions),
        )
        for each, read in own
    ]
    heads = ("readout", "kept", "units", "decision")
    seen.rows("readouts", Table(title="Readouts", columns=heads, rows=tuple(rows), records=()))
    frame({head: [row[at] for row in rows] for at, head in enumerate(heads)}, key="readouts")

    def go(name: str) -> None:
        st.session_state["view"], st.session_state["readout"] = "Results", name

    st.button(f"Open “{plain(rows[0][0])}”", on_click=go, args=(rows[0][0],), icon=":material/arrow_forward:")


def _read(workspace: Workspace, name: str) -> Readout | None:
    """Return a readout, or None with a message if it cannot be read; the plan is still shown."""
    try:
        return store.load(workspace, "readout", name)
    except DataError as error:
        st.warning(plain(said_on_page(error)), icon=":material/warning:")
        return None


def _sizes(sizing: Sizing) -> None:
    said = summary_of(sizing)
    seen.text("summary", said)
    bullets(said[:_AT_ONCE])
    if rest := said[_AT_ONCE:]:
        folded("More on the plan", lambda: bullets(rest), key="summary")
    drawn = {
        f"size-{each.metric.name}-{at}": figure
        for each in sizing.metrics
        if each.metric.role == "primary"
        for at, figure in enumerate(_figures(sizing.plan.to_toml(), each.metric.name, each, sizing))
    }
    for key, place in grid(list(drawn)):
        with place:
            chart(drawn[key], drawn[key].caption, key=key)
    table(size_table(sizing), key="sizes")


def _files(plan: Plan, sizing: Sizing | None) -> None:
    with st.container(horizontal=True):
        download("Plan as TOML", plan.to_toml(), "plan.toml", "application/toml", key="download-plan")
        if sizing is not None:
            download(
                "Test plan as HTML",
                lambda: build_plan_document(sizing).html.html,
                f"test-plan-{keepable(plan.name)}.html",
                "text/html",
                key="download-test-plan",
            )


@st.cache_resource(show_spinner="Sizing the plan …", max_entries=32)
def _sized(toml: str, _plan: Plan) -> Sizing:
    del toml
    return size_plan(_plan)


@st.cache_resource(show_spinner=False, max_entries=64)
def _figures(toml: str, metric: str, _size: MetricSize, _sizing: Sizing) -> list[Figure]:
    del toml, metric
    return figures_of(_size, _sizing)
