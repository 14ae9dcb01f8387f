"""Home shows the findings of every room: diagnosis, audit, exploration and monitor."""

from __future__ import annotations

import html
from types import ModuleType
from typing import Any

import pytest

from reclens.audit import AuditSettings
from reclens.audit import run as audit
from reclens.monitor.health import health_name
from reclens.report.audit.sentences import finding_sentence as audit_finding
from reclens.report.audit.sentences import overall_sentence
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.monitor.sentences import day_sentence
from reclens.report.monitor.sentences import finding_sentence as incident_finding
from reclens.workspace import Workspace


def words(app: Any) -> str:
    pieces = [each.proto.body for each in app.get("html")]
    shown = [str(each.value) for each in (*app.markdown, *app.subheader, *app.warning)]
    return html.unescape("\n".join([*pieces, *shown]).replace("\\", ""))


@pytest.fixture(scope="module")
def place(workspace: Workspace, watched: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run, an audit of it, and the last days of a watched shop; explorations are on Home by their own test."""
    made = Workspace(tmp_path_factory.mktemp("home"))
    for name in ("small-popular", "small-ease"):
        made.save(workspace.load("evaluation", name), name)
    split, lists = workspace.load("split", "small"), workspace.load("run", "small-popular")
    settings = AuditSettings(by=["gender"], attributes=["popularity"], replicates=200, minimum=10)
    made.save(audit(lists, split.test, train=split.train, settings=settings, name="popular"), "mine")
    for day in watched.days()[-2:]:
        made.save(day, health_name(day.system, day.day))
    return made


def test_findings_of_every_room_are_on_home(open_page: Any, place: Workspace, watched: ModuleType) -> None:
    shown = words(open_page("home", folder=place.folder))
    runs = {name: place.load("evaluation", name) for name in ("small-popular", "small-ease")}
    noted = findings(runs)
    assert noted and all(finding_text(each).rstrip(".") in shown for each in noted[:3])
    held = place.load("audit", "mine")
    grave = [audit_finding(held, each) for each in held.findings if each.severity != "note"]
    assert overall_sentence(held) in shown and grave and all(each in shown for each in grave[:3])
    last = watched.days()[-1]
    assert last.findings and day_sentence(last) in shown
    assert all(incident_finding(last.incidents, each) in shown for each in last.findings)


def test_a_fault_in_one_leaves_the_others(open_page: Any, place: Workspace, watched: ModuleType) -> None:
    folder = place.save(place.load("audit", "mine"), "newer")
    (folder / "audit.json").write_bytes(b"cut off")
    try:
        shown = words(open_page("home", folder=place.folder))
    finally:
        place.remove("audit", "newer")
    assert "Left out" in shown and day_sentence(watched.days()[-1]) in shown
