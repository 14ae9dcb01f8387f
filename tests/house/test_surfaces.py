"""Each surface names its own settings: by records of an advice, and by no replacement in text."""

from __future__ import annotations

import ast
import re

READ = "columns|bad_rows|between|duplicates|form|timestamp_format|decimal|delimiter|encoding|escape|header|quote|ids"
FITTED = "attribute|attributes|by|feedback|features|half_life|learning_rate|models|profile|similarity|weighting|where"
ASKED = "again|cold_users|event_id|search|seconds|spaces|trials|two_arms|unscored"
NAMED = re.compile(rf"(?<![\w.-])({READ}|{FITTED}|{ASKED})=(?![=\w]*\))")
ROOMS = {
    "audit",
    "data",
    "evaluation",
    "experiment",
    "explore",
    "lab",
    "metrics",
    "models",
    "pipeline",
    "report",
    "tuning",
    "workspace",
}


def test_messages_name_arguments_of_readers_by_an_advice(sources) -> None:
    found = [
        f"{s.at(node)}: {node.value!r}"
        for s in sources
        if s.room in ROOMS
        for node in _texts(s.tree)
        if NAMED.search(node.value)
    ]
    assert not found, f"give an Advice with a Setting, so that every surface names its own: {found}"


ANY = re.compile(r"(?<![\w.{'\-])[a-z_]{2,}=(?![=])")
PYTHON_ALONE = {
    "data/read/fetch.py",  # the header of a request
    "data/read/request.py",  # how a pair is typed
    "evaluation/argument_checks.py",
    "metrics/registry.py",
    "pipeline/specs.py",
    "stats/estimate.py",  # a repr
}
"""Where a wrong type is refused, which only Python can pass, and what is no message."""


def test_messages_of_rooms_name_no_argument(sources) -> None:
    """``name=`` is Python: the command line and the dashboard show the same errors."""
    found = [
        f"{s.at(node)}: {node.value!r}"
        for s in sources
        if s.room in (ROOMS | {"stats", "world"}) - {"report"}
        and s.path.as_posix().removeprefix("src/reclens/") not in PYTHON_ALONE
        for node in _texts(s.tree)
        if ANY.search(node.value) and " " in node.value and not re.search(r"\(Array\(|SELECT |\n", node.value)
    ]
    assert not found, f"give an Advice with a Setting, or an ArgumentValueError: {found}"


def test_no_message_is_rewritten(sources) -> None:
    """A pattern that holds ``name=`` would be looked for in messages."""
    found = [
        s.at(node)
        for s in sources
        if s.room in ("cli", "dashboard", "job", "data")
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("re.sub", "re.compile")
        and any(isinstance(each, ast.Constant) and NAMED.search(str(each.value)) for each in ast.walk(node))
    ]
    found += [
        s.at(node)
        for s in sources
        if s.room in ("cli", "dashboard", "job")
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Call)
        and re.search(r"^str\((error|message)\)\.replace$|^(error|message)\.replace$", ast.unparse(node.func))
    ]
    assert not found, f"say it by RecLensError.said: {found}"


def test_pages_say_errors_in_their_own_words(sources) -> None:
    found = [
        s.at(node)
        for s in sources
        if s.room == "dashboard"
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Call) and ast.unparse(node) == "plain(str(error))"
    ]
    assert not found, f"say it by said_on_page: {found}"


def _texts(tree: ast.AST):
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node
