"""A file has one idea and fits a head; a function fits a screen."""

from __future__ import annotations

import ast

MOST_LINES_A_FILE = 400
MOST_LINES_A_BODY = 50


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_files_are_short(sources) -> None:
    long = [f"{s.path}: {n} lines" for s in sources if (n := len(s.text.splitlines())) > MOST_LINES_A_FILE]
    assert not long, f"more than {MOST_LINES_A_FILE} lines; split by idea: {long}"


def test_files_of_tests_are_short(repository) -> None:
    table = "tests/cli/option_table.py"  # one row for every option of every command
    lines = {
        str(path.relative_to(repository)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted((repository / "tests").rglob("*.py"))
    }
    long = [f"{name}: {n} lines" for name, n in lines.items() if n > MOST_LINES_A_FILE and name != table]
    assert not long, f"more than {MOST_LINES_A_FILE} lines; split by topic: {long}"


def test_functions_are_short(sources) -> None:
    long = [
        f"{s.at(node)} {node.name}: {n} lines"
        for s in sources
        for node in s.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (n := body_lines(node)) > MOST_LINES_A_BODY
    ]
    assert not long, f"bodies of more than {MOST_LINES_A_BODY} lines: {long}"


def test_the_formatter_decides_the_layout(sources) -> None:
    kept = [str(s.path) for s in sources if "# fmt: " in s.text]
    assert not kept, f"a directive keeps the formatter from these files: {kept}"
