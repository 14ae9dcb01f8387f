"""Incidents on disk, derived from the stored findings of each day and the stored user actions.

::

    days/2026-01-05.json    what the day found; a day that runs again replaces its own
    actions.jsonl           what people did, one line each
    incidents.json          the incidents, made from the files above: nothing is lost with it but what was withdrawn

Each file is written atomically. A run that is killed between two writes gives the same result when it is repeated. If a
corrected day runs again, incidents that it no longer shows are withdrawn.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, TypeVar

import polars as pl
from pydantic import TypeAdapter

from reclens.errors import ArgumentValueError, UnknownNameError, UsageError, WorkspaceError
from reclens.files import made_folder, write_bytes
from reclens.monitor.groups import DayFindings, find_groups
from reclens.monitor.incident_lifecycle import Action, Life
from reclens.monitor.records import Annotation, GateResult, Incident, IncidentEvent, Notice
from reclens.monitor.rules import Rule

__all__ = ["IncidentStore"]


@dataclass(frozen=True, kw_only=True)
class _Day:
    """The findings of a day, and the time at which they were first found."""

    found: DayFindings
    at: datetime


@dataclass(frozen=True, kw_only=True)
class _Known:
    """The last result: incidents, withdrawn incidents, and their numbers of withdrawals."""

    incidents: tuple[Incident, ...] = ()
    withdrawn: tuple[Incident, ...] = ()
    returns: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


_T = TypeVar("_T")
_DAY: Final = TypeAdapter(_Day)
_ACTION: Final = TypeAdapter(Action)
_KNOWN: Final = TypeAdapter(_Known)
_FILE: Final = "incidents.json"


class IncidentStore:
    """The incidents of a monitor.

    Args:
        folder: Folder of the files; created by the first write.
        rules: Name of an indicator -> its rule.
        resolve_days: Calm days after which an incident is resolved.
        cool_down: Days within which a returning finding reopens the same incident.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        rules: Mapping[str, Rule] | None = None,
        resolve_days: int = 2,
        cool_down: int = 7,
    ) -> None:
        self.folder = Path(folder)
        self.rules, self.resolve_days, self.cool_down = rules or {}, resolve_days, cool_down
        self._held: dict[Path, tuple[tuple[int, int, int], _Day]] = {}

    def update(
        self,
        day: date,
        detections: pl.DataFrame,
        *,
        series: pl.DataFrame | None = None,
        gate: GateResult | None = None,
        annotations: Sequence[Annotation] = (),
        at: datetime | None = None,
    ) -> tuple[Notice, ...]:
        """Store the findings of a day, replacing earlier findings of the same day.

        Args:
            day: The day.
            detections: Columns of DETECTIONS.
            series: Columns of SERIES with the days before: contributions and SLOs are made from them.
            gate: The data gate of the day: unless it passed, it is the only incident of the day.
            annotations: Annotated events.
            at: Current time, UTC.

        Returns:
            Notices of this day and of later ones, the oldest first. A repeated notice keeps its key.

        Raises:
            WorkspaceError: If a file cannot be read or written.
        """
        found = find_groups(day, detections, rules=self.rules, series=series, gate=gate, annotations=annotations)
        with self._lock():
            place = self.folder / "days" / f"{day.isoformat()}.json"
            before = self._read(place, _DAY)
            # JSON has no tuples or sets, so that the comparison uses the decoded form of both.
            new = _DAY.validate_json(_DAY.dump_json(_Day(found=found, at=at or datetime.now(UTC))))
            if before is None or before.found != new.found:
                made_folder(place.parent)
                write_bytes(place, _DAY.dump_json(new, indent=1))
            known = self._make(at or datetime.now(UTC))
        return tuple(each for each in known.notices if each.day >= day)

    def list(self, *, status: str | None = None) -> Sequence[Incident]:
        """Incidents, the newest first, including withdrawn ones.

        Args:
            status: Keep only this status: ``open``, ``acknowledged`` or ``resolved``.
        """
        known = self._known()
        found = [each for each in (*known.incidents, *known.withdrawn) if status is None or each.status == status]
        return sorted(found, key=lambda each: (each.first_day, each.id), reverse=True)

    def show(self, id: str) -> Incident:  # noqa: A002 - it is what an incident calls it
        """One incident.

        Raises:
            UnknownNameError: If no incident has this id.
        """
        found = {each.id: each for each in self.list()}
        if id not in found:
            raise UnknownNameError("incident", id, found)
        return found[id]

    def acknowledge(self, id: str, *, by: str, note: str = "", at: datetime | None = None) -> Incident:  # noqa: A002
        """Acknowledge an incident.

        Raises:
            UnknownNameError: If no incident has this id.
            UsageError: If it is resolved.
        """
        return self._act(id, "acknowledged", by=by, note=note, at=at)

    def resolve(self, id: str, *, by: str, note: str = "", at: datetime | None = None) -> Incident:  # noqa: A002
        """Resolve an incident. It stays resolved during the cool-down, unless it gets worse.

        Raises:
            UnknownNameError: If no incident has this id.
            UsageError: If it is resolved.
        """
        return self._act(id, "resolved", by=by, note=note, at=at)

    def snooze(  # noqa: D417
        self,
        id: str,  # noqa: A002
        *,
        until: date,
        by: str,
        note: str = "",
        at: datetime | None = None,
    ) -> Incident:
        """Snooze the notices of an incident.

        Args:
            until: Last day without notices.

        Raises:
            UnknownNameError: If no incident has this id.
            UsageError: If it is resolved.
        """
        return self._act(id, "snoozed", by=by, note=note, at=at, until=until)

    def days(self) -> Sequence[date]:
        """Stored days, in order."""
        return sorted(date.fromisoformat(each.stem) for each in (self.folder / "days").glob("*.json"))

    # ----------------------------------------------------------------------------------------------------------- files

    def _act(
        self,
        id: str,  # noqa: A002
        code: str,
        *,
        by: str,
        note: str,
        at: datetime | None,
        until: date | None = None,
    ) -> Incident:
        when = at or datetime.now(UTC)
        if not by.strip():
            raise ArgumentValueError("by", "is empty, expected who did it")
        with self._lock():
            if self.show(id).status == "resolved":
                raise UsageError(f"incident {id} is resolved already.")
            days = self.days()
            action = Action(id=id, code=code, after=days[-1] if days else None, by=by, at=when, note=note, until=until)
            self._append(_ACTION.dump_json(action) + b"\n")
            self._make(when)
        return self.show(id)

    def _append(self, line: bytes) -> None:
        """Append an action; the file is rewritten atomically."""
        place = self.folder / "actions.jsonl"
        before = place.read_bytes() if place.exists() else b""
        write_bytes(place, before + line)

    def _make(self, at: datetime) -> _Known:
        """Rebuild incidents from all days and actions, with those withdrawn since the last build."""
        before = self._known()
        days = [self._day(self.folder / "days" / f"{day.isoformat()}.json") for day in self.days()]
        text = self.folder / "actions.jsonl"
        lines = text.read_bytes().splitlines() if text.exists() else []
        actions = [_ACTION.validate_json(line) for line in lines]
        gone = {each.id: each for each in before.withdrawn}
        returns = dict(before.returns)
        life = Life(rules=self.rules, resolve_days=self.resolve_days, cool_down=self.cool_down, returns=returns)
        incidents = life.fold([(each.found, each.at) for each in days], actions)
        there = {each.id for each in incidents}
        for each in before.incidents:
            if each.id not in there:
                returns[each.id] = returns.get(each.id, 0) + 1
                event = IncidentEvent(code="withdrawn", day=each.first_day, by="monitor", at=at)
                gone[each.id] = replace(each, status="resolved", trail=(*each.trail, event))
        gone = {name: each for name, each in gone.items() if name not in there}
        notices = sorted([*life.notices, *(_of_withdrawn(each, returns) for each in gone.values())], key=_order)
        known = _Known(
            incidents=tuple(incidents), withdrawn=tuple(gone.values()), returns=returns, notices=tuple(notices)
        )
        made_folder(self.folder)
        write_bytes(self.folder / _FILE, _KNOWN.dump_json(known, indent=1))
        return known

    def _day(self, place: Path) -> _Day:
        """A day, cached until its file changes, because a backfill folds all days for each day."""
        status = place.stat()
        mark = status.st_ino, status.st_mtime_ns, status.st_size
        held = self._held.get(place)
        if held is None or held[0] != mark:
            found = self._read(place, _DAY)
            assert found is not None
            self._held[place] = held = (mark, found)
        return held[1]

    def _known(self) -> _Known:
        return self._read(self.folder / _FILE, _KNOWN) or _Known()

    @staticmethod
    def _read(place: Path, kind: TypeAdapter[_T]) -> _T | None:
        try:
            return kind.validate_json(place.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"{place} cannot be read. Run the day again, or remove the file.") from error

    @contextmanager
    def _lock(self) -> Generator[None]:
        """Lock for one writer at a time (run, command line or page); others wait."""
        made_folder(self.folder)
        with (self.folder / "lock").open("a+b") as file:
            try:
                import fcntl
            except ImportError:  # Windows
                yield
                return
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            try:
                yield
            finally:
                os.fsync(file.fileno())


def _of_withdrawn(incident: Incident, returns: Mapping[str, int]) -> Notice:
    """The notice for an incident that a corrected day no longer shows."""
    return Notice(
        key=f"withdrawn:{incident.id}:{returns[incident.id]}",
        code="resolved",
        day=incident.last_day,
        severity="note",
        incident=incident.id,
        facts={
            "withdrawn": True,
            "indicator": incident.root.indicator,
            "dimension": incident.root.dimension,
            "slice": incident.root.slice,
        },
    )


def _order(notice: Notice) -> tuple[date, str]:
    return notice.day, notice.incident or ""
