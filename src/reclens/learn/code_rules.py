"""What the Python of an answer may hold, read from its syntax tree before it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from reclens.learn.exercise import Remark

__all__ = ["ALLOWED", "forbidden"]

ALLOWED: Final = frozenset(
    {
        "__future__",
        "bisect",
        "collections",
        "datetime",
        "functools",
        "heapq",
        "html",
        "itertools",
        "json",
        "math",
        "numpy",
        "operator",
        "statistics",
        "typing",
        "urllib.parse",
    }
)
"""Modules that an answer may import."""

_REFUSED: Final = frozenset(
    {"__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "help", "input"}
    | {"attrgetter", "locals", "memoryview", "methodcaller", "open", "quit", "setattr", "vars"}
    | {"_os", "_sys", "modules", "os", "sys"}
)
"""Names through which code reaches beyond what the tree shows."""


def forbidden(file: str, source: str) -> Iterator[Remark]:
    """Say what an answer may not hold: imports of other modules, names with two underscores, ``eval`` and its kin.

    Args:
        file: Name of the file.
        source: Its text.

    Example:
        >>> [remark.code for remark in forbidden("answer.py", "import socket")]
        ['import_not_allowed']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Remark("no_python", {"file": file, "line": line, "error": str(getattr(error, "msg", error))})
        return
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        for module in _imported(node):
            allowed = module in ALLOWED or module.partition(".")[0] in ALLOWED - {"numpy"}
            if not allowed:
                yield Remark("import_not_allowed", {"file": file, "line": line, "seen": module})
        for name in _named(node):
            if name in _REFUSED or (name.startswith("__") and name != "__future__"):
                yield Remark("name_not_allowed", {"file": file, "line": line, "seen": name})


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return []


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.alias):
        return [node.name.rpartition(".")[2], node.asname or ""]
    return []
