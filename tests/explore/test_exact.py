"""The exact nearest vectors, against a plain sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import ArgumentTypeError, DataError, UsageError
from reclens.explore import exact
from reclens.explore.exact import top_k


def sorted_out(queries, vectors, k, skip=None):
    """The same by a stable sort of all products in float64, of lattice points: without rounding."""
    products = queries.astype(float) @ vectors.T.astype(float)
    if skip is not None:
        products[np.flatnonzero(skip >= 0), skip[skip >= 0]] = -np.inf
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(products, order, axis=1)


@given(st.integers(1, 40), st.integers(1, 90), st.integers(1, 5), st.integers(1, 100), st.integers(0, 9))
def test_it_is_a_stable_sort(q, n, d, k, seed) -> None:
    rng = np.random.default_rng(seed)
    queries, vectors = rng.integers(-2, 3, (q, d)), rng.integers(-2, 3, (n, d))  # ties everywhere
    rows, products = top_k(queries, vectors, k)
    expected, values = sorted_out(queries, vectors, k)
    there = min(k, n)
    assert np.array_equal(rows[:, :there], expected) and np.array_equal(products[:, :there], values)
    assert (rows[:, there:] == -1).all() and np.isnan(products[:, there:]).all()


@pytest.mark.parametrize("cells", [1_000, 4_000_000])
def test_blocks_and_threads_change_nothing(monkeypatch, cells) -> None:
    monkeypatch.setattr(exact, "_CELLS", cells)
    monkeypatch.setattr(exact, "_QUERIES", 32)
    rng = np.random.default_rng(0)
    queries, vectors = rng.integers(-3, 4, (100, 6)), rng.integers(-3, 4, (700, 6))
    skip = np.where(np.arange(100) % 3 == 0, -1, np.arange(100) * 7)
    rows, products = top_k(queries, vectors, 10, skip=skip, threads=2)
    expected, values = sorted_out(queries, vectors, 10, skip)
    assert np.array_equal(rows, expected) and np.array_equal(products, values)
    assert np.array_equal(top_k(queries, vectors, 10, skip=skip, threads=1)[0], expected)


def test_a_skipped_row_leaves_one_less() -> None:
    rows, products = top_k(np.eye(2), np.eye(2), 3, skip=np.array([0, -1]))
    assert rows.tolist() == [[1, -1, -1], [1, 0, -1]] and np.isnan(products[0, 1])


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="the queries have 2 dimensions and the vectors 3"):
        top_k(np.eye(2), np.eye(3), 1)
    with pytest.raises(UsageError, match="k is 0"):
        top_k(np.eye(2), np.eye(2), 0)
    with pytest.raises(ArgumentTypeError, match="queries is a list, expected an array of numbers"):
        top_k([["a"]], np.eye(1), 1)
    assert top_k(np.zeros((0, 2)), np.eye(2), 1)[0].shape == (0, 1)
    assert top_k(np.eye(2), np.zeros((0, 2)), 1)[0].tolist() == [[-1], [-1]]
