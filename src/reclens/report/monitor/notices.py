"""Notices in words: a title of one line, and a text that says what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from reclens.monitor.records import GateResult, Incident, Notice, NoticeCode
from reclens.report._toolkit.format import count_of, sentence
from reclens.report.monitor.sentences import (
    gate_sentence,
    incident_sentence,
    incident_title,
    next_sentence,
    why_sentences,
)
from reclens.report.monitor.values import day_text
from reclens.report.monitor.words import SEVERITIES

__all__ = ["NoticeWords", "notice_words"]


class NoticeWords(NamedTuple):
    """A notice as it is sent: plain text."""

    title: str
    text: str


def notice_words(
    notice: Notice, *, system: str, incident: Incident | None = None, gate: GateResult | None = None
) -> NoticeWords:
    """Put a notice into words.

    Args:
        notice: The notice.
        system: Name of the system that is watched.
        incident: The incident that it is about, if it is about one.
        gate: The data gate of the day, if it is about that.
    """
    title, lines = _WORDS[notice.code](notice, incident, gate)
    return NoticeWords(f"{system}: {title}", "\n".join(line for line in lines if line))


_Made = tuple[str, list[str]]


def _opened(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del gate
    if incident is None:
        return f"{SEVERITIES[notice.severity]}, {day_text(notice.day)}", []
    title = f"{SEVERITIES[incident.severity]}: {incident_title(incident)}"
    return title, [incident_sentence(incident), *why_sentences(incident), next_sentence(incident), _known_as(incident)]


def _worse(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    title, lines = _opened(notice, incident, gate)
    return f"worse, {title}", lines


def _resolved(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del gate
    if incident is None:
        return f"resolved, {day_text(notice.day)}", []
    days = count_of(incident.days, "day")
    return f"resolved: {incident_title(incident)}", [f"It was seen on {days}.", _known_as(incident)]


def _gate_failed(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    said = [gate_sentence(gate)] if gate is not None else []
    quiet = (
        "Numbers of that day are not judged: they say nothing of the recommender. Run the day again when it is whole."
    )
    return f"data of {day_text(notice.day)} failed", [*said, quiet, "" if incident is None else next_sentence(incident)]


def _gate_passed(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    return f"data of {day_text(notice.day)} are whole again", []


def _not_run(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    last = notice.facts.get("last_day")
    seen = f"The last day that was run is {day_text(_day(last))}." if last else "No day was ever run."
    return f"the monitor has not run for {day_text(notice.day)}", [seen, "See to whatever starts it every morning."]


def _weekly(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    said = [str(each) for each in notice.facts.get("said", ())]
    where = notice.facts.get("report")
    headline = str(notice.facts.get("headline") or f"the week to {day_text(notice.day)}")
    return f"week to {day_text(notice.day)}: {headline}", [*said, f"Report: {where}" if where else ""]


def _known_as(incident: Incident) -> str:
    return sentence(f"incident {incident.id}.")


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


_WORDS: Final[Mapping[NoticeCode, Callable[[Notice, Incident | None, GateResult | None], _Made]]] = {
    "opened": _opened,
    "worse": _worse,
    "resolved": _resolved,
    "gate_failed": _gate_failed,
    "gate_passed": _gate_passed,
    "not_run": _not_run,
    "weekly": _weekly,
}
