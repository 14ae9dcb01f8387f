"""What needs attention on Home besides the newest runs: the newest audit, exploration and watched day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from reclens.audit import Audit
from reclens.dashboard import seen, store
from reclens.dashboard.cards import more
from reclens.dashboard.health_views import watched
from reclens.dashboard.isolated_parts import readable
from reclens.dashboard.links import lead
from reclens.dashboard.widgets import bullets, plain
from reclens.explore.result import Exploration
from reclens.findings import Finding
from reclens.monitor.findings import health_findings
from reclens.report._toolkit.format import whole
from reclens.report.audit import sentences as audit_sentences
from reclens.report.explore.map_page import titles_by_id
from reclens.report.explore.sentences import NO_TITLES, finding_sentence, overall_sentence
from reclens.report.monitor import sentences as monitor_sentences
from reclens.workspace import Artefact, Workspace

__all__ = ["audited", "explored", "monitored"]

_OPEN: Final = 3
"""Findings that stand open; the others are folded away."""


def audited(workspace: Workspace, found: Sequence[Artefact]) -> None:
    """Draw the findings of the newest audit that need attention."""
    for name in readable(workspace, "audit", _newest(found, "audit")):
        audit: Audit = store.load(workspace, "audit", name)
        said = [audit_sentences.finding_sentence(audit, each) for each in _grave(audit.findings)]
        choices = {"audit": name}
        _draw("Audited", audit_sentences.overall_sentence(audit), said, ("See the audit", "audit", choices))


def explored(workspace: Workspace, found: Sequence[Artefact]) -> None:
    """Draw the findings of the newest exploration that need attention."""
    for name in readable(workspace, "exploration", _newest(found, "exploration")):
        made: Exploration = store.load(workspace, "exploration", name)
        spaces = [name for name in store.names(workspace, "space") if name == made.card["space"]]
        kept = next(iter(readable(workspace, "space", spaces)), None)
        titles = NO_TITLES if kept is None else titles_by_id(store.load(workspace, "space", kept))
        said = [finding_sentence(made, each, titles) for each in _grave(made.findings)]
        _draw("Explored", overall_sentence(made), said, ("See them on the map", "explore", {"space": kept}))


def monitored(workspace: Workspace, found: Sequence[Artefact]) -> None:
    """Draw the unresolved incidents of the system that was watched last, on its newest day."""
    days = [each for each in found if each.kind == "health" and each.card]
    if not days:
        return
    system = str(days[0].card["system"])
    day = max(str(each.card["day"]) for each in days if each.card["system"] == system)
    known = watched(workspace, system, day)
    grave = _grave(health_findings(system, known.still))
    said = [monitor_sentences.finding_sentence(known.still, each) for each in grave]
    link = "See the incidents", "health", {"system": system, "day": day, "part": "Incidents"}
    _draw("Watched", monitor_sentences.day_sentence(known.today), said, link)


def _newest(found: Sequence[Artefact], kind: str) -> list[str]:
    return [each.name for each in found if each.kind == kind][:1]


def _grave(findings: Sequence[Finding]) -> list[Finding]:
    return [each for each in findings if each.severity != "note"]


def _draw(title: str, overall: str, said: Sequence[str], link: tuple[str, str, Mapping[str, Any]]) -> None:
    label, path, query = link
    seen.text(f"findings-{path}", [overall, *said])
    st.subheader(title)
    st.markdown(f"**{plain(overall)}**")
    bullets(said[:_OPEN])
    more(said[_OPEN:], label=f"{whole(len(said) - _OPEN)} more findings", key=path)
    lead(label, path, query, icon=_ICONS[path], key=path)


_ICONS: Final = {"audit": ":material/balance:", "explore": ":material/map:", "health": ":material/monitor_heart:"}
