"""The words of the health monitor: what each code of its states, checks, incidents and suspects is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reclens.monitor.records import (
    AnnotationKind,
    CheckState,
    DetectionState,
    Direction,
    IncidentStatus,
    Severity,
)
from reclens.report._toolkit.card import StatusTone
from reclens.report._toolkit.format import in_words, sentence

__all__ = [
    "ANNOTATIONS",
    "CHECK_STATES",
    "DIRECTIONS",
    "EVENTS",
    "GATES",
    "GATE_TITLES",
    "INCIDENT_STATES",
    "LEAST_CHECKS",
    "NOT_RUN",
    "SEVERITIES",
    "SHARE_CHECKS",
    "STATES",
    "STATE_MEANINGS",
    "STATUS_TONES",
    "WEEKDAYS",
    "check_name",
    "dimension_name",
    "suspect_name",
]

STATES: Final[Mapping[DetectionState, str]] = {
    "ok": "in its band",
    "level": "beyond its band",
    "drift": "drifting",
    "short_history": "unusual",
    "warming_up": "warming up",
    "no_value": "not judged",
    "excluded": "excluded",
    "noted_incident": "noted incident",
    "silenced": "silenced",
}

STATE_MEANINGS: Final[Mapping[DetectionState, str]] = {
    "ok": "The value lies in the band that the days before lead to expect.",
    "level": "The value of the day lies beyond the band.",
    "drift": "The level has moved over weeks, by small steps of which none stood out.",
    "short_history": "The value is unusual, but too few days are known to tell whether an alert keeps to the budget.",
    "warming_up": "There are too few days to say what is usual.",
    "no_value": "It could not be computed on this day, or there was too little traffic to judge it.",
    "excluded": "The day is a holiday, or an annotation says that it is like no other.",
    "noted_incident": "An incident elsewhere was noted for the day: it is neither judged nor learned from.",
    "silenced": "The data gate of the day failed: the number says nothing of the recommender.",
}

STATUS_TONES: Final[Mapping[str | None, StatusTone]] = {"alert": "bad", "warning": "warn", "ok": "good", None: "none"}
"""Status of a series -> its tone."""

SEVERITIES: Final[Mapping[Severity, str]] = {"critical": "critical", "warning": "warning", "note": "note"}

DIRECTIONS: Final[Mapping[Direction, str]] = {"up": "above", "down": "below"}

CHECK_STATES: Final[Mapping[CheckState, str]] = {
    "passed": "passed",
    "failed": "failed",
    "errored": "could not run",
    "not_evaluated": "nothing to check",
}

NOT_RUN: Final = "not run"

GATES: Final[Mapping[CheckState, str]] = {
    "passed": "The data of the day passed their checks",
    "failed": "The data of the day failed",
    "errored": "The data of the day could not be checked",
    "not_evaluated": "There are no data of the day",
}

GATE_TITLES: Final[Mapping[CheckState, tuple[str, str]]] = {
    "passed": ("Data of", " passed"),
    "failed": ("Data of", " failed"),
    "errored": ("Data of", " could not be checked"),
    "not_evaluated": ("No data of", ""),
}
"""State of a gate -> what stands before and behind its days."""

INCIDENT_STATES: Final[Mapping[IncidentStatus, str]] = {
    "open": "open",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
}

EVENTS: Final[Mapping[str, str]] = {
    "opened": "opened",
    "continued": "seen again",
    "worse": "got worse",
    "acknowledged": "acknowledged",
    "snoozed": "snoozed",
    "resolved": "resolved",
    "reopened": "opened again",
    "withdrawn": "withdrawn: the day was corrected",
}

ANNOTATIONS: Final[Mapping[AnnotationKind, str]] = {
    "deploy": "Deploy",
    "experiment": "Experiment",
    "holiday": "Holiday",
    "incident": "Incident elsewhere",
    "note": "Note",
}

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_SUSPECTS: Final[Mapping[str, str]] = {
    "deploy": "a deploy on those days",
    "experiment": "an experiment on those days",
    "data": "data that changed",
    "data_gate": "data that failed their checks",
    "late_data": "data that arrived late",
    "model": "scores or features of the model that changed",
    "model_version": "another version of the model",
    "feature": "a feature that changed",
    "holiday": "a holiday",
    "traffic": "another amount of traffic",
    "mix": "another mix of traffic",
    "duplicates": "rows that are there twice",
    "retriever": "a retriever that returns nothing",
    "retrieval": "candidates of another kind or number",
    "latency": "slower answers",
    "traffic_mix": "another mix of traffic",
    "embedding": "other embeddings",
    "incident": "an incident elsewhere",
}

_CHECKS: Final[Mapping[str, str]] = {
    "readable": "readable",
    "rows": "number of rows",
    "columns": "columns that have to be there",
    "types": "types of columns",
    "new_columns": "columns that are new",
    "not_null": "values that are missing",
    "in_range": "values out of range",
    "volume_low": "fewer rows than usual",
    "volume_high": "more rows than usual",
    "unique": "rows that are there twice",
    "hours": "hours with rows",
    "late": "rows that arrived late",
    "inside_day": "rows of another day or without a time",
    "gate": "the further gate",
}

SHARE_CHECKS: Final = frozenset(
    {"volume_low", "volume_high", "types", "not_null", "in_range", "unique", "late", "inside_day"}
)
"""Checks of a share, which is written in percent."""
LEAST_CHECKS: Final = frozenset({"rows", "volume_low", "hours"})
"""Checks whose bound is the least that passes; that of the others is the most."""

_DIMENSIONS: Final[Mapping[str, str]] = {"model_version": "version", "overall": "overall"}


def suspect_name(code: str) -> str:
    """A likely cause in words.

    Example:
        >>> suspect_name("late_data"), suspect_name("full_moon")
        ('data that arrived late', 'full moon')
    """
    return _SUSPECTS.get(code, in_words(code))


def check_name(code: str) -> str:
    """A check of the data in words.

    Example:
        >>> check_name("not_null"), check_name("price_is_whole")
        ('Values that are missing', 'Price is whole')
    """
    return sentence(_CHECKS.get(code, in_words(code)))


def dimension_name(dimension: str) -> str:
    """What a series is sliced by, in words.

    Example:
        >>> dimension_name("model_version"), dimension_name("surface")
        ('version', 'surface')
    """
    return _DIMENSIONS.get(dimension, in_words(dimension))
