"""Diagnostics: which system is better, for which users, and at what cost in diversity, novelty and the long tail."""

from __future__ import annotations

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.cards import decision_card, finding_cards, more, say_tested
from reclens.dashboard.colours import legend
from reclens.dashboard.isolated_parts import drawn_alone, readable
from reclens.dashboard.navigation import Page
from reclens.dashboard.scene import Scene, keep_runs, kept_runs, scene_of
from reclens.dashboard.together import choose_group
from reclens.dashboard.views import VIEWS, Shown
from reclens.dashboard.widgets import choose, choose_many, choose_view, empty, explain_metrics, filters, plain
from reclens.errors import RecLensError
from reclens.report.evaluation.findings import findings
from reclens.report.evaluation.words import comparison_text
from reclens.stats.multiplicity import CORRECTIONS
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Diagnostics")
    if not store.groups(workspace):
        empty(
            "No evaluation yet",
            "Evaluate lists on the page **Upload**, with `reclens evaluate … --keep NAME`, or "
            "run the demo from **Home**.",
        )
        return
    top = st.container()
    place = filters("runs, metrics, baseline, correction")
    with place:
        known, chosen = _runs(workspace)
    chosen = readable(workspace, "evaluation", chosen)
    if not chosen:
        empty("No run chosen", "Choose one or more runs above.", ":material/checklist:")
        return
    keep_runs(chosen)
    shared, _, unlike = store.shared(store.evaluations(workspace, chosen))
    if not shared:
        st.warning("These runs have no metric in common. Choose others, or evaluate them by the same metrics.")
        return
    with place:
        one, two, three = st.columns([2, 1, 1])
        with one:
            metrics = choose_many("Metrics", shared, key="metrics", default=shared[:6]) or shared
        with two:
            baseline = choose("Baseline", chosen, key="baseline", default=store.popular_of(workspace, chosen))
        with three:
            correction = choose(
                "Correction",
                list(CORRECTIONS),
                key="correction",
                default="holm",
                help="Of p-values: the main question (the first metric over all users), the other metrics "
                "and the segments each by itself.",
            )
        if unlike:
            st.caption(f"Not shown, because its segments differ between these runs: {plain(', '.join(unlike))}.")
    scene = _scene(workspace, chosen, baseline, correction)
    with top:
        decision_card(scene.decision)
        say_tested(scene)
    legend(list(scene.results))
    drawn_alone(workspace, lambda: VIEWS[choose_view(list(VIEWS))](Shown(scene, known, metrics)))
    _findings(scene)
    explain_metrics(metrics)


def _runs(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Return the runs that were measured alike, and the chosen ones among them."""
    group = choose_group(workspace, keys=("runs",))
    known = [] if group is None else list(group.names)
    chosen = choose_many(
        "Runs",
        known,
        key="runs",
        default=known[: store.MOST],
        start=kept_runs(known),
        help="Evaluations of the workspace that can be compared, newest first.",
    )
    return known, chosen


def _findings(scene: Scene) -> None:
    """Draw the other findings that need attention, and the comparison in sentences."""
    found = [each for each in findings(scene.results) if each.kind in ("problem", "gap")]
    if found:
        st.subheader("Findings")
        finding_cards(found, runs=list(scene.results), key="diagnostics")
    if scene.comparison is not None:
        more(comparison_text(scene.comparison), label="What was tested, in words", key="verdict")


def _scene(workspace: Workspace, chosen: list[str], baseline: str | None, correction: str | None) -> Scene:
    """Return the runs with their comparison; if they cannot be compared, without one and with a message."""
    try:
        return scene_of(workspace, chosen, baseline=baseline, correction=correction or "holm")
    except RecLensError as error:
        store.redraw_if_changed(workspace)
        st.warning(f"There is no verdict: {plain(said_on_page(error))}", icon=":material/warning:")
        return scene_of(workspace, chosen)


PAGE = Page(
    title="Diagnostics", icon=":material/monitoring:", section="Diagnose", order=10, show=show, path="diagnostics"
)
