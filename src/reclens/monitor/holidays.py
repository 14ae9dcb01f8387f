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
_LINE: Final = re.compile(r"^(DTSTART|DTEND|RRULE|STATUS)(?:;[^:\n]*)?:(.*)$", re.MULTILINE)
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?")
_YEARS: Final = 30
"""For which an event of every year is repeated."""


def read_calendar(path: Path) -> frozenset[date]:
    r"""The days of all events of a calendar; those of every year are repeated for thirty years.

    Args:
        path: An ``.ics`` file. An event lasts until the day before its end, as iCalendar has it; one that is cancelled
            is none.

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
    said = dict(_LINE.findall(event))
    if said.get("STATUS", "").strip() == "CANCELLED" or "DTSTART" not in said:
        return
    first = _date(said["DTSTART"], path)
    end = _date(said["DTEND"], path) if "DTEND" in said else first
    rule = {part.strip() for part in said.get("RRULE", "").split(";") if part.strip()}
    if rule - {"FREQ=YEARLY", "INTERVAL=1", f"BYMONTH={first.month}", f"BYMONTHDAY={first.day}"}:
        raise UsageError(f"{path} has an event that repeats by {said['RRULE'].strip()}; only FREQ=YEARLY can be read.")
    for year in range(_YEARS if rule else 1):
        try:
            start = first.replace(year=first.year + year)
        except ValueError:  # 29 February
            continue
        yield from (start + timedelta(days=at) for at in range(max((end - first).days, 1)))


def _date(text: str, path: Path) -> date:
    found = _DATE.fullmatch(text.strip())
    try:
        return date(*map(int, found.groups())) if found else date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{path} has an event on {text.strip()!r}, which is no date.") from None
