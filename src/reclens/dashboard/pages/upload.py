"""Upload: the lists of any system and the truth, measured here and kept in the workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st

from reclens.dashboard.files import bring_file
from reclens.dashboard.impressions import impressions
from reclens.dashboard.navigation import Page
from reclens.dashboard.uploads import (
    FILES,
    Upload,
    Uploads,
    in_words_of_the_page,
    keep,
    measure,
    possible_metrics,
    ready_split,
    undo_upload,
)
from reclens.dashboard.widgets import choose_many, plain, table
from reclens.data.read.ids import IdForm
from reclens.data.read.raw import Raw
from reclens.data.split import TASKS
from reclens.errors import RecLensError
from reclens.evaluation import DEFAULT_METRICS, Evaluation, id_problems
from reclens.report import TASKS_IN_WORDS, oddities
from reclens.report.evaluation import tables
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]

_LEAVE_OUT = "leave out and count"
_IDS: Final[Mapping[str, IdForm | None]] = {
    "as in the file": None,
    "as text": "text",
    "as text, without leading zeros": "unpadded",
}


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Upload")
    st.caption(
        "Evaluate the lists of any system on held-out interactions. CSV, JSON or Parquet, optionally compressed; files "
        "are only sent to the machine that runs the dashboard. No files at hand? Run the demo on Home, or "
        "`reclens run job.toml`."
    )
    brought = _files()
    if {"train", "truth"} <= set(brought.tables):
        _as_split(workspace, brought)
    impressions()
    if not {"lists", "truth"} <= set(brought.tables):
        st.info("Upload the lists and the truth; the other files are optional.", icon=":material/upload_file:")
        _result(workspace)
        return
    st.subheader("Measure")
    able = possible_metrics(brought)
    default = [name for name in (each.split("@")[0] for each in DEFAULT_METRICS) if name in able]
    metrics = choose_many(
        "Metrics",
        able,
        key="metrics",
        default=default,
        help="Those that the files are enough for; the optional files bring more.",
    )
    groups = _groups(brought)
    by = choose_many("Segments", groups, key="by", default=[]) if groups and "train" in brought.tables else []
    left, middle, right = st.columns(3)
    with left:
        k = st.number_input("Places that count (k)", 1, 1000, 10, key="k", bind="query-params")
    with middle:
        first = brought.tables["lists"].name
        name = st.text_input("Name of the system", re.sub(r"[^A-Za-z0-9._-]", "-", first), key="system", max_chars=100)
    with right:
        bad = st.selectbox("Rows that cannot be used", ["stop and say which", _LEAVE_OUT], key="bad")
        ids = st.selectbox("Ids", list(_IDS), key="ids")
    if st.button("Evaluate", type="primary", icon=":material/play_arrow:", disabled=not metrics):
        _evaluate(
            brought,
            {
                "metrics": metrics,
                "k": int(k),
                "by": by,
                "name": name or "system",
                "bad_rows": "drop" if bad == _LEAVE_OUT else "error",
                "ids": _IDS[ids],
            },
        )
    _result(workspace)


def _groups(brought: Uploads) -> list[str]:
    """The columns of the users that can be segments."""
    users = brought.tables.get("users")
    return (
        [] if users is None else [each for each in users.frame.columns if each != brought.columns["users"]["user_id"]]
    )


def _files() -> Uploads:
    found: dict[str, Raw] = {}
    columns: dict[str, dict[str, str | None]] = {}
    forms: dict[str, dict[str, Any]] = {}
    needed, more = ["lists", "truth"], [kind for kind in FILES if kind not in ("lists", "truth")]
    for kind, place in zip(needed, st.columns(2), strict=True):
        with place:
            bring_file(kind, found, columns, forms)
    with st.expander(
        "Training data and attributes: for novelty, coverage, diversity and segments", icon=":material/add:"
    ):
        for kind, place in zip(more, st.columns(3), strict=True):
            with place:
                bring_file(kind, found, columns, forms)
    return Uploads(found, columns, forms)


def _as_split(workspace: Workspace, brought: Uploads) -> None:
    """Keep the training interactions and the truth as a split, for models of our own."""
    with st.expander("Keep training and truth as a split, to fit models on it", icon=":material/call_split:"):
        left, right = st.columns(2)
        with left:
            first = re.sub(r"[^A-Za-z0-9._-]", "-", brought.tables["train"].name)
            name = st.text_input("Name of the split", first, key="split-name", max_chars=100)
        with right:
            task = st.selectbox(
                "What counts", TASKS, key="split-task", help="; ".join(TASKS_IN_WORDS[task] for task in TASKS)
            )
        if not st.button("Keep the split", icon=":material/save:"):
            return
        try:
            made = ready_split(brought, name=name, task=task)
            workspace.save(made, name)
        except RecLensError as error:
            said = str(error).replace("pass overwrite=True", "choose another name")
            st.error(plain(in_words_of_the_page(said)), icon=":material/error:")
            return
        st.success(
            f"Kept as {plain(name)}: {made.train.interactions.height:,} interactions to learn from, "
            f"{made.test.height:,} held out. `reclens fit ease --split {plain(name)}` fits a model on it.",
            icon=":material/check:",
        )
        for rule in made.card["rules"]:
            st.text(f"• {rule['rule']}: {rule['count']:,} ({rule['detail']})")
        for note in made.card["notes"]:
            st.text(f"• {note}")


def _evaluate(brought: Uploads, asked: dict[str, Any]) -> None:
    st.session_state.pop("brought", None)
    st.session_state.pop("kept", None)
    with st.status("Evaluating …", expanded=True) as status:
        bar = st.progress(0.0)

        def say(what: str, done: int, total: int, /) -> None:
            status.update(label=plain(what))
            bar.progress(min(done, total) / total if total else 0.0)

        try:
            st.session_state["brought"] = measure(brought, **asked, progress=say)
        except RecLensError as error:
            status.update(label="The files cannot be evaluated", state="error")
            st.error(plain(in_words_of_the_page(str(error))), icon=":material/error:")
            return
        bar.empty()
        status.update(label="Evaluated", state="complete", expanded=False)


def _result(workspace: Workspace) -> None:
    result: Evaluation | None = st.session_state.get("brought")
    if result is None:
        return
    st.subheader("Result")
    table(tables.leaderboard({result.system: result}), key="brought")
    loud = id_problems(result.card)
    for line in oddities(result.card):
        if line in loud:
            st.warning(plain(in_words_of_the_page(line)), icon=":material/warning:")
        else:
            st.text(f"• {line}")
    kept: Upload | None = st.session_state.get("kept")
    if kept is not None:
        _is_kept(workspace, kept)
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        name = st.text_input("Keep it as", result.system, key="keep-as", max_chars=100)
    with right:
        replace = st.checkbox("Replace one of that name", key="replace")
    if st.button("Keep in the workspace", icon=":material/save:"):
        try:
            st.session_state["kept"] = keep(workspace, result, name, replace=replace)
        except RecLensError as error:
            said = str(error).replace("pass overwrite=True", "tick “Replace one of that name”")
            st.error(plain(said), icon=":material/error:")
            return
        st.rerun()


def _is_kept(workspace: Workspace, kept: Upload) -> None:
    before = "" if kept.before is None else " The one before it lies in the trash."
    st.success(f"Kept as {plain(kept.name)}.{before}", icon=":material/check:")
    left, right = st.columns(2)
    with left:
        st.link_button(
            "Open in Diagnostics", f"diagnostics?{urlencode({'runs': kept.name})}", icon=":material/monitoring:"
        )
    with right:
        if st.button("Undo", icon=":material/undo:"):
            undo_upload(workspace, kept)
            del st.session_state["kept"]
            st.rerun()


PAGE = Page("Upload", ":material/upload:", "Data", 50, show, "upload")
