"""Records that the steps of the monitor exchange: codes, numbers and days, but no text.

The steps of a day are: log -> gate and marts -> indicators (the series) -> detections -> incidents -> notices. Each
step reads the output of the previous one and can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from reclens.protocols import CheckState

__all__ = [
    "DETECTIONS",
    "OVERALL",
    "SERIES",
    "Annotation",
    "AnnotationKind",
    "CheckState",
    "DataCheck",
    "DetectionState",
    "Direction",
    "GateResult",
    "Incident",
    "IncidentEvent",
    "IncidentStatus",
    "Notice",
    "NoticeCode",
    "SeriesKey",
    "Severity",
    "stands",
]

OVERALL: Final = "overall"
"""Dimension of the whole day; its only slice is ``all``."""

SERIES: Final[Mapping[str, Any]] = {
    "day": pl.Date,
    "indicator": pl.String,
    "dimension": pl.String,
    "slice": pl.String,
    "value": pl.Float64,
    "error": pl.Float64,
    "numerator": pl.Float64,
    "denominator": pl.Float64,
    "n": pl.Int64,
}
"""Columns of the series: one row a day, indicator and slice.

``value`` is in the indicator's own unit, null where it cannot be computed. ``error`` is its standard error in the same
unit from the sampling of that day alone: binomial for a rate; null where there is none. ``numerator`` and
``denominator`` are there where the value is their ratio: both add up over slices and days, and incidents are explained
from them. ``n`` is the traffic behind the value, in rows or requests.
"""

DetectionState = Literal[
    "ok", "level", "drift", "short_history", "warming_up", "no_value", "excluded", "noted_incident", "silenced"
]
"""``level``: the day is beyond its band. ``drift``: the level has moved over weeks. ``short_history``: the day is
unusual, but too few days are known to say that an alert keeps to the budget. ``excluded``: a holiday or an
annotation that suppresses. ``noted_incident``: an annotation says that something was wrong elsewhere, so that the day
is neither judged nor learned from. ``silenced``: the data gate of the day failed, so that a symptom says nothing of the
recommender."""

DETECTIONS: Final[Mapping[str, Any]] = {
    **SERIES,
    "expected": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "z": pl.Float64,
    "drift": pl.Float64,
    "limit": pl.Float64,
    "drift_limit": pl.Float64,
    "state": pl.String,
}
"""Columns of detections: the series with the forecast of the day, its band, its distances and a state.

``expected``, ``low`` and ``high`` are in the unit of ``value``; ``z`` and ``drift`` in units of noise, and so are
``limit`` and ``drift_limit``, which their sizes are compared with.
"""

Direction = Literal["up", "down"]
Severity = Literal["critical", "warning", "note"]
AnnotationKind = Literal["deploy", "experiment", "holiday", "incident", "note"]
IncidentStatus = Literal["open", "acknowledged", "resolved"]
NoticeCode = Literal["opened", "worse", "resolved", "gate_failed", "gate_passed", "not_run", "failed", "weekly"]


class SeriesKey(NamedTuple):
    """Key of a series."""

    indicator: str
    dimension: str = OVERALL
    slice: str = "all"


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """One check of the data of a day.

    Attributes:
        code: Code of the check, such as ``"rows"`` or ``"not_null"``.
        state: Result. ``not_evaluated`` means that there was nothing to check, unlike ``passed``.
        blocking: Whether a failure invalidates the numbers of the day.
        column: The column, or None for the whole table.
        seen: Measured value, such as a share of rows.
        bound: The required bound.
        rows: Number of checked rows.
        failed_rows: Rows that failed; None if the check does not count rows.
        facts: Further facts, such as the names of new columns.
    """

    code: str
    state: CheckState
    blocking: bool
    column: str | None = None
    seen: float | None = None
    bound: float | None = None
    rows: int = 0
    failed_rows: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """The data gate of one day.

    Attributes:
        day: The day.
        checks: Every check, in the order in which they ran: counts come first.
        state: ``failed`` or ``errored`` if a blocking check has that state; ``not_evaluated`` on a day without data.
    """

    day: date
    checks: tuple[DataCheck, ...]
    state: CheckState


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """An event that explains days or suppresses alerts on them.

    Attributes:
        id: Its number, as text.
        kind: Kind of event.
        start: First day.
        end: Last day, the same for one day.
        text: Text of the author.
        suppress: Whether alerts on these days are suppressed; otherwise they are only annotated.
        dimension: The affected dimension; None for all.
        slice: Slice of the dimension.
        by: Author.
        at: When, UTC.
    """

    id: str
    kind: AnnotationKind
    start: date
    end: date
    text: str
    suppress: bool
    dimension: str | None
    slice: str | None
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class IncidentEvent:
    """One line of the audit trail of an incident.

    Attributes:
        code: ``opened``, ``continued``, ``worse``, ``acknowledged``, ``snoozed``, ``resolved``, ``reopened``,
            ``withdrawn`` (the day was corrected).
        day: The day of the data; None for a user action.
        by: ``monitor`` or the user.
        at: When, UTC.
        note: Note of the user.
        facts: Numbers of the event.
    """

    code: str
    day: date | None
    by: str
    at: datetime
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident: a root and its symptoms, over days.

    Attributes:
        id: Short stable id, derived from the fingerprint and the first day.
        root: The series that moved most, at the slice that explains the rest.
        direction: Direction of the change.
        kind: ``level``, ``drift``, ``slo`` (its error budget burns too fast) or ``gate``.
        status: Current status.
        severity: Derived from effect × duration × share of the traffic.
        first_day: First day.
        last_day: Last day on which it was seen.
        days: Number of days on which it was seen.
        effect: Value against expected on the last day, in the indicator's unit, and ``expected`` itself, in facts.
        traffic: Share of the day's traffic that the slice has.
        symptoms: Other series that moved with it.
        contributions: Rows ``dimension, slice, mix, rate, share`` of the decomposition of the overall change.
        suspects: Codes of likely causes, the likeliest first: ``deploy``, ``data_gate``, ``late_data``,
            ``experiment``, ``model_version``, ``feature`` …
        owner: Owner of the indicator, or None.
        runbook: Link to the runbook.
        snoozed_until: Last day without notices; None if it is not snoozed.
        facts: Further numbers, such as SLO burn rates.
        trail: Its events, the oldest first.
    """

    id: str
    root: SeriesKey
    direction: Direction
    kind: Literal["level", "drift", "slo", "gate"]
    status: IncidentStatus
    severity: Severity
    first_day: date
    last_day: date
    days: int
    effect: float | None
    traffic: float | None
    symptoms: tuple[SeriesKey, ...] = ()
    contributions: tuple[Mapping[str, Any], ...] = ()
    suspects: tuple[str, ...] = ()
    owner: str | None = None
    runbook: str | None = None
    snoozed_until: date | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    trail: tuple[IncidentEvent, ...] = ()


def stands(incident: Incident) -> bool:
    """Whether an incident is valid, that is, not withdrawn after a corrected day."""
    return not incident.trail or incident.trail[-1].code != "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notification before it is rendered as text.

    Attributes:
        key: Unique key: only one notice with this key is sent, even after reruns.
        code: Code of the message.
        day: The day of the data.
        severity: Severity.
        incident: Id of the incident, or None.
        facts: Numbers and names for its text.
    """

    key: str
    code: NoticeCode
    day: date
    severity: Severity
    incident: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
