"""Upload: evaluate the lists of any system against the truth and keep the result in the workspace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlencode

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.advice import PAGE_TEXTS, field_of, said_on_page
from reclens.dashboard.faults import Fault, fault_of
from reclens.dashboard.files import bring_file
from reclens.dashboard.impressions import impressions
from reclens.dashboard.navigation import Page
from reclens.dashboard.uploads import (
    FILES,
    Upload,
    Uploads,
    keep,
    measure,
    measure_on,
    possible_metrics,
    ready_split,
    undo_upload,
)
from reclens.dashboard.widgets import choose, choose_many, plain, table
from reclens.data.read.ids import IdForm
from reclens.data.read.raw import Raw
from reclens.data.split import TASKS, Split
from reclens.engine import Progress
from reclens.errors import NameTakenError, RecLensError, Setting, in_python
from reclens.evaluation import DEFAULT_METRICS, Evaluation
from reclens.evaluation.protocol import not_alike
from reclens.report import TASKS_IN_WORDS, oddities
from reclens.report._toolkit.format import whole
from reclens.report.data.words import note_line, rule_line
from reclens.report.evaluation import tables
from reclens.report.evaluation.problem_words import id_problems
from reclens.schema import Recommendations
from reclens.workspace import Workspace, protocol_of, runs_on

__all__ = ["PAGE", "show"]

_BAD: Final[Mapping[str, Literal["error", "drop"]]] = {"stop and say which": "error", "leave out and count": "drop"}
_FILE: Final = "a file with the truth"
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
    against = _against(workspace)
    fault: Fault | None = st.session_state.pop("fault", None)
    if against is not None:
        _on_split(workspace, against, fault)
        return
    brought = _files(fault)
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
        first = _name_of(brought.tables["lists"])
        name = st.text_input("Name of the system", first, key="system", max_chars=100)
    with right:
        bad = st.selectbox("Rows that cannot be used", list(_BAD), key="bad")
        ids = st.selectbox("Ids", list(_IDS), key="ids")
    if st.button("Evaluate", type="primary", icon=":material/play_arrow:", disabled=not metrics):
        how: dict[str, Any] = {"name": name or "system", "bad_rows": _BAD[bad], "ids": _IDS[ids]}
        more: dict[str, Any] = {"metrics": metrics, "k": int(k), "by": by}
        _evaluate(brought, lambda say: (measure(brought, **how, **more, progress=say), None))
    _say(fault)
    _result(workspace)


def _against(workspace: Workspace) -> str | None:
    """Return the split of the workspace to measure against, or None if the truth is uploaded."""
    splits = store.names(workspace, "split")
    if not splits:
        return None
    # A split that is saved in the meantime must not discard the uploaded files.
    begun = any(st.session_state.get(f"file-{kind}") is not None for kind in ("truth", "train"))
    chosen = choose(
        "Measure against",
        [*splits, _FILE],
        key="against",
        default=_FILE if begun else splits[0],
        help="A split of the workspace brings truth, training data, segments and metrics, and the result can be "
        "compared with the systems that were measured on it.",
    )
    return None if chosen in (None, _FILE) else chosen


def _on_split(workspace: Workspace, name: str, fault: Fault | None) -> None:
    """Evaluate lists against a split of the workspace; no other file is needed."""
    split: Split = store.load(workspace, "split", name)
    known = runs_on(store.listing(workspace, "evaluation"), split)
    protocol = {} if known is None else protocol_of(known.card, split)
    st.caption(
        plain(
            f"{split.train.name}: {whole(split.test.height)} held-out interactions of {whole(len(split.test_users))} "
            "users."
        )
        + " "
        + (
            plain(f"Measured as {len(known.names)} evaluations that are there: {', '.join(protocol['metrics'])}.")
            if known is not None
            else "Accuracy, diversity, novelty and coverage are measured, by segment."
        )
    )
    found: dict[str, Raw] = {}
    columns: dict[str, dict[str, str | None]] = {}
    forms: dict[str, dict[str, Any]] = {}
    bring_file("lists", found, columns, forms, fault)
    brought = Uploads(found, columns, forms)
    if not found:
        st.info("Upload the lists of a system.", icon=":material/upload_file:")
        _result(workspace)
        return
    left, middle, right = st.columns(3)
    with left:
        system = st.text_input("Name of the system", _name_of(found["lists"]), key="system", max_chars=100)
    with middle:
        bad = st.selectbox("Rows that cannot be used", list(_BAD), key="bad")
    with right:
        ids = st.selectbox("Ids", list(_IDS), key="ids")
    if st.button("Evaluate", type="primary", icon=":material/play_arrow:"):
        how: dict[str, Any] = {"name": system or "system", "bad_rows": _BAD[bad], "ids": _IDS[ids]}
        _evaluate(brought, lambda say: measure_on(split, brought, protocol=protocol, **how, progress=say))
    _say(fault)
    _result(workspace)


def _name_of(raw: Raw) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", raw.name)


def _say(fault: Fault | None) -> None:
    """Show the failure beside the button: where the message is, or the message if no single file is at fault."""
    if fault is None:
        return
    beside = None if fault.kind is None else f"{FILES[fault.kind].title}: what is wrong stands beside the file, above."
    st.error(plain(f"Not evaluated. {beside or fault.text}"), icon=":material/error:")


def _groups(brought: Uploads) -> list[str]:
    """Return the columns of the users that can be used as segments."""
    users = brought.tables.get("users")
    return (
        [] if users is None else [each for each in users.frame.columns if each != brought.columns["users"]["user_id"]]
    )


def _files(fault: Fault | None) -> Uploads:
    found: dict[str, Raw] = {}
    columns: dict[str, dict[str, str | None]] = {}
    forms: dict[str, dict[str, Any]] = {}
    needed, more = ["lists", "truth"], [kind for kind in FILES if kind not in ("lists", "truth")]
    for kind, place in zip(needed, st.columns(2), strict=True):
        with place:
            bring_file(kind, found, columns, forms, fault)
    with st.expander(
        "Training data and attributes: for novelty, coverage, diversity and segments",
        icon=":material/add:",
        expanded=fault is not None and fault.kind in more,
    ):
        for kind, place in zip(more, st.columns(3), strict=True):
            with place:
                bring_file(kind, found, columns, forms, fault)
    return Uploads(found, columns, forms)


def _as_split(workspace: Workspace, brought: Uploads) -> None:
    """Keep the training interactions and the truth as a split, to fit models of the library on it."""
    with st.expander("Keep training and truth as a split, to fit models on it", icon=":material/call_split:"):
        left, right = st.columns(2)
        with left:
            first = re.sub(r"[^A-Za-z0-9._-]", "-", brought.tables["train"].name)
            name = st.text_input("Name of the split", first, key="split-name", max_chars=100)
        with right:
            task = st.selectbox("What counts", TASKS, key="split-task", format_func=TASKS_IN_WORDS.__getitem__)
        if not st.button("Keep the split", icon=":material/save:"):
            return
        try:
            made = ready_split(brought, name=name, task=task)
            workspace.save(made, name)
        except NameTakenError as error:
            st.error(plain(f"{error.args[0]}."), icon=":material/error:")  # nothing is replaced here
            return
        except RecLensError as error:
            st.error(plain(said_on_page(error)), icon=":material/error:")
            return
        st.success(
            f"Kept as {plain(name)}: {whole(made.train.interactions.height)} interactions to learn from, "
            f"{whole(made.test.height)} held out. `reclens fit ease --split {plain(name)}` fits a model on it.",
            icon=":material/check:",
        )
        for rule in made.card.get("rules", ()):
            st.text(f"• {rule_line(rule)}")
        for note in made.card.get("notes", ()):
            st.text(f"• {note_line(note)}")


def _evaluate(brought: Uploads, work: Callable[[Progress], tuple[Evaluation, Recommendations | None]]) -> None:
    for name in ("brought", "brought-lists", "kept"):
        st.session_state.pop(name, None)
    with st.status("Evaluating …", expanded=True) as status:
        bar = st.progress(0.0)

        def say(what: str, done: int, total: int, /) -> None:
            status.update(label=plain(what))
            bar.progress(min(done, total) / total if total else 0.0)

        try:
            st.session_state["brought"], st.session_state["brought-lists"] = work(say)
        except RecLensError as error:
            # Redraw, so that the message appears beside the file above.
            st.session_state["fault"] = fault_of(error, brought.tables)
            st.rerun()
        bar.empty()
        status.update(label="Evaluated", state="complete", expanded=False)


def _result(workspace: Workspace) -> None:
    result: Evaluation | None = st.session_state.get("brought")
    if result is None:
        return
    st.subheader("Result")
    table(tables.leaderboard({result.system: result}), key="brought")
    loud = id_problems(result.card, field_of, PAGE_TEXTS)
    for line in oddities(result.card, field_of, PAGE_TEXTS):
        if line in loud:
            st.warning(plain(line), icon=":material/warning:")
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
            lists = st.session_state.get("brought-lists")
            st.session_state["kept"] = keep(workspace, result, name, lists=lists, replace=replace)
        except RecLensError as error:
            st.error(plain(error.said(_as_field)), icon=":material/error:")
            return
        st.rerun()


def _as_field(setting: Setting) -> str:
    """Return the field for a setting beside the name of the kept artefact."""
    return "“Replace one of that name”" if setting == Setting("overwrite", True) else in_python(setting)


def _is_kept(workspace: Workspace, kept: Upload) -> None:
    before = "" if kept.before is None else " The one before it lies in the trash."
    st.success(f"Kept as {plain(kept.name)}.{before}", icon=":material/check:")
    group = next((each for each in store.groups(workspace) if kept.name in each.names), None)
    others = [] if group is None else [name for name in group.names if name != kept.name]
    _say_alone(workspace, kept, others)
    left, middle, right = st.columns(3)
    with left:
        link = urlencode({"runs": [kept.name, *others[: store.MOST - 1]]}, doseq=True)
        st.link_button("Open in Diagnostics", f"diagnostics?{link}", icon=":material/monitoring:")
    with middle:
        if others:
            link = urlencode({"system": kept.name, "baseline": store.popular_of(workspace, others)})
            label = f"Compare with {len(others)} that were measured alike"
            st.link_button(plain(label), f"compare?{link}", icon=":material/compare_arrows:")
    with right:
        if st.button("Undo", icon=":material/undo:"):
            undo_upload(workspace, kept)
            del st.session_state["kept"]
            st.rerun()


def _say_alone(workspace: Workspace, kept: Upload, others: Sequence[str]) -> None:
    """Show why the kept evaluation cannot be compared with existing evaluations of its split."""
    against = st.session_state.get("against")
    if others or against not in store.names(workspace, "split"):
        return
    group = runs_on(store.listing(workspace, "evaluation"), store.load(workspace, "split", against))
    own = store.load(workspace, "evaluation", kept.name).card
    if group is not None and kept.name not in group.names:
        why = "; ".join(not_alike({kept.name: own, group.names[0]: group.card}))
        st.warning(f"It stands apart, because it was not measured alike: {plain(why)}.", icon=":material/warning:")


PAGE = Page(title="Upload", icon=":material/upload:", section="Data", order=50, show=show, path="upload")
