"""``reclens tune-weights``: the weights of a hybrid, chosen on the validation part and kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reclens.cli.app import app
from reclens.tuning import tune_weights
from reclens.workspace import Workspace


@pytest.fixture
def folder(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(shop, tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def test_weights_are_those_of_the_function_and_the_hybrid_is_kept(folder: Path) -> None:
    call = ["tune-weights", "blend.toml", "--split", "s", "--metric", "ndcg@2", "--step", "0.5", "-f", "json"]
    found = CliRunner().invoke(app, call)
    assert found.exit_code == 0, found.output
    place = Workspace(folder / "workspace")
    made = place.load("split", "s")
    assert made.validation is not None
    parts = {"item_knn": {}, "popular": {}}
    expected = tune_weights(parts, made.train, made.validation, metric="ndcg@2", step=0.5)
    rows = json.loads(found.stdout)["rows"]
    assert len(rows) == 3, "0, a half and 1"
    first = {label: rows[0][f"weight of {label}"] for label in expected.weights}
    assert first == dict(expected.weights) and rows[0]["value"] == pytest.approx(expected.value.value)
    assert dict(place.load("weights", "blend").weights) == dict(expected.weights)
    hybrid = place.load("model", "blend")
    assert hybrid.weights == dict(expected.weights)
    assert hybrid.recommend(k=3).table.equals(expected.model.recommend(k=3).table)
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 2 and "blend" in again.stderr, "what is kept is not replaced unasked"


def test_what_is_no_weighted_hybrid_is_refused(folder: Path) -> None:
    (folder / "other.toml").write_text('model = "ease"\n')
    found = CliRunner().invoke(app, ["tune-weights", "other.toml", "--split", "s"])
    assert found.exit_code == 2 and "weighted_hybrid" in found.stderr
