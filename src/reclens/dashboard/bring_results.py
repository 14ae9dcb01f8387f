"""Uploaded results: a plan, a table of units, events or counts, the meaning of its columns, and the readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import polars as pl
import streamlit as st

from reclens.dashboard.advice import field_of, said_on_page
from reclens.dashboard.files import open_file
from reclens.dashboard.plan_field import plan_field
from reclens.dashboard.widgets import choose_view, plain
from reclens.data.origin import parquet_is_synthetic
from reclens.data.read.ids import infer_type
from reclens.data.read.raw import Raw
from reclens.errors import RecLensError, Setting
from reclens.experiment.analysis.aggregated import columns_of_counts, read_aggregated
from reclens.experiment.analysis.readout import Readout, read_experiment
from reclens.experiment.planning.plan import Plan
from reclens.workspace import Workspace

__all__ = ["as_field", "bring_results"]

_UNIT, _EVENT, _COUNT = "A row a unit", "A row an event", "A row an arm"
_FORMS: Final[Mapping[str, str]] = {
    _UNIT: "Its arm, and a column for each metric.",
    _EVENT: "Unit, arm, time, and a column for each metric.",
    _COUNT: "n and successes, or n, mean and sd.",
}
_FIELDS: Final = {
    "arm": "“Arm”",
    "day": "“Day of first exposure”",
    "time": "“Time”",
    "two_arms": "“Leave out units in two arms”",
    "unknown_arms": "“Leave out other arms”",
    "duplicates": "“Count each event once”",
    "exposures": "which this page does not take",
    "days": "“Days that have run”",
    "planned_units": "“Units planned”",
    "looks_taken": "“Looks taken”",
    "ids": "“Unit”",
}
_NONE: Final = "– none –"


def as_field(setting: Setting) -> str:
    """Return the page's field for a setting, or the Python argument if it has no field."""
    return _FIELDS.get(setting.name) or field_of(setting)


def bring_results(workspace: Workspace) -> Readout | None:
    """Draw the inputs for a plan and for results.

    Args:
        workspace: Where plans are kept.

    Returns:
        The readout; None if something is missing or wrong, which is then shown beside its field.
    """
    left, right = st.columns(2)
    with left:
        plan = plan_field(workspace)
    with right:
        form = choose_view(tuple(_FORMS), key="rows", label="Rows")
        try:
            raw = open_file("results", "Results", _FORMS[form])
        except RecLensError as error:
            st.error(plain(said_on_page(error)), icon=":material/error:")
            return None
    if plan is None or raw is None:
        st.info("Bring the plan and the results, and what they decide stands here.", icon=":material/upload_file:")
        return None
    columns = _columns(plan, raw, form)
    options = _guards(form, plan)
    if columns is None or options is None:
        return None
    file = st.session_state["file-results"]
    try:
        found = _read(file.file_id, plan.to_toml(), form, columns, options, _plan=plan, _raw=raw)
        return replace(found, synthetic=True) if parquet_is_synthetic(BytesIO(file.getbuffer())) else found
    except RecLensError as error:
        st.error(plain(said_on_page(error, as_field)), icon=":material/error:")
        return None


def _columns(plan: Plan, raw: Raw, form: str) -> dict[str, str | None] | None:
    """Draw the mapping of our columns to theirs (or None); return None if a required column is not chosen."""
    present = raw.frame.columns
    holds = [name for name in present if not set(plan.arms).isdisjoint(raw.frame[name].cast(pl.String).unique())]
    wanted = {
        _UNIT: (plan.unit, "arm", "day", *plan.table_columns),
        _EVENT: (plan.unit, "arm", "time", *plan.table_columns),
        _COUNT: ("arm", "day", *columns_of_counts(plan), *plan.segments),
    }[form]
    names = {"arm": "Arm", "day": "Day of first exposure", "time": "Time", plan.unit: "Unit"}
    start: dict[str, str | None] = {ours: ours if ours in present else None for ours in wanted}
    start["arm"] = holds[0] if holds else "variant" if "variant" in present else None
    if "time" in wanted:
        start["time"] = next((each for each in ("timestamp", "time") if each in present), None)
    if "day" in wanted:
        start["day"] = next((each for each in ("first_day", "day", "date") if each in present), None)
    open_ = any(theirs is None for ours, theirs in start.items() if ours != "day")
    chosen: dict[str, str | None] = {}
    needed = {} if form == _COUNT else _uses(plan)
    with st.expander("What the columns are", icon=":material/tune:", expanded=open_):
        ordered = list(dict.fromkeys(wanted))
        for at in range(0, len(ordered), 3):
            for ours, place in zip(ordered[at : at + 3], st.columns(3), strict=False):
                options = [_NONE, *present]
                theirs = start[ours]
                with place:
                    label, key = names.get(ours, ours), f"column-results-{ours}-{hash((form, *present))}"
                    picked = st.selectbox(label, options, index=0 if theirs is None else options.index(theirs), key=key)
                    if picked == _NONE and ours in needed:
                        said = f"Choose the column of “{ours}”: {needed[ours]} reads it."
                        st.error(plain(said), icon=":material/error:")
                chosen[ours] = None if picked == _NONE else picked
    return None if any(chosen[ours] is None for ours in needed) else chosen


def _uses(plan: Plan) -> dict[str, str]:
    """Return the columns that a table of units or events must have, and what uses them."""
    metrics = {
        column: ", ".join(each.name for each in plan.metrics if column in each.columns) for column in plan.table_columns
    }
    return {column: used or "the plan" for column, used in metrics.items()}


def _guards(form: str, plan: Plan) -> dict[str, Any] | None:
    """Draw how to treat faulty rows and the progress of the experiment; return None if that cannot be read."""
    options: dict[str, Any] = {}
    with st.expander("Faulty rows, and how far it is", icon=":material/shield:"):
        left, middle, right = st.columns(3)
        with left:
            if st.checkbox(
                "Leave out other arms", key="drop-unknown", help="Arms that the plan does not have; counted."
            ):
                options["unknown_arms"] = "drop"
            if form != _COUNT and st.checkbox("Leave out units in two arms", key="drop-two", help="They are counted."):
                options["two_arms"] = "drop"
            if form == _EVENT and st.checkbox(
                "Count each event once", key="drop-twice", help="Equal rows are one event."
            ):
                options["duplicates"] = "drop"
        with middle:
            if days := st.number_input("Days that have run", 0, value=0, key="days-run", help="0: the rows tell."):
                options["days"] = int(days)
        with right:
            if units := st.number_input("Units planned", 0, value=0, key="units-planned", help="0: the plan tells."):
                options["planned_units"] = float(units)
        if plan.sequential is not None and plan.sequential.method == "group":
            looks = _looks_taken()
            if looks is None:
                return None
            options["looks_taken"] = looks
    return options


def _looks_taken() -> tuple[float, ...] | None:
    """Draw the field for earlier looks; return None, with a message, if its value is invalid."""
    text = st.text_input(
        "Looks taken",
        key="looks-taken",
        placeholder="as planned",
        help="Percent of the planned sample at each look before this one, where it was not as planned, such as 25, 60.",
    )
    try:
        return tuple(float(each.strip(" %")) / 100 for each in text.replace(";", ",").split(",") if each.strip())
    except ValueError:
        said = f"Looks taken: there is “{text}”, expected percents of the planned sample, such as 25, 60."
        st.error(plain(said), icon=":material/error:")
        return None


@st.cache_resource(show_spinner="Reading the experiment …", max_entries=8, ttl=900)
def _read(
    file_id: str,
    toml: str,
    form: str,
    columns: dict[str, str | None],
    options: dict[str, Any],
    *,
    _plan: Plan,
    _raw: Raw,
) -> Readout:
    """Return the readout, computed once for each upload and choice."""
    del file_id, toml
    rows = _typed(_raw)
    chosen = {ours: theirs for ours, theirs in columns.items() if theirs is not None}
    arm, day, time = (chosen.pop(name, None) for name in ("arm", "day", "time"))
    if form == _COUNT:
        named = {ours: theirs for ours, theirs in chosen.items() if ours != theirs}
        return read_aggregated(_plan, rows, arm=arm or "variant", day=day, columns=named, **options)
    renamed = rows.rename({theirs: ours for ours, theirs in chosen.items() if theirs != ours}, strict=False)
    ids = _plan.unit in chosen
    return read_experiment(
        _plan,
        renamed,
        arm=arm or "variant",
        day=None if form == _EVENT else day,
        events=form == _EVENT,
        ids=ids or form == _EVENT,
        time=time or "timestamp",
        **options,
    )


def _typed(raw: Raw) -> pl.DataFrame:
    """Return the rows with text parsed as numbers and dates where possible."""
    if not raw.text:
        return raw.frame
    return raw.frame.with_columns(infer_type(each, raw.decimal) for each in raw.frame)
