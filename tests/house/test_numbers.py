"""Shares, intervals and p-values are written by one module, so that they look alike on every surface."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SHOWN = {"cli", "dashboard", "report"}
MAKERS = {"report/_toolkit/format.py", "report/_toolkit/tables.py"}
"""``format`` has the functions, and ``tables`` the numbers and estimates that it is made of."""


def strays(tree: ast.AST) -> Iterator[tuple[ast.JoinedStr, str]]:
    """Shares in percent, intervals in brackets and p-values that an f-string formats itself."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        forms = [
            ast.unparse(each.format_spec)[2:-1]
            for each in node.values
            if isinstance(each, ast.FormattedValue) and each.format_spec is not None
        ]
        if any(re.fullmatch(r"\W*\.\d%", form) for form in forms):
            yield node, "share"
        text = "".join(
            each.value if isinstance(each, ast.Constant) else "{:}" if each.format_spec is not None else "{}"
            for each in node.values
            if isinstance(each, ast.Constant | ast.FormattedValue)
        )
        if re.search(r"\[\{:\}, \{:\}\]", text):
            yield node, "interval"
        if re.search(r"\bp(-value)? [=<] \{:\}", text):
            yield node, "p-value"


def test_one_module_writes_shares_intervals_and_p_values(sources) -> None:
    found = [
        f"{s.at(node)}: {what}"
        for s in sources
        if s.room in SHOWN and s.path.as_posix().removeprefix("src/reclens/") not in MAKERS
        for node, what in strays(s.tree)
    ]
    assert not found, f"write them by reclens.report._toolkit.format: {found}"


def test_what_counts_as_a_stray() -> None:
    texts = {
        'f"{x:.1%}"': ["share"],
        'f"{x:+.0%} [{a:.2f}, {b:.2f}]"': ["share", "interval"],
        'f"p = {p:.3f}"': ["p-value"],
        'f"{percent(x, 1)} {y:.2f} [{a}, {b}] p = {p_text(p)}"': [],
    }
    for text, expected in texts.items():
        assert [what for _, what in strays(ast.parse(text))] == expected, text
