"""The command line: ``reclens --help``. One file per command group; it computes nothing itself."""

from __future__ import annotations

from reclens.cli.main import main

__all__ = ["main"]
