"""The weekly report of a monitor: written by the run of the last day of the week, or when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Final

import polars as pl

from reclens.job.monitor_inputs import annotations_of, store_of
from reclens.monitor.day import read_week_series
from reclens.monitor.health import Health, health_name
from reclens.monitor.project import Project
from reclens.monitor.records import Notice
from reclens.monitor.week import DAYS, HISTORY, Measured, Week, week_of
from reclens.report.monitor.document import build_weekly_report
from reclens.report.monitor.weekly import week_card, week_sentences
from reclens.workspace import Workspace

__all__ = ["is_last_of_week", "last_day_of", "last_of_week", "read_week", "weekly_reports", "write_week", "write_weeks"]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_STEM: Final = "week-to-"
_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


def is_last_of_week(project: Project, day: date) -> bool:
    """Whether a week ends on this day, by ``[report] week_ends``."""
    return _WEEKDAYS[day.weekday()] == project.settings.report.week_ends


def last_of_week(project: Project, day: date) -> date:
    """The last day of the week that a day is in."""
    ends = _WEEKDAYS.index(project.settings.report.week_ends)
    return day + timedelta(days=(ends - day.weekday()) % DAYS)


def read_week(
    project: Project,
    last: date,
    *,
    workspace: Workspace,
    known: Sequence[Health] = (),
    measured: Measured | None = None,
) -> Week:
    """A week, from the days that the workspace keeps.

    Args:
        project: The monitor.
        last: Last day of the week; days of it that were not run are named.
        workspace: Where days are kept.
        known: Days that were loaded already.
        measured: Gives the series of days as one; by default it is measured from their sums.

    Raises:
        UsageError: If no day of the week was run.
    """
    system = project.settings.system
    wanted = {health_name(system, last - timedelta(days=at)) for at in range(HISTORY * DAYS)}
    loaded = {health_name(system, each.day): each for each in known}
    kept = [each.name for each in workspace.list("health") if each.name in wanted]
    days: list[Health] = [loaded.get(name) or workspace.load("health", name) for name in kept]
    return week_of(
        days,
        last,
        incidents=store_of(project).list(),
        annotations=annotations_of(project),
        measured=measured or partial(read_week_series, project),
    )


def write_week(
    project: Project,
    last: date,
    *,
    workspace: Workspace,
    known: Sequence[Health] = (),
    measured: Measured | None = None,
) -> tuple[tuple[Path, Path], Notice]:
    """Write the report of a week as Markdown and HTML, and say what is told of it.

    Args:
        project: The monitor.
        last: Last day of the week.
        workspace: Where days are kept.
        known: As for :func:`read_week`.
        measured: As for :func:`read_week`.

    Returns:
        Both files, and the notice.

    Raises:
        UsageError: If no day of the week was run.
        WorkspaceError: If the report cannot be written.
    """
    week = read_week(project, last, workspace=workspace, known=known, measured=measured)
    pages = build_weekly_report(week).save(_folder(project) / f"{_STEM}{last.isoformat()}")
    card = week_card(week)
    facts = {"headline": card.headline, "said": week_sentences(week)[:5], "report": str(pages[1])}
    notice = Notice(key=f"weekly:{last.isoformat()}", code="weekly", day=last, severity="note", facts=facts)
    return pages, notice


def write_weeks(project: Project, days: Sequence[Health], *, workspace: Workspace) -> list[Path]:
    """Write the reports of the weeks that end on days; a week is measured once, for its report and the one after it.

    Args:
        project: The monitor.
        days: The days.
        workspace: Where days are kept.

    Returns:
        Their files.

    Raises:
        WorkspaceError: If a report cannot be written.
    """

    @cache
    def kept(*week: date) -> pl.DataFrame | None:
        return read_week_series(project, week)

    pages: list[Path] = []
    for each in days:
        if is_last_of_week(project, each.day):
            written, _ = write_week(
                project, each.day, workspace=workspace, known=days, measured=lambda week: kept(*week)
            )
            pages += written
    return pages


def weekly_reports(project: Project) -> list[Path]:
    """The pages of the weekly reports, the newest first."""
    folder = _folder(project)
    return sorted(folder.glob(f"{_STEM}{_DAY}.html"), reverse=True) if folder.is_dir() else []


def last_day_of(page: Path) -> date:
    """The last day of the week of a report, by the name of its file."""
    return date.fromisoformat(page.stem.removeprefix(_STEM))


def _folder(project: Project) -> Path:
    return project.place(project.settings.report.folder)
