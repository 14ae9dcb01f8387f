"""The folder of a monitor: settings, the state of each day, and published files.

::

    monitor.toml                     the settings
    state/annotations.json           what happened, as people wrote it down
    state/bins.json                  bins of distributions, as the first day set them
    state/known_*.parquet            users, items and versions, each with the first day it was seen
    state/held/                      days whose marts are being made, as the next days need them
    state/landed/                    what it makes them from
    state/days/2026-01-05/           cells, items, …, series (Parquet); gate.json; card.json, written last
    published/series.parquet, …      all days in one file, for the dashboard and other readers

Every file is written under a temporary name and renamed, so that readers see the old or the new version. A day with a
``card.json`` is complete; files that a killed run left behind are rewritten when the day runs again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from io import BytesIO
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import polars as pl
from pydantic import TypeAdapter

from reclens.data.read.frames import read_parquet
from reclens.drafts import sweep
from reclens.errors import Advice, NameTakenError, WorkspaceError
from reclens.files import made_folder, write_bytes, write_text
from reclens.monitor.cards import DayCard
from reclens.monitor.holidays import read_calendar
from reclens.monitor.records import SERIES, GateResult
from reclens.monitor.settings import SETTINGS_FILE, MonitorSettings, load_monitor_settings

__all__ = ["RUN_DAYS", "Project"]

_GATE: Final = TypeAdapter(GateResult)
_CARD: Final = "card.json"
_AGAIN: Final = 0.05


RUN_DAYS: Final = Advice("run_days", text="Run the days first: rl.monitor.backfill.")
"""What to do where no day, or too few of them, were run."""
_INIT: Final = Advice("make_monitor", text="Make a project there by rl.monitor.init.")


class Project:
    """The folder of a monitor.

    Args:
        folder: Folder with ``monitor.toml``.

    Raises:
        WorkspaceError: If there is no ``monitor.toml``.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / SETTINGS_FILE).is_file():
            raise WorkspaceError(f"{self.folder} has no {SETTINGS_FILE}", advice=_INIT)
        self.state = self.folder / "state"
        self.published = self.folder / "published"
        self._held: set[date] = set()
        self.notes = self.state / "annotations.json"

    def __repr__(self) -> str:
        return f"Project({str(self.folder)!r})"

    @cached_property
    def settings(self) -> MonitorSettings:
        """The settings in ``monitor.toml``."""
        return load_monitor_settings(self.folder)

    @cached_property
    def holidays(self) -> frozenset[date]:
        """The exceptional days: those of the settings, and of the calendar that they name.

        Raises:
            UsageError: If the calendar cannot be read.
        """
        calendar = self.settings.calendar
        return frozenset(self.settings.holidays) | (read_calendar(self.place(calendar)) if calendar else frozenset())

    def place(self, path: str | Path) -> Path:
        """Resolve a path of the settings relative to the folder."""
        return self.folder / path

    @contextmanager
    def lock(self, *, wait: float = 0.0) -> Generator[None]:
        """Lock the state, so that one run at a time writes it.

        The operating system releases the lock when the process ends for any reason.

        Args:
            wait: Seconds to wait for another run to end.

        Raises:
            NameTakenError: If another run holds the lock.
            WorkspaceError: If the folder cannot be written.
        """
        with self._lock("lock", wait):
            sweep([self.state, self.published, *self._folders()])
            yield

    @contextmanager
    def check_lock(self, *, wait: float = 0.0) -> Generator[None]:
        """Lock out other checks but not runs, because a check must report a run that hangs while it holds :meth:`lock`.

        Args:
            wait: Seconds to wait for another check to end.

        Raises:
            NameTakenError: If another check holds the lock.
            WorkspaceError: If the folder cannot be written.
        """
        with self._lock("check-lock", wait):
            yield

    @contextmanager
    def _lock(self, name: str, wait: float) -> Generator[None]:
        made_folder(self.state)
        place, end = self.state / name, time.monotonic() + wait
        try:
            file = place.open("a+b")
        except OSError as error:
            raise WorkspaceError(f"{place} cannot be written: {error.strerror or error}.") from error
        with file:
            while not _locked(file.fileno()):
                if time.monotonic() >= end:
                    raise NameTakenError(f"another run writes {self.folder}. Wait for its end, then run again.")
                time.sleep(_AGAIN)
            yield

    # -------------------------------------------------------------------------------------------------------- one day

    def day_folder(self, day: date) -> Path:
        """Folder of the state of a day."""
        return self.state / ("held" if day in self._held else "days") / day.isoformat()

    @contextmanager
    def holding(self) -> Generator[None]:
        """Hold days that start within this context: only this object sees them until they are finished.

        Held days of a killed run are discarded; the days remain unchanged.
        """
        try:
            rmtree(self.state / "held", ignore_errors=True)
            yield
        finally:
            self._held.clear()
            rmtree(self.state / "held", ignore_errors=True)

    def hold(self, day: date) -> None:
        """Read and write the files of a day in a separate folder until :meth:`finish_day`."""
        self._held.add(day)

    def finish_day(self, day: date, tables: Mapping[str, pl.DataFrame], gate: GateResult, card: DayCard) -> None:
        """Write the state of a day that may be held, visible to all readers, and stop holding it.

        Raises:
            WorkspaceError: As of :meth:`write_day`.
        """
        # While it is written, threads that hold it go on to read the held files.
        self._write_day(self.state / "days" / day.isoformat(), tables, gate, card)
        self._held.discard(day)

    def days(self) -> list[date]:
        """The completed days, in order."""
        return [date.fromisoformat(each.name) for each in self._folders() if (each / _CARD).is_file()]

    def write_day(self, day: date, tables: Mapping[str, pl.DataFrame], gate: GateResult, card: DayCard) -> None:
        """Write the state of a day; replaces files of an earlier run.

        Raises:
            WorkspaceError: If it cannot be written, for example on a full disk; the day then counts as not run.
        """
        self._write_day(self.day_folder(day), tables, gate, card)

    def _write_day(self, folder: Path, tables: Mapping[str, pl.DataFrame], gate: GateResult, card: DayCard) -> None:
        made_folder(folder)
        try:
            (folder / _CARD).unlink(missing_ok=True)
            for each in folder.glob("*.parquet"):
                if each.stem not in tables:
                    each.unlink()
        except OSError as error:
            raise WorkspaceError(f"{folder} cannot be written: {error.strerror or error}.") from error
        for name, table in tables.items():
            self._write(folder / f"{name}.parquet", table)
        write_text(folder / "gate.json", _GATE.dump_json(gate, indent=1).decode())
        write_text(folder / _CARD, json.dumps(card, indent=1, default=str, ensure_ascii=False))

    def read_day(self, day: date, table: str) -> pl.DataFrame | None:
        """A table of the state of a day, or None."""
        place = self.day_folder(day) / f"{table}.parquet"
        return read_parquet(place) if place.is_file() else None

    def read_days(self, days: Sequence[date], table: str) -> pl.DataFrame | None:
        """A table concatenated over days, with an added column ``day`` if missing; None without data."""
        found: list[pl.DataFrame] = []
        for day in days:
            each = self.read_day(day, table)
            if each is not None:
                found.append(each if "day" in each.columns else each.with_columns(day=pl.lit(day)))
        return pl.concat(found, how="diagonal_relaxed") if found else None

    def card(self, day: date) -> DayCard | None:
        """The card of a day; None if it was not run."""
        place = self.day_folder(day) / _CARD
        return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None

    # ------------------------------------------------------------------------------------------------------- all days

    def series(self, start: date | None = None, end: date | None = None) -> pl.DataFrame:
        """The series of the days from ``start`` to ``end``, in the columns of SERIES; all by default."""
        found = self.read_days(self._between(start, end), "series")
        return (
            pl.DataFrame(schema=SERIES)
            if found is None
            else found.select(pl.col(name).cast(kind) for name, kind in SERIES.items())
        )

    def gates(self, start: date | None = None, end: date | None = None) -> dict[date, GateResult]:
        """The data gate of each day, in order."""
        found: dict[date, GateResult] = {}
        for day in self._between(start, end):
            text = (self.day_folder(day) / "gate.json").read_bytes()
            found[day] = _GATE.validate_json(text)
        return found

    def publish(self, table: str, frame: pl.DataFrame) -> None:
        """Write ``published/TABLE.parquet`` atomically, while readers such as the dashboard may be open."""
        made_folder(self.published)
        self._write(self.published / f"{table}.parquet", frame)

    def read_published(self, table: str) -> pl.DataFrame | None:
        """A published table; None before the first one."""
        place = self.published / f"{table}.parquet"
        return read_parquet(place) if place.is_file() else None

    # ----------------------------------------------------------------------------------------------------- small state

    def read_state(self, name: str) -> dict[str, Any] | None:
        """``state/NAME.json``; None if it does not exist."""
        place = self.state / f"{name}.json"
        return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None

    def write_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Write ``state/NAME.json``."""
        made_folder(self.state)
        write_text(self.state / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False, default=str))

    def read_known(self, name: str) -> pl.DataFrame | None:
        """``state/known_NAME.parquet``: ``id, first_day``; None before the first day."""
        place = self.state / f"known_{name}.parquet"
        return read_parquet(place) if place.is_file() else None

    def write_known(self, name: str, frame: pl.DataFrame) -> None:
        """Write ``state/known_NAME.parquet``."""
        made_folder(self.state)
        self._write(self.state / f"known_{name}.parquet", frame)

    def _between(self, start: date | None, end: date | None) -> list[date]:
        return [day for day in self.days() if (start is None or day >= start) and (end is None or day <= end)]

    def _folders(self) -> list[Path]:
        days = self.state / "days"
        found = {each.name: each for each in days.iterdir() if _is_day(each.name)} if days.is_dir() else {}
        found |= {day.isoformat(): self.day_folder(day) for day in tuple(self._held)}
        return [found[name] for name in sorted(found)]

    @staticmethod
    def _write(place: Path, frame: pl.DataFrame) -> None:
        content = BytesIO()
        frame.write_parquet(content, compression="zstd", compression_level=1)
        write_bytes(place, content.getvalue())


def _is_day(name: str) -> bool:
    try:
        date.fromisoformat(name)
    except ValueError:
        return False
    return len(name) == 10


def _locked(handle: int) -> bool:
    """Try to lock a file; fails if another process holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        locking: Any = msvcrt
        try:
            locking.locking(handle, locking.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
