"""Whether data are synthetic, as the cards say that are kept with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["file_is_synthetic", "says_synthetic"]


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
    """Whether a file, or a pattern of files, belongs to a simulation or an artefact whose card says synthetic.

    The card is ``card.json`` of the folder, of the folder that holds it, or of the one above: a table of a
    simulation is a folder of files beside the card.
    """
    for folder in () if path is None else [Path(path), *Path(path).parents][:3]:
        with suppress(OSError, ValueError):  # no card, or one of somebody else
            if says_synthetic(json.loads((folder / "card.json").read_text(encoding="utf-8"))):
                return True
    return False
