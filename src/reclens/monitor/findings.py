"""The findings of a day: its unresolved incidents, as the record that all rooms share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reclens.findings import Finding, Severity
from reclens.monitor.records import Incident, stands

__all__ = ["health_findings"]

_ORDER: Final[tuple[Severity, ...]] = ("critical", "warning", "note")


def health_findings(system: str, incidents: Sequence[Incident]) -> list[Finding]:
    """A finding for each unresolved incident, the most severe first, then the newest.

    Args:
        system: Name of the watched system.
        incidents: Its incidents; resolved and withdrawn ones are left out.

    Returns:
        Findings of the kind ``"incident"``; the code is the kind of the incident: ``"level"``, ``"drift"``, ``"slo"``
        or ``"gate"``. The first row of the evidence is the incident with its effect, which has no interval of its own;
        the others are the parts of the change. The examples are the series that moved with it.
    """
    still = [each for each in incidents if each.status != "resolved" and stands(each)]
    ordered = sorted(still, key=lambda each: (_ORDER.index(each.severity), -each.first_day.toordinal(), each.id))
    return [_finding(system, each) for each in ordered]


def _finding(system: str, incident: Incident) -> Finding:
    row = {
        "incident": incident.id,
        **incident.root._asdict(),
        "direction": incident.direction,
        "effect": incident.effect,
        "expected": incident.facts.get("expected"),
        "traffic": incident.traffic,
        "first_day": incident.first_day,
        "last_day": incident.last_day,
        "days": incident.days,
        "status": incident.status,
        "owner": incident.owner,
        "runbook": incident.runbook,
    }
    return Finding(
        severity=incident.severity,
        kind="incident",
        code=incident.kind,
        about=(system,),
        evidence=(row, *incident.contributions),
        examples=tuple(each._asdict() for each in incident.symptoms),
        suspects=incident.suspects,
    )
