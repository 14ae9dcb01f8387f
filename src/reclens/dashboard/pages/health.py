"""Health: the current state of a monitored system, its incidents, and the actions taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from reclens.dashboard import health_views, seen, store
from reclens.dashboard.chart_cache import draw
from reclens.dashboard.health_views import Watched
from reclens.dashboard.isolated_parts import drawn_alone
from reclens.dashboard.navigation import Page
from reclens.dashboard.widgets import bullets, chart, choose, choose_view, empty, folded, plain, table
from reclens.monitor.health import JUDGED
from reclens.monitor.records import OVERALL, SeriesKey
from reclens.report.monitor import charts
from reclens.report.monitor.sentences import (
    day_sentence,
    gate_sentence,
    incident_sentence,
    status_sentence,
    why_sentences,
)
from reclens.report.monitor.tables import day_table, slice_table
from reclens.report.monitor.values import day_text, indicator_name, series_text
from reclens.report.monitor.words import dimension_name
from reclens.workspace import Workspace

__all__ = ["PAGE", "show"]


_FIRST: Final = "ctr"
"""The indicator whose slices are shown to begin with, where it is measured."""


def show(workspace: Workspace) -> None:
    """Draw the page."""
    st.title("Health")
    st.caption("How the recommender is every day: its indicators, its data, its incidents, and what was done.")
    kept = [each for each in store.listing(workspace, "health") if each.card]
    if not kept:
        empty(
            "Nothing is watched yet",
            "`reclens monitor init` makes a monitor and `reclens monitor run` does a day; `reclens monitor demo` "
            "shows one of sixty days.",
            ":material/monitor_heart:",
        )
        return
    left, right = st.columns(2)
    systems = list(dict.fromkeys(str(each.card["system"]) for each in kept))
    with left:
        system = choose("System", systems, key="system") or systems[0]
    days = sorted((str(each.card["day"]) for each in kept if each.card["system"] == system), reverse=True)
    with right:
        day = choose("Day", days, key="day") or days[0]
    watched = health_views.watched(workspace, system, day)
    _headline(watched)
    drawn_alone(workspace, lambda: _PARTS[choose_view(tuple(_PARTS), key="part", label="Part")](watched))


def _headline(watched: Watched) -> None:
    """Draw the state of the day as a badge and a sentence."""
    day, still = watched.today, watched.still
    bad = any(each.severity == "critical" for each in still)
    failed = day.gate.state != "passed"
    well = ("Well", "green") if day.detections["state"].is_in(JUDGED).any() else ("Not judged", "gray")
    word, colour = ("Act", "red") if bad else ("Look", "orange") if still or failed or len(day.alerts) else well
    said = day_sentence(day)
    seen.text("headline", [said])
    st.markdown(f":{colour}-badge[{word}] **{plain(said)}**")


def _today(watched: Watched) -> None:
    day = watched.history.last
    still = watched.still
    if still:
        bullets([f"{incident_sentence(each)} {status_sentence(each)}" for each in still[:5]])
    keys = [tuple(key) for key in health_views.overall_keys(day)]
    if not keys:
        empty("No numbers of this day", "Nothing was measured: the part Data says why.", ":material/hide_source:")
        return
    drawn = draw(charts.overview_chart, watched.history, keys=keys)
    chart(drawn, "Every indicator in its band (grey), over up to four weeks; the dot is the day", key="overview")
    folded("All numbers of the day", lambda: table(day_table(day), key="day"), key="day")


def _incidents(watched: Watched) -> None:
    found = watched.incidents
    if not found:
        empty("No incident", "Nothing left its band on the days that are kept here.", ":material/task_alt:")
        return
    first, last = watched.history.days[0].day, watched.history.last.day
    drawn = draw(charts.incidents_chart, found, first=first, last=last)
    chart(drawn, "Incidents over eight weeks; faded: acknowledged or resolved", key="incidents")
    health_views.table_of_incidents(found)
    names = [each.id for each in found]
    chosen = choose("Incident", names, key="incident", format_func=health_views.titles(found)) or names[0]
    incident = found[names.index(chosen)]
    st.markdown(f"**{plain(incident_sentence(incident))}** {plain(status_sentence(incident))}")
    bullets([*why_sentences(incident)] or ["Nothing more is known of it."])
    key = tuple(incident.root)
    drawn = draw(charts.history_chart, watched.history, key=key, annotations=list(watched.annotations))
    chart(drawn, series_text(incident.root), key="root")
    chart(draw(charts.contribution_chart, incident), "What each slice added to the change over all", key="parts")
    health_views.act_on(watched, incident)


def _slices(watched: Watched) -> None:
    day = watched.history.last
    known = health_views.dimensions(day)
    if not known:
        empty("No slices", "`[dimensions]` of `monitor.toml` names what indicators are sliced by.")
        return
    left, right = st.columns(2)
    with left:
        indicators = list(known)
        first = _FIRST if _FIRST in known else indicators[0]
        indicator = choose("Indicator", indicators, key="indicator", default=first, format_func=indicator_name) or first
    with right:
        by = choose("Sliced by", known[indicator], key="by", format_func=dimension_name) or known[indicator][0]
    keys = [(indicator, OVERALL, "all"), *health_views.slices(day, indicator, by)]
    drawn = draw(charts.overview_chart, watched.history, keys=keys)
    chart(drawn, f"{indicator_name(indicator)} by {dimension_name(by)}, each in its band", key="slices")
    names = [key[2] for key in keys]
    one = choose("Slice", names, key="slice") or names[0]
    key = keys[names.index(one)]
    drawn = draw(charts.history_chart, watched.history, key=key, annotations=list(watched.annotations))
    chart(drawn, series_text(SeriesKey(*key)), key="slice")
    table(slice_table(day, indicator, by), key="slice-table")


def _data(watched: Watched) -> None:
    day = watched.history.last
    said = gate_sentence(day.gate)
    seen.text("gate", [said])
    st.markdown(f"**{plain(day_text(day.day))}**: {plain(said)}")
    health_views.tables_of_gate(watched)


_PARTS: Final[Mapping[str, Callable[[Watched], None]]] = {
    "Today": _today,
    "Incidents": _incidents,
    "Slices": _slices,
    "Data": _data,
    "Annotations": health_views.note,
    "Weekly reports": health_views.weekly,
}


PAGE = Page(title="Health", icon=":material/monitor_heart:", section="Watch", order=70, show=show, path="health")
