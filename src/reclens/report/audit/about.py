"""What an audit report says in the words of its author."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BLANK", "AuditAbout", "AuditAction"]

BLANK = "to be named"
"""What stands where a name or a date is still open."""


@dataclass(frozen=True, kw_only=True)
class AuditAction:
    """What somebody will do about a finding.

    Attributes:
        what: What is to be done.
        owner: Who does it; None where that is open.
        due: Until when; None where that is open.
    """

    what: str
    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditAbout:
    """What the report says beside the numbers, in the words of its author.

    Attributes:
        title: Title of the report.
        auditor: Who audited.
        independence: How independent the auditor is of those who made the system.
        system: The system in plain words.
        parameters: Its main parameters in plain words, a sentence each.
        surface: Where its lists are shown.
        actions: What will be done.
        command: How the audit is made again.
    """

    title: str | None = None
    auditor: str | None = None
    independence: str | None = None
    system: str | None = None
    parameters: tuple[str, ...] = ()
    surface: str | None = None
    actions: tuple[AuditAction, ...] = ()
    command: str | None = None
