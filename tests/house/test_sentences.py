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
    "data/curves.py": 5,
    "data/dataset.py": 1,
    "data/kept.py": 2,
    "data/profile.py": 22,
    "data/read/clean.py": 3,
    "data/read/complete_journey.py": 1,
    "data/read/database.py": 1,
    "data/read/delimited.py": 1,
    "data/read/fetch.py": 1,
    "data/read/header.py": 1,
    "data/read/json_rows.py": 2,
    "data/read/lists.py": 1,
    "data/read/open.py": 1,
    "data/read/recbole.py": 4,
    "data/read/request.py": 2,
    "data/read/sources.py": 5,
    "data/read/uploads.py": 9,
    "data/read/zstd.py": 2,
    "data/split/build.py": 2,
    "data/synthetic.py": 2,
    "evaluation/context.py": 3,
    "evaluation/overlap.py": 16,
    "evaluation/passes.py": 1,
    "evaluation/predictions.py": 1,
    "evaluation/protocol.py": 12,
    "evaluation/requests.py": 3,
    "evaluation/results.py": 1,
    "evaluation/sampled.py": 2,
    "experiment/aggregate/arm_column.py": 3,
    "experiment/aggregate/arm_level.py": 4,
    "experiment/aggregate/query.py": 2,
    "experiment/interleaving/lists.py": 4,
    "experiment/off_policy/common.py": 2,
    "experiment/off_policy/estimators.py": 4,
    "experiment/off_policy/slate.py": 5,
    "experiment/planning/plan.py": 1,
    "lab/holdout.py": 1,
    "lab/method_comparison.py": 2,
    "metrics/conventions.py": 6,
    "metrics/lists.py": 3,
    "metrics/novelty_and_popularity.py": 1,
    "metrics/of_predictions.py": 12,
    "metrics/registry.py": 1,
    "models/_content/features.py": 1,
    "models/_core/co_counts.py": 2,
    "models/_core/co_occurrence.py": 6,
    "models/_core/degenerate.py": 4,
    "models/_core/explanation.py": 5,
    "models/_core/factors.py": 2,
    "models/_core/form.py": 1,
    "models/_core/loading.py": 1,
    "models/_core/neighbors.py": 6,
    "models/_core/parameters.py": 1,
    "models/_core/rating_kernels.py": 1,
    "models/_core/requests.py": 1,
    "models/_core/saving.py": 4,
    "models/_core/serving.py": 4,
    "models/_core/slim_kernels.py": 1,
    "models/_knowledge/requirements.py": 1,
    "models/als.py": 1,
    "models/bpr.py": 2,
    "models/content.py": 3,
    "models/ease.py": 2,
    "models/item_knn.py": 1,
    "models/knowledge.py": 1,
    "models/popular.py": 1,
    "models/pure_svd.py": 1,
    "models/recent_popular.py": 1,
    "models/user_knn.py": 1,
    "pipeline/features.py": 4,
    "pipeline/pipeline.py": 1,
    "pipeline/rerank/_base.py": 1,
    "pipeline/saving.py": 3,
    "pipeline/tracing.py": 12,
    "stats/arms.py": 1,
    "stats/bayes.py": 2,
    "stats/counts.py": 6,
    "stats/difference.py": 3,
    "stats/multiplicity.py": 8,
    "stats/power/formulas.py": 9,
    "stats/power/question.py": 11,
    "stats/power/spread.py": 2,
    "stats/quantiles.py": 1,
    "stats/resample.py": 2,
    "stats/score.py": 2,
    "stats/sequential/price.py": 1,
    "stats/sequential/spending.py": 7,
    "tuning/hybrid_weights.py": 2,
    "tuning/search.py": 2,
    "tuning/tune.py": 4,
    "workspace/artefact.py": 1,
    "workspace/query.py": 1,
    "workspace/sandbox.py": 5,
    "workspace/serializers.py": 3,
    "workspace/trash.py": 2,
    "world/population.py": 3,
    "world/realism_checks.py": 2,
    "world/realism_result.py": 1,
}
"""Files that still hold some, and how many: both may only shrink."""


def _said_elsewhere(node: ast.AST) -> bool:
    """Whether the strings below a node are of an error, a warning, an advice, a docstring or a query."""
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return (
            re.search(r"Error$|Advice$|warn$|Warning$|^re\.|execute$|^suggest|^expect_type$|^njit$", name) is not None
        )
    if isinstance(node, ast.ClassDef):
        return node.name.endswith(("Error", "Warning"))
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target) == "ADVICE_TEXTS"
    return isinstance(node, ast.FunctionDef) and node.name.startswith("_refus")


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
    code = re.match(r"[A-Z]{3,} |\(?SELECT |\w+\(\w*\d*\[|Tuple\(|void\(|int64\(|boolean\(", text) or "\n" in text
    if not code and " " in text and len(re.findall(r"[a-z]{2,}", text)) >= WORDS:
        yield text


def test_rooms_hold_no_new_sentences(sources) -> None:
    found = {s.path.as_posix(): list(sentences(s.tree)) for s in sources if s.room in ROOMS}
    more = {
        path: texts for path, texts in found.items() if len(texts) > STILL.get(path.removeprefix("src/reclens/"), 0)
    }
    assert not more, f"give a code and its numbers, and the words in report: {more}"
    gone = {path for path in STILL if f"src/reclens/{path}" not in found}
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
    assert all(count > 0 for count in STILL.values())
