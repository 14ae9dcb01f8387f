"""The embedded vector store: ``local:FOLDER``; see :class:`reclens.explore.local_store.LocalStore`."""

from __future__ import annotations

from reclens.errors import UsageError
from reclens.explore.local_store import LocalStore

__all__ = ["connect"]


def connect(rest: str) -> LocalStore:
    """The store in a folder.

    Raises:
        UsageError: If the folder is missing.
    """
    if not rest:
        raise UsageError("no folder is named. Expected local:FOLDER.")
    return LocalStore(rest)
