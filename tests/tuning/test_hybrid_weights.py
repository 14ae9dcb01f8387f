"""Weights are chosen on validation data, by all combinations of what was computed once."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.read.movielens import read_movielens
from reclens.data.split import random
from reclens.errors import LeakError, UsageError
from reclens.evaluation import evaluate
from reclens.tuning import tune_weights

MODELS = {"ease": {"l2": 50}, "knn": {"model": "item_knn", "neighbors": 20}, "popular": {}}


@pytest.fixture(scope="module")
def split(small_data):
    return random(small_data, test_share=0.2, validation_share=0.2, rng=3)


@pytest.fixture(scope="module")
def tuned(split):
    return tune_weights(MODELS, split.train, split.validation, step=0.25, replicates=200)


def test_the_grid_holds_every_way_to_share(tuned) -> None:
    tried = [tuple(each.weights.values()) for each in tuned.curve]
    steps = (0, 0.25, 0.5, 0.75, 1)
    expected = {(a, b, c) for a in steps for b in steps for c in steps if a + b + c == 1}
    assert set(tried) == expected and len(tried) == len(expected) == 15


def test_every_point_is_what_a_hybrid_with_these_weights_shows(split, tuned) -> None:
    for at in (0, 4, 7, 14):
        tried = tuned.curve[at]
        hybrid = models.WeightedHybrid(models=MODELS, weights=tried.weights).fit(split.train)
        lists = hybrid.recommend(split.validation_users, k=10)
        again = evaluate(lists, split.validation, train=split.train, metrics=["ndcg@10"], replicates=200)
        assert tried.value == again["ndcg@10"].overall


def test_the_best_point_is_chosen_and_held_against_the_best_single_model(split, tuned) -> None:
    values = {tuple(each.weights.values()): each.value.value for each in tuned.curve}
    assert tuned.value.value == max(values.values()) == values[tuple(tuned.weights.values())]
    alone = {"ease": values[1, 0, 0], "knn": values[0, 1, 0], "popular": values[0, 0, 1]}
    assert tuned.single == max(alone, key=alone.get)
    assert tuned.gain.value == pytest.approx(tuned.value.value - alone[tuned.single])
    assert tuned.gain.low is not None and (len(tuned.curve), tuned.gain.note) == (15, "chosen_as_best")
    assert sum(row["chosen"] for row in tuned.to_dicts()) == 1
    assert tuned.model.weights == tuned.weights and tuned.model.recommend(k=5).table.height == 5 * 200


def test_nothing_but_training_and_validation_data_can_reach_it(split, tuned) -> None:
    """There is no argument for a test part, a split or a whole data set; and the training part holds no test row."""
    data = {
        name
        for name, argument in inspect.signature(tune_weights).parameters.items()
        if argument.kind is argument.POSITIONAL_OR_KEYWORD
    }
    assert data == {"models", "train", "validation"}
    keys = ["user_id", "item_id"]
    assert not split.train.interactions.join(split.test, on=keys, how="semi").height
    # Whatever stands in the test part, the same weights come out.
    other = replace(split, test=split.test.with_columns(pl.col("item_id").shuffle(seed=1)))
    assert not other.test.equals(split.test)
    again = tune_weights(MODELS, other.train, other.validation, step=0.25, replicates=200)
    assert again.weights == tuned.weights and again.to_dicts() == tuned.to_dicts()
    with pytest.raises(LeakError, match="also stand in the training data"):
        tune_weights(MODELS, split.train, split.train.interactions)


def test_random_search_is_seeded_and_holds_the_single_models(split) -> None:
    options = {"search": "random", "draws": 6, "replicates": 100}
    one, same, other = (tune_weights(MODELS, split.train, split.validation, rng=seed, **options) for seed in (1, 1, 2))
    assert one.to_dicts() == same.to_dicts() != other.to_dicts()
    tried = np.array([list(each.weights.values()) for each in one.curve])
    assert len(tried) == 6 + 3 + 1 and tried[:3].tolist() == np.eye(3).tolist()
    np.testing.assert_allclose(tried.sum(axis=1), 1)


def test_threads_change_nothing_and_a_sample_of_users_is_drawn_by_the_seed(split) -> None:
    options = {"step": 0.5, "replicates": 100, "most_users": 50}
    one = tune_weights(MODELS, split.train, split.validation, threads=1, **options)
    two = tune_weights(MODELS, split.train, split.validation, threads=2, **options)
    assert one.to_dicts() == two.to_dicts() and one.value.n == 50
    assert (
        tune_weights(MODELS, split.train, split.validation, rng=1, **options).card["validation"]
        != one.card["validation"]
    )


def test_a_metric_that_is_better_low_is_minimised(split) -> None:
    found = tune_weights(
        {"ease": {}, "popular": {}}, split.train, split.validation, step=0.5, replicates=100, metric="miscalibration@10"
    )
    assert found.value.value == min(each.value.value for each in found.curve)


def test_on_real_data_a_weak_model_is_kept_from_doing_harm(shared_data: Path) -> None:
    """Content alone reaches a tenth of EASE; on data that weights were not chosen on, their sum keeps up with it."""
    archive = shared_data / "movielens" / "ml-100k.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} in {archive.parent}")
    split = random(read_movielens(archive), test_share=0.1, validation_share=0.1, rng=1)
    tuned = tune_weights({"ease": {"l2": 250}, "content": {}}, split.train, split.validation, step=0.25, replicates=100)
    values = {}
    for name, model in {"both": tuned.model, **tuned.model.parts_}.items():
        lists = model.recommend(split.test_users, k=100).table.drop("rank")
        unseen = lists.join(split.validation, on=["user_id", "item_id"], how="anti", maintain_order="left")
        values[name] = evaluate(unseen, split.test, train=split.train, metrics=["ndcg@10"])["ndcg@10"].overall.value
    assert values["content"] < 0.2 * values["ease"]
    assert values["both"] > values["ease"] - 0.005
    assert tuned.weights["ease"] > 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": {"ease": {}}}, "1 model to weigh"),
        ({"models": {"ease": {}, "item_kn": {}}}, "Did you mean 'item_knn'"),
        ({"metric": "coverage@10"}, "cannot choose weights"),
        ({"metric": "novelty@10"}, "cannot choose weights"),
        ({"metric": "ndgc@10"}, "Did you mean 'ndcg'"),
        ({"step": 0.3}, "step is 0.3"),
        ({"step": 0}, "step is 0"),
        ({"step": 0.01}, "has 5,151 points"),
        ({"search": "gird"}, "Did you mean 'grid'"),
        ({"search": "random", "draws": -1}, "draws is -1"),
        ({"scale": "minmax"}, "Did you mean 'min_max'"),
        ({"most_users": 0}, "most_users is 0"),
        ({"validation": pl.DataFrame({"user_id": [10**6], "item_id": [1]})}, "no user of the validation data"),
        ({"validation": pl.DataFrame({"user": [1], "item_id": [1]})}, "lacks user_id"),
    ],
)
def test_wrong_use_is_explained(split, options: dict, says: str) -> None:
    given = {"models": MODELS, "train": split.train, "validation": split.validation} | options
    with pytest.raises(UsageError, match=says):
        tune_weights(**given)
