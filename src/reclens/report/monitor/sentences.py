"""Sentences on a watched system: the day, its data, its incidents and why they are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from reclens.findings import Finding, Severity
from reclens.monitor.health import JUDGED, Health
from reclens.monitor.records import Annotation, CheckState, DataCheck, GateResult, Incident, IncidentEvent, SeriesKey
from reclens.report._toolkit.format import NOTHING, count_of, format_number, listed, percent, sentence, whole
from reclens.report.monitor.values import (
    change_text,
    day_text,
    days_text,
    series_text,
    slice_text,
    value_text,
)
from reclens.report.monitor.words import (
    ANNOTATIONS,
    CHECK_STATES,
    DIRECTIONS,
    EVENTS,
    GATE_TITLES,
    GATES,
    INCIDENT_STATES,
    LEAST_CHECKS,
    SEVERITIES,
    SHARE_CHECKS,
    check_name,
    suspect_name,
)

__all__ = [
    "annotation_sentence",
    "bound_text",
    "check_sentence",
    "day_sentence",
    "event_sentence",
    "finding_sentence",
    "gate_sentence",
    "gate_title",
    "gravest_first",
    "incident_sentence",
    "incident_title",
    "measured_text",
    "next_sentence",
    "status_sentence",
    "suspects_text",
    "why_sentences",
]

_GRAVEST: dict[Severity, int] = {"critical": 0, "warning": 1, "note": 2}


def gravest_first(incidents: Sequence[Incident]) -> list[Incident]:
    """Incidents by severity, those that are open first, the newest of them first."""
    return sorted(
        incidents, key=lambda each: (each.status == "resolved", _GRAVEST[each.severity], -each.last_day.toordinal())
    )


def day_sentence(day: Health) -> str:
    """How the system is on a day."""
    if day.gate.state != "passed":
        return f"{gate_sentence(day.gate)} {_silenced(day)}".rstrip()
    states = Counter(day.detections["state"].to_list())
    judged = sum(states[each] for each in JUDGED)
    if not judged:
        return _not_judged(day, states)
    moved = states["level"] + states["drift"]
    still = [each for each in day.incidents if each.status != "resolved"]
    if not moved and not still:
        return f"{day.system} is well: all {whole(judged)} series that are judged are in their bands."
    kinds = Counter(each.severity for each in still)
    told = [f"{whole(kinds[each])} {SEVERITIES[each]}" for each in _GRAVEST if kinds[each]]
    incidents = f"{count_of(len(still), 'incident')} not resolved: {', '.join(told)}" if still else "no incident"
    return f"{whole(moved)} of {whole(judged)} series are beyond their bands or drifting; {incidents}."


def _not_judged(day: Health, states: Counter[str]) -> str:
    """Why no series of a day is judged."""
    if states["excluded"]:
        return f"Nothing is judged: the day is a holiday, or an annotation takes {day.system} out."
    if states["noted_incident"]:
        return f"Nothing is judged: an incident elsewhere is noted for {day.system}."
    if states["warming_up"]:
        return f"Nothing is judged yet: {whole(states['warming_up'])} series of {day.system} are warming up."
    return f"Nothing is judged: no series of {day.system} has enough traffic or a value."


def _silenced(day: Health) -> str:
    silenced = day.detections.filter(day.detections["state"] == "silenced").height
    return f"{whole(silenced)} series are therefore not judged." if silenced else ""


def gate_sentence(gate: GateResult) -> str:
    """What the data gate came to, and by which checks."""
    wrong = [each for each in gate.checks if each.state in ("failed", "errored")]
    blocking = [each for each in wrong if each.blocking]
    if gate.state == "not_evaluated":
        return f"{GATES[gate.state]}."
    if gate.state == "passed":
        empty = sum(each.state == "not_evaluated" for each in gate.checks)
        noted = f"; {_of_checks(wrong)}" if wrong else ""
        idle = f"; {count_of(empty, 'check')} had nothing to check" if empty else ""
        return f"{GATES[gate.state]}{noted}{idle}."
    return f"{GATES[gate.state]}: {_of_checks(blocking or wrong)}."


def _of_checks(checks: Sequence[DataCheck]) -> str:
    return listed([_lower(check_sentence(each)) for each in checks], 4)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def check_sentence(check: DataCheck) -> str:
    """What a check saw, and what it asked for, without a full stop."""
    of = f" in {check.column}" if check.column else ""
    if check.code == "columns" and check.state == "failed" and check.column:
        return f"Missing column: {check.column}"
    if check.state not in ("failed", "passed"):
        problem = f", {check.facts['problem']}" if "problem" in check.facts else ""
        return f"{check_name(check.code)}{of}: {CHECK_STATES[check.state]}{problem}"
    if "is" in check.facts:
        was = f", {check.facts['was']} the day before" if "was" in check.facts else ""
        return f"{check_name(check.code)}{of}: {check.facts['is']}{was}"
    seen = "" if check.seen is None else f" {measured_text(check.code, check.seen)}"
    bound = "" if check.bound is None else f", expected {bound_text(check.code, check.bound)}"
    failed = f", {count_of(check.failed_rows, 'row')} of {whole(check.rows)}" if check.failed_rows else ""
    return f"{check_name(check.code)}{of}:{seen or f' {CHECK_STATES[check.state]}'}{bound}{failed}"


def measured_text(code: str, value: float | None) -> str:
    """What a check saw.

    Example:
        >>> measured_text("volume_low", 0.175), measured_text("rows", 3294.0), measured_text("rows", None)
        ('17.5%', '3,294', '–')
    """
    if value is None:
        return NOTHING
    if code in SHARE_CHECKS:
        hundred = round(100 * value, 2)
        return percent(value, 0 if hundred.is_integer() else 1 if (10 * hundred).is_integer() else 2)
    return whole(value) if value.is_integer() else format_number(value)


def bound_text(code: str, value: float | None) -> str:
    """What a check asks for.

    Example:
        >>> bound_text("volume_low", 0.5), bound_text("late", 0.05), bound_text("rows", None)
        ('at least 50%', 'at most 5%', '–')
    """
    if value is None:
        return NOTHING
    return f"at {'least' if code in LEAST_CHECKS else 'most'} {measured_text(code, value)}"


def gate_title(state: CheckState, first: date, last: date) -> str:
    """An incident of the data gate: no data are something else than data that failed.

    Example:
        >>> gate_title("not_evaluated", date(2026, 3, 9), date(2026, 3, 10))
        'No data of 9 to 10 Mar 2026'
    """
    return f"{GATE_TITLES[state][0]} {days_text(first, last)}{GATE_TITLES[state][1]}"


def incident_title(incident: Incident) -> str:
    """An incident in a few words."""
    if incident.kind == "gate":
        return gate_title(incident.facts.get("state", "failed"), incident.first_day, incident.last_day)
    name = series_text(incident.root)
    if incident.kind == "slo":
        return f"{name} misses its objective"
    if incident.kind == "drift":
        return f"{name} drifts {'up' if incident.direction == 'up' else 'down'}"
    return f"{name} is {DIRECTIONS[incident.direction]} its band"


def incident_sentence(incident: Incident) -> str:
    """How grave an incident is, what moved, by how much and since when."""
    if incident.kind == "gate":
        return f"{sentence(SEVERITIES[incident.severity])}: {_lower_name(incident)}."
    since = f"since {day_text(incident.first_day)} ({count_of(incident.days, 'day')})"
    if incident.status == "resolved":
        since = f"{days_text(incident.first_day, incident.last_day)}"
    traffic = f"; {percent(incident.traffic, 0)} of the traffic" if incident.traffic else ""
    return (
        f"{sentence(SEVERITIES[incident.severity])}: {_lower_name(incident)}{_effect(incident)}, {since}{traffic}"
        f"{_symptoms(incident)}."
    )


def finding_sentence(incidents: Sequence[Incident], found: Finding) -> str:
    """A finding of a watched system: the sentence of its incident, and what may have caused it."""
    wanted = found.evidence[0]["incident"]
    incident = next(each for each in incidents if each.id == wanted)
    said = incident_sentence(incident)
    return f"{said} First suspects: {suspects_text(incident)}." if found.suspects else said


def _lower_name(incident: Incident) -> str:
    title = incident_title(incident)
    # A name such as CTR or NDCG keeps its capitals.
    return title if title[1:2].isupper() else _lower(title)


def _effect(incident: Incident) -> str:
    expected = incident.facts.get("expected")
    name = incident.root.indicator
    if incident.effect is None or expected is None:
        return ""
    value = expected + incident.effect
    return (
        f": {value_text(name, value)} where {value_text(name, expected)} was expected ({change_text(value, expected)})"
    )


def _symptoms(incident: Incident) -> str:
    return f"; {whole(len(incident.symptoms))} other series moved with it" if incident.symptoms else ""


def why_sentences(incident: Incident) -> list[str]:
    """Where the change comes from, and what may have caused it."""
    found: list[str] = []
    name = incident.root.indicator
    for row in incident.contributions[:1]:
        where = slice_text(SeriesKey(name, row["dimension"], row["slice"]))
        found.append(
            f"{percent(row['share'], 0)} of the change over all came from {where}: "
            f"{value_text(name, row['rate'], signed=True)} by its own value, "
            f"{value_text(name, row['mix'], signed=True)} by its share of the traffic."
        )
    if incident.symptoms:
        found.append(f"With it moved {listed([series_text(each) for each in incident.symptoms], 5)}.")
    if incident.kind == "gate" and incident.facts.get("checks"):
        checks = [_lower(check_name(each)) for each in dict.fromkeys(incident.facts["checks"])]
        found.append(f"Not passed: {listed(checks, 5)}.")
    if incident.suspects and (incident.kind, *incident.suspects) != ("gate", "data_gate"):
        found.append(f"First suspects: {suspects_text(incident)}.")
    return found


def suspects_text(incident: Incident) -> str:
    """The likeliest causes, with what people wrote of a deploy or an experiment."""
    noted = incident.facts.get("noted", {})
    return listed(
        [
            f"{suspect_name(each)} ({listed(noted[each], 3)})" if each in noted else suspect_name(each)
            for each in incident.suspects[:3]
        ]
    )


def next_sentence(incident: Incident) -> str:
    """Who looks after it, and where it stands what to do."""
    who = f"{incident.owner} looks after it" if incident.owner else "nobody is named to look after it"
    where = f"; what to do: {incident.runbook}" if incident.runbook else ""
    return f"{incident_title(incident)}: {who}{where}."


def status_sentence(incident: Incident) -> str:
    """Where an incident stands, and who said so last."""
    told = INCIDENT_STATES[incident.status]
    people = [each for each in incident.trail if each.code == "acknowledged"]
    by = f" by {people[-1].by}" if people and incident.status == "acknowledged" else ""
    snoozed = "" if incident.snoozed_until is None else f"; no notices until {day_text(incident.snoozed_until)}"
    return f"{sentence(told)}{by}{snoozed}."


def event_sentence(event: IncidentEvent) -> str:
    """A line of the audit trail."""
    day = f" on {day_text(event.day)}" if event.day is not None else ""
    by = "" if event.by == "monitor" else f" by {event.by}"
    note = f": {event.note}" if event.note else ""
    code = EVENTS.get(event.code, event.code)
    return f"{sentence(code)}{day}{by}{note} ({event.at:%Y-%m-%d %H:%M} UTC)"


def annotation_sentence(annotation: Annotation) -> str:
    """What happened, when and to whom."""
    of = ""
    if annotation.dimension is not None and annotation.slice is not None:
        of = f", {slice_text(SeriesKey('', annotation.dimension, annotation.slice))}"
    quiet = "; alerts are suppressed" if annotation.suppress else ""
    days = days_text(annotation.start, annotation.end)
    return f"{ANNOTATIONS[annotation.kind]}, {days}{of}: {annotation.text}{quiet}."
