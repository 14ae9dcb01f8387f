"""Rewording the sentences of ``report`` changes nothing that decides: no number, verdict, code or exit status."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.off_policy import Decisions, evaluate_policy
from reclens.experiment.planning.sizing import size_plan
from reclens.tuning.results import Caution, Tuning
from reclens.workspace import Workspace

ROOMS = tuple(f"reclens.report.{room}" for room in ("audit", "data", "evaluation", "experiment", "lab", "pipeline"))
SHARED = ("reclens.report._toolkit.notes", "reclens.report._toolkit.format")
CLICKS = {"name": "clicks", "value": "y", "effect": 0.15}
PLAN = """name = "gate"
[arms]
old = 0.5
new = 0.5
[[metrics]]
name = "kept"
kind = "proportion"
value = "kept"
"""


class Reworded(ast.NodeTransformer):
    """Every sentence of a module with random words in its place; names of parameters, keys and codes stay."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.count = rng, 0

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return node  # a code is compared

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node  # a key

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        node.values = [self.visit(each) for each in node.values]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)  # a docstring

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        node.value = self.visit(node.value)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str) or " " not in node.value.strip():
            return node
        self.count += 1
        text = re.sub(r"(\{\w+\})|[A-Za-z]{2,}", lambda m: m[1] or self._word(), node.value)
        return ast.copy_location(ast.Constant(text), node)

    def _word(self) -> str:
        return "".join(self.rng.choice(list("abcdefghijklmnopqrstuvwxyz"), self.rng.integers(1, 9)))


@pytest.fixture
def reworded() -> Iterator[Any]:
    """A function that rewords all rooms; what it changes is undone."""
    modules = [importlib.import_module(name) for name in SHARED]
    modules += [
        importlib.import_module(info.name)
        for room in ROOMS
        for info in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}.")
    ]
    kept = [dict(vars(module)) for module in modules]

    def change() -> int:
        rng, made, total = np.random.default_rng(0), [], 0
        for module in modules:
            assert module.__file__ is not None
            rewriter = Reworded(rng)
            tree = rewriter.visit(ast.parse(Path(module.__file__).read_text(encoding="utf-8")))
            total += rewriter.count
            made.append(compile(ast.fix_missing_locations(tree), module.__file__, "exec"))
        for _ in range(2):  # so that what modules import from each other is reworded too
            for module, code in zip(modules, made, strict=True):
                exec(code, vars(module))
        return total

    yield change
    for module, names in zip(modules, kept, strict=True):
        vars(module).clear()
        vars(module).update(names)


def sums(n: int = 1000, arms: tuple[str, ...] = ("a", "b"), **gaps: float) -> Aggregates:
    rows = [
        {"arm": arm, "n": n, "sum:y": 0.0, "shift:y": 100.0 + gaps.get(arm, 0.0), "product:y:y": (n - 1) * 100.0**2}
        for arm in arms
    ]
    return Aggregates.of_rows(rows, arms=list(arms))


def plan(**more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": {"a": 0.5, "b": 0.5}, "metrics": (CLICKS,)} | more))


def readouts() -> list[Readout]:
    """A decision of each code, and checks of each status."""
    rail = {**CLICKS, "name": "kept", "role": "guardrail", "margin": 0.05, "effect": None}
    looks = {"sequential": {"method": "group", "looks": 4, "futility": "lan_demets_obrien_fleming"}, "days": 28}
    three = plan(arms={"a": 0.4, "b": 0.3, "c": 0.3})
    return [
        read_sums(plan(), sums(b=20.0)),
        read_sums(plan(metrics=(CLICKS, rail)), sums(b=-20.0)),
        read_sums(plan(metrics=(CLICKS, rail)), sums(b=0.0)),
        read_sums(plan(metrics=({"name": "clicks", "value": "y", "margin": 0.05},)), sums(n=100_000)),
        read_sums(plan(**looks), sums(b=-5.0), days=21),
        read_sums(plan(**looks), sums(n=4000, b=26.0), days=14),
        read_sums(plan(days=28), sums(b=20.0), days=7),
        read_sums(three, sums(arms=("a", "b", "c"), b=20.0, c=26.0)),
    ]


def off_policy() -> list[Any]:
    rewards = np.random.default_rng(8).random(2_000)
    logs = [
        Decisions.of(np.zeros(2_000, int), rewards, np.ones(2_000), n_actions=2),
        Decisions.of([0, 1] * 1_000, rewards, np.full(2_000, 0.5)),
    ]
    found = [evaluate_policy(log, np.array([0.5, 0.5])) for log in logs]
    return [(each.verdict, [one.to_dicts() for one in each.objections], each.to_dicts()) for each in found]


def seen_by_users(measured: Any) -> list[Any]:
    """A comparison made anew, what it decides, and the codes of what wants attention."""
    from reclens.evaluation import compare
    from reclens.report.evaluation.findings import findings

    made = compare(measured.results, baseline="popular", metrics=["ndcg@10", "coverage@10"], flips=200, by=[])
    told = findings(measured.results, comparisons={"c": made}, tunings={"t": search()})
    notes = {row["note"] for result in measured.results.values() for row in result.to_dicts()}
    assert "catalogue_metric" in notes
    return [made.to_dicts(), made.outcomes(), [(each.code, each.severity, each.about) for each in told], notes]


def search() -> Tuning:
    """A search that has something against it."""
    close = Caution("close", None, {"first": "a", "second": "b", "value": 0.01, "low": -0.1, "high": 0.12})
    return Tuning(
        metric="ndcg@10",
        method="random",
        best=(),
        trials=(),
        cautions=(close, Caution("alone", "a")),
        notes=(),
        card={},
    )


def gated(measured: Any, folder: Path) -> list[Any]:
    """Exit statuses and rows of ``reclens compare --fail-on-loss``: one system loses, one does not."""
    from reclens.cli.app import app

    place = Workspace(folder / "workspace")
    names = dict(zip(("popular", "ease", "random"), measured.results.values(), strict=True))
    for name, result in names.items():
        place.save(result, name, overwrite=True)
    ended: list[Any] = []
    for name in ("ease", "random"):
        words = ["compare", "popular", name, "--baseline", "popular", "--fail-on-loss", "-f", "json", "--quiet"]
        done = CliRunner().invoke(app, [*words, "--workspace", str(folder / "workspace")])
        ended.append((done.exit_code, json.loads(done.stdout)["rows"]))
    return ended


def outcome(folder: Path) -> list[Any]:
    """Everything that decides: records of readouts, a size, verdicts of logs, and statuses and rows of the command."""
    from reclens.cli.app import app

    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    ended: list[Any] = []
    for new in (140, 100, 60):
        (folder / "counts.csv").write_text(f"variant,n,successes\nold,1000,100\nnew,1000,{new}\n", encoding="utf-8")
        words = ["experiment", "read", str(folder / "plan.toml"), str(folder / "counts.csv"), "--aggregated"]
        done = CliRunner().invoke(app, [*words, "--quiet", "-f", "json", "--out", str(folder / "readout")])
        ended.append((done.exit_code, json.loads(done.stdout)["rows"]))
    sizing = size_plan(plan(metrics=({**CLICKS, "baseline": {"mean": 4.0, "sd": 3.0}},), days=14, daily_units=500))
    return [[each.record() for each in readouts()], sizing.to_dicts(), off_policy(), ended]


def test_rewording_changes_no_decision(reworded: Any, measured: Any, tmp_path: Path) -> None:
    def everything() -> list[Any]:
        return [outcome(tmp_path), seen_by_users(measured), gated(measured, tmp_path)]

    def sentences() -> list[Any]:
        words = importlib.import_module("reclens.report.evaluation.words")
        room = importlib.import_module("reclens.report.experiment.readout")
        cautions = importlib.import_module("reclens.report.evaluation.tuning").cautions_in_words(search())
        notes = importlib.import_module("reclens.report._toolkit.notes").note_text("catalogue_metric")
        return [room.summary_of_readout(each) for each in found] + [
            words.comparison_text(measured.comparison),
            *cautions,
            notes,
        ]

    found = readouts()
    before, said = everything(), sentences()
    codes = {each.code for one in found for each in one.decisions}
    assert codes == {
        "ship",
        "do_not_ship",
        "undecided",
        "no_material_difference",
        "stop_for_futility",
        "blocked",
    }
    assert [status for status, _ in before[-1]] == [0, 1]
    assert reworded() > 1000
    assert repr(everything()) == repr(before)
    assert all(one != other for one, other in zip(said, sentences(), strict=True)), "the sentences are other ones"
    assert {each.code for one in found for each in one.trust_checks if each.status == "fail"} >= {"peeking"}
