"""Notices of a monitor: rendered as text, queued in the outbox, and sent to the receivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from reclens.errors import UnknownNameError
from reclens.job.monitor_inputs import store_of
from reclens.monitor.outbox import Delivery, Message, Outbox
from reclens.monitor.project import Project
from reclens.monitor.records import Incident, Notice, Severity
from reclens.protocols import Notifier, adapter
from reclens.report.monitor.notices import NoticeWords, notice_words

__all__ = ["receivers_of", "settle", "tell", "to_tell", "words_of"]

_RANK: Final[Mapping[Severity, int]] = {"note": 0, "warning": 1, "critical": 2}
_URGENCY: Final[Mapping[Severity, Literal["info", "warning", "critical"]]] = {
    "note": "info",
    "warning": "warning",
    "critical": "critical",
}
_SETTLED: Final = "settled"
_FILE: Final = "file:"
_RECEIVERS: Final = ("file", "slack", "smtp", "webhook")
"""Schemes of receivers that are built in, to suggest one."""


def words_of(project: Project, notice: Notice) -> NoticeWords:
    """A notice as text, with details of its incident and of the data of its day."""
    known = _incidents(project) if notice.incident is not None else {}
    gate = project.gates(notice.day, notice.day).get(notice.day)
    return notice_words(notice, system=project.settings.system, incident=known.get(notice.incident or ""), gate=gate)


def to_tell(project: Project, notices: Sequence[Notice]) -> list[Notice]:
    """The notices that people want, by ``[notify] least``; those of a backfill are settled, and weeks always told."""
    least, known = _RANK[project.settings.notify.least], _incidents(project)
    settled = set((project.read_state(_SETTLED) or {}).get("keys", ()))
    found = []
    for each in notices:
        # What ends an incident is as pressing as the incident was: whoever was called is told that it is over.
        incident = known.get(each.incident or "")
        grave = max(_RANK[each.severity], -1 if incident is None else _RANK[incident.severity])
        if each.key not in settled and (each.code == "weekly" or grave >= least):
            found.append(each)
    return found


def tell(project: Project, notices: Sequence[Notice], *, outbox: str = "outbox") -> list[Delivery]:
    """Queue notices in the outbox and send waiting ones; unavailable receivers get them in the next run.

    Args:
        project: The monitor; hold its lock meanwhile.
        notices: In order; one that was in the outbox before is not sent again.
        outbox: Name of the outbox; the check and the runs use different ones.

    Returns:
        What each receiver got.

    Raises:
        WorkspaceError: If the outbox cannot be written.
        UsageError: If an address of ``[notify]`` is none.
    """
    receivers = receivers_of(project)
    box = Outbox(project.state / outbox)
    box.add([_message(project, each) for each in to_tell(project, notices)], receivers=list(receivers))
    return box.send(receivers)


def settle(project: Project, notices: Iterable[Notice]) -> None:
    """Note that notices are never to be sent, such as those of the past."""
    known = dict.fromkeys((project.read_state(_SETTLED) or {}).get("keys", ()))
    project.write_state(_SETTLED, {"keys": [*(known | dict.fromkeys(each.key for each in notices))]})


def receivers_of(project: Project) -> dict[str, Notifier]:
    """The receivers: address -> notifier.

    Raises:
        UsageError: If an address has no scheme, or is that of something else.
        UnknownNameError: If there is no such scheme.
    """
    try:
        return {each: adapter(_placed(project, each), Notifier) for each in project.settings.notify.to}
    except UnknownNameError as error:
        raise UnknownNameError("receiver in [notify] to:", error.name, _RECEIVERS) from error


def _placed(project: Project, address: str) -> str:
    """An address of a file, which starts at the folder of the monitor."""
    if not address.startswith(_FILE) or address == _FILE:
        return address
    path = Path(address.removeprefix(_FILE))
    return f"{_FILE}{path if path.is_absolute() else project.place(path)}"


def _message(project: Project, notice: Notice) -> Message:
    words = words_of(project, notice)
    return Message(
        key=notice.key,
        title=words.title,
        text=words.text,
        severity=_URGENCY[notice.severity],
        thread=notice.incident,
        link=_link(project, notice),
        facts=dict(words.facts),
    )


def _link(project: Project, notice: Notice) -> str | None:
    """The page Health at the incident or the day."""
    page = project.settings.notify.link
    if page is None:
        return None
    asked: dict[str, Any] = {"system": project.settings.system, "day": notice.day.isoformat()}
    if notice.incident is not None:
        asked |= {"part": "Incidents", "incident": notice.incident}
    from urllib.parse import urlencode

    return f"{page}{'&' if '?' in page else '?'}{urlencode(asked)}"


def _incidents(project: Project) -> dict[str, Incident]:
    return {each.id: each for each in store_of(project).list()}
