"""Every registered recommender keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens import models
from reclens.errors import UnknownNameError, UsageError
from reclens.testing.models import check_model, model_data


@pytest.mark.parametrize("name", models.names())
def test_the_contract(name: str, tmp_path: Path, small_options) -> None:
    check_model(models.get(name)(**small_options(name)), tmp_path)


@pytest.mark.parametrize("name", ["item_knn", "user_knn"])
@pytest.mark.parametrize(
    "options",
    [
        {"similarity": "adjusted_cosine"},
        {"similarity": "jaccard"},
        {"weighting": "tf_idf"},
        {"weighting": "bm25", "similarity": "dot"},
        {"shrinkage": 10.0, "neighbors": 5},
    ],
)
def test_the_contract_of_every_kind_of_neighbour(name: str, options: dict, tmp_path: Path) -> None:
    check_model(models.get(name)(**options), tmp_path)


@pytest.mark.parametrize("name", ["item_knn", "user_knn"])
@pytest.mark.parametrize("similarity", ["cosine", "adjusted_cosine", "common_cosine", "pearson", "msd"])
def test_the_contract_of_models_of_ratings(name: str, similarity: str, tmp_path: Path) -> None:
    check_model(models.get(name)(feedback="explicit", similarity=similarity, min_neighbors=2), tmp_path)


def test_which_models_predict_ratings() -> None:
    assert [name for name in models.names() if models.get(name).predicts_ratings] == ["item_knn", "user_knn"]


def test_the_folder_is_the_registry() -> None:
    assert models.names() == [
        "als",
        "augmented_hybrid",
        "bert4rec",
        "bpr",
        "cascade_hybrid",
        "content",
        "deep_fm",
        "ease",
        "esasrec",
        "fm",
        "fusion_hybrid",
        "gru4rec",
        "hstu",
        "item_knn",
        "knowledge",
        "popular",
        "pure_svd",
        "random",
        "recent_popular",
        "rp3beta",
        "sasrec",
        "slim",
        "switching_hybrid",
        "two_tower",
        "user_knn",
        "weighted_hybrid",
        "wide_deep",
    ]
    assert models.EASE is models.get("ease") and models.RecentPopular is models.get("recent_popular")
    assert models.describe("ease").startswith("EASE: a linear item-item model")
    with pytest.raises(UnknownNameError, match="Did you mean 'item_knn'"):
        models.get("itemknn")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ease", {"l2": 0.0}, "l2 is 0.0"),
        ("item_knn", {"neighbors": 0}, "neighbors is 0"),
        ("item_knn", {"similarity": "cosin"}, "Did you mean 'cosine'"),
        ("user_knn", {"weighting": "bm52"}, "Did you mean 'bm25'"),
        ("user_knn", {"shrinkage": -1.0}, "shrinkage is -1"),
        ("item_knn", {"similarity": "jaccard", "weighting": "bm25"}, "weights of its own"),
        ("recent_popular", {"days": 0.0}, "days is 0"),
        ("bpr", {"epochs": 0}, "epochs is 0"),
        ("bpr", {"learning_rate": 0.0}, "learning_rate is 0.0"),
        ("bpr", {"l2": -0.1}, "l2 is -0.1"),
        ("bpr", {"negatives": "unifrom"}, "Did you mean 'uniform'"),
        ("pure_svd", {"factors": 0}, "factors is 0"),
        ("slim", {"l1": 0.0}, "without it, use ease"),
        ("slim", {"l2": -1.0}, "l2 is -1.0"),
        ("slim", {"tolerance": 1.0}, "tolerance is 1.0"),
        ("slim", {"sweeps": 0}, "sweeps is 0"),
        ("rp3beta", {"alpha": -0.1}, "alpha is -0.1"),
        ("rp3beta", {"beta": float("nan")}, "beta is nan"),
        ("rp3beta", {"neighbors": 0}, "neighbors is 0"),
        ("rp3beta", {"neighbors_of": "histroy"}, "Did you mean 'history'"),
        ("als", {"factors": 0}, "factors is 0"),
        ("als", {"steps": -1}, "steps is -1"),
        ("als", {"l2": -1.0}, "l2 is -1.0"),
        ("als", {"unobserved": float("nan")}, "unobserved is nan"),
        ("als", {"frequency": float("inf")}, "frequency is inf"),
    ],
)
def test_wrong_hyper_parameters_are_explained(name: str, options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        models.get(name)(**options).fit(model_data())
