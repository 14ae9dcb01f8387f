"""The co-occurrence of items, dense: what linear item-item models are learned from."""

from __future__ import annotations

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.models._kernels import gram
from reclens.models._pairs import count_pairs

__all__ = ["co_occurrence"]


def co_occurrence(matrix: UserItemMatrix, *, engine: LocalEngine, progress: Progress, what: str) -> np.ndarray:
    """How many rows have both of two columns of a matrix of ones; float32, shape (columns, columns)."""
    n = matrix.n_columns
    pairs = count_pairs(matrix.transposed, engine=engine, progress=progress, what=what)
    products = np.empty((n, n), np.float32)

    def task(part: range) -> None:
        gram(part.start, part.stop, pairs.order, pairs.indptr, pairs.indices, pairs.ends, pairs.places,
             pairs.tail_ends, pairs.tail, pairs.counts, pairs.head, products)  # fmt: skip

    parts = chunk_ranges(n, 256)
    for done, _ in enumerate(engine.map(task, parts), 1):
        progress(f"{what}: co-occurrence", done, len(parts))
    return products
