"""Compiled loops of explicit kNN: similarities of ratings, and weighted averages over the nearest raters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.models._core.topk import top_of_row

__all__ = ["COMMON_COSINE", "COSINE", "MSD", "PEARSON", "predict_groups", "rating_neighbours"]

COSINE: Final = 0
COMMON_COSINE: Final = 1
PEARSON: Final = 2
MSD: Final = 3

_N: Final = 0
_XY: Final = 1
_X: Final = 2
_Y: Final = 3
_XX: Final = 4
_YY: Final = 5


@kernel(
    "void(int64, int64, int64[::1], int32[::1], float64[::1], int64[::1], int32[::1], float64[::1], float64[:,::1])"
)
def _sum_common(
    row: Any, kind: Any, indptr: Any, indices: Any, values: Any, ends: Any, rows: Any, cells: Any, sums: Any
) -> None:
    """Sums over the columns that a row shares with each other row: count, Σxy, Σx, Σy, Σx², Σy²."""
    sums[:] = 0
    for p in range(indptr[row], indptr[row + 1]):
        x, column = values[p], indices[p]
        for q in range(ends[column], ends[column + 1]):
            other, y = sums[rows[q]], cells[q]
            other[_N] += 1
            other[_XY] += x * y
            if kind != COSINE:
                other[_X] += x
                other[_Y] += y
                other[_XX] += x * x
                other[_YY] += y * y


@kernel("float64(int64, float64[::1], float64, float64, float64, int64)")
def _similarity(kind: Any, common: Any, norm: Any, other_norm: Any, shrinkage: Any, min_support: Any) -> Any:
    """The similarity of two rows from their sums over common columns; NaN where it is not defined."""
    n = common[_N]
    if n < min_support or n == 0:
        return np.nan
    if kind == COSINE:
        return common[_XY] / (norm * other_norm + shrinkage)
    if kind == COMMON_COSINE:
        return common[_XY] / (np.sqrt(common[_XX] * common[_YY]) + shrinkage)
    if kind == PEARSON:
        spread = (n * common[_XX] - common[_X] ** 2) * (n * common[_YY] - common[_Y] ** 2)
        # Constant ratings have no correlation; rounding can make their variance negative.
        return (n * common[_XY] - common[_X] * common[_Y]) / (np.sqrt(spread) + n * shrinkage) if spread > 0 else np.nan
    return 1 / ((common[_XX] + common[_YY] - 2 * common[_XY]) / n + 1 + shrinkage / n)


_MEASURE: Final = "Tuple((int64, float64, int64, float64))"
"""Kind, shrinkage, smallest number of common columns, and lower bound of the similarity."""
_MATRIX: Final = "Tuple((int64[::1], int32[::1], float64[::1], int64[::1], int32[::1], float64[::1], float64[::1]))"
"""By rows: indptr, indices, values; by columns: ends, rows, values; the norm of each row."""


@kernel(f"void(int64, int64, {_MEASURE}, {_MATRIX}, int32[:,::1], float32[:,::1], int64[::1])")
def rating_neighbours(first: Any, stop: Any, measure: Any, matrix: Any, codes: Any, weights: Any, lengths: Any) -> None:
    """Find the most similar rows of rows ``first`` to ``stop``, without itself; see ``_MEASURE`` and ``_MATRIX``."""
    (kind, shrinkage, min_support, min_score), (indptr, indices, values, ends, rows, cells, norms) = measure, matrix
    n = len(norms)
    sums = np.empty((n, 6), np.float64)
    row, keys, names = np.empty(n, np.float32), np.empty(n, np.int64), np.arange(n).astype(np.int32)
    for target in range(first, stop):
        _sum_common(target, kind, indptr, indices, values, ends, rows, cells, sums)
        for other in range(n):
            row[other] = _similarity(kind, sums[other], norms[target], norms[other], shrinkage, min_support)
        row[target] = np.nan
        lengths[target] = top_of_row(row, names, np.float32(min_score), weights[target], codes[target], keys)


@kernel(
    f"void(int64, int64, Tuple((int64[::1], int64[::1], int32[::1])), {_MEASURE}, int64, {_MATRIX}, float64[::1], "
    "float64[::1], int32[::1])"
)
def predict_groups(
    first: Any,
    stop: Any,
    asked: Any,
    measure: Any,
    neighbors: Any,
    matrix: Any,
    deviations: Any,
    found: Any,
    counts: Any,
) -> None:
    """Compute Σ s·d ÷ Σ|s| over the nearest rows that have the column, for several columns of each target row.

    ``asked`` is targets, begins, columns: the columns of ``targets[g]`` are ``columns[begins[g]:begins[g + 1]]``;
    ``deviations`` are the d of ``rows``. Ties in similarity are broken by the smaller row. The result is NaN if no row
    has a similarity above ``min_score``.
    """
    targets, begins, columns = asked
    (kind, shrinkage, min_support, min_score), (indptr, indices, values, ends, rows, cells, norms) = measure, matrix
    n = len(norms)
    sums = np.empty((n, 6), np.float64)
    near, parts = np.empty(n, np.float64), np.empty(n, np.float64)
    for group in range(first, stop):
        target = targets[group]
        _sum_common(target, kind, indptr, indices, values, ends, rows, cells, sums)
        for at in range(begins[group], begins[group + 1]):
            column, m = columns[at], 0
            for q in range(ends[column], ends[column + 1]):
                other = rows[q]
                if other != target:
                    s = _similarity(kind, sums[other], norms[target], norms[other], shrinkage, min_support)
                    if s > min_score:
                        near[m], parts[m] = s, deviations[q]
                        m += 1
            order = np.argsort(-near[:m], kind="mergesort")
            top = min(m, neighbors)
            total, weight = 0.0, 0.0
            for place in range(top):
                total += near[order[place]] * parts[order[place]]
                weight += abs(near[order[place]])
            counts[at] = top
            found[at] = total / weight if weight > 0 else np.nan
