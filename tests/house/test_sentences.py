"""Rooms give codes and numbers; sentences are made in ``report``, and stand elsewhere in errors and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

ROOMS = frozenset(
    {
        "audit",
        "data",
        "evaluation",
        "experiment",
        "lab",
        "metrics",
        "models",
        "pipeline",
        "stats",
        "tuning",
        "workspace",
        "world",
    }
)
WORDS = 5
"""So many words in one string are a sentence."""

STILL = {
    "error": {
        "data/manifest.py": 2,
        "data/read/clean.py": 3,
        "data/read/database.py": 1,
        "data/read/fetch.py": 1,
        "data/read/json_rows.py": 1,
        "data/read/lists.py": 1,
        "data/read/open.py": 1,
        "data/read/recbole.py": 4,
        "data/read/request.py": 2,
        "data/read/uploads.py": 6,
        "data/read/zstd.py": 1,
        "data/split/build.py": 2,
        "evaluation/context.py": 1,
        "evaluation/protocol.py": 8,
        "evaluation/results.py": 1,
        "experiment/planning/plan.py": 1,
        "metrics/lists.py": 1,
        "metrics/registry.py": 1,
        "models/_content/features.py": 1,
        "models/_core/co_occurrence.py": 1,
        "models/_core/form.py": 1,
        "models/_core/loading.py": 1,
        "models/_core/requests.py": 1,
        "models/_core/saving.py": 4,
        "models/_knowledge/requirements.py": 1,
        "models/content.py": 3,
        "models/knowledge.py": 1,
        "pipeline/pipeline.py": 1,
        "pipeline/saving.py": 2,
        "stats/power/question.py": 7,
        "stats/power/spread.py": 2,
        "tuning/search.py": 2,
        "tuning/tune.py": 4,
        "workspace/artefact.py": 1,
        "workspace/sandbox.py": 3,
        "workspace/serializers.py": 4,
    },
    "choice": {
        "metrics/conventions.py": 6,
        "models/_core/neighbors.py": 4,
        "models/_core/parameters.py": 1,
        "models/als.py": 1,
        "models/bpr.py": 2,
        "models/item_knn.py": 1,
        "models/pure_svd.py": 1,
        "models/user_knn.py": 1,
    },
    "registry": {
        "metrics/novelty_and_popularity.py": 1,
        "metrics/of_predictions.py": 12,
    },
    "title": {
        "data/profile.py": 1,
        "lab/holdout.py": 1,
        "models/_core/serving.py": 2,
        "models/popular.py": 1,
        "models/recent_popular.py": 1,
        "pipeline/features.py": 4,
        "workspace/trash.py": 2,
        "world/realism_checks.py": 2,
        "world/realism_result.py": 1,
    },
    "card": {
        "data/read/complete_journey.py": 1,
        "evaluation/predictions.py": 1,
        "evaluation/requests.py": 3,
        "evaluation/sampled.py": 1,
        "stats/bayes.py": 2,
    },
    "shown": {
        "data/dataset.py": 1,
        "data/synthetic.py": 1,
        "evaluation/passes.py": 1,
        "world/population.py": 1,
    },
    "code": {
        "experiment/aggregate/query.py": 2,
        "models/_core/rating_kernels.py": 1,
        "models/_core/slim_kernels.py": 1,
        "workspace/query.py": 1,
    },
    "content": {"data/synthetic_plots.py": 65},
}
"""Why -> files that still hold some, and how many: all may only shrink.

``error``: part of the text of an error that is raised elsewhere. ``choice``: what a choice of a parameter does, said
where the choice is declared. ``registry``: what a metric is, likewise. ``title``: what an estimator, a feature or a
reason is called. ``card``: how something was made, on a card that was always kept so. ``shown``: the ``repr`` of an
object, a label of synthetic data, or a step of the progress. ``code``: no sentence, but SQL, a signature or a program.
``content``: texts of items that a generator draws.
"""


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


def test_rooms_hold_no_new_sentences(sources) -> None:
    found = {s.path.as_posix(): list(sentences(s.tree)) for s in sources if s.room in ROOMS}
    known = {path: count for files in STILL.values() for path, count in files.items()}
    more = {
        path: texts for path, texts in found.items() if len(texts) > known.get(path.removeprefix("src/reclens/"), 0)
    }
    assert not more, f"give a code and its numbers, and the words in report: {more}"
    fewer = {path for path, count in known.items() if len(found.get(f"src/reclens/{path}", ())) < count}
    assert not fewer, f"these hold fewer now; lower the list: {fewer}"
    gone = {path for path in known if f"src/reclens/{path}" not in found}
    assert not gone, f"these files are no more; take them off the list: {gone}"


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
    assert all(count > 0 for files in STILL.values() for count in files.values())
