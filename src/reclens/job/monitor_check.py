"""The dead man's switch: an external check whether the run of a day happened.

It has a separate lock and outbox, because a hanging run, which it must report, holds those of the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from reclens.job.monitor_tell import tell, words_of
from reclens.monitor.project import Project
from reclens.monitor.records import Notice

__all__ = ["RunCheck", "check_run", "yesterday"]

_WAIT: Final = 60.0
"""Seconds to wait for another check."""
_OUTBOX: Final = "outbox-of-check"


@dataclass(frozen=True, kw_only=True)
class RunCheck:
    """Whether a day was run.

    Attributes:
        day: The day.
        ran: Whether it was run.
        words: Lines of text to report.
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


def check_run(
    project: Project, day: date, *, failed: str | None = None, log: str | None = None, dry_run: bool = False
) -> RunCheck:
    """Check whether a day was run, and notify people once a day if it was not or a scheduler step failed.

    Args:
        project: The monitor.
        day: The day.
        failed: The step that failed.
        log: Location of its log.
        dry_run: Send nothing.

    Returns:
        The result of the check.

    Raises:
        WorkspaceError: If the state cannot be read or written.
    """
    days = project.days()
    ran, notices = day in days, list[Notice]()
    if failed is not None:
        facts = {"step": failed, "log": log, "ran": ran}
        key = f"failed:{failed}:{day.isoformat()}"
        notices.append(Notice(key=key, code="failed", day=day, severity="critical", facts=facts))
    elif not ran:
        before = [each for each in days if each < day]
        facts = {"last_day": before[-1].isoformat() if before else None}
        key = f"not_run:{day.isoformat()}"
        notices.append(Notice(key=key, code="not_run", day=day, severity="critical", facts=facts))
    told = [words_of(project, each) for each in notices]
    if not dry_run and (notices or (project.state / _OUTBOX).exists()):  # a receiver may have been down before
        with project.check_lock(wait=_WAIT):
            tell(project, notices, outbox=_OUTBOX)
    words = [line for each in told for line in (each.title, each.text)]
    return RunCheck(day=day, ran=ran, words=tuple(words or [f"{day} was run"]))
