"""A block of users of a request, and its best items by dense scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from reclens.data.dataset import UserItemMatrix
from reclens.models._core.kernels import top_of_dense
from reclens.models._core.sequences import Sequences
from reclens.schema import Vocabulary

__all__ = ["Block", "encode_where_possible", "popular_scores", "rows_of", "top_of_scores"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """A block of users of a request.

    Attributes:
        users: Row of each user in ``seen``; -1 for an unknown user; int64, shape (n,).
        seen: Histories of the training data, or those of the request.
        from_history: Whether ``seen`` holds the histories of the request; its rows are then not training users.
        keys: Stable key of each user, uint64, shape (n,).
        k: Items wanted.
        exclude_seen: Whether items of the history are left out.
        trained: Code of each user in the training data, -1 for one who came later; int64, shape (n,). The same as
            ``users`` unless ``from_history``.
        sequences: The histories of the request in the order of time, with the rows of ``seen``; None unless
            ``from_history`` and the model asks for the order.
    """

    users: np.ndarray
    seen: UserItemMatrix
    from_history: bool
    keys: np.ndarray
    k: int
    exclude_seen: bool
    trained: np.ndarray
    sequences: Sequences | None = None

    @classmethod
    def of_training(
        cls, users: np.ndarray, seen: UserItemMatrix, keys: np.ndarray, *, k: int = 1, exclude_seen: bool = False
    ) -> Block:
        """A block of training users, or of unknown users (-1)."""
        return cls(users=users, seen=seen, from_history=False, keys=keys, k=k, exclude_seen=exclude_seen, trained=users)

    def take(self, rows: np.ndarray | slice) -> Block:
        """Select users by a mask, indices or a slice."""
        return replace(self, users=self.users[rows], keys=self.keys[rows], trained=self.trained[rows])

    def lengths(self) -> np.ndarray:
        """Number of items in the history of each user, int64, shape (n,); 0 for an unknown user."""
        if not self.seen.n_rows:
            return np.zeros(len(self.users), np.int64)
        return np.where(self.users >= 0, self.seen.indptr[self.users + 1] - self.seen.indptr[self.users], 0)

    def history(self, row: int = 0) -> slice:
        """Slice of the history of a user in the cells of ``seen``; empty for an unknown user."""
        user = int(self.users[row])
        return slice(int(self.seen.indptr[user]), int(self.seen.indptr[user + 1])) if user >= 0 else slice(0, 0)


def encode_where_possible(vocabulary: Vocabulary, ids: pl.Series) -> np.ndarray:
    """Encode ids; if one side is text and the other integers, all are unknown."""
    if ids.dtype.is_integer() != vocabulary.is_integer:
        return np.full(len(ids), -1, np.int32)
    return vocabulary.encode(ids)


def top_of_scores(
    rows: np.ndarray, block: Block, min_score: float, *, zeros_say_nothing: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The best items of a block by its scores, as ``Recommender._recommend`` returns them; overwrites the scores.

    If all scores of a user are 0, a personalised model has no information about them, and the row has no items:
    the first items by id would not be a recommendation.
    """
    codes = np.empty((len(block.users), block.k), np.int32)
    scores = np.empty((len(block.users), block.k), np.float32)
    top_of_dense(
        block.users,
        rows,
        block.seen.indptr,
        block.seen.indices,
        block.exclude_seen,
        np.float32(min_score),
        codes,
        scores,
    )
    # All scores can be 0 only if the best one is; seen items are -inf here.
    for row in np.flatnonzero((codes[:, 0] >= 0) & (scores[:, 0] == 0)) if zeros_say_nothing else ():
        finite = rows[row][np.isfinite(rows[row])]
        if not finite.any():
            codes[row] = -1
    return codes, scores


def popular_scores(seen: UserItemMatrix) -> np.ndarray:
    """Number of users of each item, float32, shape (items,)."""
    return np.bincount(seen.indices, minlength=seen.n_columns).astype(np.float32)


def rows_of(matrix: UserItemMatrix, rows: np.ndarray) -> UserItemMatrix:
    """Some rows of a matrix, -1 for an empty one; shape (n,)."""
    lengths = np.where(rows >= 0, matrix.indptr[rows + 1] - matrix.indptr[rows], 0)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    cells = np.arange(indptr[-1]) + np.repeat(matrix.indptr[rows] - indptr[:-1], lengths)
    return UserItemMatrix(indptr, matrix.indices[cells], matrix.values[cells], matrix.n_columns)
