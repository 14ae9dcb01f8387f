"""Whether data are synthetic, as the cards say that are kept with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["MADE_UP", "file_is_synthetic", "parquet_is_synthetic", "says_synthetic"]

MADE_UP: Final = {"reclens.synthetic": "true"}
"""What the footer of a Parquet file holds if its rows are synthetic."""


def says_synthetic(card: Any) -> bool:
    """Whether a card says that its data are synthetic, or the card of anything that they were made from does.

    Example:
        >>> says_synthetic({"lists": {"train": {"name": "demo", "synthetic": True}}})
        True
    """
    if isinstance(card, Mapping):
        return card.get("synthetic") is True or any(says_synthetic(each) for each in card.values())
    return isinstance(card, list) and any(says_synthetic(each) for each in card)


def file_is_synthetic(path: str | Path | None) -> bool:
    """Whether a file says in its footer that it is synthetic, or belongs to something whose card says so.

    The path may be a pattern of files. The card of a simulation or an artefact is ``card.json`` of the folder, of the
    folder that holds it, or of the one above: a table of a simulation is a folder of files beside the card.
    """
    if path is not None and parquet_is_synthetic(path):
        return True
    for folder in () if path is None else [Path(path), *Path(path).parents][:3]:
        with suppress(OSError, ValueError):  # no card, or one of somebody else
            if says_synthetic(json.loads((folder / "card.json").read_text(encoding="utf-8"))):
                return True
    return False


def parquet_is_synthetic(source: str | Path | IO[bytes]) -> bool:
    """Whether a Parquet file holds :data:`MADE_UP`; what is no such file does not."""
    import polars as pl

    with suppress(OSError, ValueError, pl.exceptions.PolarsError):
        return pl.read_parquet_metadata(source).items() >= MADE_UP.items()
    return False
