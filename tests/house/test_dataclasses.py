"""Records with many fields are built by name, so that no two values are swapped silently."""

from __future__ import annotations

import ast

MOST_BY_POSITION = 4


def by_position(node: ast.ClassDef) -> int:
    """How many fields the constructor takes by position; one before ``_: KW_ONLY`` counts as none."""
    taken = 0
    for each in node.body:
        if not isinstance(each, ast.AnnAssign) or "ClassVar" in ast.unparse(each.annotation):
            continue
        if ast.unparse(each.annotation) == "KW_ONLY":
            return 0 if taken <= 1 else MOST_BY_POSITION + 1
        taken += each.value is None or "init=False" not in ast.unparse(each.value)
    return taken


def test_records_of_many_fields_are_built_by_name(sources) -> None:
    long = [
        f"{source.at(node)} {node.name}"
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator) and "kw_only=True" not in ast.unparse(decorator)
        if by_position(node) > MOST_BY_POSITION
    ]
    assert not long, f"more than {MOST_BY_POSITION} fields: make them kw_only: {long}"
