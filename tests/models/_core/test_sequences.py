"""Histories in the order of time, of the training data and of requests."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset
from reclens.errors import DataError, MissingExtraError
from reclens.models._core.requests import Histories
from reclens.models._core.sequences import Sequences


def rows(sequences: Sequences) -> list[list[int]]:
    return [sequences.items[a:b].tolist() for a, b in zip(sequences.indptr[:-1], sequences.indptr[1:], strict=True)]


@pytest.fixture
def train() -> Dataset:
    # User 1: 30, 10 and 20 at one time, 10 before 20 in the rows. User 2: 20 twice, then 10.
    table = pl.DataFrame(
        [(1, 10, 5), (2, 10, 9), (1, 20, 5), (1, 30, 1), (2, 20, 1), (2, 20, 3)],
        ["user_id", "item_id", "timestamp"],
        orient="row",
    )
    return Dataset(table.with_columns(pl.from_epoch("timestamp")))


def test_training_data_is_sorted_stably_by_time(train) -> None:
    found = Sequences.of_training(train, train.user_vocabulary, train.item_vocabulary)
    assert rows(found) == [[2, 0, 1], [1, 0]]
    assert found.times.tolist() == [1, 5, 5, 3, 9], "of repeats the last one counts"
    assert (found.indptr == train.matrix().indptr).all()
    rest, goals = found.without_last(np.array([0]))
    assert rows(rest) == [[2, 0], [1, 0]] and goals.tolist() == [1]
    matrix = rest.matrix(np.array([1, 0]), 3)
    assert matrix.indptr.tolist() == [0, 2, 4] and matrix.indices.tolist() == [0, 1, 0, 2]


def test_histories_of_a_request(train) -> None:
    users, items = train.user_vocabulary, train.item_vocabulary
    trained = Sequences.of_training(train, users, items)

    def told(table: pl.DataFrame, mode: str) -> list[list[int]]:
        found = Histories.of(table, users=users, items=items, seen=train.matrix(), mode=mode, sequences=trained)
        assert (found.sequences.indptr == found.matrix.indptr).all()
        by_item = [sorted(each) for each in rows(found.sequences)]
        cells = zip(found.matrix.indptr[:-1], found.matrix.indptr[1:], strict=True)
        assert by_item == [found.matrix.indices[a:b].tolist() for a, b in cells]
        return rows(found.sequences)

    plain = pl.DataFrame([(2, 30), (7, 20), (7, 99), (7, 10), (7, 20), (2, 10)], ["user_id", "item_id"], orient="row")
    assert told(plain, "replace") == [[2, 0], [0, 1]], "in the order of the rows; of repeats the last one"
    assert told(plain, "add") == [[1, 0, 2], [0, 1]], "what is known stays in its place"
    dated = plain.with_columns(timestamp=pl.Series([9, 3, 1, 8, 2, 1]))
    assert told(dated, "replace") == [[0, 2], [1, 0]]
    with pytest.raises(DataError, match="expected times or seconds"):
        told(plain.with_columns(timestamp=pl.lit("noon")), "add")


def test_a_model_without_its_extra_names_it(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch is missing a deep model can be listed, described and made, and its fit says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    deep = [name for name in rl.models.names() if rl.models.get(name).extra == "deep"]
    assert "sasrec" in deep
    for name in deep:
        assert rl.models.describe(name) and rl.models.get(name)().settings()
        with pytest.raises(MissingExtraError, match=r"this needs 'torch'.*pip install 'reclens\[deep\]'") as caught:
            rl.models.get(name)().fit(train)
        assert "\n" not in str(caught.value)
