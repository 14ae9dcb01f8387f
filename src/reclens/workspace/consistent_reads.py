"""Read each artefact as written by a single save while other processes save, replace and remove artefacts.

An artefact consists of several files, and a save may exchange its folder between two reads. Therefore a read is valid
only if the artefact is still in the same place. Otherwise it is read again from its new place: replaced and removed
artefacts move to the trash unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from reclens.errors import RecLensError, WorkspaceError
from reclens.workspace.artefact import Key, Stamp, entries, stamp_of

__all__ = ["read_whole"]

Found = TypeVar("Found")

_TURNS: Final = 60
_LONGEST: Final = 0.2  # seconds between two attempts


def read_whole(
    folder: Path, keys: Sequence[Key], find: Callable[[str, str], Stamp], read: Callable[[Mapping[Key, Path]], Found]
) -> Found:
    """Read some artefacts together.

    Args:
        folder: The workspace.
        keys: Kinds and names of the artefacts.
        find: Returns the stamp of one, or raises if it is unknown.
        read: Reads them from the given folders.

    Raises:
        WorkspaceError: If they are replaced and the trash is emptied faster than they can be read.
    """
    for turn in range(_TURNS):
        stamps = {key: find(*key) for key in keys}
        places: Mapping[Key, Path] | None = {(kind, name): folder / kind / name for kind, name in keys}
        while places is not None:
            found, failed = _tried(read, places)
            if all(stamp_of(places[key]) == stamps[key] for key in keys):
                if failed is not None:
                    raise failed
                return found  # type: ignore[return-value]
            places = _moved(folder, stamps)
        time.sleep(min(0.001 * 2**turn, _LONGEST))
    names = ", ".join(f"{kind} {name}" for kind, name in keys)
    raise WorkspaceError(f"{names}: replaced faster than it can be read. Read it when the writing is over.")


def _tried(
    read: Callable[[Mapping[Key, Path]], Found], places: Mapping[Key, Path]
) -> tuple[Found | None, RecLensError | OSError | None]:
    try:
        return read(places), None
    except (RecLensError, OSError) as error:
        return None, error


def _moved(folder: Path, stamps: Mapping[Key, Stamp]) -> dict[Key, Path] | None:
    """Return the current folders of the artefacts with these stamps, or None if one has left the trash."""
    found: dict[Key, Path] = {}
    for (kind, name), stamp in stamps.items():
        lying = (each for each in entries(folder / ".trash" / kind) if each.name.startswith(f"{name}@"))
        place = next((each for each in (folder / kind / name, *lying) if stamp_of(each) == stamp), None)
        if place is None:
            return None
        found[kind, name] = place
    return found
