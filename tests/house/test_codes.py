"""A code is an identifier; its words are made in ``report``."""

from __future__ import annotations

import ast


def test_codes_have_no_blanks(sources) -> None:
    blanks = [
        f"{s.at(node)}: {choice.value!r}"
        for s in sources
        for node in s.nodes
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Literal"
        for choice in ast.walk(node.slice)
        if isinstance(choice, ast.Constant) and isinstance(choice.value, str) and " " in choice.value
    ]
    assert not blanks, f"write a code as an identifier, and its words in report: {blanks}"


def keys_of_details(tree: ast.AST) -> list[str]:
    """The names of numbers that are given as ``details``, pairs of a name and a value."""
    given = [
        node.value
        for node in ast.walk(tree)
        if (isinstance(node, ast.keyword) and node.arg == "details")
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "details")
    ]
    pairs = [pair for value in given for pair in ast.walk(value) if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    texts = [part for pair in pairs for part in ast.walk(pair.elts[0]) if isinstance(part, ast.Constant)]
    return [text.value for text in texts if isinstance(text.value, str)]


def test_keys_of_details_have_no_blanks(sources) -> None:
    found = [(s.path, key) for s in sources for key in keys_of_details(s.tree)]
    assert len(found) > 3
    blanks = [f"{path}: {key!r}" for path, key in found if " " in key]
    assert not blanks, f"write a key as an identifier, and its words in report: {blanks}"
