"""Thirty days of a shop's log with incidents in them, a file that is late, and a run that is killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import polars as pl

from reclens.learn.exercise import Draw
from reclens.monitor.chaos import ChaosWorld, Fault

__all__ = ["DAYS", "FIRST", "HISTORY", "Month", "month_of", "sundays"]

FIRST: Final = date(2026, 3, 2)
"""A Monday."""
DAYS: Final = 30
HISTORY: Final = 28
_KINDS: Final = ("slice_down", "null_feature", "duplicated_events", "stuck_cache")
_IMPRESSIONS: Final = 6_000


@dataclass(frozen=True, kw_only=True)
class Month:
    """What happens.

    Attributes:
        seed: The logs are drawn from it.
        system: Name of the system.
        ready: When the log of a day is there, on the day after it.
        faults: The incidents.
        late: The day whose log comes a day later than the others.
        killed: The day whose first run is killed.
        write: The file at which it is killed, from 1.
        days: How many days there are.
        history: How many days there are before them.
    """

    seed: int
    system: str
    ready: time
    faults: tuple[Fault, ...]
    late: date
    killed: date
    write: int
    days: int = DAYS
    history: int = HISTORY

    def log(self, day: date) -> pl.DataFrame:
        """The log of a day."""
        world = ChaosWorld(self.seed, impressions=_IMPRESSIONS)
        found = world.day(day)
        for fault in self.faults:
            found = world.with_fault(day, fault, clean=found)
        return found

    def arrives(self, day: date) -> datetime:
        """When the log of a day is there."""
        return datetime.combine(day + timedelta(2 if day == self.late else 1), self.ready)

    def numbers(self) -> Mapping[str, tuple[int, int]]:
        """Day -> impressions and clicks."""
        return _numbers(self)


@lru_cache(maxsize=8)
def _numbers(month: Month) -> dict[str, tuple[int, int]]:
    days = [FIRST + timedelta(at) for at in range(month.days)]
    logs = {str(day): month.log(day) for day in days}
    return {day: (log.height, int(log["clicked"].sum())) for day, log in logs.items()}


def sundays(days: int = DAYS) -> list[date]:
    """The last days of the whole weeks."""
    return [FIRST + timedelta(7 * week + 6) for week in range(days // 7)]


def month_of(draw: Draw) -> Month:
    """The month of a draw; system and hour are those of the learner in hidden months too."""
    own, rng = replace(draw, number=0).rng("schedule"), draw.rng("month")
    # An incident every seven days, none of them in the first two.
    starts = [FIRST + timedelta(2 + 7 * week + int(rng.integers(0, 4))) for week in range(DAYS // 7)]
    faults = [
        Fault(kind=str(kind), strength="strong", start=start)
        for kind, start in zip(rng.permutation(_KINDS).tolist(), starts, strict=True)
    ]
    bad = {each.start + timedelta(at) for each in faults for at in range(-1, 3)}
    calm = [day for at in range(1, DAYS - 3) if (day := FIRST + timedelta(at)) not in bad]
    return Month(
        seed=int(rng.integers(2**31)),
        system=f"shop-{int(own.integers(16**4)):04x}",
        ready=time(int(own.integers(3, 9)), 5 * int(own.integers(12))),
        faults=tuple(faults),
        late=calm[int(rng.integers(len(calm)))],
        killed=starts[int(rng.integers(len(starts)))],
        write=int(rng.integers(2, 13)),
    )
