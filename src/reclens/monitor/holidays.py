"""The dates of a calendar of holidays: a file in the format iCalendar, as countries and offices publish theirs.

References: Desruisseaux (ed.) (2009), RFC 5545: Internet Calendaring and Scheduling Core Object Specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from reclens.errors import UsageError

__all__ = ["read_calendar"]

_EVENT: Final = re.compile(r"^BEGIN:VEVENT\n(.*?)^END:VEVENT$", re.MULTILINE | re.DOTALL)
_ALARM: Final = re.compile(r"^BEGIN:VALARM\n.*?^END:VALARM$", re.MULTILINE | re.DOTALL)
_LINE: Final = re.compile(
    r"""^(DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|STATUS)(?:;(?:"[^"\n]*"|[^:"\n])*)?:(.*)$""", re.MULTILINE
)
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?")
_DURATION: Final = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:\d+M)?(?:\d+S)?)?")
_YEARS, _FROM = 30, 2024
"""For which an event of every year is repeated: from its first year, or from this one if it began before."""


def read_calendar(path: Path) -> frozenset[date]:
    r"""The days of all events of a calendar; those of every year are repeated for thirty years, at least until 2053.

    Args:
        path: An ``.ics`` file. An event lasts until the day before its end, or as long as its duration, as iCalendar
            has it; one that is cancelled is none.

    Raises:
        UsageError: If it cannot be read, is no calendar, or an event repeats otherwise than every year.

    Example:
        >>> import tempfile
        >>> lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261227"]
        >>> file = Path(tempfile.mkdtemp()) / "holidays.ics"
        >>> _ = file.write_text("\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR"]))
        >>> [str(day) for day in sorted(read_calendar(file))]
        ['2026-12-25', '2026-12-26']
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the calendar {path} cannot be read: {error}.") from None
    # A line that begins with a space continues the one before.
    text = re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n"))
    if not text.lstrip().startswith("BEGIN:VCALENDAR"):
        raise UsageError(f"{path} is no calendar: it does not begin with BEGIN:VCALENDAR. Name an .ics file.")
    return frozenset(day for event in _EVENT.findall(text) for day in _days(event, path))


def _days(event: str, path: Path) -> Iterator[date]:
    said = dict(_LINE.findall(_ALARM.sub("", event)))
    if said.get("STATUS", "").strip() == "CANCELLED" or "DTSTART" not in said:
        return
    first = _date(said["DTSTART"], path)
    lasts = (_date(said["DTEND"], path) - first).days if "DTEND" in said else _lasts(said.get("DURATION", "P1D"), path)
    rule = {part.strip() for part in said.get("RRULE", "").split(";") if part.strip()}
    rule |= {f"{name}:{said[name].strip()}" for name in ("RDATE", "EXDATE") if name in said}
    others = rule - {"FREQ=YEARLY", "INTERVAL=1", f"BYMONTH={first.month}", f"BYMONTHDAY={first.day}"}
    if others:
        raise UsageError(
            f"{path} has an event that repeats by {';'.join(sorted(others))}; only FREQ=YEARLY can be read."
        )
    for year in range(first.year, max(first.year, _FROM) + _YEARS if rule else first.year + 1):
        try:
            start = first.replace(year=year)
        except ValueError:  # 29 February
            continue
        yield from (start + timedelta(days=at) for at in range(max(lasts, 1)))


def _lasts(text: str, path: Path) -> int:
    """Days of a duration."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{path} has an event that lasts {text.strip()!r}, which is no duration.")
    weeks, days, hours = (int(each or 0) for each in found.groups())
    return 7 * weeks + days + hours // 24


def _date(text: str, path: Path) -> date:
    found = _DATE.fullmatch(text.strip())
    try:
        return date(*map(int, found.groups())) if found else date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{path} has an event on {text.strip()!r}, which is no date.") from None
