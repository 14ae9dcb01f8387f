"""Fold-in for user-kNN: neighbours among the training users for histories of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.models._core.block import Block
from reclens.models._core.neighbors import Neighbors, weights_of
from reclens.models._core.topk import top_of_row

__all__ = ["TrainingUsers"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingUsers:
    """The weighted training data, by which histories are multiplied.

    Attributes:
        by_item: Weighted training data, items × users, a SciPy CSR array of float32.
        sizes: Norm of each user (cosine) or count (Jaccard), float64.
        n_users: Users of each item, int64.
        mean_length: Mean number of items per user.
        weighting: ``none``, ``tf_idf`` or ``bm25``.
    """

    by_item: Any
    sizes: np.ndarray
    n_users: np.ndarray
    mean_length: float
    weighting: str

    @classmethod
    def of(cls, seen: UserItemMatrix, *, similarity: str, weighting: str) -> TrainingUsers:
        """Weight the training data as in the fit."""
        from scipy.sparse import csr_array

        n_users = np.bincount(seen.indices, minlength=seen.n_columns)
        lengths = np.diff(seen.indptr)
        owners = np.repeat(np.arange(seen.n_rows), lengths)
        mean = float(lengths.mean())
        values = weights_of(n_users[seen.indices], lengths[owners], n=seen.n_rows, mean=mean, weighting=weighting)
        squares = np.bincount(owners, values.astype(np.float64) ** 2, seen.n_rows)
        cells: Any = csr_array((values, seen.indices, seen.indptr), shape=(seen.n_rows, seen.n_columns))
        sizes = squares if similarity == "jaccard" else np.sqrt(squares)
        return cls(by_item=cells.T.tocsr(), sizes=sizes, n_users=n_users, mean_length=mean, weighting=weighting)

    def neighbors(self, block: Block, *, neighbors: int, similarity: str, shrinkage: float) -> Neighbors:
        """The most similar training users of each user of a block, without the user; ties by id."""
        from scipy.sparse import csr_array

        n, n_users = len(block.users), self.by_item.shape[1]
        kept = min(neighbors, max(n_users - 1, 1))
        codes, weights = np.zeros((n, kept), np.int32), np.zeros((n, kept), np.float32)
        lengths = np.zeros(n, np.int64)
        for row in range(n):
            own = block.seen.indices[block.history(row)]
            values = weights_of(
                self.n_users[own],
                np.full(len(own), len(own)),
                n=n_users,
                mean=self.mean_length,
                weighting=self.weighting,
            )
            shape = (1, len(self.n_users))
            history: Any = csr_array((values, own, np.array([0, len(own)])), shape=shape)
            products = history @ self.by_item
            others, dots = products.indices.astype(np.int32), products.data.astype(np.float64)
            squares = float((values.astype(np.float64) ** 2).sum())
            if similarity == "cosine":
                dots = dots / (np.sqrt(squares) * self.sizes[others] + shrinkage)
            elif similarity == "jaccard":
                dots = dots / (squares + self.sizes[others] - dots + shrinkage)
            dots[others == block.trained[row]] = 0
            found = dots.astype(np.float32)
            lengths[row] = top_of_row(
                found, others, np.float32(0), weights[row], codes[row], np.empty(len(found), np.int64)
            )
        return Neighbors(codes, weights, lengths)
