"""The recommenders reach what studies report for ML-100K. Skipped, with a message, where the data is not there.

All ratings are positives; random per-user 80/10/10; fitted on train; full ranking with train and validation masked. The
bands are published means ± 2 standard deviations of the split.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reclens import models
from reclens.data.read.movielens import read_movielens
from reclens.data.split import random
from reclens.evaluation import evaluate


@pytest.fixture(scope="module")
def split(shared_data: Path):
    archive = shared_data / "movielens" / "ml-100k.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} in {archive.parent}")
    return random(read_movielens(archive), test_share=0.1, validation_share=0.1, rng=1)


@pytest.mark.parametrize(
    ("model", "expected", "band"),
    [
        (models.EASE(l2=250), 0.326, 0.015),
        (models.ItemKNN(neighbors=100, shrinkage=0), 0.280, 0.015),
        (models.Popular(), 0.139, 0.010),
    ],
    ids=["ease", "item_knn", "popular"],
)
def test_ndcg_of_ml_100k(split, model, expected: float, band: float) -> None:
    lists = model.fit(split.train).recommend(split.test_users, k=100).table
    unseen = lists.join(split.validation, on=["user_id", "item_id"], how="anti", maintain_order="left")
    result = evaluate(unseen.filter(pl.len().over("user_id") >= 10), split.test, train=split.train, metrics=["ndcg@10"])
    assert result["ndcg@10"].overall.value == pytest.approx(expected, abs=band)
