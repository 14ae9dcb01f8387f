"""Dense or sparse co-occurrence of items, from which linear item-item models are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.memory import require_memory
from reclens.models._core.co_counts import Pairs, count_pairs
from reclens.models._core.fit_weights import weighted_products
from reclens.models._core.kernels import gram
from reclens.models._core.slim_kernels import sparse_gram

__all__ = ["Gram", "co_occurrence", "gram_of", "weighted_co_occurrence", "weighted_gram"]

_ROWS_A_TASK: Final = 64
_DENSE: Final = 0.25
"""Share of item pairs with a common user above which dense rows are faster than lists."""
_SMALLER: Final = "Use a sparse model (item_knn, rp3beta), or a smaller catalogue: leave out items with few users."


@dataclass(frozen=True, eq=False, kw_only=True)
class Gram:
    """The co-occurrence of items, dense or sparse; a place is the rank of an item by popularity.

    Attributes:
        order: Item at each place, int32, shape (items,).
        users: Users of the item at each place, float64, same shape.
        dense: Users that have both, float32, shape (items, items); shape (0, 0) if it is sparse.
        indptr: int64, shape (items + 1,).
        near: Places of a row, ascending, int32, shape (cells,).
        common: Users that have both, float32, shape (cells,).
    """

    order: np.ndarray
    users: np.ndarray
    dense: np.ndarray
    indptr: np.ndarray
    near: np.ndarray
    common: np.ndarray


def co_occurrence(matrix: UserItemMatrix, *, engine: LocalEngine, progress: Progress, what: str) -> np.ndarray:
    """Count the rows that have both of two columns of a matrix of ones; float32, shape (columns, columns).

    Raises:
        NotEnoughMemoryError: If the result does not fit into memory.
    """
    n = matrix.n_columns
    require_memory(4 * n * n, f"{what}: the dense co-occurrence of {n:,} items in float32", advice=_SMALLER)
    pairs = count_pairs(matrix.transposed, engine=engine, progress=progress, what=what)
    return _dense(pairs, engine, progress, what)


def gram_of(matrix: UserItemMatrix, *, engine: LocalEngine, progress: Progress, what: str) -> Gram:
    """As :func:`co_occurrence`, dense or sparse, whichever is smaller and faster.

    Raises:
        NotEnoughMemoryError: If the result does not fit into memory.
    """
    n = matrix.n_columns
    pairs = count_pairs(matrix.transposed, engine=engine, progress=progress, what=what)
    users = np.diff(pairs.indptr).astype(np.float64)
    share = _share(pairs)
    if share > _DENSE:
        require_memory(4 * n * n, f"{what}: the dense co-occurrence of {n:,} items in float32", advice=_SMALLER)
        return Gram(
            order=np.arange(n, dtype=np.int32),
            users=users,
            dense=_dense(pairs, engine, progress, what),
            indptr=np.zeros(0, np.int64),
            near=np.zeros(0, np.int32),
            common=np.zeros(0, np.float32),
        )
    cells = int(share * n * n)
    require_memory(8 * cells, f"{what}: about {cells:,} pairs of items with a common user", advice=_SMALLER)
    parts = chunk_ranges(n, _ROWS_A_TASK)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for result in engine.map(lambda part: _rows(pairs, part), parts):
        found.append(result)
        progress(f"{what}: co-occurrence", len(found), len(parts))
    lengths = np.concatenate([each[2] for each in found])
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    near, common = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    # Parts are freed as they are copied: memory of the whole is allocated when it is first written.
    for part in reversed(parts):
        at = slice(indptr[part.start], indptr[part.stop])
        near[at], common[at], _ = found.pop()
    return Gram(
        order=pairs.order,
        users=users[pairs.order],
        dense=np.zeros((0, 0), np.float32),
        indptr=indptr,
        near=near,
        common=common,
    )


def weighted_co_occurrence(matrix: UserItemMatrix, *, what: str) -> np.ndarray:
    """Products of the columns of a matrix; float32, shape (columns, columns).

    Raises:
        NotEnoughMemoryError: If the result does not fit into memory.
    """
    n = matrix.n_columns
    require_memory(16 * n * n, f"{what}: the dense weighted co-occurrence of {n:,} items", advice=_SMALLER)
    return weighted_products(matrix).astype(np.float32).toarray()


def weighted_gram(matrix: UserItemMatrix, *, what: str) -> Gram:
    """Sparse products of the columns of a matrix, as :func:`gram_of` for counts.

    Raises:
        NotEnoughMemoryError: If the result does not fit into memory.
    """
    n = matrix.n_columns
    order = np.argsort(-np.bincount(matrix.indices, minlength=n), kind="stable").astype(np.int32)
    places = np.empty(n, np.int32)
    places[order] = np.arange(n, dtype=np.int32)
    by_place = UserItemMatrix(matrix.indptr, places[matrix.indices], matrix.values, n)
    sizes = np.diff(matrix.indptr)
    most = int(min((sizes.astype(np.int64) ** 2).sum(), n * n))
    require_memory(24 * most, f"{what}: at most {most:,} pairs of items with a common user", advice=_SMALLER)
    found = weighted_products(by_place)
    found.sort_indices()
    values, indptr = found.data.astype(np.float32), found.indptr.astype(np.int64)
    empty = np.zeros((0, 0), np.float32)
    return Gram(
        order=order,
        users=found.diagonal(),
        dense=empty,
        indptr=indptr,
        near=found.indices.astype(np.int32),
        common=values,
    )


def _dense(pairs: Pairs, engine: LocalEngine, progress: Progress, what: str) -> np.ndarray:
    n = len(pairs.order)
    products = np.empty((n, n), np.float32)

    def task(part: range) -> None:
        gram(
            part.start,
            part.stop,
            pairs.lists,
            products,
        )

    parts = chunk_ranges(n, 256)
    for done, _ in enumerate(engine.map(task, parts), 1):
        progress(f"{what}: co-occurrence", done, len(parts))
    return products


def _rows(pairs: Pairs, part: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sparse rows: their places, counts and lengths."""
    size = len(part) * len(pairs.order) + 1  # a cell is written before it is tested for zero
    near, common, lengths = np.empty(size, np.int32), np.empty(size, np.float32), np.empty(len(part), np.int64)
    cells = sparse_gram(
        part.start,
        part.stop,
        pairs.lists,
        near,
        common,
        lengths,
    )
    return near[:cells].copy(), common[:cells].copy(), lengths


def _share(pairs: Pairs) -> float:
    """Share of item pairs with a common user, estimated from up to 256 rows spread evenly over the order."""
    n = len(pairs.order)
    places = range(0, n, max(n // 256, 1))
    return sum(int(_rows(pairs, range(at, at + 1))[2][0]) for at in places) / (len(places) * n)
