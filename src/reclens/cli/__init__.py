"""The command line: ``reclens --help``. One file a command group; nothing is computed here."""

from __future__ import annotations

from reclens.cli.main import main

__all__ = ["main"]
