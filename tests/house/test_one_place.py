"""What several rooms need stands in one place: concentration, corrections, splits, families, loading, jobs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import get_args

import pytest

import reclens as rl
from reclens import metrics
from reclens.data.read import open as opening
from reclens.job import run
from reclens.metrics.registry import Family
from reclens.stats.multiplicity import CORRECTIONS

TAUGHT = {"learn", "testing"}
"""Exercises hold wrong answers on purpose, and the kit of contracts holds definitions to check by."""
CONCENTRATION = re.compile(
    r"np\.arange\(1, \w+ \+ 1\) - \w+ - 1|2 \* (place|rank) - |\* np\.log2?\((p|shares?)\)|\* share\.log\("
    r"|(count|exposure|shown)\w* > 0\)\.mean\("
)
"""Formulas of Gini, of entropy, and of the share in use."""


def test_concentration_is_computed_in_one_file(sources) -> None:
    found = {s.module for s in sources if s.room not in TAUGHT and CONCENTRATION.search(s.text)}
    # The tastes of a world: the entropy of each user, corrected for few draws, in a query over all users.
    assert found - {"reclens.world.realism_checks"} == {"reclens.concentration"}


def several(tree: ast.AST, names: frozenset[str]) -> Iterator[ast.AST]:
    """Tuples, lists, sets and dicts that name two or more of some names."""
    for node in ast.walk(tree):
        items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        texts = {str(each.value).partition("@")[0] for each in items if isinstance(each, ast.Constant)}
        if len(texts & names) > 1:
            yield node


def test_corrections_are_listed_and_computed_in_one_file(sources) -> None:
    names = frozenset(CORRECTIONS) - {"none"}
    listed = {s.path.as_posix() for s in sources if s.room not in TAUGHT and any(several(s.tree, names))}
    assert listed == {"src/reclens/stats/multiplicity.py"}
    by_rank = {s.module for s in sources if re.search(r"\(n - rank \+ 1\)|harmonic / rank", s.text)}
    assert by_rank == {"reclens.stats.multiplicity"}


OWN = {
    "job/audit_demo.py": "metrics of the demonstration",
    "job/monitor_chaos.py": "indicators that a fault moves",
    "report/audit/words.py": "words of the measures of an audit",
    "report/explore/words.py": "words of the measures of an exploration",
    "report/experiment/readout_card.py": "kinds of metrics of arms",
    "report/experiment/words.py": "words of the kinds of metrics of arms",
    "report/monitor/values.py": "the first indicators for a reader",
}
"""Where several names stand together that are no choice among metrics, and what they are."""


def test_surfaces_choose_metrics_by_their_family(sources) -> None:
    """A new metric of a family is chosen as those that are there: no list of names leaves it out."""
    names = frozenset(metrics.names()) - set(get_args(Family))
    found = {
        s.at(node): s.path.as_posix().removeprefix("src/reclens/")
        for s in sources
        if s.room in ("cli", "dashboard", "job", "report")
        for node in several(s.tree, names)
    }
    strays = [at for at, path in found.items() if path not in OWN]
    assert not strays, f"choose by family_of, preferred_side or is_share: {strays}"
    assert set(OWN) == set(found.values()), "take off the list what holds none any more"
    begun = [s.path for s in sources if re.search(r"metric\w*(\.name)?\.startswith\(\"", s.text)]
    assert not begun, f"ask the registry what a metric is: {begun}"


@pytest.mark.parametrize(
    ("call", "room"),
    [
        ("Split", "reclens.data.split"),
        ("read_movielens", "reclens.data"),
        ("read_recbole", "reclens.data"),
        ("read_complete_journey", "reclens.data"),
    ],
)
def test_splits_are_made_and_sources_read_in_one_room(sources, call: str, room: str) -> None:
    """Every surface calls the functions of the room, and makes none of its own."""
    found = {s.module for s in sources if s.room not in TAUGHT for node in s.nodes if _calls(node, call)}
    assert found and all(each.startswith(room) for each in found), found


def test_the_public_names_are_what_the_commands_call(sources) -> None:
    assert rl.load is opening.load and rl.run_job is run.run_job
    calls = {
        name: {s.module for s in sources for node in s.nodes if _calls(node, name)} for name in ("run_job", "load_data")
    }
    assert "reclens.cli.demo" in calls["run_job"], "reclens run"
    (function,) = [
        node
        for s in sources
        if s.module == "reclens.data.read.open"
        for node in s.nodes
        if isinstance(node, ast.FunctionDef) and node.name == "load"
    ]
    assert any(_calls(node, "load_data") for node in ast.walk(function)), "rl.load reads as the commands do"
    assert {"reclens.cli.data", "reclens.cli.models", "reclens.job.run"} <= calls["load_data"]


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and name in (getattr(node.func, "id", None), getattr(node.func, "attr", None))


def test_what_counts_as_a_list_of_names() -> None:
    names = frozenset({"ndcg", "recall", "map"})
    text = 'x = ("ndcg@10", "recall"); y = {"ndcg": 1, "map": 2}; z = ["ndcg", "clicks"]; w = "ndcg recall"'
    assert [type(node).__name__ for node in several(ast.parse(text), names)] == ["Tuple", "Dict"]
