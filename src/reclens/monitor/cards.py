"""The contents of the card of a monitored day."""

from __future__ import annotations

from typing import TypedDict

from reclens.monitor.records import CheckState

__all__ = ["DayCard"]


class DayCard(TypedDict):
    """Record of the run of a day.

    Attributes:
        day: The day, ISO 8601.
        rows: Impressions.
        gate: State of the data gate.
        hours: Hours of the day: 23 or 25 where the clocks changed.
        columns: Column of the log -> its type.
        versions: Versions of RecLens and its numerical dependencies.
    """

    day: str
    rows: int
    gate: CheckState
    hours: int
    columns: dict[str, str]
    versions: dict[str, str]
