"""The loops behind the neighbours and the lists, against dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.data.dataset import UserItemMatrix
from reclens.engine import LocalEngine, quiet
from reclens.models._core import co_counts as _pairs
from reclens.models._core.co_counts import Pairs, common_of_row, count_pairs
from reclens.models._core.neighbors import find_neighbors
from reclens.models._core.topk import top_of_row


def sparse(dense: np.ndarray) -> UserItemMatrix:
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))]).astype(np.int64)
    return UserItemMatrix(indptr, columns.astype(np.int32), dense[rows, columns].astype(np.float32), dense.shape[1])


def long_tailed(seed: int, rows: int, columns: int) -> np.ndarray:
    """Ones; a few rows with many, many with few, some with none."""
    rng = np.random.default_rng(seed)
    shares = rng.permutation(1 / np.arange(1.0, rows + 1)) * rng.random(rows)
    return (rng.random((rows, columns)) < shares[:, None]).astype(float)


def pairs_of(dense: np.ndarray, *, threads: int = 2) -> Pairs:
    return count_pairs(sparse(dense), engine=LocalEngine(threads), progress=quiet, what="count")


def best(row: np.ndarray, names: np.ndarray, floor: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Names and scores by a full sort."""
    counting = np.flatnonzero(row > floor)
    order = counting[np.lexsort((names[counting], -row[counting]))][:k]
    return names[order], row[order]


# 10 of 40 has no bound, 10 and 100 of 5,000 have one; 300 and 1,000 are sorted in more than one block.
@pytest.mark.parametrize(("n", "k"), [(1, 1), (40, 10), (5000, 10), (5000, 100), (5000, 300), (5000, 1000), (700, 700)])
@pytest.mark.parametrize("floor", [-np.inf, -1.0, 0.0])
@pytest.mark.parametrize(
    "kind", ["distinct", "ties", "zeros of both signs", "masked", "nearly all masked", "few", "nan"]
)
def test_top_of_row_is_a_sort(n: int, k: int, floor: float, kind: str) -> None:
    rng = np.random.default_rng(n + k)
    row = rng.normal(size=n).astype(np.float32)
    if kind == "ties":
        row = rng.integers(-3, 4, n).astype(np.float32)
    elif kind == "zeros of both signs":
        row = np.where(rng.random(n) < 0.5, np.float32(0.0), np.float32(-0.0))
    elif kind == "masked":
        row[rng.random(n) < 0.7] = -np.inf
    elif kind == "nearly all masked":  # fewer values than k, so that no value is a bound
        row[rng.random(n) < 0.99] = -np.inf
    elif kind == "few":
        row[rng.random(n) < 0.98] = 0
    elif kind == "nan":
        row[rng.random(n) < 0.2] = np.nan
    names = rng.permutation(n).astype(np.int32)
    scores, codes = np.full(k, 9, np.float32), np.full(k, -9, np.int32)
    found = top_of_row(row, names, np.float32(floor), scores, codes, np.empty(n, np.int64))
    expected, values = best(row, names, floor, k)
    assert found == len(expected)
    assert codes[:found].tolist() == expected.tolist()
    np.testing.assert_array_equal(scores[:found], values)
    assert (codes[found:] == -9).all() and (scores[found:] == 9).all()


# 9,000 columns are more words than are compared at a time, and 70,000 are more than 16 bits count; a part of the rows,
# none or all may be in the head.
@pytest.mark.parametrize("limit", [0, 1, 6, 10_000])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (70, 63), (70, 65), (50, 9000), (130, 300), (8, 140_000)])
def test_common_columns_are_those_of_the_dense_product(
    rows: int, columns: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pairs, "_head", lambda *_: min(limit, rows))
    dense = long_tailed(rows, rows, columns)
    dense[0, 0] = 1
    dense[-2:, :70_000] = 1 if columns > 70_000 else dense[-2:, :70_000]
    pairs = pairs_of(dense)
    line, found = np.full(rows, 7, np.uint16), np.full(rows, np.nan, np.float32)
    expected = (dense @ dense.T)[np.ix_(pairs.order, pairs.order)]
    for place in range(rows):
        common_of_row(place, pairs.lists, line, found)
        assert found.tolist() == expected[place].tolist()


def test_popular_rows_come_first_and_the_cheapest_head_is_taken() -> None:
    dense = long_tailed(3, 900, 8000)
    pairs = pairs_of(dense)
    sizes = dense.sum(axis=1)[pairs.order]
    assert (np.diff(sizes) <= 0).all()
    # Additions that are left for each head, by the definition, plus the comparisons of 125 words, six to an addition.
    heads = np.vstack([np.zeros(8000), np.cumsum(dense[pairs.order], axis=0)])
    left = (heads[-1] ** 2 - heads**2).sum(axis=1) + np.arange(901) ** 2 / 2 * 125 / 6
    assert 0 < pairs.head < 900
    assert left[pairs.head] <= 1.01 * min(left)


@pytest.mark.parametrize(
    ("similarity", "weights"),
    [
        ("cosine", "ones"),
        ("cosine", "signed"),
        ("cosine", "row of zeros"),
        ("jaccard", "ones"),
        ("dot", "ones"),
        ("dot", "signed"),
    ],
)
@pytest.mark.parametrize("shrinkage", [0.0, 7.0])
@pytest.mark.parametrize("neighbors", [1, 20, 2000])
def test_neighbours_are_those_of_dense_similarities(
    similarity: str, weights: str, shrinkage: float, neighbors: int
) -> None:
    dense = long_tailed(4, 420, 500)
    if weights == "signed":
        dense = dense * np.random.default_rng(5).normal(size=dense.shape)
    products = dense @ dense.T
    sizes = (dense**2).sum(axis=1)
    if similarity == "jaccard":
        denominator = sizes[:, None] + sizes - products + shrinkage
    else:
        denominator = np.sqrt(np.outer(sizes, sizes)) + shrinkage if similarity == "cosine" else np.ones_like(products)
    expected = np.divide(products, denominator, out=np.zeros_like(products), where=products != 0)
    np.fill_diagonal(expected, 0)
    matrix = sparse(dense)
    if weights == "row of zeros":
        values = matrix.values.copy()
        row = int(np.argmax(np.diff(matrix.indptr)))
        values[matrix.indptr[row] : matrix.indptr[row + 1]] = 0
        expected[row], expected[:, row] = 0, 0
        matrix = UserItemMatrix(matrix.indptr, matrix.indices, values, matrix.n_columns)
    found = find_neighbors(
        matrix,
        neighbors=neighbors,
        similarity=similarity,
        shrinkage=shrinkage,
        engine=LocalEngine(2),
        progress=quiet,
        what="find",
    )
    alone = find_neighbors(
        matrix,
        neighbors=neighbors,
        similarity=similarity,
        shrinkage=shrinkage,
        engine=LocalEngine(1),
        progress=quiet,
        what="find",
    )
    assert (found.codes == alone.codes).all() and (found.weights == alone.weights).all()
    for row, length in enumerate(found.lengths):
        codes, values = found.codes[row, :length], found.weights[row, :length]
        assert length == min(neighbors, (expected[row] > 0).sum())
        np.testing.assert_allclose(values, expected[row, codes], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(values, np.sort(expected[row])[::-1][:length], rtol=1e-4, atol=1e-6)
        tied = values[1:] == values[:-1]
        assert (np.diff(codes)[tied] > 0).all()
