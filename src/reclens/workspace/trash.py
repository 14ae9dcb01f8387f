"""The trash of a workspace: what was removed or replaced, until it leaves by a rule.

``.trash/<kind>/<name>@<when>``. Of each name the :data:`COPIES` copies that were removed last are kept, for
:data:`DAYS` days; older ones leave when something of their kind comes in, and when the workspace is cleaned.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from reclens.drafts import Swept, draft_folder
from reclens.tabular import Tabular

__all__ = ["COPIES", "DAYS", "Cleaned", "Removed", "drop", "new_place", "outdated", "removed"]

COPIES: Final = 5
"""Copies of one name that the trash keeps."""

DAYS: Final = 30
"""Days that it keeps them."""

READING: Final = timedelta(seconds=10)
"""How long every copy stays, however many there are: somebody may be reading it."""

_STAMP: Final = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, kw_only=True)
class Removed(Tabular):
    """An artefact in the trash.

    Attributes:
        kind: Its kind.
        name: The name that it had.
        removed: When it was removed or replaced, UTC.
        bytes: Size of its files.
        path: Where it lies.
    """

    kind: str
    name: str
    removed: datetime
    bytes: int
    path: Path

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [
            {
                "kind": self.kind,
                "name": self.name,
                "removed": self.removed.isoformat(timespec="seconds"),
                "bytes": self.bytes,
            }
        ]


@dataclass(frozen=True)
class Cleaned(Tabular):
    """What :meth:`~reclens.workspace.Workspace.clean` removed.

    Attributes:
        drafts: Temporary folders and files of killed runs.
        copies: Copies that the trash no longer keeps.
    """

    drafts: Swept
    copies: tuple[Removed, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row for what was removed of each sort, for tables."""
        return [
            {"removed": "temporary folders of killed runs", "count": self.drafts.count, "bytes": self.drafts.bytes},
            {
                "removed": "old copies in the trash",
                "count": len(self.copies),
                "bytes": sum(each.bytes for each in self.copies),
            },
        ]


def new_place(trash: Path, kind: str, name: str) -> Path:
    """A place in the trash that does not exist yet; its folder is made.

    Raises:
        OSError: If that cannot be made.
    """
    shelf = trash / kind
    trash.mkdir(exist_ok=True)
    shelf.mkdir(exist_ok=True)
    # A clock that is set back must not make an older copy the one that was removed last.
    before = [when for each in _entries(shelf) if (when := _when(each.name, name)) is not None]
    when = max([datetime.now(UTC), *(each + timedelta(microseconds=1) for each in before)])
    while (place := shelf / f"{name}@{when.strftime(_STAMP)}").exists():
        when += timedelta(microseconds=1)
    return place


def removed(trash: Path, kind: str | None = None) -> list[Removed]:
    """What lies in the trash, of one kind or of all, newest first."""
    shelves = [trash / kind] if kind else [Path(shelf.path) for shelf in _entries(trash)]
    found = (_read(entry) for shelf in shelves for entry in _entries(shelf))
    listed = [each for each in found if each is not None]
    return sorted(listed, key=lambda each: (each.removed, each.kind, each.name), reverse=True)


def outdated(items: Iterable[Removed], *, now: datetime) -> list[Removed]:
    """Those that the trash no longer keeps: of each name the oldest ones, and whatever lay there too long.

    Args:
        items: What lies there, newest first.
        now: The time.
    """
    seen: dict[tuple[str, str], int] = {}
    found = []
    for each in items:
        of = (each.kind, each.name)
        seen[of] = seen.get(of, 0) + 1
        age = now - each.removed
        if (seen[of] > COPIES and age > READING) or age > timedelta(days=DAYS):
            found.append(each)
    return found


def drop(trash: Path, items: Iterable[Removed]) -> list[Removed]:
    """Delete copies for good; returns those that this process deleted.

    Each is renamed first, and deleted under the other name: nobody restores half of one.

    Raises:
        OSError: If the trash cannot be written.
    """
    gone = []
    for each in items:
        with draft_folder(trash) as draft:
            try:
                each.path.rename(draft / "leaving")
            except FileNotFoundError:  # restored, or deleted by another process
                continue
        gone.append(each)
    return gone


def _when(place: str, name: str) -> datetime | None:
    """When the copy of a name was removed, by the name of its place; None of any other place."""
    of, _, stamp = place.rpartition("@")
    with suppress(ValueError):
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) if of == name else None
    return None


def _read(entry: os.DirEntry[str]) -> Removed | None:
    name, _, stamp = entry.name.rpartition("@")
    try:
        when = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        size = sum(each.stat().st_size for each in _files(Path(entry.path)))
    except (ValueError, FileNotFoundError):  # not ours; or gone
        return None
    path = Path(entry.path)
    return Removed(kind=path.parent.name, name=name, removed=when, bytes=size, path=path)


def _files(folder: Path) -> list[Path]:
    return [Path(where) / name for where, _, names in os.walk(folder) for name in names]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The folders in a folder; none where it does not exist."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return []
