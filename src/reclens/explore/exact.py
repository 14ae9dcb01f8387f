"""Exact nearest vectors in blocks: a BLAS matrix product, followed by the k best of each row.

The block of products stays in the cache between the two. FAISS' flat index does the same; it is slower here because it
merges a heap with every block.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, DataError
from reclens.explore.vectors import as_vectors
from reclens.kernels import kernel
from reclens.models._core.topk import top_of_row

__all__ = ["top_k"]

_QUERIES: Final = 256
"""Queries of a block: enough for BLAS to be near its best."""
_CELLS: Final = 4_000_000
"""Products of a block, 16 MB a thread."""


@kernel("void(float32[:,::1], int32[::1], int32[:,::1], float32[:,::1])")
def _top_of_rows(products: Any, names: Any, codes: Any, scores: Any) -> None:
    keys = np.empty(products.shape[1], np.int64)
    for row in range(len(products)):
        found = top_of_row(products[row], names, np.float32(-np.inf), scores[row], codes[row], keys)
        for place in range(found, codes.shape[1]):
            codes[row, place] = -1
            scores[row, place] = np.nan


def top_k(
    queries: np.ndarray,
    vectors: np.ndarray,
    k: int,
    *,
    skip: np.ndarray | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> tuple[np.ndarray, np.ndarray]:
    """The k vectors with the largest dot products with each query, exactly.

    With vectors of length 1 these are the nearest by cosine. Equal products stand by row.

    Args:
        queries: Shape (q, d).
        vectors: Shape (n, d), finite.
        k: How many, 1 or more.
        skip: One row a query that is left out, such as the query's own vector; -1 for none; shape (q,).
        threads: How many; None for one a core. The result is the same.
        progress: Called as blocks are done.

    Returns:
        Rows of ``vectors``, shape (q, k), int32, the best first and -1 where there are fewer; their products, float32,
        NaN there.

    Raises:
        DataError: If the dimensions differ.
        UsageError: If k is below 1.

    Example:
        >>> rows, products = top_k(np.eye(2), np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), 2)
        >>> rows.tolist(), products.round(1).tolist()
        ([[0, 1], [2, 1]], [[1.0, 0.6000000238418579], [1.0, 0.800000011920929]])
    """
    queries, vectors = as_vectors(queries, name="queries"), as_vectors(vectors)
    if k < 1:
        raise ArgumentValueError("k", f"is {k}, expected 1 or more")
    if queries.shape[1] != vectors.shape[1]:
        raise DataError(
            f"the queries have {queries.shape[1]} dimensions and the vectors {vectors.shape[1]}",
            fix="Embed both with the same model.",
        )
    wide = k if skip is None else k + 1
    codes = np.full((len(queries), wide), -1, np.int32)
    scores = np.full((len(queries), wide), np.nan, np.float32)
    blocks = chunk_ranges(len(queries), _QUERIES)

    def of_block(block: range) -> None:
        mine = queries[block.start : block.stop]
        parts = chunk_ranges(len(vectors), max(_CELLS // max(len(mine), 1), wide, 1))
        found = [_of_part(mine, vectors[part.start : part.stop], part.start, wide) for part in parts]
        if found:
            codes[block.start : block.stop], scores[block.start : block.stop] = _merged(found, wide)

    for done, _ in enumerate(LocalEngine(threads).map(of_block, blocks)):
        progress("exact search", done + 1, len(blocks))
    return (codes, scores) if skip is None else _without(codes, scores, np.asarray(skip))


def _of_part(queries: np.ndarray, vectors: np.ndarray, start: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    codes = np.empty((len(queries), k), np.int32)
    scores = np.empty((len(queries), k), np.float32)
    _top_of_rows(queries @ vectors.T, np.arange(start, start + len(vectors), dtype=np.int32), codes, scores)
    return codes, scores


def _merged(found: list[tuple[np.ndarray, np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best of several lists of each query."""
    if len(found) == 1:
        return found[0]
    codes, scores = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
    order = np.lexsort((codes, np.where(codes < 0, np.inf, -scores)), axis=1)[:, :k]
    return np.take_along_axis(codes, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _without(codes: np.ndarray, scores: np.ndarray, skip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lists without one row each, one shorter."""
    hit = (codes == skip[:, None]) & (codes >= 0)
    hit[~hit.any(axis=1), -1] = True  # not among them: the last one is too many
    shape = (len(codes), codes.shape[1] - 1)
    return codes[~hit].reshape(shape), scores[~hit].reshape(shape)
