"""Cards hold what their types say: every entry of a new one is declared, and old ones load."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.evaluation.cards import ComparisonCard, EvaluationCard, PredictionCard
from reclens.tuning.cards import SearchCard, WeightsCard

Misfits = Callable[..., set[str]]


@pytest.fixture(scope="module")
def split() -> rl.Split:
    data = rl.synthetic_movielens(n_users=80, n_items=60, n_ratings=2_400, rng=0)
    return rl.split.last_n(data, n=2, validation_n=1)


@pytest.fixture(scope="module")
def evaluations(split: rl.Split) -> dict[str, rl.Evaluation]:
    lists = {
        name: rl.models.build(name).fit(split.train).recommend(split.test_users, k=5) for name in ("popular", "ease")
    }
    return {name: rl.evaluate(each, split, metrics=["ndcg@5"], replicates=50) for name, each in lists.items()}


def test_evaluations_and_comparisons_declare_what_they_hold(
    evaluations: dict[str, rl.Evaluation], misfits: Misfits
) -> None:
    card = evaluations["ease"].card
    assert misfits(card, EvaluationCard) == set() and card["depth"] == 5 and card["metrics"] == ["ndcg@5"]
    assert card["truth"]["rows"] == 160
    compared = rl.compare(evaluations, baseline="popular", flips=50).card
    assert misfits(compared, ComparisonCard) == set() and compared["systems"] == ["popular", "ease"]


def test_requests_ids_and_predictions_declare_what_they_hold(misfits: Misfits) -> None:
    asked = {"request_id": [1, 1, 2, 2], "user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 8], "rank": [1, 2, 1, 2]}
    requests = rl.evaluation.evaluate_requests(pl.DataFrame(asked | {"clicked": [1, 0, 0, 1]}))
    assert misfits(requests.card, EvaluationCard) == set() and requests.card.get("requests") == 2
    users = [f"{number:03}" for number in range(200)]
    lists = pl.DataFrame({"user_id": users, "item_id": ["a"] * 200, "rank": [1] * 200})
    truth = pl.DataFrame({"user_id": [user.lstrip("0") or "0" for user in users], "item_id": ["a"] * 200})
    with pytest.warns(rl.evaluation.IdsWarning):
        found = rl.evaluate(lists, truth, metrics=["mrr@1"], replicates=50)
    (problem,) = found.card.get("id_problems", [])
    assert problem["cause"] == "leading_zeros"
    rated = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1], "rating": [3.0, 4.0, 5.0]})
    told = rl.evaluation.evaluate_predictions(rated.with_columns(prediction=pl.lit(4.0)), replicates=50)
    assert misfits(told.card, PredictionCard) == set() and told.card["n_ratings"] == 3


def test_searches_declare_what_they_hold(split: rl.Split, misfits: Misfits) -> None:
    found = rl.tune(split, "popular", metric="ndcg@5", method="random", trials=2)
    assert misfits(found.card, SearchCard) == set() and found.card["trials"] == 2
    pair: dict[str, dict[str, Any]] = {"popular": {}, "random": {}}
    assert split.validation is not None
    hybrid = rl.tuning.tune_weights(pair, split.train, split.validation, metric="ndcg@5", step=0.5, replicates=50)
    assert misfits(hybrid.card, WeightsCard) == set() and hybrid.card["metric"] == "ndcg@5"


def test_a_card_of_an_older_version_loads(evaluations: dict[str, rl.Evaluation], tmp_path: Path) -> None:
    evaluations["ease"].save(tmp_path)
    path = tmp_path / "evaluation.json"
    header = json.loads(path.read_text(encoding="utf-8"))
    for entry in ("task_problems", "id_problems", "metric_aliases", "task", "synthetic"):
        del header["card"][entry]
    path.write_text(json.dumps(header | {"card": header["card"] | {"of_an_old_version": 1}}), encoding="utf-8")
    old = rl.Evaluation.load(tmp_path)
    assert old["ndcg@5"].overall == evaluations["ease"]["ndcg@5"].overall
    assert rl.report.id_problems(old.card) == [] and rl.report.task_problems(old.card) == []
    assert "ndcg@5" in rl.report.build_report(old).html
