"""What the process runs that a month is replayed in: its events, by the command line of RecLens, until it is killed."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import runpy
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

__all__ = ["EVENTS", "KILLED", "MARKS", "NOTICES", "main"]

EVENTS: Final = "events.json"
MARKS: Final = "marks.jsonl"
NOTICES: Final = "notices.jsonl"
KILLED: Final = 137
_MOST_SAID: Final = 500
_FAILED: Final = 2
"""Status from which on a command has failed."""


class _Kill:
    """Ends the process at a renaming, which is how the monitor puts its files in place."""

    def __init__(self) -> None:
        self.left: int | None = None
        sys.addaudithook(self._watch)

    def _watch(self, event: str, args: tuple[Any, ...]) -> None:
        del args
        if self.left is not None and event == "os.rename":
            self.left -= 1
            if self.left == 0:
                os._exit(KILLED)


def main() -> None:
    """Go on behind the last mark; a line of JSON is written for each command that failed."""
    _draw_nothing()
    _read_days_once()
    kill = _Kill()
    events = json.loads(Path(EVENTS).read_text(encoding="utf-8"))
    marks = Path(MARKS)
    done = len(marks.read_text(encoding="utf-8").splitlines()) if marks.exists() else 0
    for at, event in enumerate(events[done:], done):
        notices = Path(NOTICES)
        told = len(notices.read_text(encoding="utf-8").splitlines()) if notices.exists() else 0
        with marks.open("a", encoding="utf-8") as file:
            file.write(json.dumps([at, told]) + "\n")
        if "arrives" in event:
            arrived = Path(event["arrives"])
            arrived.replace(Path("log") / arrived.name)
            continue
        kill.left = event.get("killed")
        _run(at, event["steps"])
        kill.left = None


def _run(at: int, steps: Sequence[tuple[str, list[str]]]) -> None:
    code = 0
    for when, words in steps:
        if when == "always" or (when == "failed") == (code != 0):
            code, said = _start(words)
            gc.freeze()  # what the first command imported stays
            if code >= _FAILED:
                sys.stdout.write(json.dumps([at, words, code, said[-_MOST_SAID:]]) + "\n")
                sys.stdout.flush()


def _start(words: Sequence[str]) -> tuple[int, str]:
    sys.argv = ["reclens", *words]
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            runpy.run_module("reclens", run_name="__main__")
        except SystemExit as error:
            return (_FAILED, said.getvalue()) if isinstance(error.code, str) else (error.code or 0, said.getvalue())
    return 0, ""


def _draw_nothing() -> None:
    """The reports of the weeks are read as Markdown: charts of their pages take a third of the time."""
    from reclens.report.monitor import charts

    for name in ("history_chart", "incidents_chart", "contribution_chart"):
        setattr(charts, name, lambda *_, **__: None)


def _read_days_once() -> None:
    """Keep the tables of days that were read: each command would read them anew from the disk."""
    from reclens.monitor.project import Project

    read, kept = Project.read_day, dict[tuple[Any, ...], Any]()

    def read_day(self: Project, day: date, table: str) -> Any:
        place = self.day_folder(day) / f"{table}.parquet"
        try:
            found = place.stat()
        except OSError:
            return read(self, day, table)
        key = (place, found.st_ino, found.st_mtime_ns, found.st_size)  # they are renamed into place, never changed
        if key not in kept:
            kept[key] = read(self, day, table)
        return kept[key]

    Project.read_day = read_day
