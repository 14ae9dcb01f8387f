"""What SQL calls the tables of the artefacts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from reclens.workspace.artefact import Artefact, entries

__all__ = ["file_inside", "tables_of"]


def tables_of(folder: Path, artefacts: Iterable[Artefact]) -> dict[str, tuple[tuple[str, str, str], Path]]:
    """Name of a table -> (kind, name of the artefact, table) and its file; a link that leads out is none of them.

    SQL does not tell upper from lower case, nor ``a-b`` from ``a_b``: where two would be one, the one that is written
    as its name keeps it, and the others get a mark.
    """
    places = {
        (artefact.kind, artefact.name, file.stem): place
        for artefact in artefacts
        for file in entries(artefact.path, suffix=".parquet")
        if (place := file_inside(folder, file)) is not None
    }
    found: dict[str, tuple[tuple[str, str, str], Path]] = {}
    taken: set[str] = set()
    plain = {owner: re.sub(r"\W", "_", "_".join(owner)) for owner in places}
    for owner in sorted(places, key=lambda each: (plain[each] != "_".join(each), each[1] != each[1].lower(), each)):
        name = plain[owner]
        if name.casefold() in taken:
            name += f"_{hashlib.sha256('/'.join(owner).encode()).hexdigest()[:6]}"
        taken.add(name.casefold())
        found[name] = (owner, places[owner])
    return found


def file_inside(folder: Path, file: Path) -> Path | None:
    """Where a file of a workspace really lies; None if it is none, or a link that leads out of the workspace."""
    place = file.resolve()
    return place if place.is_file() and place.is_relative_to(folder.resolve()) else None
