"""Adapters to other tools: one a file, each behind an extra where it needs a library."""

from __future__ import annotations

from reclens.edges._staging import Exported

__all__ = ["Exported"]
