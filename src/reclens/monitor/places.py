"""Locate the rows of a day: the files of a path that can hold them, and the start and end of the day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from reclens.errors import DataError

__all__ = ["DayBounds", "Files", "day_bounds", "files_of", "utc_days"]

_DATED: Final = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_SUFFIXES: Final = (".parquet", ".pq")


@dataclass(frozen=True)
class DayBounds:
    """A day of a zone: it has 23 or 25 hours when the clocks change.

    Attributes:
        day: The day.
        start: Start, UTC.
        end: Start of the next day, UTC.
    """

    day: date
    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """Hours of the day."""
        return round((self.end - self.start).total_seconds() / 3600)


def day_bounds(day: date, zone: ZoneInfo) -> DayBounds:
    """When a day begins and ends in a zone.

    Example:
        >>> day_bounds(date(2026, 3, 29), ZoneInfo("Europe/Berlin")).hours
        23
    """
    first, last = (datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    return DayBounds(day, first, last)


def utc_days(bounds: DayBounds) -> list[date]:
    """The UTC days that a day overlaps.

    Example:
        >>> [str(day) for day in utc_days(day_bounds(date(2026, 1, 5), ZoneInfo("Europe/Berlin")))]
        ['2026-01-04', '2026-01-05']
    """
    last = (bounds.end - timedelta(microseconds=1)).date()
    return [bounds.start.date() + timedelta(days=at) for at in range((last - bounds.start.date()).days + 1)]


@dataclass(frozen=True)
class Files:
    """The files that can hold the rows of a day.

    Attributes:
        paths: All of them.
        own: Those that are named after the day itself; empty where files are not named after days.
        dated: Whether files are named after days.
    """

    paths: tuple[Path, ...]
    own: tuple[Path, ...]
    dated: bool


def files_of(path: Path, bounds: DayBounds) -> Files:
    """The Parquet files of a path for a day.

    Args:
        path: A file; or a folder, with files or folders named after days, or with files of any names. Names that begin
            with a dot or an underscore are skipped: such names mark unfinished files.
        bounds: The day.

    Raises:
        DataError: If the path does not exist.
    """
    if path.is_file():
        return Files((path,), (), dated=False)
    if not path.is_dir():
        raise DataError("there is no such file or folder", source=str(path), fix="Look at path under [log].")
    found = sorted(
        each
        for suffix in _SUFFIXES
        for each in path.rglob(f"*{suffix}")
        if not any(part.startswith((".", "_")) for part in each.relative_to(path).parts)
    )
    days = [_day_of(each.relative_to(path)) for each in found]
    if not found or None in days:
        return Files(tuple(found), (), dated=False)
    wanted = {bounds.day, *utc_days(bounds)}
    paths = tuple(each for each, day in zip(found, days, strict=True) if day in wanted)
    own = tuple(each for each, day in zip(found, days, strict=True) if day == bounds.day)
    return Files(paths, own, dated=True)


def _day_of(path: Path) -> date | None:
    """The day that a file, or the folder it is in, is named after."""
    for part in reversed(path.parts):
        for year, month, day in reversed(_DATED.findall(part)):
            try:
                return date(int(year), int(month), int(day))
            except ValueError:
                continue
    return None
