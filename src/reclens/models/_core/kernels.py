"""Compiled loops of the recommenders: sparse products, neighbours and top-k.

Inner loops run from 0 over slices, and indices that were read are unsigned: an index that the compiler does not know to
be 0 or more costs as much as the addition, because it could count from the end.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.models._core.co_counts import PAIRS, common_of_row, products_of_row
from reclens.models._core.topk import top_of_row

__all__ = [
    "COSINE",
    "DOT",
    "JACCARD",
    "gram",
    "neighbours",
    "neighbours_of_counts",
    "product_rows",
    "sum_rows",
    "top_of_dense",
    "top_of_product",
]

COSINE: Final = 0
JACCARD: Final = 1
DOT: Final = 2


@kernel(
    f"void(int64, int64, {PAIRS}, float32[::1], float32[::1], float64[::1], int64, float64, int32[:,::1], "
    "float32[:,::1], int64[::1])"
)
def neighbours(
    first: Any,
    stop: Any,
    pairs: Any,
    values: Any,
    cells: Any,
    sizes: Any,
    kind: Any,
    shrinkage: Any,
    codes: Any,
    scores: Any,
    lengths: Any,
) -> None:
    """Find the most similar rows for the rows at places ``first`` to ``stop`` of a sparse matrix, without themselves.

    ``pairs``, ``values`` and ``cells`` are those of :class:`reclens.models._core.co_counts.Pairs`; ``sizes`` are the
    norms (cosine) or counts (Jaccard) of the rows by place, in float64. Only positive similarities count.
    """
    order, indptr, indices, ends, places = pairs[:5]
    n = len(order)
    row, line, keys = np.empty(n, np.float32), np.empty(n, np.uint16), np.empty(n, np.int64)
    for place in range(first, stop):
        if len(cells):
            products_of_row(order[place], indptr, indices, values, ends, places, cells, row)
        else:
            common_of_row(place, pairs, line, row)
        row[place] = 0
        # Rows of zeros give NaN, which is never selected: a test would prevent vectorisation of the loop.
        size = sizes[place]
        if kind == COSINE:
            for j in range(n):
                row[j] = np.float32(row[j] / (size * sizes[j] + shrinkage))
        elif kind == JACCARD:
            for j in range(n):
                row[j] = np.float32(row[j] / (size + sizes[j] - row[j] + shrinkage))
        i = order[place]
        lengths[i] = top_of_row(row, order, np.float32(0), scores[i], codes[i], keys)


@kernel(
    "void(int64, int64, int64[::1], int32[::1], float32[::1], float64[::1], int64, float64, int32[:,::1], "
    "float32[:,::1], int64[::1])"
)
def neighbours_of_counts(
    first: Any,
    stop: Any,
    indptr: Any,
    indices: Any,
    counts: Any,
    sizes: Any,
    kind: Any,
    shrinkage: Any,
    codes: Any,
    scores: Any,
    lengths: Any,
) -> None:
    """As :func:`neighbours` for a matrix of ones, from products of rows that are already computed."""
    for i in range(first, stop):
        begin, end = indptr[i], indptr[i + 1]
        row, keys = np.zeros(end - begin, np.float32), np.empty(end - begin, np.int64)
        for p in range(begin, end):
            j, common = indices[p], counts[p]
            if j == i:
                continue
            if kind == COSINE:
                row[p - begin] = np.float32(common / (sizes[i] * sizes[j] + shrinkage))
            elif kind == JACCARD:
                row[p - begin] = np.float32(common / (sizes[i] + sizes[j] - common + shrinkage))
            else:
                row[p - begin] = common
        lengths[i] = top_of_row(row, indices[begin:end], np.float32(0), scores[i], codes[i], keys)


@kernel(
    "void(int64[::1], Tuple((int64[::1], int32[::1], float32[::1])), "
    "Tuple((int64[::1], int64[::1], int32[::1], float32[::1])), Tuple((int64[::1], int32[::1])), boolean, float32, "
    "int32[::1], int32[:,::1], float32[:,::1])"
)
def top_of_product(
    users: Any, left: Any, right: Any, seen: Any, exclude: Any, min_score: Any, order: Any, codes: Any, scores: Any
) -> None:
    """Find the best items of users by the product of two sparse matrices.

    ``left`` has the rows of the first matrix: indptr, indices, values. ``right`` has those of the second: begin and end
    of each row, the positions of its cells in ``order``, a permutation of the items, and their values. ``seen``:
    indptr, indices. Items without any contribution have a score of 0; only scores above ``min_score`` count.
    """
    (indptr, indices, values), (begins, ends, other, weights), (seen_indptr, seen_items) = left, right, seen
    n_items = len(order)
    row, keys, places = np.empty(n_items, np.float32), np.empty(n_items, np.int64), np.empty(n_items, np.int32)
    for place in range(n_items):
        places[order[place]] = place
    for at in range(len(users)):
        user = users[at]
        for item in range(n_items):
            row[item] = 0
        for p in range(indptr[user], indptr[user + 1]):
            value, line = values[p], indices[p]
            cells, added = other[begins[line] : ends[line]], weights[begins[line] : ends[line]]
            for q in range(len(cells)):
                row[np.uint32(cells[q])] += value * added[q]
        if exclude:
            for p in range(seen_indptr[user], seen_indptr[user + 1]):
                row[places[seen_items[p]]] = -np.inf
        found = top_of_row(row, order, min_score, scores[at], codes[at], keys)
        for rank in range(found, codes.shape[1]):
            codes[at, rank] = -1


@kernel(
    "void(int64[::1], int64[::1], int32[::1], float32[::1], int64[::1], int64[::1], int32[::1], float32[::1], "
    "float32[:,::1])"
)
def product_rows(
    users: Any, indptr: Any, indices: Any, values: Any, begins: Any, ends: Any, other: Any, weights: Any, out: Any
) -> None:
    """Add dense rows of the product of two sparse matrices to ``out``, for some users."""
    for at in range(len(users)):
        user, row = users[at], out[at]
        for p in range(indptr[user], indptr[user + 1]):
            value, line = values[p], indices[p]
            cells, added = other[begins[line] : ends[line]], weights[begins[line] : ends[line]]
            for q in range(len(cells)):
                row[np.uint32(cells[q])] += value * added[q]


@kernel("void(int64[::1], float32[:,::1], int64[::1], int32[::1], boolean, float32, int32[:,::1], float32[:,::1])")
def top_of_dense(
    users: Any, rows: Any, seen_indptr: Any, seen: Any, exclude: Any, min_score: Any, codes: Any, scores: Any
) -> None:
    """Find the best items of users by dense scores; overwrites those of seen items. Short lists are padded with -1."""
    n_items = rows.shape[1]
    keys, names = np.empty(n_items, np.int64), np.empty(n_items, np.int32)
    for item in range(n_items):
        names[item] = item
    for at in range(len(users)):
        user = users[at]
        if exclude and user >= 0:
            for p in range(seen_indptr[user], seen_indptr[user + 1]):
                rows[at, seen[p]] = -np.inf
        found = top_of_row(rows[at], names, min_score, scores[at], codes[at], keys)
        for rank in range(found, codes.shape[1]):
            codes[at, rank] = -1


@kernel(f"void(int64, int64, {PAIRS}, float32[:,::1])")
def gram(first: Any, stop: Any, pairs: Any, out: Any) -> None:
    """The Gram matrix of a matrix of ones, dense: the rows at places ``first`` to ``stop``, see ``Pairs``."""
    order = pairs[0]
    line, row = np.empty(len(order), np.uint16), np.empty(len(order), np.float32)
    for place in range(first, stop):
        common_of_row(place, pairs, line, row)
        target = out[order[place]]
        for j in range(len(order)):
            target[order[j]] = row[j]


@kernel("void(int64[::1], int64[::1], int32[::1], float32[:,::1], float32[:,::1])")
def sum_rows(users: Any, indptr: Any, indices: Any, table: Any, out: Any) -> None:
    """The sum of the rows of a dense table over the items of each user."""
    for at in range(len(users)):
        user = users[at]
        for p in range(indptr[user], indptr[user + 1]):
            line = indices[p]
            for j in range(table.shape[1]):
                out[at, j] += table[line, j]
