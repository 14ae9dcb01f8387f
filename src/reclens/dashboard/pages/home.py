"""Home: the contents of the workspace, warnings, and first steps."""

from __future__ import annotations

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.cards import decision_card, finding_cards, more, say_tested
from reclens.dashboard.demo import draw_demo, start_demo
from reclens.dashboard.home_findings import audited, explored, monitored
from reclens.dashboard.isolated_parts import readable, standing
from reclens.dashboard.links import lead
from reclens.dashboard.navigation import Page
from reclens.dashboard.scene import opening_scene
from reclens.dashboard.widgets import empty, frame, plain
from reclens.evaluation import Evaluation
from reclens.report.data.artefact_words import artefact_summary
from reclens.report.evaluation.findings import findings
from reclens.report.evaluation.words import comparison_text
from reclens.workspace import Artefact, Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("RecLens")
    running = draw_demo(workspace)
    found = store.listing(workspace)
    if not found:
        _first_run(workspace, running=running)
        return
    good = [each for each in found if not each.broken]
    for each in (each for each in found if each.broken):
        st.error(
            f"{each.kind} “{each.name}” cannot be read: make it again, or remove it with "
            f"`reclens workspace remove {each.kind} {each.name}`.",
            icon=":material/error:",
        )
    with standing(workspace):
        _decision(workspace, good)
    with standing(workspace):
        _verdict(workspace, next((each.name for each in found if each.kind == "comparison"), None))
    for draw in (monitored, audited, explored):
        with standing(workspace):
            draw(workspace, good)
    st.subheader("In this workspace")
    _artefacts(found)


def _decision(workspace: Workspace, found: list[Artefact]) -> None:
    """Draw the decision on the newest runs, then the findings in them and in the newest search."""
    tuning = next((each.name for each in found if each.kind == "tuning"), None)
    chosen = readable(workspace, "evaluation", store.newest_together(workspace))
    runs: dict[str, Evaluation] = {}
    if chosen:
        scene = opening_scene(workspace, chosen)
        runs = dict(scene.results)
        decision_card(scene.decision)
        say_tested(scene)
        lead("See the runs", "diagnostics", {"runs": chosen}, icon=":material/monitoring:", key="runs")
    searched = readable(workspace, "tuning", [] if tuning is None else [tuning])
    noted = findings(runs, tunings={name: store.load(workspace, "tuning", name) for name in searched})
    if noted:
        st.subheader("Findings")
        finding_cards(noted, runs=chosen, key="home")


def _verdict(workspace: Workspace, newest: str | None) -> None:
    """Draw the verdict of the newest comparison."""
    if newest is not None:
        said = comparison_text(store.load(workspace, "comparison", newest))
        more(said, label=f"What the comparison {plain(newest)} says, in words", key="verdict")


def _artefacts(found: list[Artefact]) -> None:
    kinds = list(dict.fromkeys(each.kind for each in found))
    chosen = st.pills(
        "Kind", kinds, selection_mode="multi", key="kind", bind="query-params", label_visibility="collapsed"
    )
    if all(each.synthetic for each in found):
        store.show_synthetic("everything")
    rows = [
        {
            "kind": each.kind,
            "name": each.name,
            "written": each.created,
            "size": each.bytes,
            "what": f"{'synthetic · ' if each.synthetic else ''}{artefact_summary(each)}",
        }
        for each in found
        if not chosen or each.kind in chosen
    ]
    columns = {
        "written": st.column_config.DatetimeColumn("written", format="distance"),
        "size": st.column_config.NumberColumn("size", format="bytes"),
        "what": st.column_config.TextColumn("what", width="large"),
    }
    frame(rows, key="artefacts", columns=columns)


def _first_run(workspace: Workspace, *, running: bool) -> None:
    empty(
        "Nothing here yet",
        "The workspace is empty. Bring lists of any system on the page **Upload**, run a job with "
        "`reclens run job.toml`, or start with the demo: six recommenders on synthetic data, in under a minute.",
    )
    if st.button("Run the demo", type="primary", icon=":material/play_arrow:", disabled=running):
        start_demo(workspace)
        st.rerun()


PAGE = Page(title="Home", icon=":material/home:", section="", order=0, show=show, path="home")
