"""What the card of a day of a monitor holds."""

from __future__ import annotations

from typing import TypedDict

from reclens.monitor.records import CheckState

__all__ = ["DayCard"]


class DayCard(TypedDict):
    """How a day was run.

    Attributes:
        day: The day, ISO 8601.
        rows: Impressions.
        gate: State of its data gate.
        hours: Hours of the day: 23 or 25 where the clocks changed.
        columns: Column of the log -> its type.
        versions: Versions of RecLens and of what its numbers rest on.
    """

    day: str
    rows: int
    gate: CheckState
    hours: int
    columns: dict[str, str]
    versions: dict[str, str]
