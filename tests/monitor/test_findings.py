"""Incidents as findings: the unresolved ones, the gravest first."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from reclens.monitor.findings import health_findings
from reclens.monitor.health import Health
from reclens.report.monitor.sentences import finding_sentence, incident_sentence


def test_unresolved_incidents_are_findings(watched: ModuleType) -> None:
    last: Health = watched.days()[-1]
    (found,) = last.findings
    drop = watched.drop()
    assert (found.kind, found.code, found.severity, found.about) == ("incident", "level", drop.severity, ("shop",))
    first = found.evidence[0]
    assert (first["indicator"], first["dimension"], first["slice"]) == ("ctr", "surface", "home")
    assert first["incident"] == drop.id and first["effect"] == drop.effect and found.suspects == drop.suspects
    assert found.evidence[1:] == drop.contributions and len(found.examples) == len(drop.symptoms)
    assert finding_sentence(last.incidents, found).startswith(incident_sentence(drop))
    alone = replace(drop, suspects=())
    assert finding_sentence([alone], health_findings("shop", [alone])[0]) == incident_sentence(drop)


def test_resolved_and_withdrawn_ones_are_none_and_the_gravest_comes_first(watched: ModuleType) -> None:
    drop, gate = watched.drop(), replace(watched.of_gate(), status="open", trail=())
    mild = replace(drop, id="mild", severity="note")
    withdrawn = replace(drop, id="gone", trail=(watched.event("withdrawn", None),))
    found = health_findings("shop", [mild, watched.resolved(), withdrawn, replace(drop, severity="warning"), gate])
    assert [each.severity for each in found] == ["critical", "warning", "note"]
    assert [each.evidence[0]["incident"] for each in found] == [gate.id, drop.id, "mild"]
