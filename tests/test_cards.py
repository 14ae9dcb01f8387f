"""Cards of data sets, splits and lists hold what their types say."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import reclens as rl
from reclens.audit import AuditSettings, Hypothesis
from reclens.audit.cards import AuditSettingsCard, HypothesisCard
from reclens.cards import DatasetCard, InjectedCard, ListsCard, SplitCard
from reclens.data.manifest import write_manifest
from reclens.explore import ExploreSettings
from reclens.explore.cards import ExploreSettingsCard
from reclens.tuning.cards import SearchCard
from reclens.world import Injected, WorldSettings
from reclens.world.cards import WorldSettingsCard

ROWS = pl.DataFrame(
    {
        "user": [n % 12 for n in range(120)],
        "item": [(n * 17 + n // 12 * 5) % 23 for n in range(120)],
        "timestamp": range(120),
        "extra": [1] * 120,
    }
)
Misfits = Callable[..., set[str]]
ITEMS = pl.DataFrame({"item": range(22), "genre": ["a", "b"] * 11})


@pytest.fixture(scope="module")
def data() -> rl.Dataset:
    return rl.read(ROWS, items=ITEMS)


@pytest.fixture(scope="module")
def splits(data: rl.Dataset) -> dict[str, rl.Split]:
    halves = ROWS.head(60), ROWS.tail(60).drop("extra")
    return {
        "by_time": rl.split.by_time(data, test_share=0.3, validation_share=0.2),
        "last_n": rl.split.last_n(data, n=1),
        "random": rl.split.random(data, test_share=0.2),
        "by_user": rl.split.by_user(data, n_test_users=3),
        "given": rl.split.given(*halves, items=ITEMS),
        "rolling": rl.split.rolling(data, folds=2, every=timedelta(seconds=10))[0],
    }


def test_data_sets_declare_what_they_hold(data: rl.Dataset, tmp_path: Path, misfits: Misfits) -> None:
    assert misfits(data.card, DatasetCard) == set()
    assert data.card.get("rows_read") == 120 and data.card.get("items_without_attributes") == 1
    assert misfits(rl.synthetic_movielens(n_users=30, n_items=30, n_ratings=400).card, DatasetCard) == set()
    assert misfits(data.with_segments(genre=rl.segments.top_value("genre")).card, DatasetCard) == set()
    (tmp_path / "shop.inter").write_text("user_id:token\titem_id:token\n1\t7\n", encoding="utf-8")
    assert misfits(rl.read_recbole(tmp_path).card, DatasetCard) == set()


@pytest.mark.parametrize("method", ["by_time", "last_n", "random", "by_user", "given", "rolling"])
def test_splits_declare_what_they_hold(splits: dict[str, rl.Split], method: str, misfits: Misfits) -> None:
    split = splits[method]
    assert misfits(split.card, SplitCard) == set() and split.card.get("method") == method
    assert misfits(split.train.card, DatasetCard) == set() and split.train.card.get("split") is split.card


@pytest.mark.parametrize("model", ["popular", "content", "ease"])
def test_lists_declare_what_they_hold(splits: dict[str, rl.Split], model: str, misfits: Misfits) -> None:
    fitted = rl.models.build(model).fit(splits["by_time"].train)
    lists = fitted.recommend([0, 99], k=3, exclude=[1], candidates=[0, 1, 2, 3])
    assert misfits(lists.card, ListsCard) == set()
    assert {"n": 4}.items() <= dict(lists.card.get("candidates", {})).items()
    assert lists.card.get("cold_users") == (None if model == "popular" else "popular")


def test_lists_of_pipelines_and_files_declare_what_they_hold(splits: dict[str, rl.Split], misfits: Misfits) -> None:
    pipeline = rl.Pipeline(retrieve={"popular": {"model": "popular", "k": 5}}, rerank=[{"kind": "seen"}])
    run = pipeline.fit(splits["by_time"].train).run([0, 1], k=3)
    assert misfits(run.final.card, ListsCard) == set() and run.final.card.get("k") == 3
    read = rl.read_recommendations(pl.DataFrame({"user": [1], "item": [2], "score": [0.5], "more": [1]}))
    assert misfits(read.card, ListsCard) == set() and read.card.get("columns_not_used") == ["more"]


def test_cards_of_an_older_version_load(splits: dict[str, rl.Split], tmp_path: Path) -> None:
    """Entries that this version knows are absent, and one that it does not know is there."""
    place = rl.Workspace(tmp_path)
    lists = rl.models.Popular().fit(splits["by_time"].train).recommend(k=3)
    things = {"dataset": splits["by_time"].train, "split": splits["by_time"], "run": lists}
    for kind, thing in things.items():
        folder = place.save(thing, "old")
        path = folder / "card.json"
        card = json.loads(path.read_text(encoding="utf-8"))
        own = {"dataset": "data", "run": "lists"}.get(kind)
        about = card[own] if own else card["header"]["card"]
        for entry in ("task", "duplicates", "rules", "notes", "problems", "versions"):
            about.pop(entry, None)
        about["of_an_old_version"] = 1
        path.write_text(json.dumps(card), encoding="utf-8")
        write_manifest(folder)
    old = place.load("split", "old")
    assert old.task == "new_items" and old.card.get("rules") is None
    assert place.load("dataset", "old").interactions.equals(splits["by_time"].train.interactions)
    assert rl.evaluate(place.load("run", "old"), old, metrics=["ndcg@3"], replicates=20)["ndcg@3"].overall.n > 0


SETTINGS = {
    AuditSettingsCard: [each.name for each in fields(AuditSettings)],
    ExploreSettingsCard: [each.name for each in fields(ExploreSettings)],
    HypothesisCard: [each.name for each in fields(Hypothesis)],
    InjectedCard: [each.name for each in fields(Injected)],
    WorldSettingsCard: list(WorldSettings.model_fields),
}


@pytest.mark.parametrize("card", SETTINGS, ids=lambda card: card.__name__)
def test_cards_of_settings_declare_their_fields(card: type) -> None:
    assert list(card.__annotations__) == SETTINGS[card]


LOOSE = {
    "CautionRow.facts": "numbers of a caution, which depend on its kind",
    "ExploreSettingsCard.filters": "attributes of any catalogue",
    "EmbeddingRow.settings": "settings of any embedder",
}
"""Entries of cards that are open mappings besides ``Parameters``, and what their names are."""


def test_no_other_entry_of_a_card_is_an_open_mapping(repository: Path) -> None:
    found = {}
    for path in (repository / "src" / "reclens").rglob("*cards.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.AnnAssign) and re.search(
                        r"\[str, (Any|object)\]", ast.unparse(each.annotation)
                    ):
                        found[f"{node.name}.{ast.unparse(each.target)}"] = path
    assert set(found) == set(LOOSE), f"declare what it holds, or say what its names are: {found}"


def test_what_is_undeclared_is_found(misfits: Misfits) -> None:
    assert misfits({"of": 1}, SplitCard) == {"card.of"}
    rule = {"code": "a", "count": 1, "facts": {}}
    assert misfits({"rules": [rule, rule | {"word": 1}]}, SplitCard) == {"card.rules[].word"}
    assert misfits({"rules": [{"code": "a", "facts": {}}]}, SplitCard) == {"card.rules[].count is absent"}
    assert misfits({"task": "repeats"}, SplitCard) == {"card.task is 'repeats'"}
    assert misfits({"split": {"task": "new_items"}, "duplicates": "last"}, DatasetCard) == set()
    assert misfits({"split": {"cuts": 1}}, DatasetCard) == {"card.split.cuts"}
    found = {"stages": [{"stage": "rank"}], "problems": ["keep_below_k", {"code": "x", "why": 1}]}
    assert {each.removesuffix(" is absent") for each in misfits(found, ListsCard)} >= {
        "card.stages[].label",
        "card.problems[].why",
    }
    searched = {"ease": {"class": "EASE", "defaults": {}, "space": {}, "budget": 3}}
    assert "card.models.ease.budget" in misfits({"models": searched}, SearchCard)
