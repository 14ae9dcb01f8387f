"""What a checkpoint belongs to: beside hyper-parameters and interactions, attributes and the order of equal times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError

ONE = {"epochs": 1, "patience": 0, "device": "cpu", "factors": 4}


@pytest.fixture(scope="module")
def walks() -> Dataset:
    """Every event at one time, so that the rows alone say what came first."""
    rows = [(user, (user + step) % 6, 0) for user in range(8) for step in range(4)]
    table = pl.DataFrame(rows, ["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": range(6), "kind": ["a", "b"] * 3})
    return Dataset(table.with_columns(pl.from_epoch("timestamp")), items=items)


@pytest.mark.parametrize("name", ["two_tower", "fm"])
def test_a_checkpoint_of_other_attributes_is_refused(name: str, walks: Dataset, tmp_path: Path) -> None:
    model = models.get(name)(**ONE)
    model.fit(walks, threads=1, checkpoint=tmp_path)
    others = replace(walks, items=walks.items.with_columns(kind=pl.Series(["a", "a", "b"] * 2)))
    with pytest.raises(UsageError, match="other hyper-parameters or other data"):
        model.fit(others, threads=1, checkpoint=tmp_path)


def test_a_checkpoint_of_another_order_is_refused(walks: Dataset, tmp_path: Path) -> None:
    model = models.SASRec(**ONE, max_length=4)
    model.fit(walks, threads=1, checkpoint=tmp_path)
    backwards = replace(walks, interactions=walks.interactions.reverse())
    assert backwards.fingerprint == walks.fingerprint
    with pytest.raises(UsageError, match="other hyper-parameters or other data"):
        model.fit(backwards, threads=1, checkpoint=tmp_path)


def test_more_epochs_go_on_where_fewer_ended(walks: Dataset, tmp_path: Path) -> None:
    whole = models.SASRec(**(ONE | {"epochs": 3}), max_length=4).fit(walks, threads=1)
    models.SASRec(**ONE, max_length=4).fit(walks, threads=1, checkpoint=tmp_path)
    run: list[int] = []
    longer = models.SASRec(**(ONE | {"epochs": 3}), max_length=4).fit(
        walks,
        threads=1,
        checkpoint=tmp_path,
        progress=lambda what, done, total: run.append(done) if " · " in what else None,
    )
    assert run == [2, 3] and longer.curves_.drop("seconds").equals(whole.curves_.drop("seconds"))
    assert all((longer.weights_[name] == whole.weights_[name]).all() for name in whole.weights_)
    with pytest.raises(UsageError, match="other hyper-parameters or other data"):
        models.SASRec(**(ONE | {"epochs": 2}), max_length=4).fit(walks, threads=1, checkpoint=tmp_path)


def test_a_loss_that_two_towers_do_not_have(walks: Dataset) -> None:
    with pytest.raises(UnknownNameError, match="unknown loss of two_tower 'bce'"):
        models.TwoTower(**ONE, loss="bce").fit(walks)
