"""Calendars of holidays."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from reclens.errors import UsageError
from reclens.monitor.holidays import read_calendar


def calendar(place: Path, *events: str) -> Path:
    file = place / "days.ics"
    whole = "".join(f"BEGIN:VEVENT\r\n{each}\r\nEND:VEVENT\r\n" for each in events)
    file.write_bytes(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{whole}END:VCALENDAR\r\n".encode())
    return file


def test_the_days_of_events(tmp_path: Path) -> None:
    file = calendar(
        tmp_path,
        # An end is the first day after; a line goes on after a line break and a space.
        "SUMMARY:Christmas\\, both\r\n  days\r\nDTSTART;VALUE=DATE:202612\r\n 25\r\nDTEND;VALUE=DATE:20261227",
        "DTSTART:20270101T000000Z",
        "DTSTART;TZID=Europe/Berlin:20270501T000000\r\nDTEND;TZID=Europe/Berlin:20270502T000000",
        "DTSTART;VALUE=DATE:20270304\r\nSTATUS:CANCELLED",
        "SUMMARY:without a day",
        # Outlook writes zones between quotes, with a colon; what an alarm lasts is not what the event does.
        'DTSTART;TZID="(UTC+01:00) Berlin":20271003T000000\r\nBEGIN:VALARM\r\nDURATION:P9D\r\nEND:VALARM',
        "DTSTART;VALUE=DATE:20280414\r\nDURATION:P1DT24H",
    )
    assert sorted(read_calendar(file)) == [
        date(2026, 12, 25),
        date(2026, 12, 26),
        date(2027, 1, 1),
        date(2027, 5, 1),
        date(2027, 10, 3),
        date(2028, 4, 14),
        date(2028, 4, 15),
    ]


def test_an_event_of_every_year(tmp_path: Path) -> None:
    file = calendar(tmp_path, "DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY")
    days = read_calendar(file)
    assert date(2028, 2, 29) in days and {each.year for each in days} == set(range(2024, 2054, 4))
    old = calendar(tmp_path, "DTSTART;VALUE=DATE:19701225\r\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25")
    assert {each.year for each in read_calendar(old)} == set(range(1970, 2054))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("DTSTART:20261225\r\nRRULE:FREQ=YEARLY;BYDAY=-1MO", "only FREQ=YEARLY"),
        ("DTSTART:20261225\r\nRRULE:FREQ=YEARLY\r\nEXDATE:20271225", "EXDATE:20271225; only"),
        ("DTSTART:20261225\r\nRDATE:20271226", "RDATE:20271226; only"),
        ("DTSTART:20261225\r\nDURATION:2 days", "'2 days', which is no duration"),
        ("DTSTART:20261325", "'20261325', which is no date"),
        ("DTSTART:tomorrow", "'tomorrow', which is no date"),
    ],
)
def test_what_cannot_be_read_is_said(event: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        read_calendar(calendar(tmp_path, event))


def test_what_is_no_calendar_is_said(tmp_path: Path) -> None:
    (tmp_path / "days.txt").write_text("2026-12-25")
    with pytest.raises(UsageError, match=r"Name an \.ics file"):
        read_calendar(tmp_path / "days.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        read_calendar(tmp_path / "nosuch.ics")
