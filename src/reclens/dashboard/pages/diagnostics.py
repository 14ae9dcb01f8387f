"""Diagnostics: which system is better, for whom, and at what cost to diversity, novelty and the long tail."""

from __future__ import annotations

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.navigation import Page
from reclens.dashboard.together import choose_group
from reclens.dashboard.views import VIEWS, Shown
from reclens.dashboard.widgets import choose, choose_many, choose_view, empty, explain_metrics, legend, plain
from reclens.errors import RecLensError
from reclens.evaluation import Comparison
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Diagnostics")
    group = choose_group(workspace, keys=("runs",))
    if group is None:
        empty(
            "No evaluation yet",
            "Evaluate lists on the page **Upload**, with `reclens evaluate … --keep NAME`, or "
            "run the demo from **Home**.",
        )
        return
    with st.sidebar:
        chosen = choose_many(
            "Runs",
            list(group.names),
            key="runs",
            default=list(group.names[: store.MOST]),
            help="Evaluations of the workspace that can be compared, newest first.",
        )
    if not chosen:
        empty("No run chosen", "Choose one or more runs in the sidebar.", ":material/checklist:")
        return
    results = store.evaluations(workspace, chosen)
    shared, by, unlike = store.shared(results)
    if not shared:
        st.warning("These runs have no metric in common. Choose others, or evaluate them by the same metrics.")
        return
    with st.sidebar:
        metrics = choose_many("Metrics", shared, key="metrics", default=shared[:6]) or shared
        baseline = choose("Baseline", chosen, key="baseline", default=store.popular_of(workspace, chosen))
        correction = choose(
            "Correction",
            ["holm", "bh", "bonferroni", "none"],
            key="correction",
            default="holm",
            help="Of p-values: the main question (the first metric over all users), the other metrics "
            "and the segments each by itself.",
        )
    if unlike:
        st.caption(f"Not shown, because its segments differ between these runs: {plain(', '.join(unlike))}.")
    comparison = _comparison(workspace, chosen, baseline, correction, metrics, by)
    legend(list(results))
    VIEWS[choose_view(list(VIEWS))](Shown(workspace, results, comparison, metrics, by))
    explain_metrics(metrics)


def _comparison(
    workspace: Workspace,
    chosen: list[str],
    baseline: str | None,
    correction: str | None,
    metrics: list[str],
    by: list[str],
) -> Comparison | None:
    if len(chosen) < 2 or baseline is None or correction is None:
        return None
    try:
        return store.compared(workspace, chosen, baseline=baseline, correction=correction, metrics=metrics, by=by)
    except RecLensError as error:
        store.redraw_if_changed(workspace)
        st.warning(f"There is no verdict: {plain(str(error))}", icon=":material/warning:")
        return None


PAGE = Page("Diagnostics", ":material/monitoring:", "Diagnose", 10, show, "diagnostics")
