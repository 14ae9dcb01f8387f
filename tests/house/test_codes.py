"""A code is an identifier; its words are made in ``report``."""

from __future__ import annotations

import ast


def test_codes_have_no_blanks(sources) -> None:
    blanks = [
        f"{s.at(node)}: {choice.value!r}"
        for s in sources
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Literal"
        for choice in ast.walk(node.slice)
        if isinstance(choice, ast.Constant) and isinstance(choice.value, str) and " " in choice.value
    ]
    assert not blanks, f"write a code as an identifier, and its words in report: {blanks}"
