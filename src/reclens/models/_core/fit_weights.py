"""Weights of interactions or users in the objective or the counts of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.cards import FitWeightsCard
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.data.read.tables import read_table_and_rules
from reclens.errors import ArgumentValueError, DataError, UsageError
from reclens.schema import ITEM, USER, WEIGHT

__all__ = ["FitWeights", "check_weights", "weighted_products"]


@dataclass(frozen=True, eq=False)
class FitWeights:
    """Weights of observed pairs, or of users.

    Attributes:
        of: ``"interaction"``, or ``"user"``: all pairs of the user, observed or not, have the weight.
        cells: float64, one per cell of the training matrix, in its order.
        users: float64, shape (users,); all 1 for weights of interactions.
    """

    of: Literal["interaction", "user"]
    cells: np.ndarray
    users: np.ndarray

    @property
    def card(self) -> FitWeightsCard:
        """Entry for the header of a saved model: kind, range and hash of the weights."""
        own = self.users if self.of == "user" else self.cells
        return {
            "of": self.of,
            "n": len(own),
            "least": float(own.min()),
            "most": float(own.max()),
            "mean": float(own.mean()),
            "effective_size": float(own.sum() ** 2 / (own**2).sum()),
            "hash": hashlib.blake2b(np.ascontiguousarray(own).tobytes(), digest_size=8).hexdigest(),
        }

    def rooted(self, matrix: UserItemMatrix) -> UserItemMatrix:
        """Return the matrix with the square root of the weight in each cell: products of columns are weighted counts.

        Cells with a weight of 0 are left out.
        """
        kept = self.cells > 0
        ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
        values = np.sqrt(self.cells[kept]).astype(np.float32)
        return UserItemMatrix(ends.astype(np.int64), matrix.indices[kept], values, matrix.n_columns)


def check_weights(weights: Any, train: Dataset) -> FitWeights:
    """Read the weights of a fit.

    Args:
        weights: One number for each row of ``train.interactions``, in its order; or a frame of any library with a
            column ``weight`` and ``user_id``, one row for each user of the training data, or ``user_id`` and
            ``item_id``, one row for each pair.
        train: The training data.

    Returns:
        The weights by cell of ``train.matrix()``. Where a pair has several rows, it counts once, with their mean.

    Raises:
        UsageError: If there are more or fewer numbers than rows, one is negative or not finite, or all are 0.
        DataError: If the ids of the frame are not those of the training data, each once.
    """
    if isinstance(weights, (np.ndarray, pl.Series)) or (
        isinstance(weights, Sequence) and not isinstance(weights, (str, bytes))
    ):
        return _of_rows(_numbers(weights), train)
    table = pl.DataFrame(weights) if isinstance(weights, Mapping) else weights
    frame = read_table_and_rules(table, required=(USER,))[0]
    if WEIGHT not in frame.columns:
        raise DataError(f"the weights have the columns {', '.join(frame.columns)}, and no '{WEIGHT}'")
    return _of_pairs(frame, train) if ITEM in frame.columns else _of_users(frame, train)


def weighted_products(matrix: UserItemMatrix) -> Any:
    """XᵀX of a matrix, as a ``scipy.sparse.csr_array`` of float64."""
    wide = matrix.to_scipy().astype(np.float64)
    return (wide.T @ wide).tocsr()


def _numbers(weights: Any) -> np.ndarray:
    """Checked numbers, float64."""
    given = weights.to_numpy() if isinstance(weights, pl.Series) else np.asarray(weights)
    if given.ndim != 1:
        raise UsageError(f"weights have the shape {given.shape}, expected one number for each row.")
    series = weights if isinstance(weights, pl.Series) else pl.Series(given)
    if not series.dtype.is_numeric():
        raise ArgumentValueError("weights", f"are of type {series.dtype}, expected numbers.", of="model")
    values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    strange, negative = int((~np.isfinite(values)).sum()), int((values < 0).sum())
    if strange:
        raise UsageError(f"{strange:,} weights are missing or not finite; expected 0 or more.")
    if negative:
        raise UsageError(
            f"{negative:,} weights are negative, the least {values.min():g}; expected 0 or more: 2 counts as two, 0 "
            "not at all."
        )
    if not values.any():
        raise UsageError("all weights are 0: there is nothing to learn.")
    return values


def _of_rows(values: np.ndarray, train: Dataset) -> FitWeights:
    rows = train.interactions.height
    if values.shape != (rows,):
        raise UsageError(f"there are {values.shape} weights for the {rows:,} interactions of '{train.name}': one each.")
    users = train.user_vocabulary.encode(train.interactions[USER]).astype(np.int64)
    items = train.item_vocabulary.encode(train.interactions[ITEM]).astype(np.int64)
    keys, at = np.unique(users * len(train.item_vocabulary) + items, return_inverse=True)
    cells = np.bincount(at, values, len(keys)) / np.bincount(at, minlength=len(keys))
    return FitWeights("interaction", cells, np.ones(len(train.user_vocabulary)))


def _of_pairs(frame: pl.DataFrame, train: Dataset) -> FitWeights:
    values = _numbers(frame[WEIGHT])
    users = train.user_vocabulary.encode(frame[USER]).astype(np.int64)
    items = train.item_vocabulary.encode(frame[ITEM]).astype(np.int64)
    matrix, n = train.matrix(), len(train.item_vocabulary)
    rows = np.repeat(np.arange(matrix.n_rows, dtype=np.int64), np.diff(matrix.indptr))
    known = rows * n + matrix.indices
    keys = np.where((users >= 0) & (items >= 0), users * n + items, -1)
    _check_ids(keys, known, "pairs")
    return FitWeights("interaction", values[np.argsort(keys)], np.ones(matrix.n_rows))


def _of_users(frame: pl.DataFrame, train: Dataset) -> FitWeights:
    values = _numbers(frame[WEIGHT])
    codes = train.user_vocabulary.encode(frame[USER]).astype(np.int64)
    _check_ids(codes, np.arange(len(train.user_vocabulary)), "users")
    users = values[np.argsort(codes)]
    return FitWeights("user", np.repeat(users, np.diff(train.matrix().indptr)), users)


def _check_ids(keys: np.ndarray, known: np.ndarray, what: str) -> None:
    """Check that the keys are the known ones, each once."""
    found, counts = np.unique(keys, return_counts=True)
    strange, twice = int((~np.isin(keys, known)).sum()), int((counts > 1).sum())
    missing = int((~np.isin(known, found)).sum())
    if strange or twice or missing:
        raise DataError(
            f"the weights are not one for each of the {len(known):,} {what} of the training data: {strange:,} are of "
            f"other {what}, {missing:,} {what} have none, {twice:,} have several"
        )
