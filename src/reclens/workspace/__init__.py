"""The workspace: a folder of artefacts, each Parquet files beside a ``card.json``."""

from __future__ import annotations

from reclens.workspace.files import write_bytes, write_text
from reclens.workspace.query import Answer
from reclens.workspace.store import KINDS, Artefact, Workspace

__all__ = ["KINDS", "Answer", "Artefact", "Workspace", "write_bytes", "write_text"]
