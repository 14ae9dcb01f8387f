"""The compiled loops of the recommenders: sparse products, neighbours and the k best.

Each keeps its k best in a heap whose root is the worst: the lowest score and, among equal ones, the highest code. Codes
are scanned upwards and replace the root only with a higher score, so that equal scores stand by code.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel

__all__ = [
    "COSINE", "DOT", "JACCARD", "gram", "neighbours", "product_rows", "sum_rows", "top_of_dense", "top_of_product",
]  # fmt: skip

COSINE: Final = 0
JACCARD: Final = 1
DOT: Final = 2


@kernel("void(float32[::1], int32[::1], int64, int64)")
def _sift(scores: Any, codes: Any, at: Any, size: Any) -> None:
    """Let the entry at ``at`` sink to its place in the heap of the first ``size`` entries."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        other = child + 1
        if other < size and (
            scores[other] < scores[child] or (scores[other] == scores[child] and codes[other] > codes[child])
        ):
            child = other
        if scores[at] < scores[child] or (scores[at] == scores[child] and codes[at] > codes[child]):
            return
        scores[at], scores[child] = scores[child], scores[at]
        codes[at], codes[child] = codes[child], codes[at]
        at = child


@kernel("int64(float32[::1], float32, float32[::1], int32[::1])")
def _top(row: Any, floor: Any, scores: Any, codes: Any) -> Any:
    """The best of a row, best first, into ``scores`` and ``codes``; only values above ``floor``. Returns how many."""
    k = len(scores)
    size = 0
    worst = floor
    for code in range(len(row)):
        value = row[code]
        if value > worst:
            if size < k:
                scores[size], codes[size] = value, code
                size += 1
                if size == k:
                    for at in range(k // 2 - 1, -1, -1):
                        _sift(scores, codes, at, k)
                    worst = scores[0]
            else:
                scores[0], codes[0] = value, code
                _sift(scores, codes, 0, k)
                worst = scores[0]
    if size < k:
        for at in range(size // 2 - 1, -1, -1):
            _sift(scores, codes, at, size)
    for last in range(size - 1, 0, -1):  # the worst goes to the end, and the heap shrinks
        scores[0], scores[last] = scores[last], scores[0]
        codes[0], codes[last] = codes[last], codes[0]
        _sift(scores, codes, 0, last)
    return size


@kernel(
    "void(int64, int64, int64[::1], int32[::1], float32[::1], int64[::1], int32[::1], float32[::1], float32[::1], "
    "int64, float32, boolean, int32[:,::1], float32[:,::1], int64[::1])"
)
def neighbours(
    first: Any, stop: Any, indptr: Any, indices: Any, values: Any, t_indptr: Any, t_indices: Any, t_values: Any,
    sizes: Any, kind: Any, shrinkage: Any, ones: Any, codes: Any, scores: Any, lengths: Any,
) -> None:  # fmt: skip
    """The most similar rows of rows ``first`` to ``stop`` of a sparse matrix, itself left out.

    ``sizes`` are the norms (cosine) or counts (Jaccard) of the rows; ``t_`` is the transposed matrix; ``ones`` says
    that all values are 1. Only positive similarities count.
    """
    n = len(indptr) - 1
    row = np.empty(n, np.float32)
    for i in range(first, stop):
        row[:] = 0
        for p in range(indptr[i], indptr[i + 1]):
            column, weight = indices[p], values[p]
            if ones:
                for q in range(t_indptr[column], t_indptr[column + 1]):
                    row[t_indices[q]] += np.float32(1)
            else:
                for q in range(t_indptr[column], t_indptr[column + 1]):
                    row[t_indices[q]] += weight * t_values[q]
        row[i] = 0
        if kind == COSINE:
            for j in range(n):
                if row[j] != 0:
                    row[j] = row[j] / (sizes[i] * sizes[j] + shrinkage)
        elif kind == JACCARD:
            for j in range(n):
                if row[j] != 0:
                    row[j] = row[j] / (sizes[i] + sizes[j] - row[j] + shrinkage)
        lengths[i] = _top(row, np.float32(0), scores[i], codes[i])


@kernel(
    "void(int64[::1], int64[::1], int32[::1], float32[::1], int64[::1], int64[::1], int32[::1], float32[::1], "
    "int64[::1], int32[::1], boolean, float32, int64, int32[:,::1], float32[:,::1])"
)
def top_of_product(
    users: Any, indptr: Any, indices: Any, values: Any, begins: Any, ends: Any, other: Any, weights: Any,
    seen_indptr: Any, seen: Any, exclude: Any, floor: Any, n_items: Any, codes: Any, scores: Any,
) -> None:  # fmt: skip
    """The best items of users by the product of two sparse matrices: her row, and the rows ``begins:ends`` of another.

    Items without any contribution have a score of 0; only scores above ``floor`` count.
    """
    row = np.empty(n_items, np.float32)
    for at in range(len(users)):
        user = users[at]
        row[:] = 0
        for p in range(indptr[user], indptr[user + 1]):
            value, line = values[p], indices[p]
            for q in range(begins[line], ends[line]):
                row[other[q]] += value * weights[q]
        if exclude:
            for p in range(seen_indptr[user], seen_indptr[user + 1]):
                row[seen[p]] = -np.inf
        found = _top(row, floor, scores[at], codes[at])
        codes[at, found:] = -1


@kernel(
    "void(int64[::1], int64[::1], int32[::1], float32[::1], int64[::1], int64[::1], int32[::1], float32[::1], "
    "float32[:,::1])"
)
def product_rows(
    users: Any, indptr: Any, indices: Any, values: Any, begins: Any, ends: Any, other: Any, weights: Any, out: Any
) -> None:
    """Dense rows of the product of two sparse matrices, for some users: added to ``out``."""
    for at in range(len(users)):
        user = users[at]
        for p in range(indptr[user], indptr[user + 1]):
            value, line = values[p], indices[p]
            for q in range(begins[line], ends[line]):
                out[at, other[q]] += value * weights[q]


@kernel("void(int64[::1], float32[:,::1], int64[::1], int32[::1], boolean, float32, int32[:,::1], float32[:,::1])")
def top_of_dense(
    users: Any, rows: Any, seen_indptr: Any, seen: Any, exclude: Any, floor: Any, codes: Any, scores: Any
) -> None:
    """The best items of users by dense scores, which are overwritten where an item was seen."""
    for at in range(len(users)):
        user = users[at]
        if exclude and user >= 0:
            for p in range(seen_indptr[user], seen_indptr[user + 1]):
                rows[at, seen[p]] = -np.inf
        found = _top(rows[at], floor, scores[at], codes[at])
        codes[at, found:] = -1


@kernel("void(int64, int64, int64[::1], int32[::1], int64[::1], int32[::1], float32[:,::1])")
def gram(first: Any, stop: Any, indptr: Any, indices: Any, t_indptr: Any, t_indices: Any, out: Any) -> None:
    """Rows ``first`` to ``stop`` of the Gram matrix of a matrix of ones, dense."""
    for i in range(first, stop):
        for p in range(indptr[i], indptr[i + 1]):
            column = indices[p]
            for q in range(t_indptr[column], t_indptr[column + 1]):
                out[i, t_indices[q]] += np.float32(1)


@kernel("void(int64[::1], int64[::1], int32[::1], float32[:,::1], float32[:,::1])")
def sum_rows(users: Any, indptr: Any, indices: Any, table: Any, out: Any) -> None:
    """The sum of the rows of a dense table over the items of each user."""
    for at in range(len(users)):
        user = users[at]
        for p in range(indptr[user], indptr[user + 1]):
            line = indices[p]
            for j in range(table.shape[1]):
                out[at, j] += table[line, j]
