"""The dead man's switch: whether the run of a day happened, seen from outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from reclens.job.monitor_tell import tell, words_of
from reclens.monitor.project import Project
from reclens.monitor.records import Notice

__all__ = ["RunCheck", "check_run", "yesterday"]

_WAIT: Final = 60.0
"""Seconds to wait for a run that is under way: it may be the one that is missed."""


@dataclass(frozen=True, kw_only=True)
class RunCheck:
    """Whether a day was run.

    Attributes:
        day: The day.
        ran: Whether it was.
        words: What there is to say, a line each.
    """

    day: date
    ran: bool
    words: tuple[str, ...]


def yesterday(project: Project, now: datetime | None = None) -> date:
    """The last day that is over, in the zone of the log.

    Args:
        project: The monitor.
        now: A time with a zone; by default, now.
    """
    zone = project.settings.log.zone
    return (datetime.now(zone) if now is None else now.astimezone(zone)).date() - timedelta(days=1)


def check_run(project: Project, day: date, *, dry_run: bool = False) -> RunCheck:
    """See whether a day was run, and tell people if it was not; once a day.

    Args:
        project: The monitor.
        day: The day.
        dry_run: Send nothing.

    Returns:
        What was seen.

    Raises:
        WorkspaceError: If the state cannot be read or written.
    """
    days = project.days()
    if day in days:
        return RunCheck(day=day, ran=True, words=(f"{day} was run",))
    before = [each for each in days if each < day]
    facts = {"last_day": before[-1].isoformat() if before else None}
    notice = Notice(key=f"not_run:{day.isoformat()}", code="not_run", day=day, severity="critical", facts=facts)
    words = words_of(project, notice)
    if not dry_run:
        with project.lock(wait=_WAIT):
            tell(project, [notice])
    return RunCheck(day=day, ran=False, words=(words.title, words.text))
