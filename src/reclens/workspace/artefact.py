"""Artefacts in the workspace, and how to read their cards while other processes write."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reclens.data.origin import says_synthetic
from reclens.errors import Advice, Setting, WorkspaceError
from reclens.schema import versions
from reclens.tabular import Tabular

__all__ = [
    "FORMAT",
    "Artefact",
    "Key",
    "Stamp",
    "cannot",
    "changed_in",
    "entries",
    "head_of",
    "identity_of",
    "read_artefact",
    "same_folder",
    "stamp_of",
    "stamps_in",
]

Key = tuple[str, str]
"""Kind and name."""

Stamp = tuple[int, int]
"""What tells one save of an artefact from the next: inode and time of its card."""

_TURNS: Final = 60

FORMAT: Final = 2
"""What the cards that this version writes say of their format; those of versions before 1.0 say less, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Artefact(Tabular):
    """The metadata of an artefact in the workspace.

    Attributes:
        kind: One of ``KINDS``.
        name: Its name.
        created: Time of writing, UTC.
        bytes: Size of its files.
        path: Its folder.
        about: What a list of artefacts tells of it, in numbers and codes that depend on its kind; ``report`` has the
            words. Empty where the card cannot be read, and of versions that kept a sentence, as ``summary``.
        card: Its sources and settings; empty if unreadable.
    """

    kind: str
    name: str
    created: datetime
    bytes: int
    path: Path
    about: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    card: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def synthetic(self) -> bool:
        """Whether it comes from synthetic data, according to its card or the cards of its sources."""
        return says_synthetic(self.card)

    @property
    def broken(self) -> bool:
        """Whether its card cannot be read."""
        return not self.card

    @property
    def outdated(self) -> bool:
        """Whether an older version of RecLens made it, according to its card."""
        return bool(self.card) and self.card.get("format") != FORMAT

    @property
    def made_again(self) -> Advice:
        """How to make an artefact of its kind again; each surface has its own way."""
        kept = Setting("name", self.name, "save"), Setting("keep", self.name, "save")
        return Advice(f"make_{self.kind}_again", kept, "Make it again: workspace.save(…, {name}).")

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return it as one row for tables."""
        row = {"kind": self.kind, "name": self.name, "created": self.created.isoformat(timespec="seconds")}
        return [row | {"bytes": self.bytes}]


def head_of(kind: str, name: str) -> dict[str, Any]:
    """Return the first fields of every card that this version writes."""
    created = datetime.now(UTC).isoformat()
    return {"kind": kind, "name": name, "format": FORMAT, "created": created, "versions": versions()}


def read_artefact(folder: Path) -> Artefact | None:
    """Return the metadata of an artefact, or None if it does not exist, for example because it was just removed."""
    found: Artefact | None = None
    stamp = stamp_of(folder)
    for _ in range(_TURNS):
        if stamp is None:
            return None
        found = _read(folder)
        before, stamp = stamp, stamp_of(folder)
        if before == stamp:
            break
    return found


def stamp_of(folder: Path) -> Stamp | None:
    """Return the identity of an artefact's card, which every save changes, or None if it does not exist."""
    try:
        found = (folder / "card.json").stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns


def stamps_in(folder: Path) -> list[tuple[str, int, int]]:
    """Return the name and :func:`stamp_of` of each artefact in the folder of a kind; empty without such a folder.

    Paths stay plain strings, because pages call this often.

    Raises:
        WorkspaceError: If the folder is not readable.
    """
    found: list[tuple[str, int, int]] = []
    try:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as places:
            for each in places:
                if not each.name.startswith("."):
                    with suppress(FileNotFoundError, NotADirectoryError):
                        card = os.stat(f"{each.path}{os.sep}card.json")  # noqa: PTH116 - a Path takes thrice as long
                        found.append((each.name, card.st_ino, card.st_mtime_ns))
    except OSError as error:
        raise cannot(folder, "read", error) from error
    return found


def changed_in(folder: Path) -> int:
    """Return when an entry of a folder was last added, replaced or removed, in ns; 0 without such a folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - as above
    except OSError:
        return 0


def entries(folder: Path, *, suffix: str | None = None) -> list[Path]:
    """Return the folders in a folder, or its files with a suffix, without hidden ones; empty if it does not exist."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        return sorted(
            Path(each.path)
            for each in found
            if not each.name.startswith(".") and (each.is_dir() if suffix is None else each.name.endswith(suffix))
        )
    return []


def cannot(place: Path, what: str, error: OSError) -> WorkspaceError:
    """Return the error for an operation that the system refused."""
    return WorkspaceError(
        f"{place} cannot be {what}: {error.strerror or error}. Choose another place, or see to the "
        "rights and the space that it needs."
    )


def identity_of(folder: Path) -> tuple[int, int] | None:
    """Return the device and inode of a folder, which tell it from another one of its name, or None if it is missing."""
    try:
        found = folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot(folder, "read", error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise WorkspaceError(f"{folder} is a file, not a workspace folder. Name a folder.")
    return found.st_dev, found.st_ino


def _read(folder: Path) -> Artefact:
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        created = datetime.fromisoformat(card["created"])
    except (OSError, ValueError, KeyError, TypeError):
        card, created = {}, datetime.fromtimestamp(0, UTC)
    size = 0
    with suppress(OSError), os.scandir(folder) as files:
        size = sum(each.stat().st_size for each in files if each.is_file())
    about = card.get("about", {"summary": str(card["summary"])} if "summary" in card else {})
    return Artefact(
        kind=folder.parent.name, name=folder.name, created=created, bytes=size, path=folder, about=about, card=card
    )


def same_folder(folder: Path, opened: tuple[int, int] | None, *, make: bool = False) -> tuple[int, int]:
    """Return the identity of a workspace, which must be the same as when it was opened.

    Args:
        folder: The workspace.
        opened: Its identity when it was opened; None if it did not exist.
        make: Create it if it has never existed.

    Raises:
        WorkspaceError: If it does not exist, or has disappeared since.
    """
    found = identity_of(folder)
    if found is None and make and opened is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot(folder, "written", error) from error
        found = identity_of(folder)
    if opened is not None and found != opened:
        raise WorkspaceError(
            f"{folder} has disappeared: it was there when the work began, and was removed or replaced "
            "since. What was kept in it is gone; open the workspace anew."
        )
    if found is None:
        raise WorkspaceError(
            f"there is no workspace at {folder}. Check the path; one is made when something is first saved."
        )
    return found
