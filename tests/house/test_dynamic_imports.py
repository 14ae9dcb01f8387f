"""Imports by a computed name: registries import from their own room, and one function imports from the edges."""

from __future__ import annotations

import ast
from collections.abc import Iterable

ALLOWED = {
    "reclens.lazy": "the map of public names of a package",
    "reclens.engine": "need: a library, by its name",
    "reclens.protocols": "adapter: reclens.edges.<scheme>",
    "reclens.tabular": "a library that a frame is made for",
    "reclens.cli.registry": "the module of a command",
    "reclens.dashboard.serve": "libraries that are loaded before the first visit",
}
"""Modules that import by a name that is not of their own room, and what for."""


def dynamic_imports(nodes: Iterable[ast.AST]) -> list[ast.Call]:
    return [
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and not (node.args and isinstance(node.args[0], ast.Constant))
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")
    ]


def prefix(call: ast.Call) -> str:
    """The literal that the name begins with."""
    match call.args[0]:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case _:
            return ""


def test_computed_imports_stay_in_their_room(sources) -> None:
    strange = [
        f"{s.at(call)}: {ast.unparse(call)}"
        for s in sources
        for call in dynamic_imports(s.nodes)
        if s.module not in ALLOWED and not prefix(call).startswith(f"reclens.{s.room}.")
    ]
    assert not strange, f"import by a plain statement, or list the module in this test with the reason: {strange}"
    using = {s.module for s in sources if dynamic_imports(s.nodes)}
    assert not set(ALLOWED) - using, "listed here without need"


def test_one_function_reaches_the_edges_by_name(sources) -> None:
    reaching = {
        s.module for s in sources for call in dynamic_imports(s.nodes) if prefix(call).startswith("reclens.edges")
    }
    assert reaching == {"reclens.protocols"}


def test_files_are_replaced_in_one_place(sources) -> None:
    """Only ``files``, on the drafts of ``drafts``, writes a file under a temporary name and renames it."""
    calls = {"os.replace", "os.rename", "shutil.move", "tempfile.mkstemp"}
    loose = {
        s.module
        for s in sources
        for node in s.nodes
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) in calls or any(ast.unparse(k) == "delete=False" for k in node.keywords))
    }
    assert loose == {"reclens.drafts", "reclens.dashboard.demo"}  # the log of a demo is a temporary file that stays
