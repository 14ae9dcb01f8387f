"""The sources, parsed once for all house rules."""

from __future__ import annotations

import ast
import gc
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Source:
    """One module of the package."""

    path: Path
    text: str
    tree: ast.Module

    @cached_property
    def module(self) -> str:
        """Its dotted name."""
        parts = list(self.path.with_suffix("").parts)
        parts = parts[parts.index("reclens") :]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The first word below the package; "" for the package itself."""
        return self.module.partition(".")[2].partition(".")[0]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of its tree."""
        return list(ast.walk(self.tree))

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as an editor can jump to it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@pytest.fixture(scope="session")
def sources(repository: Path) -> list[Source]:
    """Every module below src/reclens: a million nodes, which the garbage collector need not walk again and again."""
    found = []
    gc.disable()
    for path in sorted((repository / "src" / "reclens").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(repository), text, ast.parse(text)))
    gc.freeze()
    gc.enable()
    assert found
    return found
