"""What people do to a monitor: look after incidents and note what happened, from the command line or a page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from reclens.errors import ArgumentValueError
from reclens.job.monitor_inputs import store_of
from reclens.monitor.project import Project
from reclens.monitor.records import Incident, IncidentStatus

__all__ = ["Act", "act", "incidents_of"]

Act = Literal["acknowledge", "resolve", "snooze"]


def incidents_of(project: Project | str | Path, *, status: IncidentStatus | None = None) -> list[Incident]:
    """The incidents of a monitor as they stand now.

    Args:
        project: The monitor, or its folder.
        status: Those of this status; all by default.

    Raises:
        WorkspaceError: If there is no monitor, or its incidents cannot be read.
    """
    return list(store_of(_opened(project)).list(status=status))


def act(
    project: Project | str | Path, incident: str, what: Act, *, by: str, note: str = "", until: date | None = None
) -> Incident:
    """Look after an incident.

    Args:
        project: The monitor, or its folder.
        incident: Its id.
        what: What is done.
        by: Who does it.
        note: What they say.
        until: Last day without notices, to snooze.

    Raises:
        UnknownNameError: If there is no such incident.
        UsageError: If it is resolved, or no last day is given to snooze it.
    """
    store = store_of(_opened(project))
    if what == "acknowledge":
        return store.acknowledge(incident, by=by, note=note)
    if what == "resolve":
        return store.resolve(incident, by=by, note=note)
    if until is None:
        raise ArgumentValueError("until", "is missing: say the last day without notices")
    return store.snooze(incident, until=until, by=by, note=note)


def _opened(project: Project | str | Path) -> Project:
    return project if isinstance(project, Project) else Project(project)
