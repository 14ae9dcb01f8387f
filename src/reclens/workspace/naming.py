"""Names of artefacts, and SQL names of their tables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from reclens.errors import UsageError
from reclens.files import is_device
from reclens.workspace.artefact import Artefact, entries

__all__ = ["check_name", "file_inside", "tables_of"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def tables_of(folder: Path, artefacts: Iterable[Artefact]) -> dict[str, tuple[tuple[str, str, str], Path]]:
    """Map SQL names to (kind, artefact, table) and the file; links that lead out of the workspace are left out.

    SQL names are not case-sensitive, and ``a-b`` becomes ``a_b``. If two names collide, the artefact whose name is
    spelled like the SQL name keeps it, and the others get a suffix.
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
    """Resolve the path of a file in a workspace; return None if it is not a file or leads out of the workspace."""
    place = file.resolve()
    return place if place.is_file() and place.is_relative_to(folder.resolve()) else None


def check_name(name: str) -> None:
    """Refuse a name that no artefact can have on every system.

    Raises:
        UsageError: If it is one.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for an artefact: use letters, digits, '.', '_' and '-'.")
    if name.endswith("."):
        raise UsageError(f"'{name}' is no name for an artefact: Windows drops the dot at its end. Leave it out.")
    if is_device(name):
        raise UsageError(f"'{name}' is no name for an artefact: Windows keeps it for a device. Choose another name.")
