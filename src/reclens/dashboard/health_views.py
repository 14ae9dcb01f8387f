"""The Health page besides its charts: acknowledging, annotations, the data gate and weekly reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, get_args

import polars as pl
import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.widgets import download, empty, plain, table
from reclens.errors import RecLensError
from reclens.job.monitor_inputs import annotations_of, notes_of, place_of
from reclens.job.monitor_people import Act, act, incidents_of
from reclens.job.monitor_week import last_day_of, weekly_reports
from reclens.monitor.health import ALERTING, JUDGED, Health, History, health_name
from reclens.monitor.project import Project
from reclens.monitor.records import OVERALL, Annotation, AnnotationKind, Incident, stands
from reclens.monitor.week import DAYS, HISTORY
from reclens.report.monitor.sentences import gravest_first, incident_title
from reclens.report.monitor.tables import annotation_table, gate_days_table, gate_table, incident_table, trail_table
from reclens.report.monitor.values import days_text, series_order
from reclens.report.monitor.words import ANNOTATIONS
from reclens.workspace import Workspace

__all__ = [
    "Watched",
    "act_on",
    "dimensions",
    "note",
    "overall_keys",
    "slices",
    "table_of_incidents",
    "tables_of_gate",
    "titles",
    "watched",
    "weekly",
]

_SNOOZE: Final = 7
"""Days that a press on Snooze lasts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Watched:
    """The content of the page.

    Attributes:
        history: The eight weeks up to the chosen day.
        project: Folder of the monitor; None if it is not on this machine, so that nothing can be acknowledged.
        incidents: The incidents of these days in their current state, most severe first.
        annotations: The annotations of these days.
    """

    history: History
    project: Path | None
    incidents: tuple[Incident, ...]
    annotations: tuple[Annotation, ...]

    @property
    def still(self) -> list[Incident]:
        """The unresolved incidents of the day."""
        day = self.history.last.day
        return [each for each in self.incidents if each.status != "resolved" and each.first_day <= day]

    @property
    def today(self) -> Health:
        """The day, with its incidents as they stand now: some may have been resolved since it was run."""
        return replace(self.history.last, incidents=tuple(self.still))


def watched(workspace: Workspace, system: str, day: str) -> Watched:
    """Return a system's history up to a day, with incidents from the monitor if it is on this machine."""
    last = date.fromisoformat(day)
    first = last - timedelta(days=HISTORY * DAYS - 1)
    mine = [each for each in store.listing(workspace, "health") if each.card.get("system") == system]
    names = {health_name(system, last - timedelta(days=at)) for at in range(HISTORY * DAYS)}
    stamps = tuple(sorted((each.name, each.created.isoformat()) for each in mine if each.name in names))
    if any(each.synthetic for each in mine):
        store.show_synthetic(f"health {system}")
    history = _history(str(workspace.folder), stamps)
    project = place_of(history.last.project, workspace)
    incidents, annotations = _known(project, history)
    return Watched(
        history=history,
        project=project,
        incidents=tuple(gravest_first([each for each in incidents if _touches(each, first, last)])),
        annotations=tuple(each for each in annotations if each.start <= last and each.end >= first),
    )


def _touches(incident: Incident, first: date, last: date) -> bool:
    return (
        stands(incident)
        and incident.first_day <= last
        and (incident.last_day >= first or incident.status != "resolved")
    )


def _known(project: Path | None, history: History) -> tuple[Sequence[Incident], Sequence[Annotation]]:
    """Return the current incidents and annotations, or those stored with the days if the monitor is not here."""
    if project is not None:
        with suppress(RecLensError, OSError):
            return incidents_of(project), annotations_of(Project(project))
    incidents = {each.id: each for day in history.days for each in day.incidents}
    annotations = {each.id: each for day in history.days for each in day.annotations}
    return list(incidents.values()), list(annotations.values())


@st.cache_resource(show_spinner="Reading the days …", max_entries=8)
def _history(folder: str, stamps: tuple[tuple[str, str], ...]) -> History:
    place = Workspace(folder)
    return History.of([place.load("health", name) for name, _ in stamps])


def overall_keys(day: Health) -> list[tuple[str, str, str]]:
    """Return the indicators of the whole day."""
    whole = day.detections.filter(pl.col("dimension") == OVERALL)
    keys = whole.select("indicator", "dimension", "slice").iter_rows()
    return sorted(keys, key=lambda key: series_order(key[0]))  # type: ignore[arg-type,return-value]


def dimensions(day: Health) -> dict[str, list[str]]:
    """Return a mapping of indicators to their dimensions: with alerts first, then with most judged slices."""
    found: dict[str, list[str]] = {}
    sliced = (
        day.detections.filter(pl.col("dimension") != OVERALL)
        .group_by("indicator", "dimension", maintain_order=True)
        .agg(alerts=pl.col("state").is_in(ALERTING).any(), judged=pl.col("state").is_in(JUDGED).sum())
        .sort("alerts", "judged", descending=True, maintain_order=True)
    )
    rows = sorted(sliced.select("indicator", "dimension").iter_rows(), key=lambda row: series_order(row[0]))
    for indicator, dimension in rows:
        found.setdefault(indicator, []).append(dimension)
    return found


def slices(day: Health, indicator: str, by: str) -> list[tuple[str, str, str]]:
    """Return the slices of an indicator by descending traffic."""
    mine = day.detections.filter((pl.col("indicator") == indicator) & (pl.col("dimension") == by))
    rows = mine.sort("n", descending=True, maintain_order=True).select("indicator", "dimension", "slice")
    return [tuple(row) for row in rows.iter_rows()]  # type: ignore[misc]


def table_of_incidents(incidents: Sequence[Incident]) -> None:
    """Draw all incidents of these days."""
    table(incident_table(incidents), key="incident-table")


def titles(incidents: Sequence[Incident]) -> Callable[[str], str]:
    """Return a function that maps incident ids to titles."""
    known = {each.id: f"{incident_title(each)} · {each.first_day}" for each in incidents}
    return lambda each: known.get(each, each)


def act_on(watched: Watched, incident: Incident) -> None:
    """Draw the form to acknowledge, snooze or resolve an incident with a comment, then its trail."""
    if watched.project is None:
        st.caption("The monitor is not on this machine: incidents are acknowledged where it runs.")
    elif incident.status != "resolved":
        _form(watched.project, incident)
    table(trail_table(incident), key="trail")


def _form(project: Path, incident: Incident) -> None:
    with st.form(f"act-{incident.id}", border=True):
        left, right = st.columns([1, 2])
        with left:
            who = st.text_input("Your name", value=_reader(), key=f"by-{incident.id}", max_chars=80)
        with right:
            note = st.text_input("Note", key=f"note-{incident.id}", max_chars=500, placeholder="what you found or did")
        with st.container(horizontal=True, gap="small"):
            taken = st.form_submit_button(
                "Acknowledge", type="primary", icon=":material/visibility:", disabled=incident.status != "open"
            )
            snoozed = st.form_submit_button(f"Snooze for {_SNOOZE} days", icon=":material/snooze:")
            resolved = st.form_submit_button("Resolve", icon=":material/task_alt:")
    what: Act | None = "acknowledge" if taken else "snooze" if snoozed else "resolve" if resolved else None
    if what is None:
        return
    if not who.strip():
        st.warning("Say who you are: it stands in the audit trail.", icon=":material/person:")
        return
    until = date.today() + timedelta(days=_SNOOZE) if what == "snooze" else None
    act(project, incident.id, what, by=who.strip(), note=note.strip(), until=until)
    st.rerun()


def _reader() -> str:
    """Return the name of the logged-in reader; empty without a login."""
    with suppress(Exception):
        return str(st.user.get("email") or "")
    return ""


def tables_of_gate(watched: Watched) -> None:
    """Draw the checks of the day, then a table with one row per day."""
    table(gate_table(watched.history.last.gate), key="gate")
    days = watched.history.days
    ran = {each.day for each in days}
    between = (days[0].day + timedelta(days=at) for at in range((days[-1].day - days[0].day).days))
    missing = [each for each in between if each not in ran]
    table(gate_days_table([each.gate for each in days], missing=missing, newest_first=True), key="gate-days")


def note(watched: Watched) -> None:
    """Draw the annotations and a form to add one."""
    if watched.annotations:
        table(annotation_table(watched.annotations), key="annotations")
    else:
        empty(
            "No annotation", "A deploy, an experiment or a holiday that is noted explains days, or suppresses alerts."
        )
    if watched.project is None:
        st.caption("The monitor is not on this machine: annotations are written where it runs.")
        return
    last = watched.history.last.day
    with st.form("annotate", border=True, clear_on_submit=True):
        kinds = list(get_args(AnnotationKind))
        left, middle, right = st.columns(3)
        with left:
            kind = st.selectbox("What", kinds, format_func=lambda each: ANNOTATIONS[each], key="annotation-kind")
        with middle:
            days: Any = st.date_input("Days", (last, last), key="annotation-days")
        with right:
            who = st.text_input("Your name", value=_reader(), key="annotation-by", max_chars=80)
        text = st.text_input("What happened", key="annotation-text", max_chars=500)
        suppress_alerts = st.checkbox("Suppress alerts on these days", key="annotation-suppress")
        pressed = st.form_submit_button("Note it", type="primary", icon=":material/edit_note:")
    if not pressed:
        return
    if kind is None or not (who.strip() and text.strip() and len(days) == 2):
        st.warning("Say what happened, on which days, and who you are.", icon=":material/edit_note:")
        return
    book = notes_of(Project(watched.project))
    book.add(kind, days[0], text.strip(), by=who.strip(), end=days[1], suppress=suppress_alerts)
    st.rerun()


def weekly(watched: Watched) -> None:
    """Draw the weekly reports, newest first."""
    found = [] if watched.project is None else weekly_reports(Project(watched.project))
    if not found:
        empty(
            "No weekly report yet",
            "The run of the last day of a week writes one; `reclens monitor report --week` writes one now.",
            ":material/article:",
        )
        return
    for at, page in enumerate(found[:26]):
        with st.container(border=True, horizontal=True, gap="small", vertical_alignment="center"):
            last = last_day_of(page)
            st.markdown(f"**{plain(days_text(last - timedelta(days=DAYS - 1), last))}**")
            download("HTML", page.read_text, page.name, "text/html", key=f"weekly-{at}", quiet=True)
            text = page.with_suffix(".md")
            if text.is_file():
                download("Markdown", text.read_text, text.name, "text/markdown", key=f"weekly-md-{at}", quiet=True)
