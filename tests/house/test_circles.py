"""No two files import each other, at the top, inside a function or for types; a package's own ``__init__`` may."""

from __future__ import annotations

import ast
from collections.abc import Mapping


def imports_of(tree: ast.Module, modules: set[str]) -> set[str]:
    """The modules that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found & modules


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The groups of modules in which each reaches every other (Tarjan 1972, by reachability: the graph is small)."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, waiting = set[str](), [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        reach[start] = seen
    groups = {frozenset(b for b in reach[a] if a in reach[b]) for a in graph if a in reach[a]}
    return [set(group) for group in groups]


def test_no_circle_of_imports(sources) -> None:
    modules = {source.module for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        own = {name for name in modules if source.module.startswith(f"{name}.")}  # the packages it stands in
        parts = {name for name in modules if name.startswith(f"{source.module}.")}  # what a package is made of
        graph[source.module] = imports_of(source.tree, modules) - own - parts - {source.module}
    assert not circles(graph)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]
