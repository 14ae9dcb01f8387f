"""Detection of the format of a path by its name and, for a folder or a zip, by its files."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Final

__all__ = ["COMPLETE_JOURNEY", "PURCHASES", "is_complete_journey", "kind_of"]

PURCHASES: Final = ("transactions.csv", "transactions_sample.csv")
"""File names of the purchases of the Complete Journey: the full table, and the sample of the R package."""
COMPLETE_JOURNEY: Final = ("demographics.csv", "products.csv")
"""File names of its tables of households and products."""
_PACKED: Final = (".gz", ".bz2", ".xz", ".zst")


def kind_of(path: str, table: str) -> str:
    """Detect the format of a path by the names of its files and the beginning of its content."""
    from reclens.data.read.json_rows import json_kind
    from reclens.data.read.streams import is_stream

    if is_stream(path):
        return "text"
    ending = _ending(path)
    if (table == "lists" and ending in (".run", ".trec")) or ending == ".qrels":
        return "trec"
    place = Path(path).expanduser()
    if table in ("data", "ratings", "train", "test", "validation"):
        found = _layout(place)
        if found is not None:
            return found
    try:
        with place.open("rb") as file:
            head = file.read(1 << 10)
    except (OSError, ValueError):
        return "text"
    if head[:4] == b"PAR1" or head[:6] == b"ARROW1" or head[8:12] == b"DUCK":
        return "typed"
    return "json" if json_kind(head) is not None else "text"


def is_complete_journey(names: Set[str]) -> bool:
    """Whether files of these names are the Complete Journey data."""
    return names >= set(COMPLETE_JOURNEY) and any(name in names for name in PURCHASES)


def _ending(path: str) -> str:
    place = Path(path)
    return Path(place.stem if place.suffix.lower() in _PACKED else place.name).suffix.lower()


def _layout(path: Path) -> str | None:
    """Detect MovieLens, the Complete Journey and RecBole by the names of their files."""
    from reclens.data.read.zips import open_members

    if not path.is_dir() and path.suffix.lower() != ".zip":
        return "recbole" if path.suffix == ".inter" else None
    with open_members(path) as members:
        names = {name.rpartition("/")[2] for name in members.names}
    if names & {"u.data", "ratings.dat", "ratings.csv"}:
        return "movielens"
    if is_complete_journey(names):
        return "complete_journey"
    return "recbole" if path.is_dir() and any(name.endswith(".inter") for name in names) else None
