"""What a workspace keeps is read as it was written, or refused with a DataError."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.manifest import MANIFEST, write_manifest
from reclens.data.split import random
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError
from reclens.experiment import Plan, read_aggregated
from reclens.models import Popular
from reclens.schema import Recommendations
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
    made.save(data, "mine")
    made.save(random(data), "mine")
    model = Popular().fit(data)
    made.save(model, "mine")
    made.save(model.recommend(k=3), "mine")
    plan = Plan(
        name="gate", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "kept", "kind": "proportion", "value": "kept"},)
    )
    counts = {"variant": ["old", "new"], "n": [400, 400], "successes": [80, 120]}
    made.save(plan, "mine")
    made.save(read_aggregated(plan, pl.DataFrame(counts)), "mine")
    world = rl.explore.planted_space("hole", strength=0.05, n_items=200, n_users=60, clusters=4)
    made.save(rl.explore.run(world.items, world.lists, world.truth, users=world.users, remedies=False), "mine")
    return made


@pytest.mark.parametrize("kind", ["dataset", "split", "run", "model", "plan", "readout", "exploration"])
def test_damaged_artefacts(kind: str, workspace: Workspace, tmp_path: Path) -> None:
    source = workspace.folder / kind / "mine"
    place = Workspace(tmp_path)
    folder = shutil.copytree(source, tmp_path / kind / "mine")
    rng = np.random.default_rng(4)
    assert place.load(kind, "mine")
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "card.json"):
        before = path.read_bytes()
        changed = np.frombuffer(before, np.uint8).copy()
        changed[rng.integers(len(changed))] ^= np.uint8(rng.integers(1, 256))
        for content in (before[: len(before) // 2], b"", changed.tobytes()):
            path.write_bytes(content)
            with pytest.raises(DataError, match=r"Make it again|Fit the model again"):
                place.load(kind, "mine")
            if path.name != MANIFEST:
                write_manifest(folder)
                with contextlib.suppress(DataError):
                    place.load(kind, "mine")
                shutil.copy(source / MANIFEST, folder / MANIFEST)
        path.write_bytes(before)
    card = folder / "card.json"
    card.write_text(card.read_text().replace('"kind"', '"Kind"'))
    with pytest.raises(DataError, match=r"'card\.json' is not what was written"):
        place.load(kind, "mine")


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("user_id", [1.5, 2.5], "expected ids without nulls"),
        ("user_id", [1, None], "Int64 with 1 nulls"),
        ("item_id", [[1], [2]], "expected ids without nulls"),
        ("rank", [0, 1], "whole numbers from 1"),
        ("rank", ["1", "2"], "whole numbers from 1"),
        ("score", ["high", "low"], "expected numbers"),
        ("rank", None, "lacks rank"),
    ],
)
def test_columns_of_lists_are_checked(column: str, values: list | None, says: str, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    table = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "rank": [1, 1], "score": [0.5, 0.4]})
    folder = place.save(Recommendations(table), "mine")
    wrong = table.drop(column) if values is None else table.with_columns(pl.Series(column, values))
    wrong.write_parquet(folder / "lists.parquet")
    write_manifest(folder)
    with pytest.raises(DataError, match=says):
        place.load("run", "mine")


def test_tables_from_before_the_manifests_are_read_and_models_are_not(workspace: Workspace, tmp_path: Path) -> None:
    place = Workspace(shutil.copytree(workspace.folder, tmp_path / "older"))
    for kind in ("dataset", "split", "run", "model"):
        (place.folder / kind / "mine" / MANIFEST).unlink()
    assert place.load("dataset", "mine").interactions.equals(workspace.load("dataset", "mine").interactions)
    assert place.load("run", "mine").table.equals(workspace.load("run", "mine").table)
    assert place.load("split", "mine").test.equals(workspace.load("split", "mine").test)
    with pytest.raises(DataError, match="older version of RecLens"):
        place.load("model", "mine")
    header = json.loads((place.folder / "run" / "mine" / "card.json").read_text())
    (place.folder / "run" / "mine" / "card.json").write_text(json.dumps(header | {"lists": [1]}))
    with pytest.raises(DataError, match="its card is a list, expected a mapping"):
        place.load("run", "mine")


def test_the_summary_of_an_artefact_is_one_line(tmp_path: Path) -> None:
    """It stands in a cell of a list; printed results are tables of several lines."""
    place = Workspace(tmp_path)
    lists = rl.Recommendations(pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6], "rank": [1, 1]}), "ours")
    result = rl.evaluate(lists, {"user_id": [1, 2], "item_id": [5, 5]}, metrics=["mrr@10"])
    other = rl.evaluate(lists, {"user_id": [1, 2], "item_id": [5, 5]}, metrics=["mrr@10"])
    place.save(lists, "lists")
    place.save(result, "result")
    place.save(rl.compare({"a": result, "b": other}, baseline="a"), "compared")
    data = rl.Dataset(pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [5, 6, 5, 7]}), name="shop")
    place.save(data, "data")
    place.save(rl.split.random(data, test_share=0.5, rng=0), "split")
    place.save(rl.models.ItemKNN(neighbors=5, similarity="jaccard").fit(data), "model")
    summaries = {each.kind: rl.report.artefact_summary(each) for each in place.list()}
    assert summaries["run"] == "ours: 2 rows for 2 users"
    assert summaries["evaluation"].startswith("ours: mrr@10 0.5")
    assert summaries["dataset"] == "shop: 4 interactions of 2 users with 3 items"
    assert summaries["split"] == "shop: interactions, train 2, test 2"
    assert summaries["model"] == "item_knn, neighbors 5, similarity jaccard", "what differs from the defaults"
    assert not any("\n" in summary or len(summary) > 120 for summary in summaries.values())
