"""Aggregated counts of an experiment, brought with its plan and read: the decision, the effects, what is not known."""

from __future__ import annotations

import tomllib
from typing import Any, Final

import streamlit as st

from reclens.dashboard.files import open_file
from reclens.dashboard.uploads import in_words_of_the_page
from reclens.dashboard.widgets import plain, table
from reclens.data.read.ids import infer_type
from reclens.data.read.raw import Raw
from reclens.errors import DataError, RecLensError, Setting, in_python
from reclens.experiment.analysis.aggregated import columns_of_counts, read_aggregated
from reclens.experiment.analysis.readout import Readout
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.report.experiment.decision_words import summary_of_readout
from reclens.report.experiment.readout import build_readout
from reclens.report.experiment.readout_tables import check_table, effect_table, unknown_table

__all__ = ["as_field", "read_counts"]

_FIELDS: Final = {"arm": "“Column of the arm”", "day": "“Column of the day”"}
_NONE = "– none –"
_AS_NAMED = "– as it is called –"


def as_field(setting: Setting) -> str:
    """A setting as the field of the page; one that has no field as the argument of ``read_aggregated``."""
    return _FIELDS.get(setting.name) or f"{in_python(setting)} (in Python)"


def read_counts() -> None:
    """Draw the place of a plan and of counts, and the readout where both are there."""
    left, right = st.columns(2)
    try:
        with left:
            plan = _plan()
        with right:
            raw = open_file("counts", "Counts of the arms", "A row an arm: n and successes, or n, mean and sd.")
        if plan is None or raw is None:
            st.info("Bring the plan and the counts.", icon=":material/upload_file:")
            return
        found = read_aggregated(plan, _typed(raw), **_columns(plan, raw))
    except RecLensError as error:
        st.error(plain(in_words_of_the_page(error.said(as_field))), icon=":material/error:")
        return
    _answer(found)


def _plan() -> Plan | None:
    brought = st.file_uploader("Plan", ["toml"], key="file-plan", help="As `reclens experiment plan` writes it.")
    if brought is None:
        st.caption("The plan of the experiment, as TOML: its arms, metrics and rule.")
        return None
    try:
        return load_plan(tomllib.loads(brought.getvalue().decode("utf-8-sig")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"it is no TOML: {error}", source=brought.name) from None


def _typed(raw: Raw) -> Any:
    """The rows, with numbers for text that holds numbers."""
    return raw.frame.with_columns(infer_type(each, raw.decimal) for each in raw.frame) if raw.text else raw.frame


def _columns(plan: Plan, raw: Raw) -> dict[str, Any]:
    """Draw which column is what, and say what was chosen."""
    present = raw.frame.columns
    holds = [name for name in present if set(plan.arms) <= set(raw.frame[name].cast(str).drop_nulls().unique())]
    one, two = st.columns(2)
    with one:
        start = present.index(holds[0]) if holds else 0
        arm = st.selectbox("Column of the arm", present, index=start, key="counts-arm")
    with two:
        day = st.selectbox("Column of the day", [_NONE, *present], key="counts-day")
    named: dict[str, str] = {}
    with st.expander("What the columns are called", icon=":material/tune:"):
        for ours in columns_of_counts(plan):
            picked = st.selectbox(ours, [_AS_NAMED, *present], key=f"counts-{ours}")
            if picked != _AS_NAMED:
                named[ours] = picked
    return {"arm": arm, "day": None if day == _NONE else day, "columns": named}


def _answer(found: Readout) -> None:
    first, *rest = summary_of_readout(found, as_field)
    shown = st.success if all(each.code == "ship" for each in found.decisions) else st.warning
    shown(plain(first), icon=":material/gavel:")
    for sentence in rest:
        st.text(f"• {sentence}")
    table(effect_table(found), key="effects")
    table(check_table(found, as_field), key="checks")
    table(unknown_table(found), key="unknown")
    st.download_button(
        "Readout as HTML",
        build_readout(found).html.html,
        f"readout-{found.plan.name}.html",
        "text/html",
        key="download-readout",
        icon=":material/download:",
        on_click="ignore",
    )
