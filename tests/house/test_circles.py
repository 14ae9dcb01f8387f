"""No two files import each other, at the top, inside a function or for types; a package's own ``__init__`` may."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def imports_of(nodes: Sequence[ast.AST], modules: set[str]) -> set[str]:
    """The modules that a file imports anywhere."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found & modules


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules each of which imports the next, back to the first; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_circle_of_imports(sources) -> None:
    modules = {source.module for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        own = {name for name in modules if source.module.startswith(f"{name}.")}  # the packages it stands in
        parts = {name for name in modules if name.startswith(f"{source.module}.")}  # what a package is made of
        graph[source.module] = imports_of(source.nodes, modules) - own - parts - {source.module}
    assert not circle(graph)


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}})) == {"b", "c"}
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []
