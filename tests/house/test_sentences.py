"""Rooms give codes and numbers; sentences are made in ``report``, and stand elsewhere in errors and docstrings."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOMS = frozenset(
    {
        "audit",
        "data",
        "evaluation",
        "experiment",
        "explore",
        "job",
        "lab",
        "learn",
        "metrics",
        "models",
        "monitor",
        "pipeline",
        "stats",
        "tuning",
        "workspace",
        "world",
    }
)
WORDS = 5
"""So many words in one string are a sentence."""

REASONS = {
    "answer": "part of an answer that an exercise ships, or the name of a wrong one",
    "error": "part of the text of an error, a warning or a failure that is raised or kept elsewhere",
    "choice": "what a choice of a parameter does, said where the choice is declared",
    "registry": "what a metric, an indicator or a feature is, declared in its one file",
    "title": "what an estimator, a reason, a row or a check is called",
    "repr": "what an object is called in a terminal",
    "progress": "a step of the progress, or what a job says while it runs",
    "provenance": "where made-up data comes from, or how the numbers of a card came about",
    "sample": "a description of sample files and of demonstrations",
    "content": "texts of items that a generator draws",
    "code": "no sentence, but SQL, a signature or a program",
}
"""Why a text may stand outside of ``report``. What is read as a result, a verdict or a caution may not."""
LISTED = Path(__file__).parent / "texts_outside_report.toml"


def _said_elsewhere(node: ast.AST) -> bool:
    """Whether the strings below a node are of an error, a warning, an advice, a docstring or a query."""
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return (
            re.search(
                r"Error$|Advice$|warn$|Warning$|^re\.|execute$|^suggest|^expect_type$|^njit$|^require_memory$|^_within$|"
                r"^read_arrays$|^reading$|\.(reject|refuse)$|^refuse",
                name,
            )
            is not None
        )
    if isinstance(node, ast.ClassDef):
        return node.name.endswith(("Error", "Warning"))
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target) == "ADVICE_TEXTS"
    if not isinstance(node, ast.FunctionDef):
        return False
    return node.name.startswith("_refus") or ast.unparse(node.returns or ast.Constant("")).endswith("Error")


def sentences(tree: ast.AST) -> Iterator[str]:
    """Texts of five words or more that nothing raises; signatures of kernels, SQL and examples of TOML are none."""
    if _said_elsewhere(tree):
        return
    if isinstance(tree, ast.JoinedStr):
        text = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in tree.values)
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        text = tree.value
    else:
        for child in ast.iter_child_nodes(tree):
            yield from sentences(child)
        return
    code = re.match(r"[A-Z]{3,} |\(?SELECT |\w+\(\w*\d*\[|Tuple\(|(void|int64|float32|boolean)\(", text) or "\n" in text
    if not code and " " in text and len(re.findall(r"[a-z]{2,}", text)) >= WORDS:
        yield text


def test_each_text_outside_of_report_was_judged(sources) -> None:
    """Each is listed with why it may stand there, and nothing is listed that is no more."""
    found = {
        s.path.as_posix().removeprefix("src/reclens/"): Counter(sentences(s.tree)) for s in sources if s.room in ROOMS
    }
    listed = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    whole = {path: why for path, why in listed.items() if isinstance(why, str)}
    reasons = {*whole.values(), *(why for each in listed.values() if isinstance(each, dict) for why in each)}
    assert reasons == set(REASONS), "one word of REASONS says why"
    known = {path: Counter(itertools.chain(*each.values())) for path, each in listed.items() if path not in whole}
    new = {path: list(texts - known.get(path, Counter())) for path, texts in found.items() if path not in whole}
    stray = {path: texts for path, texts in new.items() if texts}
    assert not stray, f"give a code and its numbers, and the words in report: {stray}"
    gone = {path: texts - found.get(path, Counter()) for path, texts in known.items()}
    dead = {path: list(texts) for path, texts in gone.items() if texts}
    assert not dead, f"take these off {LISTED.name}: {dead}"
    assert all(found.get(path) for path in whole), "a file without such texts is listed as a whole"


def test_what_counts_as_a_sentence() -> None:
    text = '''
def f(x):
    """A docstring of more than five words is none."""
    if x:
        raise DataError(f"an error of {x} may say what was seen, and what to do")
    run(con, "SELECT one column from some table where it is")
    return {"note": "a single user has no interval", "code": "one_user", "said": f"of {x} users none had any value"}
'''
    assert list(sentences(ast.parse(text))) == ["a single user has no interval", "of {} users none had any value"]
