"""Each surface names its own settings: by records of an advice, and by no replacement in text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

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
        for node in _texts(s.nodes)
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
        for node in _texts(s.nodes)
        if ANY.search(node.value) and " " in node.value and not re.search(r"\(Array\(|SELECT |\n", node.value)
    ]
    assert not found, f"give an Advice with a Setting, or an ArgumentValueError: {found}"


def test_no_message_is_rewritten(sources) -> None:
    """A pattern that holds ``name=`` would be looked for in messages."""
    found = [
        s.at(node)
        for s in sources
        if s.room in ("cli", "dashboard", "job", "data")
        for node in s.nodes
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("re.sub", "re.compile")
        and any(isinstance(each, ast.Constant) and NAMED.search(str(each.value)) for each in ast.walk(node))
    ]
    found += [
        s.at(node)
        for s in sources
        if s.room in ("cli", "dashboard", "job")
        for node in s.nodes
        if isinstance(node, ast.Call)
        and re.search(r"^str\((error|message)\)\.replace$|^(error|message)\.replace$", ast.unparse(node.func))
    ]
    assert not found, f"say it by RecLensError.said: {found}"


def test_pages_say_errors_in_their_own_words(sources) -> None:
    found = [
        s.at(node)
        for s in sources
        if s.room == "dashboard"
        for node in s.nodes
        if isinstance(node, ast.Call) and ast.unparse(node) == "plain(str(error))"
    ]
    assert not found, f"say it by said_on_page: {found}"


SURFACES = {"cli", "dashboard", "learn", "testing"}
"""What speaks one language: its own."""
COMMAND = re.compile(r"(?<![\w-])--[a-z]|\breclens [a-z]")
CALL = re.compile(r"\brl\.\w|\breclens\.\w+\(|(?<![\w./])[a-z_]\w*(\.\w+)*\((?!s\))|(?<![\w'])\.[a-z_]+\(")
SAID = re.compile(r"^([a-z]\w*)(?: of [^ ]+)? (?:is|are|has|have)\b(?! (?:the )?shape)")
FOR_PYTHON = {
    "ArgumentTypeError": "a wrong type, which only Python can pass",
    "AttributeError": "a name of Python",
    "NotFittedError": "a model that was not fitted",
}
PYTHON_TEXTS = {
    "data/read/movielens.py": "read_movielens alone takes no single file",
    "stats/bayes.py": "a distribution",
    "tabular.py": "what results offer in Python",
}
"""Files whose errors name Python, and why no other surface shows them."""


def raised(sources) -> Iterator[tuple[Any, ast.Call, str, frozenset[str]]]:
    """Errors of library code: the call, its text without what an advice says, and the parameters around it."""
    for source in sources:
        if source.room not in SURFACES:
            yield from ((source, *each) for each in _errors(source.tree, frozenset()))


def _errors(node: ast.AST, parameters: frozenset[str]) -> Iterator[tuple[ast.Call, str, frozenset[str]]]:
    for child in ast.iter_child_nodes(node):
        known = parameters
        if isinstance(child, ast.FunctionDef):
            every = (*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs)
            known = parameters | {each.arg for each in every}
        if isinstance(child, ast.Call) and re.search(r"(Error|Warning)$", ast.unparse(child.func)):
            parts = [*child.args, *(each.value for each in child.keywords)]
            yield child, " ".join(_said(each) for each in parts), known
        yield from _errors(child, known)


def _said(node: ast.AST) -> str:
    """The literal text of an argument: what is filled in is "…", and an advice says nothing here."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(each) if isinstance(each, ast.Constant) else "…" for each in node.values)
    if isinstance(node, ast.BinOp):
        return _said(node.left) + _said(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_said(node.body)} {_said(node.orelse)}"
    return ""


def test_errors_of_the_library_name_no_command(sources) -> None:
    found = [f"{s.at(call)}: {text!r}" for s, call, text, _ in raised(sources) if COMMAND.search(text)]
    assert not found, f"give an Advice, whose sentence on the command line stands in cli/option_names: {found}"


def test_errors_of_the_library_name_no_call_of_python(sources) -> None:
    named = {
        f"{s.at(call)}: {text!r}": s.path.as_posix().removeprefix("src/reclens/")
        for s, call, text, _ in raised(sources)
        if CALL.search(text) and ast.unparse(call.func) not in FOR_PYTHON
    }
    assert set(PYTHON_TEXTS) <= set(named.values()), "take off the list what names Python no more"
    found = [at for at, path in named.items() if path not in PYTHON_TEXTS]
    assert not found, f"give an Advice, whose other sentences stand in cli/option_names and dashboard/advice: {found}"


def test_an_argument_out_of_range_is_named_by_an_argument_value_error(sources) -> None:
    found = []
    for s, call, text, parameters in raised(sources):
        begun = SAID.match(text)
        if ast.unparse(call.func) in ("UsageError", "ValueError") and begun and begun[1] in parameters:
            found.append(f"{s.at(call)}: {text!r}")
    assert not found, f"raise ArgumentValueError(name, problem), which each surface names its own way: {found}"


def test_what_counts_as_the_words_of_another_surface() -> None:
    text = """
def f(k, folder):
    raise UsageError(f"k is {k}, expected 1 or more")
    raise DataError("there is none", fix="Make it by reclens fit.")
    raise UsageError("pass --k 10")
    raise DataError(f"{folder} has none", fix="Read it with read_table(path).")
    raise UsageError("no", advice=Advice("make", text="Make it by rl.make(folder)."))
    raise UsageError(f"{k} item(s) are missing")
"""
    found = list(_errors(ast.parse(text), frozenset()))
    assert [bool(COMMAND.search(said)) for _, said, _ in found] == [False, True, True, False, False, False]
    assert [bool(CALL.search(said)) for _, said, _ in found] == [False, False, False, True, False, False]
    assert [(begun := SAID.match(said)) is not None and begun[1] in known for _, said, known in found] == [
        True,
        *[False] * 5,
    ]


def _texts(nodes: Sequence[ast.AST]):
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node
