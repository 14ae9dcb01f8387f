"""A schedule as cron reads it, of the commands of the health monitor alone: what is started when."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from reclens.errors import DataError

__all__ = ["Job", "Step", "read_crontab", "started_on"]

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MOST_STARTS: Final = 24
"""Starts of all lines on one day."""
_DATE: Final = re.compile(
    r"\$\(date -d ['\"]?-?(\d{1,2}) days?(?: ago)?['\"]? \+\\?%F\)|\$\(date -d ['\"]?yesterday['\"]? \+\\?%F\)"
)
_AGO: Final = re.compile(r"@(\d+)")
_ALLOWED: Final = {
    "run": ("--date", "--track", "--wait", "--workspace", "--project"),
    "check": ("--date", "--failed", "--workspace", "--project"),
    "report": ("--week", "--track", "--workspace", "--project"),
}
_SHORT: Final = {"-p": "--project", "-w": "--workspace"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of a line.

    Attributes:
        when: Whether it is started after the one before it in any case, once that went well, or once it failed.
        command: ``run``, ``check`` or ``report``.
        ago: Days before the day of its start that it is about.
        tracks: Whether it has a tracker.
        options: Its further words.
    """

    when: Literal["always", "went_well", "failed"]
    command: str
    ago: int
    tracks: bool
    options: tuple[str, ...] = ()

    def words(self, today: date, *, tracker: str) -> list[str]:
        """The words after ``reclens`` on a day."""
        day = str(today - timedelta(self.ago))
        found = ["monitor", self.command, "--week" if self.command == "report" else "--date", day, *self.options]
        return [*found, *(["--track", tracker] if self.tracks else [])]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A line of a schedule.

    Attributes:
        times: For each of the five fields of cron, the values at which it starts.
        any_day: Whether the day of the month is ``*``.
        any_weekday: Whether the weekday is.
        steps: Its commands.
    """

    times: tuple[frozenset[int], ...]
    any_day: bool
    any_weekday: bool
    steps: tuple[Step, ...]

    def starts(self, day: date) -> list[datetime]:
        """When it starts on a day."""
        minutes, hours, days, months, weekdays = self.times
        by_day, by_weekday = day.day in days, day.isoweekday() % 7 in {each % 7 for each in weekdays}
        # Where both are restricted, cron starts on the days of either.
        fits = by_day and by_weekday if self.any_day or self.any_weekday else by_day or by_weekday
        if not fits or day.month not in months:
            return []
        return [datetime(day.year, day.month, day.day, hour, minute) for hour in hours for minute in minutes]


def read_crontab(name: str, text: str) -> list[Job]:
    """The lines of a schedule.

    Args:
        name: Name of the file.
        text: Its text.

    Raises:
        DataError: If a line is none of cron, or starts something else than the monitor.
    """
    jobs: list[Job] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or re.match(r"\s*[A-Z_]+\s*=", line):
            continue
        parts = line.split(None, 5)
        if len(parts) < 6:
            raise DataError(f"{name}, line {number}: expected five fields of time and a command, as in the template.")
        fields = [_values(f"{name}, line {number}", *each) for each in zip(parts, _FIELDS, strict=False)]
        steps = tuple(_steps(f"{name}, line {number}", parts[5]))
        jobs.append(Job(times=tuple(fields), any_day=parts[2] == "*", any_weekday=parts[4] == "*", steps=steps))
    if not jobs:
        raise DataError(f"{name} has no line that starts anything.")
    return jobs


def started_on(jobs: Sequence[Job], day: date) -> list[tuple[datetime, Job]]:
    """What starts on a day, in order.

    Raises:
        DataError: If there is too much of it.
    """
    found = sorted(((at, job) for job in jobs for at in job.starts(day)), key=lambda each: each[0])
    if len(found) > _MOST_STARTS:
        raise DataError(f"The schedule starts {len(found)} commands a day, expected at most {_MOST_STARTS}.")
    return found


def _values(where: str, text: str, field: tuple[str, int, int]) -> frozenset[int]:
    what, low, high = field
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", part)
        if match is None:
            raise DataError(f"{where}: the {what} is {text!r}, expected numbers from {low} to {high}, or *.")
        first = low if match[1] == "*" else int(match[2])
        last = high if match[1] == "*" or (match[4] and not match[3]) else int(match[3] or match[2])
        step = int(match[4] or 1)
        if not low <= first <= last <= high or step == 0:
            raise DataError(f"{where}: the {what} is {text!r}, expected numbers from {low} to {high}, or *.")
        found |= set(range(first, last + 1, step))
    return frozenset(found)


def _steps(where: str, command: str) -> Iterator[Step]:
    # Dates come first: their parentheses are what a shell would see.
    dated = _DATE.sub(lambda found: f"@{found[1] or 1}", command)
    left = re.sub(r"^cd \S+ && |\s*>>?\s*\S+(\s+2>&1)?$", "", dated.strip())
    pieces = re.split(r"(&&|\|\||;)", left)
    for at in range(0, len(pieces), 2):
        mark = pieces[at - 1] if at else ";"
        when: Literal["always", "went_well", "failed"] = (
            "went_well" if mark == "&&" else "failed" if mark == "||" else "always"
        )
        yield _step(where, pieces[at], when)


def _step(where: str, command: str, when: Literal["always", "went_well", "failed"]) -> Step:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    fits = len(words) >= 3 and words[0].rpartition("/")[2] == "reclens" and words[1] == "monitor"
    if not fits or words[2] not in _ALLOWED or re.search(r"[$`<>|&()]", command):
        raise DataError(
            f"{where} starts {command.strip()!r}, expected 'reclens monitor run', 'check' or 'report' with plain "
            "options; a day is written as in $(date -d '2 days ago' +\\%F)."
        )
    return _read_options(where, words[2], words[3:], when)


def _read_options(
    where: str, command: str, words: Sequence[str], when: Literal["always", "went_well", "failed"]
) -> Step:
    ago, tracks, options, left = 1, False, list[str](), list(words)
    while left:
        name, given, value = left.pop(0).partition("=")
        name = _SHORT.get(name, name)
        if name == "--quiet" or (name == "--dry-run" and command == "run"):
            options += [name]
            continue
        if name not in _ALLOWED[command]:
            raise DataError(f"{where}: {command} has {name!r}, expected one of {', '.join(_ALLOWED[command])}.")
        if not given:
            if not left:
                raise DataError(f"{where}: {name} has no value.")
            value = left.pop(0)
        ago, tracks = _read_option(where, name, value, ago, tracks, options)
    return Step(when=when, command=command, ago=ago, tracks=tracks, options=tuple(options))


def _read_option(where: str, name: str, value: str, ago: int, tracks: bool, options: list[str]) -> tuple[int, bool]:
    if name in {"--date", "--week"}:
        match = _AGO.fullmatch(value)
        if match is None:
            raise DataError(f"{where}: {name} is {value!r}, which is the same day at each start. Let date compute it.")
        return int(match[1]), tracks
    if name == "--track":
        if not re.fullmatch(r"(runs|wandb):[\w./-]+", value):
            raise DataError(f"{where}: --track is {value!r}, expected runs:FOLDER or wandb:PROJECT.")
        return ago, True
    if name == "--failed":
        if not re.fullmatch(r"\w{1,20}", value):
            raise DataError(f"{where}: --failed is {value!r}, expected the name of a step, such as run.")
        options += [name, value]
    return ago, tracks
