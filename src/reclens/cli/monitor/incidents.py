"""``reclens monitor incidents``: what is open, who looks after it, and what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.monitor.places import DAY, ByOption, ProjectOption, opened, person
from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from reclens.monitor.records import Incident

__all__ = ["ack", "list_", "resolve", "show", "snooze"]

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The incident, as listed.")]
NoteOption = Annotated[str, typer.Option("--note", help="What was found or done; it stands in the audit trail.")]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """Options of an entry in the audit trail of an incident: monitor, author and note."""

    by: ByOption = None
    note: NoteOption = ""
    project: ProjectOption = None
    workspace: WorkspaceOption = Path("workspace")
    quiet: QuietOption = False


_ENTRY: Final = _Entry()


@command("monitor incidents list")
def list_(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option("--status", help="Only those: open, acknowledged or resolved.")] = None,
    project: ProjectOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """List incidents, those that are open first.

    Example:
      reclens monitor incidents list --status open
    """
    from typing import get_args

    from reclens.errors import UnknownNameError
    from reclens.job.monitor_inputs import store_of
    from reclens.monitor.records import IncidentStatus
    from reclens.report.monitor.tables import incident_table

    if status is not None and status not in get_args(IncidentStatus):
        raise UnknownNameError("status", status, get_args(IncidentStatus))
    output.emit(incident_table(store_of(opened(project, workspace, ctx)).list(status=status)))


@command("monitor incidents show")
def show(
    ctx: typer.Context,
    id: IdArgument,
    project: ProjectOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    output: Output = OUTPUT,
) -> None:
    """Show an incident: what moved, why, and the audit trail of who did what.

    Example:
      reclens monitor incidents show 0edea9b1
    """
    from reclens.job.monitor_inputs import store_of
    from reclens.report.monitor.sentences import incident_sentence, next_sentence, status_sentence, why_sentences
    from reclens.report.monitor.tables import trail_table

    found = store_of(opened(project, workspace, ctx)).show(id)
    output.emit(trail_table(found))
    for line in (incident_sentence(found), *why_sentences(found), next_sentence(found), status_sentence(found)):
        output.say(line)


@command("monitor incidents ack")
def ack(
    ctx: typer.Context,
    id: IdArgument,
    entry: _Entry = _ENTRY,
) -> None:
    """Acknowledge an incident: somebody looks after it.

    Example:
      reclens monitor incidents ack 0edea9b1 --note "rolled back"
    """
    from reclens.job.monitor_inputs import store_of

    found = store_of(opened(entry.project, entry.workspace, ctx)).acknowledge(id, by=person(entry.by), note=entry.note)
    _say(found, quiet=entry.quiet)


@command("monitor incidents resolve")
def resolve(
    ctx: typer.Context,
    id: IdArgument,
    entry: _Entry = _ENTRY,
) -> None:
    """Resolve an incident by hand; without it, calm days do.

    Example:
      reclens monitor incidents resolve 0edea9b1 --note "the feature is back"
    """
    from reclens.job.monitor_inputs import store_of

    found = store_of(opened(entry.project, entry.workspace, ctx)).resolve(id, by=person(entry.by), note=entry.note)
    _say(found, quiet=entry.quiet)


@command("monitor incidents snooze")
def snooze(
    ctx: typer.Context,
    id: IdArgument,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=DAY, help="Last day without notices; a week if omitted.")
    ] = None,
    entry: _Entry = _ENTRY,
) -> None:
    """Send no notices of an incident for some days.

    Example:
      reclens monitor incidents snooze 0edea9b1 --until 2026-03-20
    """
    from reclens.job.monitor_inputs import store_of

    store = store_of(opened(entry.project, entry.workspace, ctx))
    last = store.show(id).last_day + timedelta(days=7) if until is None else until.date()
    _say(store.snooze(id, until=last, by=person(entry.by), note=entry.note), quiet=entry.quiet)


def _say(incident: Incident, *, quiet: bool) -> None:
    from reclens.cli.shared import say
    from reclens.report.monitor.sentences import incident_title, status_sentence

    say(f"{incident_title(incident)}: {status_sentence(incident)}", quiet=quiet)
