"""Public means: in ``__all__``, defined, documented."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def exports(tree: ast.Module) -> list[str] | None:
    """The literal value of ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def has_code(tree: ast.Module) -> bool:
    """Whether a module holds more than a docstring and a future import."""
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
        for node in tree.body
    )


def test_every_module_says_what_is_public(sources) -> None:
    modules = [s for s in sources if has_code(s.tree) and s.path.name != "__main__.py"]
    silent = [str(s.path) for s in modules if exports(s.tree) is None]
    assert not silent, f"without __all__: {silent}"


def test_exports_are_public_names_once(sources) -> None:
    for source in sources:
        names = exports(source.tree) or []
        assert len(names) == len(set(names)), f"{source.path}: a name stands twice in __all__"
        assert not [n for n in names if n.startswith("_")], f"{source.path}: __all__ has private names"


def test_exports_exist(sources) -> None:
    missing = []
    for source in sources:
        names = exports(source.tree)
        if names and ".models._deep." in source.module:  # they import PyTorch at their top
            written = ast.unparse(source.tree)
            missing += [name for name in names if not re.search(rf"^(class |def |){name}\b", written, re.M)]
        elif names:
            module = importlib.import_module(source.module)
            missing += [f"{source.module}.{name}" for name in names if not hasattr(module, name)]
    assert not missing, f"named in __all__ but not there: {missing}"


def test_nothing_public_is_left_out(sources) -> None:
    forgotten = []
    for source in sources:
        names = set(exports(source.tree) or [])
        forgotten += [
            f"{source.at(node)} {node.name}"
            for node in source.tree.body
            if isinstance(node, DEFINITIONS) and not node.name.startswith("_") and node.name not in names
        ]
    assert not forgotten, f"public by name but not in __all__ (add them, or begin the name with _): {forgotten}"


def test_every_public_thing_is_documented(sources) -> None:
    bare = [str(s.path) for s in sources if has_code(s.tree) and not ast.get_docstring(s.tree)]
    for source in sources:
        names = set(exports(source.tree) or [])
        for node in source.tree.body:
            if not isinstance(node, DEFINITIONS) or node.name not in names:
                continue
            inner = node.body if isinstance(node, ast.ClassDef) else []
            members = [n for n in inner if isinstance(n, DEFINITIONS) and not n.name.startswith("_")]
            bare += [f"{source.at(n)} {n.name}" for n in (node, *members) if not ast.get_docstring(n)]
    assert not bare, f"without a docstring: {bare}"


@pytest.mark.parametrize("name", importlib.import_module("reclens").__all__)
def test_every_name_of_the_map_resolves(name: str) -> None:
    reclens = importlib.import_module("reclens")
    assert getattr(reclens, name) is not None


def test_the_map_is_one_list() -> None:
    reclens = importlib.import_module("reclens")
    assert sorted(reclens._HOMES) == sorted(reclens.__all__), "__all__ and _HOMES of reclens differ"
    assert set(reclens.__all__) <= set(dir(reclens))
    with pytest.raises(AttributeError, match="no attribute 'evalaute'"):
        _ = reclens.evalaute
