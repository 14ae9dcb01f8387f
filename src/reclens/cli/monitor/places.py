"""Shared options of the monitor commands: the folder, the day and the author."""

from __future__ import annotations

import getpass
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reclens.monitor.project import Project

__all__ = ["ByOption", "FromOption", "ProjectOption", "ToOption", "WaitOption", "day_of", "opened", "person"]

DAY = ["%Y-%m-%d"]
"""How days are written."""

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", "-p", help="Folder of the monitor; by default, the folder monitor of the workspace."),
]
FromOption = Annotated[datetime, typer.Option("--from", formats=DAY, help="First day, such as 2026-01-05.")]
ToOption = Annotated[datetime, typer.Option("--to", formats=DAY, help="Last day.")]
WaitOption = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for another run to end.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who does it; by default, the user of this machine.")]


def opened(project: Path | None, workspace: Path, ctx: typer.Context | None = None) -> Project:
    """Open the monitor of a folder or of a workspace.

    Args:
        project: Its folder.
        workspace: Its workspace if no folder is named.
        ctx: Context of a command that uses the workspace for nothing else; None if it stores days there.

    Raises:
        WorkspaceError: If there is no monitor.
        UsageError: If the given workspace would not be used.
    """
    from reclens.cli.unused_options import refuse_unused
    from reclens.job.monitor_inputs import project_folder
    from reclens.monitor.project import Project

    if project is not None and ctx is not None:
        refuse_unused(ctx, "beside --project", "workspace")
    return Project(project_folder(project, workspace))


def day_of(given: datetime | None, project: Project) -> date:
    """Return the given day, or by default yesterday in the time zone of the log."""
    from reclens.job.monitor_check import yesterday

    return yesterday(project) if given is None else given.date()


def person(by: str | None) -> str:
    """Return the author of an action, by default the login name.

    Raises:
        UsageError: If no name is given and the system does not report one.
    """
    from reclens.errors import UsageError

    if by is not None and by.strip():
        return by.strip()
    with suppress(OSError, KeyError):
        return getpass.getuser()
    raise UsageError("nobody is named: say who it is by --by NAME. It stands in the audit trail.")
