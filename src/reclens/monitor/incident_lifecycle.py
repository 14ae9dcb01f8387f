"""The lifecycle of incidents: a deterministic fold over daily findings and user actions.

An incident opens with a group that matches no open incident and continues while its root or a symptom is found again.
It is resolved after some calm days, on which the root is well within its limit. A day in between, or without a value,
changes nothing, so that a value near its limit does not open and close incidents repeatedly. A finding that returns
within the cool-down belongs to the same incident, and no second notice is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, cast

from reclens.monitor.groups import DayFindings, Group
from reclens.monitor.records import OVERALL, Incident, IncidentEvent, IncidentStatus, Notice, SeriesKey, Severity
from reclens.monitor.rules import Rule

__all__ = ["Action", "Life", "severity_of"]

_RANK: Final[Mapping[str, int]] = {"note": 0, "warning": 1, "critical": 2}
_CRITICAL: Final = 0.5
_WARNING: Final = 0.05
"""Effect × days × share of traffic: half a day of everything, and a twentieth."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """A user action on an incident.

    Attributes:
        id: The incident.
        code: ``acknowledged``, ``snoozed`` or ``resolved``.
        after: Last day that was run before the action; None before the first day.
        by: User.
        at: Time, UTC.
        note: Note of the user.
        until: Last day without notices, if it is snoozed.
    """

    id: str
    code: str
    after: date | None
    by: str
    at: datetime
    note: str = ""
    until: date | None = None


def severity_of(*, relative: float, days: int, traffic: float, kind: str = "level", burn: str = "") -> Severity:
    """Severity: effect × duration × traffic, in days of the whole traffic; a fast burn of an SLO is critical.

    Args:
        relative: Change as a share of the expected value, at most 1.
        days: Days on which it was seen.
        traffic: Share of the traffic.
        kind: Kind of the incident: a failed gate is critical, because its numbers cannot be used.
        burn: State of the SLO.

    Example:
        >>> severity_of(relative=0.2, days=1, traffic=0.5), severity_of(relative=0.2, days=5, traffic=0.5)
        ('warning', 'critical')
    """
    lost = relative * days * traffic
    if kind == "gate" or burn == "fast" or lost >= _CRITICAL * (1 - 1e-9):
        return "critical"
    return "warning" if burn == "slow" or lost >= _WARNING * (1 - 1e-9) else "note"


@dataclass(kw_only=True)
class _Running:
    """Mutable state of an incident during the fold."""

    id: str
    group: Group
    keys: set[SeriesKey]
    status: IncidentStatus
    severity: Severity
    first: date
    last: date
    days: int = 1
    calm: int = 0
    ended: date | None = None
    by_person: bool = False
    told: bool = True
    snoozed: date | None = None
    trail: list[IncidentEvent] = field(default_factory=list)


class Life:
    """Folds days into incidents and notices.

    Args:
        rules: Name of an indicator -> its rule.
        resolve_days: Calm days after which an incident is resolved.
        cool_down: Days within which a returning finding reopens the same incident.
        returns: Id -> number of withdrawals of that incident; each one starts a new series of notices.
    """

    def __init__(
        self,
        *,
        rules: Mapping[str, Rule],
        resolve_days: int = 2,
        cool_down: int = 7,
        returns: Mapping[str, int] | None = None,
    ) -> None:
        self.rules, self.resolve_days, self.cool_down, self.returns = rules, resolve_days, cool_down, returns or {}
        self.notices: list[Notice] = []
        self._all: dict[str, _Running] = {}

    def fold(self, days: Iterable[tuple[DayFindings, datetime]], actions: Sequence[Action]) -> list[Incident]:
        """Incidents after all days, in the order in which they began.

        Args:
            days: Findings with their times, in the order of days.
            actions: Actions in chronological order.
        """
        waiting = sorted(actions, key=lambda each: each.after or date.min)  # stable: as they were done
        for found, at in days:
            while waiting and (waiting[0].after or date.min) < found.day:
                self._act(waiting.pop(0))
            self._day(found, at)
        for each in waiting:
            self._act(each)
        return [self._record(each) for each in self._all.values()]

    # ------------------------------------------------------------------------------------------------------------ days

    def _day(self, found: DayFindings, at: datetime) -> None:
        seen: set[str] = set()
        for group in found.groups:
            match = self._match(group, found.day)
            if match is None:
                self._open(group, found.day, at)
                seen.add(next(reversed(self._all)))
            elif match.id in seen:
                match.keys |= group.keys
            else:
                self._again(match, group, found.day, at)
                seen.add(match.id)
        near, unknown = set(found.near), set(found.unknown)
        for each in self._all.values():
            if each.status == "resolved" or each.id in seen:
                continue
            silent = found.silenced and each.group.kind != "gate"
            if silent or each.group.root in near or each.group.root in unknown:
                continue
            each.calm += 1
            if each.calm >= (1 if each.group.kind == "gate" else self.resolve_days):
                self._resolve(each, found.day, at)

    def _match(self, group: Group, day: date) -> _Running | None:
        """The incident that a group belongs to: an open one, or one that ended within the cool-down.

        It shares a series with it; or all of the day is further out in an open one, so that this is a symptom.
        """
        candidates: list[tuple[bool, bool, bool, date, _Running]] = []
        for each in self._all.values():
            if (each.group.kind == "gate") != (group.kind == "gate"):
                continue
            if each.ended is not None and (day - each.ended).days > self.cool_down:
                continue
            same = each.group.root == group.root
            shared = same or group.root in each.keys or each.group.root in group.keys
            whole = each.group.root.dimension == OVERALL and each.status != "resolved"
            symptom = whole and (group.root.indicator == each.group.root.indicator or group.size <= each.group.size)
            if shared or symptom:
                candidates.append((each.status != "resolved", same, shared, each.last, each))
        return max(candidates, key=lambda found: found[:4])[4] if candidates else None

    def _open(self, group: Group, day: date, at: datetime) -> None:
        text = "/".join((*group.root, group.direction, day.isoformat()))
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        severity = self._severity(group, 1)
        made = _Running(id=name, group=group, keys=group.keys, status="open", severity=severity, first=day, last=day)
        made.trail.append(_event("opened", day, at, severity=severity, effect=group.effect, size=group.size))
        self._all[name] = made
        self._tell("gate_failed" if group.kind == "gate" else "opened", made, day)

    def _again(self, each: _Running, group: Group, day: date, at: datetime) -> None:
        closed = each.status == "resolved"
        days = each.days + 1
        severity = self._severity(group, days)
        worse = _RANK[severity] > _RANK[each.severity]
        if closed and each.by_person and not worse:
            # The user who resolved it knows about it; it is reported again after the cool-down, or if it is worse.
            each.last, each.days = day, days
            return
        if group.root == each.group.root or (group.size >= each.group.size and each.group.root in group.keys):
            each.group = group if closed else _goes_on(each.group, group)
        each.keys |= group.keys
        each.last, each.days, each.calm = day, days, 0
        if closed:
            each.status, each.ended, each.by_person, each.told = "open", None, False, False
        code = "reopened" if closed else "worse" if worse else "continued"
        each.severity = severity if worse else each.severity
        each.trail.append(_event(code, day, at, severity=each.severity, effect=group.effect, size=group.size))
        if worse:
            each.told = True
            self._tell("worse", each, day)

    def _severity(self, group: Group, days: int) -> Severity:
        return severity_of(relative=group.relative, days=days, traffic=group.traffic, kind=group.kind, burn=group.burn)

    def _resolve(self, each: _Running, day: date, at: datetime) -> None:
        each.status, each.ended = "resolved", day
        each.trail.append(_event("resolved", day, at, days=each.days))
        if each.told:
            self._tell("gate_passed" if each.group.kind == "gate" else "resolved", each, day)

    def _tell(self, code: str, each: _Running, day: date) -> None:
        if each.snoozed is not None and day <= each.snoozed:
            return
        again = self.returns.get(each.id, 0)
        key = f"{code}:{each.id}:{day.isoformat()}" + (f":{again}" if again else "")
        group = each.group
        facts: dict[str, Any] = {
            "indicator": group.root.indicator,
            "dimension": group.root.dimension,
            "slice": group.root.slice,
            "direction": group.direction,
            "kind": group.kind,
            "days": each.days,
            "first_day": each.first.isoformat(),
            "symptoms": len(each.keys) - 1,
            "suspects": list(group.suspects),
            **group.facts,
        }
        self.notices.append(
            Notice(key=key, code=cast("Any", code), day=day, severity=each.severity, incident=each.id, facts=facts)
        )

    # ---------------------------------------------------------------------------------------------------------- people

    def _act(self, action: Action) -> None:
        each = self._all.get(action.id)
        if each is None:
            return
        facts = {"until": action.until.isoformat()} if action.until is not None else {}
        each.trail.append(
            IncidentEvent(code=action.code, day=action.after, by=action.by, at=action.at, note=action.note, facts=facts)
        )
        if action.code == "snoozed":
            each.snoozed = action.until
        elif action.code == "resolved":
            each.status, each.ended, each.by_person = "resolved", action.after or each.last, True
        elif each.status == "open":
            each.status = "acknowledged"

    def _record(self, each: _Running) -> Incident:
        group = each.group
        rule = self.rules.get(group.root.indicator)
        facts = {**group.facts, "size": group.size, "relative": group.relative, "calm_days": each.calm}
        return Incident(
            id=each.id,
            root=group.root,
            direction=cast("Any", group.direction),
            kind=cast("Any", group.kind),
            status=each.status,
            severity=each.severity,
            first_day=each.first,
            last_day=each.last,
            days=each.days,
            effect=group.effect,
            traffic=group.traffic,
            symptoms=tuple(sorted(each.keys - {group.root})),
            contributions=group.contributions,
            suspects=group.suspects,
            owner=rule.owner if rule is not None else None,
            runbook=rule.runbook if rule is not None else None,
            snoozed_until=each.snoozed,
            facts=facts,
            trail=tuple(each.trail),
        )


def _goes_on(first: Group, later: Group) -> Group:
    """A group of a later day: what was changed before the incident began stays a suspect, and what is since is none."""
    changes = ("deploy", "experiment")
    found = (*first.suspects, *(each for each in later.suspects if each not in changes))
    facts = {name: value for name, value in later.facts.items() if name != "noted"}
    if "noted" in first.facts:
        facts["noted"] = first.facts["noted"]
    return replace(later, suspects=tuple(dict.fromkeys(found)), facts=facts)


def _event(code: str, day: date, at: datetime, **facts: Any) -> IncidentEvent:
    return IncidentEvent(code=code, day=day, by="monitor", at=at, facts=facts)
