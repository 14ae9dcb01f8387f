"""The user-item matrix of a data set, against a dense one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset, UserItemMatrix, group_runs


def dense(matrix: UserItemMatrix) -> np.ndarray:
    table = np.zeros((matrix.n_rows, matrix.n_columns))
    for row in range(matrix.n_rows):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        assert (np.diff(matrix.indices[part]) > 0).all(), "columns ascend within a row, each once"
        table[row, matrix.indices[part]] = matrix.values[part]
    return table


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("repeats", [1, 3])
def test_the_matrix_has_a_one_for_each_pair_whatever_the_order_and_the_repeats(text: bool, repeats: int) -> None:
    rng = np.random.default_rng(6)
    expected = (rng.random((30, 40)) < 0.2).astype(float)
    expected[np.arange(30), np.arange(30)] = expected[0] = 1
    users, items = np.nonzero(expected)
    frame = pl.DataFrame({"user_id": users + 1000, "item_id": items + 500}).with_columns(rating=pl.col("item_id") % 7)
    frame = pl.concat([frame] * repeats).sample(fraction=1, shuffle=True, seed=1)
    if text:
        frame = frame.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    matrix = Dataset(frame).matrix()
    assert (dense(matrix) == expected).all()
    assert (dense(matrix.transposed) == expected.T).all()
    assert matrix.indices.dtype == matrix.transposed.indices.dtype == np.int32
    rated = Dataset(frame).matrix("rating")
    ratings = expected * ((np.arange(40) + 500) % 7) * repeats
    assert (dense(rated) == ratings).all() and (dense(rated.transposed) == ratings.T).all()


def test_the_matrix_of_nothing_is_empty() -> None:
    nothing = pl.DataFrame({"user_id": [], "item_id": []}, schema={"user_id": pl.Int64, "item_id": pl.Int64})
    matrix = Dataset(nothing).matrix()
    assert (matrix.n_rows, matrix.n_columns, len(matrix.indices)) == (0, 0, 0)
    assert matrix.transposed.n_rows == 0


def test_a_column_of_python_objects_is_told_from_all_its_values() -> None:
    """NumPy arrays of objects whose first value is None arrive without a type."""
    users = pl.DataFrame({"user_id": [1, 2, 3], "gender": np.array([None, "F", "M"], object)})
    assert users.schema["gender"] == pl.Object
    data = Dataset(pl.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 1, 1]}), users=users)
    assert data.users is not None and data.users["gender"].to_list() == [None, "F", "M"]
    assert data.with_segments(gender="gender").segments is not None


@pytest.mark.parametrize("n", [0, 1, 60, 5000])  # 5,000 rows of 5 owners: sorted with gaps
@pytest.mark.parametrize("n_items", [7, 10**6])
def test_runs_of_owners_are_grouped_sorted_and_rid_of_repeats(n: int, n_items: int) -> None:
    rng = np.random.default_rng(n)
    lengths = rng.integers(1, 30, n)
    owners, items = rng.integers(0, 5, n).astype(np.int32), rng.integers(0, n_items, lengths.sum()).astype(np.int32)
    owners[owners == 3] = 4  # one owner has nothing
    indptr, own = group_runs(owners, lengths, items, 5)
    of_rows = np.repeat(owners, lengths)
    for owner in range(5):
        assert own[indptr[owner] : indptr[owner + 1]].tolist() == np.unique(items[of_rows == owner]).tolist()
    assert (indptr[0], indptr[-1]) == (0, len(own))
