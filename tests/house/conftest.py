"""The sources, parsed once for all house rules."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Source:
    """One module of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Its dotted name."""
        parts = list(self.path.with_suffix("").parts)
        parts = parts[parts.index("reclens") :]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The first word below the package; "" for the package itself."""
        return self.module.partition(".")[2].partition(".")[0]

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as an editor can jump to it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@pytest.fixture(scope="session")
def sources(repository: Path) -> list[Source]:
    """Every module below src/reclens."""
    found = []
    for path in sorted((repository / "src" / "reclens").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(repository), text, ast.parse(text)))
    assert found
    return found
