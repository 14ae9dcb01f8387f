"""What a reader sees on every page: no code, no reStructuredText, no Python, no hashes; and that data is synthetic."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import streamlit as st
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1.element_tree import Dataframe

import reclens as rl
from reclens.dashboard import widgets
from reclens.dashboard.navigation import pages
from reclens.dashboard.views import VIEWS
from reclens.experiment.analysis.readout import read_experiment
from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan
from reclens.experiment.planning.sizing import size_plan
from reclens.lab.simulation import SimulationSettings, run_simulation
from reclens.pipeline import Pipeline, evaluate_stages
from reclens.report import build_report
from reclens.report.experiment.plan import build_plan_document
from reclens.report.experiment.readout import build_readout
from reclens.report.lab.studies import build_simulation_report
from reclens.report.pipeline.report import build_pipeline_report
from reclens.workspace import Workspace

SEEN = {"body", "label", "help", "placeholder", "options", "caption", "title", "text", "tooltip", "alt", "defaults"}
"""Fields of elements that are words for a reader; the others are ids, keys and styles."""


def words_of(node: Any, charts: Callable[[Any], Iterator[str]]) -> Iterator[str]:
    """Everything that an element says, with its charts and tables."""
    proto = getattr(node, "proto", None)
    if isinstance(node, Dataframe):
        frame = node.value
        yield from map(str, frame.columns)
        yield from (each for name in frame for each in frame[name] if isinstance(each, str))
    if proto is not None and hasattr(proto, "DESCRIPTOR"):
        yield from _said(MessageToDict(proto), charts)
    for child in getattr(node, "children", {}).values():
        yield from words_of(child, charts)


def _said(fields: dict[str, Any], charts: Callable[[Any], Iterator[str]]) -> Iterator[str]:
    for name, value in fields.items():
        if name == "spec" and isinstance(value, str):
            yield from charts(json.loads(value))
        elif isinstance(value, dict):
            yield from _said(value, charts)
        elif name in SEEN:
            said = value if isinstance(value, list) else [value]
            yield from (unescape(each) for each in said if isinstance(each, str))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A split of synthetic data, two systems on it with their models and lists, and their comparison."""
    place = Workspace(tmp_path_factory.mktemp("readers") / "workspace")
    split = rl.split.last_n(rl.synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500, rng=2), n=3)
    train = split.train.with_segments(activity=rl.segments.quantiles("n_interactions", ["light", "heavy"]))
    place.save(rl.split.Split(train=train, test=split.test, card=split.card), "made")
    found = {}
    for name, model in (("popular", rl.models.Popular()), ("knn", rl.models.ItemKNN())):
        place.save(model.fit(train), name)
        lists = model.recommend(split.test_users, k=10)
        place.save(lists, name)
        metrics = ["ndcg@5", "ndcg@10", "coverage@10", "novelty@10", "hit_rate@10"]
        found[name] = rl.evaluate(lists, place.load("split", "made"), metrics=metrics, replicates=50)
        place.save(found[name], name)
    place.save(rl.compare(found, baseline="popular"), "compared")
    return place


LOOKS = [
    *((page.path, {}) for page in pages()),
    *(("diagnostics", {"view": view}) for view in VIEWS),
    ("users", {"user": "1"}),
    ("items", {"q": "the"}),
    *(("data", {"view": view}) for view in ("Long tail", "Over time", "Problems", "SQL")),
]


@pytest.mark.parametrize(("page", "query"), LOOKS, ids=[f"{page}-{''.join(q.values())}" for page, q in LOOKS])
def test_a_reader_sees_words(open_page, reader, synthetic: Workspace, page: str, query: dict[str, str]) -> None:
    app = open_page(page, folder=synthetic.folder, **query)
    words = [each for part in (app.main, app.sidebar) for each in words_of(part, reader.words_of_chart)]
    said = {each.replace("\\", "") for each in words if not each.startswith("<style")}
    assert len(said) > 2
    spoken = {re.sub(r"```.*?```|(?<!`)`[^`\n]+`(?!`)", "", each, flags=re.DOTALL) for each in said}
    wrong = {what: [each for each in spoken if pattern.search(each)] for what, pattern in reader.CODE.items()}
    assert not {what: found for what, found in wrong.items() if found}
    banner = [each.value for each in app.warning if "Synthetic data." in each.value]
    assert bool(banner) is (page not in NO_ARTEFACT)


NO_ARTEFACT = {"experiments", "audit", "health", "learn"}
"""Pages that show nothing of the workspace."""


@pytest.mark.parametrize("kind", ["split", "model", "run", "evaluation", "comparison"])
def test_what_is_made_from_synthetic_data_says_so(synthetic: Workspace, kind: str) -> None:
    assert all(each.synthetic for each in synthetic.list(kind))


def test_lists_that_were_learned_from_synthetic_data_are_synthetic_against_any_truth(synthetic: Workspace) -> None:
    lists = synthetic.load("run", "popular")
    truth = synthetic.load("split", "made").test
    assert rl.evaluate(lists, truth, metrics=["ndcg@10"], replicates=10).card["synthetic"] is True
    plain = rl.evaluate(lists.table, truth, metrics=["ndcg@10"], replicates=10)
    assert plain.card["synthetic"] is False
    elsewhere = Workspace(synthetic.folder.parent / "real")
    elsewhere.save(plain, "plain")
    assert not elsewhere.list("evaluation")[0].synthetic


@pytest.fixture(scope="module")
def documents(synthetic: Workspace) -> dict[str, str]:
    """A document of each kind, as HTML."""
    plan = load_plan(tomllib.loads(EXAMPLE_PLAN))
    rng = np.random.default_rng(5)
    n = 600
    units = pl.DataFrame(
        {
            "user_id": range(n),
            "variant": ["popular", "item_knn"] * (n // 2),
            "activity": rng.choice(["light", "heavy"], n),
            "clicks": rng.poisson(3, n),
            "clicks_before": rng.poisson(3, n),
            "impressions": rng.poisson(40, n) + 1,
            "retained_7": rng.random(n) < 0.4,
        }
    )
    read = replace(read_experiment(plan, units, days=7), synthetic=True)
    split = synthetic.load("split", "made")
    pipeline = Pipeline(retrieve={"popular": {"k": 20}}, rank={"model": "item_knn"}, rerank=[{"kind": "mmr"}]).fit(
        split.train
    )
    stages = evaluate_stages(pipeline.run(split.test_users), split.test, train=split.train, by=["activity"])
    results = {name: synthetic.load("evaluation", name) for name in ("popular", "knn")}
    simulated = run_simulation(SimulationSettings(size="tiny", days=3))
    return {
        "evaluation": build_report(results, comparison=synthetic.load("comparison", "compared")).html,
        "plan": build_plan_document(size_plan(plan, synthetic=True)).html.html,
        "readout": build_readout(read, bayes=True).html.html,
        "pipeline": build_pipeline_report(stages).html,
        "simulation": build_simulation_report(simulated).html.html,
    }


@pytest.mark.parametrize("kind", ["evaluation", "plan", "readout", "pipeline", "simulation"])
def test_a_reader_of_a_document_sees_words(documents: dict[str, str], reader, kind: str) -> None:
    said = reader.words_of_document(documents[kind])
    assert reader.faults_of_document(documents[kind]) == {}
    assert len(said) > 100 and any("Synthetic data." in each for each in said)


@pytest.mark.parametrize(
    "what", ["reStructuredText", "a hash", "Python", "a code", "a time for machines", "a gendered reader"]
)
def test_what_is_no_word_is_found(reader, what: str) -> None:
    """One of each, as a reader was once shown it, so that a pattern that finds nothing is seen."""
    shown = {
        "reStructuredText": "see :func:`evaluate`",
        "a hash": "measured on 3f9c0a1b2c3d4e5f",
        "Python": "by=['age'], seed None",
        "a code": "decision do_not_ship",
        "a time for machines": "test: from 2024-03-01T00:00:00+00:00",
        "a gendered reader": "what she had before",
    }
    document = f"<p>fine</p><p>{shown[what]}</p><pre>True she</pre><script>None</script>"
    assert reader.faults_of_document(document) == {what: [shown[what]]} and what in reader.CODE


def test_the_sentences_on_a_split_stand_apart(open_page) -> None:
    said = [each.value.replace("\\", "") for each in open_page("upload").caption]
    assert any(" users. Measured as 3 evaluations that are there: ndcg@5, " in each for each in said), said


def test_downloads_and_saved_views_of_synthetic_data_say_so(
    open_page, synthetic: Workspace, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, tuple[str, Any]] = {}
    button = st.download_button

    def watched(label: str, data: Any, file_name: str, *rest: Any, key: str, **more: Any) -> bool:
        drawn[key] = (file_name, data)
        return button(label, data, file_name, *rest, key=key, **more)

    monkeypatch.setattr(st, "download_button", watched)
    real = Workspace(tmp_path)
    for name in ("popular", "knn"):
        found = synthetic.load("evaluation", name)
        lists = {**found.card["lists"], "train": None}
        real.save(replace(found, card={**found.card, "synthetic": False, "lists": lists, "train": None}), name)
    for place, said in ((synthetic, True), (real, False)):
        for page in ("diagnostics", "compare"):
            drawn.clear()
            open_page(page, folder=place.folder)
            names = {key: name for key, (name, _) in drawn.items() if key != "save-download"}
            assert len(names) > 3 and all(name.startswith("synthetic-") is said for name in names.values())
            name, document = drawn["save-download"]
            assert name.startswith("synthetic-") is said and ("Synthetic data." in document()) is said


def test_every_download_is_named_by_one_function() -> None:
    """What draws a button of its own would not say that its data are synthetic."""
    sources = {each.name: each.read_text(encoding="utf-8") for each in Path(widgets.__file__).parent.rglob("*.py")}
    assert [name for name, text in sources.items() if "st.download_button(" in text] == ["widgets.py"]


MESSAGES = {"caption", "error", "info", "markdown", "subheader", "success", "title", "toast", "warning", "write"}


def _bare(node: ast.AST) -> Iterator[ast.AST]:
    """The calls of ``str`` in an argument that are in no call of ``plain``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "plain":
            return
        if node.func.id == "str":
            yield node
    for child in ast.iter_child_nodes(node):
        yield from _bare(child)


def test_the_text_of_an_error_is_no_markdown() -> None:
    """It quotes what was asked for: an address typed as the id of a user was a live link."""
    found = []
    for file in sorted(Path(widgets.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            shown = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MESSAGES
            if shown and any(True for each in node.args for _ in _bare(each)):
                found.append(f"{file.name}:{node.lineno}")
    assert not found, f"put the text into plain(): {found}"
