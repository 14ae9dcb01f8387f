"""Home: the contents of the workspace, warnings, and first steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.demo import draw_demo, start_demo
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import empty, frame, plain
from reclens.errors import RecLensError
from reclens.evaluation import Comparison, Evaluation
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.evaluation.tuning import cautions_in_words
from reclens.report.evaluation.words import verdict
from reclens.tuning import Tuning
from reclens.workspace import Artefact, Workspace

__all__ = ["PAGE", "show"]

_HEADS: Final = {
    "problem": (":material/error:", "Where a number may be wrong"),
    "gap": (":material/group:", "Who is served worse"),
    "caution": (":material/warning:", "What a search leaves open"),
    "verdict": (":material/gavel:", "What the newest comparison says"),
}
"""Kind of finding -> its icon and its heading, the most pressing first."""


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("RecLens")
    running = draw_demo(workspace)
    found = store.listing(workspace)
    if not found:
        _first_run(workspace, running=running)
        return
    broken = [each for each in found if each.summary.startswith("broken")]
    for each in broken:
        st.error(
            f"{each.kind} “{each.name}” cannot be read: make it again, or remove it with "
            f"`reclens workspace remove {each.kind} {each.name}`.",
            icon=":material/error:",
        )
    try:
        _findings(workspace, [each for each in found if each not in broken])
    except RecLensError as error:
        store.redraw_if_changed(workspace)
        st.error(plain(str(error)), icon=":material/error:")
    st.subheader("In this workspace")
    _artefacts(found)


def _findings(workspace: Workspace, found: list[Artefact]) -> None:
    """What wants attention in the newest runs, the newest comparison and the newest search."""
    newest: dict[str, str] = {}
    for each in found:
        newest.setdefault(each.kind, each.name)
    runs = store.evaluations(workspace, store.newest_together(workspace))
    compared, tuned = (
        {newest[kind]: store.load(workspace, kind, newest[kind])} if kind in newest else {}
        for kind in ("comparison", "tuning")
    )
    lines = _lines(runs, compared, tuned)
    if not any(lines.values()):
        return
    st.subheader("Findings")
    for kind, (icon, head) in _HEADS.items():
        if lines[kind]:
            with st.expander(f"{head} ({len(lines[kind])})", icon=icon, expanded=kind in ("problem", "verdict")):
                st.markdown("\n".join(lines[kind]))


def _lines(
    runs: Mapping[str, Evaluation], compared: Mapping[str, Comparison], tuned: Mapping[str, Tuning]
) -> dict[str, list[str]]:
    """Kind of finding -> its lines, as Markdown."""
    noted = findings(runs)
    lines = {kind: [_line(each.about, finding_text(each)) for each in noted if each.kind == kind] for kind in _HEADS}
    lines["caution"] += [_line((name,), said) for name, one in tuned.items() for said in cautions_in_words(one)]
    lines["verdict"] = [f"- {plain(said)}" for comparison in compared.values() for said in verdict(comparison)]
    return lines


def _line(about: Sequence[str], text: str) -> str:
    return f"- **{plain(', '.join(about))}** · {plain(text[:1].upper() + text[1:].rstrip('.'))}."


def _artefacts(found: list[Artefact]) -> None:
    kinds = list(dict.fromkeys(each.kind for each in found))
    chosen = st.pills(
        "Kind", kinds, selection_mode="multi", key="kind", bind="query-params", label_visibility="collapsed"
    )
    rows = [
        {"kind": each.kind, "name": each.name, "written": each.created, "size": each.bytes, "what": each.summary}
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


PAGE = Page("Home", ":material/home:", "", 0, show, "home")
