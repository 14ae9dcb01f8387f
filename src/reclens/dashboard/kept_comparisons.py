"""Cache of the pages' comparisons in the workspace, so that a restarted dashboard does not compute them again.

They are stored in ``.cache/comparison/`` of the workspace and may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import reclens
from reclens.drafts import draft_folder
from reclens.errors import RecLensError
from reclens.evaluation import Comparison
from reclens.schema import versions

__all__ = ["keeps_any", "kept_comparison"]

_MOST: Final = 64
"""Comparisons that are kept: those that were made last."""

_CODE: Final = ("stats", "metrics", "evaluation")
"""Rooms whose code decides what a comparison says."""


def kept_comparison(folder: str | Path, key: Any, make: Callable[[], Comparison]) -> Comparison:
    """Return the comparison stored under a key, or compute and store it.

    An unreadable comparison is computed again; if the folder is not writable, the comparison is not stored.

    Args:
        folder: The workspace.
        key: Everything that the comparison depends on: names, times of writing and choices. JSON.
        make: Computes the comparison.
    """
    place = _place(folder)
    known = json.dumps([key, _code()], sort_keys=True)
    kept = place / hashlib.sha256(known.encode()).hexdigest()[:32]
    with suppress(RecLensError, TypeError, KeyError):
        return Comparison.load(kept)
    made = make()
    with suppress(OSError, RecLensError):
        place.mkdir(parents=True, exist_ok=True)
        with draft_folder(place) as draft:
            made.save(draft)
            draft.rename(kept)
        _drop(place)
    return made


def keeps_any(folder: str | Path) -> bool:
    """Return whether a workspace keeps a comparison."""
    with suppress(OSError):
        return any(not each.name.startswith(".") for each in _place(folder).iterdir())
    return False


def _place(folder: str | Path) -> Path:
    return Path(folder) / ".cache" / "comparison"


def _drop(place: Path) -> None:
    """Remove the oldest comparisons."""
    found = [each for each in place.iterdir() if not each.name.startswith(".")]
    found.sort(key=lambda each: each.stat().st_mtime)
    for each in found[:-_MOST]:
        shutil.rmtree(each, ignore_errors=True)


@cache
def _code() -> list[Any]:
    """Return what else affects comparisons: versions and modification times of the code."""
    home = Path(reclens.__file__).parent
    files = sorted(each for room in _CODE for each in (home / room).rglob("*.py"))
    return [versions(), [(each.name, each.stat().st_mtime_ns, each.stat().st_size) for each in files]]
