"""Whole numbers, decimals, shares, intervals and p-values are written by one module, alike on every surface."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SHOWN = {"cli", "dashboard", "job", "report"}
"""What people read. The rooms below ``report`` show nothing: they format numbers in errors and in a ``repr``."""
MAKER = "src/reclens/report/_toolkit/format.py"

DIGITS = re.compile(r"[+,_%]|\.\d|[eEfFgGn]$")
"""What in a format says how a number is written; it holds no name of a month, no width and no side to align to."""
FIELD = re.compile(r"(?<!\{)\{[\w.\[\]]*(?:![rsa])?:([^{}\s]*)\}")


def _says_digits(form: str) -> bool:
    return "%Y" not in form and "%b" not in form and DIGITS.search(form) is not None


def strays(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Numbers that are written in place: by a format in an f-string, a template or a call, by ``%``, or by rounding."""
    parts = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue):
            form = "" if node.format_spec is None else ast.unparse(node.format_spec)[2:-1]
            if _says_digits(form) or "{" in form:
                yield node, f"format {form}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            for form in FIELD.findall(node.value):
                if _says_digits(form):
                    yield node, f"template {form}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left):
            yield node, "%"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            inner = node.args[0] if node.args else None
            if called == "format":
                yield node, "format()"
            elif called in ("str", "repr") and isinstance(inner, ast.Call) and ast.unparse(inner.func) == "round":
                yield node, "round()"
        yield from _rounded(node)


def _rounded(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """A number that is rounded to decimals as it is written into a text."""
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Call):
        call = node.value
        if ast.unparse(call.func) == "round" and len(call.args) > 1:
            yield node, "round()"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_one_module_writes_numbers(sources) -> None:
    found = [
        f"{s.at(node)}: {what}"
        for s in sources
        if s.room in SHOWN and s.path.as_posix() != MAKER
        for node, what in strays(s.tree)
    ]
    assert not found, f"write them by reclens.report._toolkit.format: {found}"


def test_what_counts_as_a_stray() -> None:
    texts = {
        'f"{x:.1%}"': ["format .1%"],
        'f"{x:+.0%} [{a:.2f}, {b:.2f}]"': ["format +.0%", "format .2f", "format .2f"],
        'f"{n:,} of {x:g}"': ["format ,", "format g"],
        'f"{x:{form}}"': ["format {form}"],
        '"{n:,} rows of {x:.3g}".format(n=n, x=x)': ["template ,", "template .3g"],
        'format(x, ".2f") + str(round(x, 2)) + f"{round(x, 1)}" + "%d" % n': ["%", "format()", "round()", "round()"],
        'f"{percent(x, 1)} {day:%Y-%m-%d} {name:<8} {at:>5} [{a}, {b}] {round(n)}" + "{x}".format(x=x)': [],
    }
    for text, expected in texts.items():
        assert sorted(what for _, what in strays(ast.parse(text))) == sorted(expected), text
