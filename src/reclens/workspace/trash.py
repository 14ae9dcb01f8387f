"""The trash of a workspace: removed and replaced artefacts, until they expire.

``.trash/<kind>/<name>@<when>``. The :data:`COPIES` most recently removed copies of each name are kept for :data:`DAYS`
days; older ones are deleted when an artefact of their kind is added, and when the workspace is cleaned.
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
        name: Its former name.
        removed: Time of the removal or replacement, UTC.
        bytes: Size of its files.
        path: Its folder in the trash.
    """

    kind: str
    name: str
    removed: datetime
    bytes: int
    path: Path

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return it as one row for tables."""
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
    """The result of :meth:`~reclens.workspace.Workspace.clean`.

    Attributes:
        drafts: Temporary folders and files of killed runs.
        copies: Expired copies in the trash.
    """

    drafts: Swept
    copies: tuple[Removed, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one row for each sort of removed content, for tables."""
        return [
            {"removed": "drafts", "count": self.drafts.count, "bytes": self.drafts.bytes},
            {
                "removed": "copies",
                "count": len(self.copies),
                "bytes": sum(each.bytes for each in self.copies),
            },
        ]


def new_place(trash: Path, kind: str, name: str) -> Path:
    """Return a free path in the trash, and create its parent folder.

    Raises:
        OSError: If that cannot be created.
    """
    shelf = trash / kind
    trash.mkdir(exist_ok=True)
    shelf.mkdir(exist_ok=True)
    # If the clock is set back, an older copy must not become the last removed one.
    before = [when for each in _entries(shelf) if (when := _when(each.name, name)) is not None]
    when = max([datetime.now(UTC), *(each + timedelta(microseconds=1) for each in before)])
    while (place := shelf / f"{name}@{when.strftime(_STAMP)}").exists():
        when += timedelta(microseconds=1)
    return place


def removed(trash: Path, kind: str | None = None) -> list[Removed]:
    """Return the content of the trash, of one kind or of all kinds, newest first."""
    shelves = [trash / kind] if kind else [Path(shelf.path) for shelf in _entries(trash)]
    found = (_read(entry) for shelf in shelves for entry in _entries(shelf))
    listed = [each for each in found if each is not None]
    return sorted(listed, key=lambda each: (each.removed, each.kind, each.name), reverse=True)


def outdated(items: Iterable[Removed], *, now: datetime) -> list[Removed]:
    """Return the expired copies: surplus old copies of each name, and copies that are too old.

    Args:
        items: The content of the trash, newest first.
        now: The current time.
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
    """Delete copies permanently, and return those that this process deleted.

    Each copy is renamed before it is deleted, so that a partly deleted one cannot be restored.

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
    """Return when a copy of a name was removed, from its folder name, or None for other folders."""
    of, _, stamp = place.rpartition("@")
    with suppress(ValueError):
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) if of == name else None
    return None


def _read(entry: os.DirEntry[str]) -> Removed | None:
    name, _, stamp = entry.name.rpartition("@")
    try:
        when = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        size = sum(each.stat().st_size for each in _files(Path(entry.path)))
    except (ValueError, FileNotFoundError):  # not a copy, or already gone
        return None
    path = Path(entry.path)
    return Removed(kind=path.parent.name, name=name, removed=when, bytes=size, path=path)


def _files(folder: Path) -> list[Path]:
    return [Path(where) / name for where, _, names in os.walk(folder) for name in names]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the folders in a folder; empty if it does not exist."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return []
