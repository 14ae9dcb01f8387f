"""Adapters to other tools, one per file; adapters that need a library require an extra."""

from __future__ import annotations

from reclens.edges._staging import Exported

__all__ = ["Exported"]
