"""Notices in words: a title of one line, and a text that says what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from reclens.monitor.records import GateResult, Incident, Notice, NoticeCode
from reclens.report._toolkit.format import count_of, sentence
from reclens.report.monitor.sentences import (
    gate_sentence,
    gate_title,
    incident_sentence,
    incident_title,
    next_sentence,
    suspects_text,
    why_sentences,
)
from reclens.report.monitor.values import day_text, days_text, interval_text, series_text, value_text
from reclens.report.monitor.words import INCIDENT_STATES, SEVERITIES

__all__ = ["NoticeWords", "notice_words"]


class NoticeWords(NamedTuple):
    """A notice as it is sent: plain text, and short facts beside it, label -> value."""

    title: str
    text: str
    facts: Mapping[str, str] = {}


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
    facts = {} if incident is None else _facts(notice, incident)
    return NoticeWords(f"{system}: {title}", "\n".join(line for line in lines if line), facts)


def _facts(notice: Notice, incident: Incident) -> dict[str, str]:
    """The number, its usual band, suspects, whom it concerns and where it stands what to do."""
    name, told = incident.root.indicator, incident.facts
    value, low, high = (told.get(each) for each in ("value", "low", "high"))
    ended = notice.code in ("resolved", "gate_passed")
    found = {
        "Status": f"resolved, {day_text(notice.day)}" if ended else INCIDENT_STATES[incident.status],
        "Days": days_text(incident.first_day, incident.last_day),
    }
    if value is not None:
        found[series_text(incident.root)] = value_text(name, value)
    if low is not None and high is not None:
        found["Usual"] = interval_text(name, low, high)
    if incident.suspects and not ended:
        found["First suspects"] = suspects_text(incident)
    if incident.owner:
        found["Owner"] = incident.owner
    if incident.runbook:
        found["Runbook"] = incident.runbook
    return found


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
    title = gate_title("failed" if gate is None else gate.state, notice.day, notice.day)
    return f"{title[0].lower()}{title[1:]}", [*said, quiet, "" if incident is None else next_sentence(incident)]


def _gate_passed(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    return f"data of {day_text(notice.day)} are whole again", []


def _not_run(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    last = notice.facts.get("last_day")
    seen = f"The last day that was run is {day_text(_day(last))}." if last else "No day before it was run."
    return f"the monitor has not run for {day_text(notice.day)}", [seen, "See to whatever starts it every morning."]


def _failed(notice: Notice, incident: Incident | None, gate: GateResult | None) -> _Made:
    del incident, gate
    title = f"step {notice.facts['step']} of {day_text(notice.day)} failed"
    numbers = "The day was run before it failed" if notice.facts["ran"] else "The day has no numbers yet"
    log = notice.facts.get("log")
    return title, [f"{numbers}: see to the log of the step, and start it again.", f"Log: {log}" if log else ""]


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
    "failed": _failed,
    "weekly": _weekly,
}
