"""The workspace: a folder of artefacts; each consists of Parquet files and a ``card.json``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reclens.workspace.artefact import Artefact
    from reclens.workspace.groups import RunGroup, protocol_of, run_groups, runs_on
    from reclens.workspace.query import Answer
    from reclens.workspace.store import KINDS, Workspace
    from reclens.workspace.trash import Cleaned, Removed

__all__ = [
    "KINDS",
    "Answer",
    "Artefact",
    "Cleaned",
    "Removed",
    "RunGroup",
    "Workspace",
    "protocol_of",
    "run_groups",
    "runs_on",
]

# Imported on use, so that the process of an SQL query does not load all of RecLens.
_HOMES: Final = {
    "KINDS": "store",
    "Answer": "query",
    "Artefact": "artefact",
    "Cleaned": "trash",
    "Removed": "trash",
    "RunGroup": "groups",
    "Workspace": "store",
    "protocol_of": "groups",
    "run_groups": "groups",
    "runs_on": "groups",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"reclens.workspace.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'reclens.workspace' has no attribute '{name}'")
