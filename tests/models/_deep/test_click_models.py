"""Models of clicks: what they see that a linear model cannot, the fields, and their quality with intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import DataError, UsageError
from reclens.stats.roc import clustered_auc

NAMES = ["fm", "wide_deep", "deep_fm"]
SMALL = {"device": "cpu", "factors": 8, "learning_rate": 0.01, "batch_size": 256, "positive_from": 4.0}
HIDDEN = {"hidden": (32, 16), "dropout": 0.0}


def options(name: str) -> dict:
    return SMALL | ({} if name == "fm" else HIDDEN)


@pytest.fixture(scope="module")
def crossed() -> Dataset:
    """Town of users and kind of items, by halves: a rating is 5 where they agree, else 1. Neither tells alone."""
    rng = np.random.default_rng(1)
    users = pl.DataFrame({"user_id": np.arange(400), "town": [str(each % 2) for each in range(400)]})
    users = users.with_columns(age=pl.Series(rng.normal(40, 10, 400)))
    tags = [["a", "x"] if each % 4 < 2 else ["b"] for each in range(60)]
    items = pl.DataFrame({"item_id": np.arange(60), "tags": tags})
    pairs = np.array([(user, item) for user in range(400) for item in rng.choice(60, 15, replace=False)])
    agree = (pairs[:, 0] % 2) == (pairs[:, 1] % 4 < 2)
    table = pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": np.where(agree, 5.0, 1.0)})
    return Dataset(table, users=users, items=items)


@pytest.fixture(scope="module", params=NAMES)
def fitted(request: pytest.FixtureRequest, crossed: Dataset):
    pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
    learned = (pl.col("user_id") < 300) & ((7 * pl.col("user_id") + pl.col("item_id")) % 5 > 0)
    train = replace(crossed, interactions=crossed.interactions.filter(learned))
    return models.get(request.param)(**options(request.param), epochs=12, patience=0).fit(train, threads=1)


def test_an_interaction_that_a_linear_model_cannot_see(fitted, crossed: Dataset) -> None:
    """Of pairs that were held out, and of users who were not in the training data: town and tags decide together."""
    held = crossed.interactions.filter((7 * pl.col("user_id") + pl.col("item_id")) % 5 == 0)
    for pairs, least in (held.filter(pl.col("user_id") < 300), 0.9), (held.filter(pl.col("user_id") >= 300), 0.55):
        found, labels = (fitted.probability(pairs, users=crossed.users)["probability"].to_numpy(), pairs["rating"] >= 4)
        assert found[labels.to_numpy()].mean() > least > 1 - least > found[~labels.to_numpy()].mean()
    found = fitted.probability(pairs, users=crossed.users)["probability"].to_numpy()
    labels = (pairs["rating"] >= 4).to_numpy()
    assert clustered_auc(labels, found, np.arange(len(labels))).value > 0.99
    # The same by the best weights of single features: least squares over town and tags knows nothing.
    town = (pairs["user_id"] % 2).to_numpy().astype(float)
    tag = (pairs["item_id"] % 4 < 2).to_numpy().astype(float)
    design = np.stack([np.ones(len(town)), town, tag], axis=1)
    guess = design @ np.linalg.lstsq(design, labels.astype(float), rcond=None)[0]
    assert abs(guess[labels].mean() - guess[~labels].mean()) < 0.05


def test_features_that_are_missing_and_categories_that_are_new(fitted, crossed: Dataset) -> None:
    pairs = pl.DataFrame({"user_id": [999, 999, 0], "item_id": [0, 777, 5]})
    new = pl.DataFrame({"user_id": [999, 0], "town": ["7", None]})
    found = fitted.probability(pairs, users=new)["probability"]
    assert found.null_count() == 1 and found[1] is None, "an unknown item has no probability"
    without = fitted.probability(pairs)["probability"]
    assert without.null_count() == 1 and without[0] is not None
    as_text = fitted.probability(pl.DataFrame({"user_id": ["nobody"], "item_id": [0]}))["probability"]
    assert as_text[0] == pytest.approx(without[0], rel=1e-5), "the unknown user"
    with pytest.raises(DataError, match="the attributes lack user_id"):
        fitted.probability(pairs, users=new.rename({"user_id": "user"}))


def test_reasons_add_up_to_the_score(fitted) -> None:
    item, score = fitted.recommend([0], k=1, exclude_seen=False).table.row(0)[1::2]
    why = fitted.explain(0, item, n=9)
    assert why.kind == "feature" and sum(part for _, part in why.reasons) + why.rest == pytest.approx(score, rel=1e-4)
    assert {"town", "tags"} & {name for name, _ in why.reasons[:3]}


def test_logits_are_the_formulas_of_the_papers() -> None:
    """Written out: all pairs of fields one by one, the weights, and the hidden layers by matrix products."""
    import torch

    from reclens.models._deep.deep_fm import DeepFM
    from reclens.models._deep.fm import FM, Fields, rows_of
    from reclens.models._deep.wide_deep import WideDeep

    # A user has an id and a number; an item an id and two tags of one field, each with half of a value.
    fields = Fields(
        users=(np.array([[0, 2], [1, 2]]), np.array([[1, 0.5], [1, -2.0]], np.float32)),
        items=(np.array([[3, 5, 6], [4, 6, 7]]), np.array([[1, 0.5, 0.5], [1, 0.5, 0.5]], np.float32)),
        field_of=np.array([0, 1, 2, 3, 3]),
        n=8,
    )
    rows = rows_of(fields, np.array([0, 1, 1]), np.array([0, 0, 1]), np.zeros(3))
    torch.manual_seed(0)
    layers = {"factors": 3, "hidden": (5,), "dropout": 0.5}
    networks = [FM(fields, factors=3), WideDeep(fields, **layers), DeepFM(fields, **layers)]
    for network in networks:
        for each in network.parameters():
            torch.nn.init.normal_(each)
        own = {name: each.detach().numpy().astype(float) for name, each in network.named_parameters()}
        found = network.eval()(rows).detach().numpy()
        for row, (codes, values) in enumerate(zip(rows.codes.numpy(), rows.values.numpy(), strict=True)):
            columns = own["embedded.vectors.weight"][codes] * values[:, None]
            vectors = np.stack([columns[fields.field_of == field].sum(axis=0) for field in range(4)])
            linear = own["embedded.bias"] + own["embedded.weights.weight"][codes, 0] @ values
            pairs = sum(vectors[one] @ vectors[other] for one in range(4) for other in range(one))
            wanted = linear + (0.0 if isinstance(network, WideDeep) else pairs)
            if not isinstance(network, FM):
                inner = np.maximum(own["deep.0.weight"] @ vectors.ravel() + own["deep.0.bias"], 0)
                wanted += (own["deep.3.weight"] @ inner + own["deep.3.bias"])[0]
            assert found[row] == pytest.approx(wanted, rel=1e-4)


def test_quality_has_intervals_over_users(crossed: Dataset) -> None:
    rng = np.random.default_rng(0)
    noisy = crossed.interactions.with_columns(
        rating=pl.when(pl.Series(rng.random(crossed.interactions.height) < 0.2)).then(3.0).otherwise(pl.col("rating"))
    )
    split = rl.split.random(replace(crossed, interactions=noisy), test_share=0.3, rng=0)
    model = models.FM(**SMALL, epochs=6).fit(split.train, threads=1)
    assert model.curves_.columns == ["epoch", "loss", "auc", "seconds"]
    found = model.quality(replace(split.train, interactions=split.test))
    assert 0.75 < found.auc.low < found.auc.value < found.auc.high < 0.95
    labels = (split.test["rating"] >= 4).to_numpy()
    share = model.probability(split.test)["probability"].to_numpy()
    pairs = (share[labels][:, None] > share[~labels]) + 0.5 * (share[labels][:, None] == share[~labels])
    assert found.auc.value == pytest.approx(pairs.mean(), abs=1e-9)
    by_hand = -np.where(labels, np.log(share), np.log1p(-share)).mean()
    assert found.log_loss.value == pytest.approx(by_hand, rel=1e-5)
    assert found.log_loss.low < by_hand < found.log_loss.high and found.n == len(split.test)
    of_one = split.test.filter(pl.col("user_id") == split.test["user_id"].mode().min())
    alone = model.quality(replace(split.train, interactions=of_one))
    assert alone.auc[1:] == (0.0, 1.0, 1) and alone.log_loss[1:] == (0.0, np.inf, 1), "one user says nothing of others"


def test_a_ranker_of_a_pipeline(crossed: Dataset) -> None:
    liked = replace(crossed, interactions=crossed.interactions.filter(pl.col("rating") >= 4))
    ranker = {"model": "deep_fm", "epochs": 3, "hidden": [16], "device": "cpu"}
    pipeline = rl.Pipeline(retrieve={"popular": {"k": 30}}, rank=ranker).fit(liked)
    first = pipeline.recommend([0, 1, 2, 3], k=3).table
    assert first.height == 12
    agree = (first["user_id"] % 2) == (first["item_id"] % 4 < 2)
    assert agree.mean() > 0.7, "popularity alone would agree by half"


def test_what_click_models_refuse(crossed: Dataset) -> None:
    bare = Dataset(crossed.interactions.drop("rating"))
    for wanted, data, says in (
        ({"positive_from": 4.0}, bare, "needs ratings"),
        ({"positive_from": 9.0}, crossed, "0 of 6,000 ratings are 9 or more"),
        ({"hidden": ()}, crossed, "hidden is empty"),
        ({"dropout": 1.0}, crossed, "dropout is 1.0"),
        ({"positive_from": -1.0}, crossed, "positive_from is -1"),
    ):
        with pytest.raises(UsageError, match=says):
            models.DeepFM(**wanted, epochs=1, device="cpu").fit(data, threads=1)
    one = Dataset(pl.DataFrame({"user_id": [1, 2], "item_id": [5, 5]}))
    with pytest.raises(UsageError, match="one item"):
        models.FM(epochs=1).fit(one, threads=1)
    implicit = models.FM(epochs=1, device="cpu").fit(bare, threads=1)
    with pytest.raises(UsageError, match="needs ratings, and positive_from"):
        implicit.quality(crossed)
