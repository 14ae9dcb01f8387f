"""Two towers: what attributes of users add, where they come from at a request, and the memory of the item tower."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import NotEnoughMemoryError

OPTIONS = {
    "factors": 16,
    "max_length": 12,
    "device": "cpu",
    "batch_size": 16,
    "epochs": 20,
    "patience": 0,
    "learning_rate": 0.01,
    "hidden": 16,
    "negatives": 32,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def towns(timed) -> Dataset:
    """Everybody begins with items 0 and 1. Eighty users go on to items of their town, twenty have not gone on yet."""
    rng = np.random.default_rng(0)
    walks = {user: [0, 1, *(2 + 10 * (user % 2) + rng.permutation(10)[:4]).tolist()] for user in range(80)}
    walks |= {user: [0, 1] for user in range(80, 100)}
    users = pl.DataFrame({"user_id": range(100), "town": ["a", "b"] * 50, "age": rng.normal(40, 9, 100)})
    return replace(timed(walks), users=users)


@pytest.fixture(scope="module")
def fitted(towns: Dataset):
    pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
    return models.TwoTower(**OPTIONS).fit(towns, threads=1)


def at_home(lists: pl.DataFrame) -> float:
    """The share of recommended items that are of the town of their user."""
    return float(((lists["item_id"] - 2) // 10 == lists["user_id"] % 2).mean())  # type: ignore[arg-type]


def test_attributes_tell_users_with_equal_histories_apart(fitted, towns: Dataset) -> None:
    new = list(range(80, 100))
    assert at_home(fitted.recommend(new, k=3).table) > 0.95
    assert fitted.train_["user_attributes"] == ["town", "age"] and not fitted.exact_fold_in
    short = OPTIONS | {"epochs": 2}
    for other in (models.TwoTower(**short, attributes=False), models.TwoTower(**short)):
        data = towns if not other.attributes else replace(towns, users=None)
        without = other.fit(data, threads=1)
        assert without.exact_fold_in
        lists = without.recommend(new, k=3).table
        assert lists.group_by("user_id").agg("item_id")["item_id"].n_unique() == 1, "the histories are the same"


def test_a_request_with_a_history_knows_the_user_or_does_not(fitted) -> None:
    """The same history under three ids: of a user of each town, and of one who came after the fit."""
    walk = pl.DataFrame({"user_id": [81, 81, 84, 84, 999, 999], "item_id": [0, 1] * 3})
    told = fitted.recommend(history=walk, history_mode="replace", k=3).table
    assert at_home(told.filter(pl.col("user_id") < 999)) > 0.95
    known = fitted.recommend([81, 84], k=3).table
    assert told.filter(pl.col("user_id") < 999)["item_id"].to_list() == known["item_id"].to_list()
    one, other, stranger = (told.filter(pl.col("user_id") == user)["score"].to_list() for user in (81, 84, 999))
    assert stranger not in (one, other) and len(stranger) == 3
    why = fitted.explain(
        81, int(known["item_id"][0]), history=walk.filter(pl.col("user_id") == 81), history_mode="replace", n=9
    )
    assert sum(part for _, part in why.reasons) + why.rest == pytest.approx(known["score"][0], rel=1e-4)


def test_a_saved_model_knows_its_users(fitted, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    again = models.TwoTower.load(tmp_path / "model")
    walk = pl.DataFrame({"user_id": [80, 80, 81, 81], "item_id": [0, 1] * 2})
    assert again.recommend(history=walk, history_mode="replace", k=3).table.equals(
        fitted.recommend(history=walk, history_mode="replace", k=3).table
    )
    assert again.recommend([80, 81], k=3).table.equals(fitted.recommend([80, 81], k=3).table)


def test_the_memory_of_the_item_tower_is_counted(towns: Dataset) -> None:
    """A hidden layer of a million values, of each of 22 items in each step, beside a batch that is small."""
    with pytest.raises(NotEnoughMemoryError, match="Lower batch_size= or max_length= or negatives= or hidden="):
        models.TwoTower(**(OPTIONS | {"hidden": 300_000_000})).fit(towns, threads=1)
