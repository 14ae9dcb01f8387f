"""Tags and notes on runs, and display preferences such as table columns, stored in the workspace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from reclens.errors import WorkspaceError
from reclens.files import write_text

__all__ = ["Note", "Notes"]

_FILE: Final = "notes.json"
_MOST: Final = 2000
"""Letters of a note, and of a tag; what is longer is cut."""


@dataclass(frozen=True)
class Note:
    """Tags and a note on an artefact.

    Attributes:
        tags: Search words, in order.
        text: The note.
    """

    tags: tuple[str, ...] = ()
    text: str = ""


class Notes:
    """The notes of a workspace, in one JSON file that is replaced atomically.

    Args:
        folder: The folder of the workspace.

    Example:
        >>> import tempfile
        >>> notes = Notes(tempfile.mkdtemp())
        >>> notes.write("evaluation", "ease", tags=["nightly", "nightly"], text="first with l2 = 300")
        >>> notes.of("evaluation")
        {'ease': Note(tags=('nightly',), text='first with l2 = 300')}
    """

    def __init__(self, folder: str | Path) -> None:
        self._path = Path(folder) / _FILE

    def of(self, kind: str) -> dict[str, Note]:
        """Return the notes of the artefacts of a kind by name."""
        found = self._read().get("notes", {}).get(kind, {})
        return {name: Note(tuple(each.get("tags", ())), str(each.get("text", ""))) for name, each in found.items()}

    def write(self, kind: str, name: str, *, tags: Sequence[str], text: str) -> None:
        """Replace the note on an artefact; without tags and text, the note is removed.

        Raises:
            WorkspaceError: If it cannot be written.
        """
        content = self._read(to_write=True)
        own = content.setdefault("notes", {}).setdefault(kind, {})
        kept = tuple(dict.fromkeys(each.strip()[:_MOST] for each in tags if each.strip()))
        own.pop(name, None)
        if kept or text.strip():
            own[name] = asdict(Note(kept, text.strip()[:_MOST]))
        self._write(content)

    def preference(self, name: str) -> list[str]:
        """Return a stored preference, such as the columns of a table, or nothing if none is stored."""
        found = self._read().get("preferences", {}).get(name, [])
        return [str(each) for each in found]

    def prefer(self, name: str, values: Sequence[str]) -> None:
        """Store a preference.

        Raises:
            WorkspaceError: If it cannot be written.
        """
        content = self._read(to_write=True)
        if content.get("preferences", {}).get(name) != list(values):
            content.setdefault("preferences", {})[name] = list(values)
            self._write(content)

    def _read(self, *, to_write: bool = False) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return content
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            pass
        if to_write:  # do not overwrite an unreadable file, because it may be repaired
            raise WorkspaceError(f"{self._path} holds no notes that can be read. Mend it, or remove it.")
        return {}

    def _write(self, content: Mapping[str, Any]) -> None:
        try:
            write_text(self._path, json.dumps(content, indent=1, ensure_ascii=False))
        except OSError as error:
            raise WorkspaceError(f"{self._path} cannot be written: {error}. Choose another place.") from error
