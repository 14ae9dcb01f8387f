"""Shared parts of item-kNN and user-kNN: weighting of interactions, and the most similar rows of a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.memory import require_memory
from reclens.models._core.co_counts import count_pairs
from reclens.models._core.kernels import COSINE, DOT, JACCARD, neighbours, neighbours_of_counts
from reclens.schema import RATING

__all__ = [
    "SIMILARITIES",
    "WEIGHTINGS",
    "Neighbors",
    "check_neighbor_options",
    "find_neighbors",
    "neighbors_of_counts",
    "require_neighbors",
    "weigh",
    "weights_of",
]

SIMILARITIES = {
    "cosine": "dot product ÷ (product of the norms + shrinkage)",
    "adjusted_cosine": "cosine of ratings less the user's mean rating (Sarwar et al. 2001)",
    "jaccard": "common ÷ (either + shrinkage)",
    "dot": "dot product",
}
WEIGHTINGS = {
    "none": "every interaction weighs 1",
    "tf_idf": "less weight for interactions of users who have many items",
    "bm25": "tf-idf with saturation and length normalisation (K1 = 100, B = 0.8)",
}

_ROWS_A_TASK = 128


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The most similar rows of each row, most similar first.

    Attributes:
        codes: int32, shape (rows, neighbours).
        weights: float32 similarities, same shape.
        lengths: Number of neighbours of each row, int64, shape (rows,).
    """

    codes: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray

    def as_matrix(self) -> UserItemMatrix:
        """The similarities as a sparse matrix, row -> neighbour, the most similar first in each row."""
        listed = np.arange(self.codes.shape[1]) < self.lengths[:, None]
        indptr = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        return UserItemMatrix(indptr, self.codes[listed], self.weights[listed], len(self.lengths))


UNWEIGHTED: Final = Advice("use_no_weighting", (Setting("weighting", "none", "model"),), "Use {weighting}.")


def check_neighbor_options(*, neighbors: int, similarity: str, weighting: str, shrinkage: float) -> None:
    """Raise UsageError or UnknownNameError for a hyper-parameter out of range."""
    if neighbors < 1:
        raise ArgumentValueError("neighbors", f"is {neighbors}, expected 1 or more", of="model")
    if similarity not in SIMILARITIES:
        raise UnknownNameError("similarity", similarity, SIMILARITIES)
    if weighting not in WEIGHTINGS:
        raise UnknownNameError("weighting", weighting, WEIGHTINGS)
    if not shrinkage >= 0:
        raise ArgumentValueError("shrinkage", f"is {shrinkage}, expected 0 or more", of="model")
    if similarity in ("jaccard", "adjusted_cosine") and weighting != "none":
        raise UsageError(
            f"the similarity {similarity} has weights of its own, and the weighting is {weighting}", advice=UNWEIGHTED
        )


def weigh(train: Dataset, *, similarity: str, weighting: str) -> UserItemMatrix:
    """Weight the user-item matrix for the computation of similarities.

    Raises:
        UsageError: If adjusted cosine is asked for and there are no ratings.
    """
    if similarity == "adjusted_cosine":
        if not train.has_ratings:
            raise UsageError(
                "the similarity adjusted_cosine needs ratings, and the training data has none",
                advice=Advice("use_cosine", (Setting("similarity", "cosine", "model"),), "Use {similarity}."),
            )
        matrix = train.matrix(RATING)
        sizes = np.diff(matrix.indptr)
        means = np.add.reduceat(matrix.values.astype(np.float64), matrix.indptr[:-1]) / sizes
        centred = (matrix.values - np.repeat(means, sizes)).astype(np.float32)
        return UserItemMatrix(matrix.indptr, matrix.indices, centred, matrix.n_columns)
    matrix = train.matrix()
    if weighting == "none":
        return matrix
    # As in the library implicit: the "documents" are items, and the "terms" their users.
    sizes, lengths = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.n_columns)
    values = weights_of(
        np.repeat(sizes, sizes), lengths[matrix.indices], n=matrix.n_columns, mean=lengths.mean(), weighting=weighting
    )
    return UserItemMatrix(matrix.indptr, matrix.indices, values, matrix.n_columns)


def weights_of(sizes: np.ndarray, lengths: np.ndarray, *, n: int, mean: float, weighting: str) -> np.ndarray:
    """Weights of interactions, float32, shape (interactions,).

    Args:
        sizes: Documents with the term of each interaction.
        lengths: Terms of the document of each interaction.
        n: Documents.
        mean: Terms of a document on average.
        weighting: ``none``, ``tf_idf`` or ``bm25``.
    """
    if weighting == "none":
        return np.ones(len(sizes), np.float32)
    values = np.log(n) - np.log1p(sizes)
    if weighting == "bm25":
        k1, b = 100.0, 0.8
        values = values * (k1 + 1) / (k1 * ((1 - b) + b * lengths / mean) + 1)
    return values.astype(np.float32)


def find_neighbors(
    matrix: UserItemMatrix,
    *,
    neighbors: int,
    similarity: str,
    shrinkage: float,
    engine: LocalEngine,
    progress: Progress,
    what: str,
) -> Neighbors:
    """Find the most similar rows of each row; only positive similarities count.

    Similarities are computed in float64 and stored in float32. Ties in float32 are ordered by code, which is the order
    of ids, also where the list is cut off.

    See :mod:`reclens.models._core.co_counts` for how the dot products are found.
    """
    n = matrix.n_rows
    kept = min(neighbors, max(n - 1, 1))
    require_neighbors(n, kept, what)
    codes = np.zeros((n, kept), np.int32)
    weights = np.zeros((n, kept), np.float32)
    lengths = np.zeros(n, np.int64)
    kind = {"cosine": COSINE, "adjusted_cosine": COSINE, "jaccard": JACCARD, "dot": DOT}[similarity]
    pairs = count_pairs(matrix, engine=engine, progress=progress, what=what)
    sums = _sums_of_squares(matrix)[pairs.order]
    # Norms in float64: in float32, equal products of norms could differ, which would break ties.
    sizes = sums if kind == JACCARD else np.sqrt(sums)

    def task(part: range) -> None:
        neighbours(
            part.start,
            part.stop,
            pairs.lists,
            pairs.values,
            pairs.cells,
            sizes,
            kind,
            float(shrinkage),
            codes,
            weights,
            lengths,
        )

    parts = chunk_ranges(n, _ROWS_A_TASK)
    for done, _ in enumerate(engine.map(task, parts), 1):
        progress(what, done, len(parts))
    return Neighbors(codes, weights, lengths)


def require_neighbors(rows: int, kept: int, what: str) -> None:
    """Raise NotEnoughMemoryError if the codes and weights of all neighbours do not fit into memory."""
    require_memory(
        8 * rows * kept,
        f"{what}: {kept:,} neighbors of each of {rows:,} rows",
        advice="Use fewer neighbors: 50 to 500 are usual.",
    )


def neighbors_of_counts(
    indptr: np.ndarray,
    indices: np.ndarray,
    counts: np.ndarray,
    *,
    neighbors: int,
    similarity: str,
    shrinkage: float,
    engine: LocalEngine,
) -> Neighbors:
    """As :func:`find_neighbors` for a matrix of ones, from counts of pairs as compressed rows."""
    n = len(indptr) - 1
    kept = min(neighbors, max(n - 1, 1))
    codes, weights = np.zeros((n, kept), np.int32), np.zeros((n, kept), np.float32)
    lengths, own = np.zeros(n, np.int64), np.zeros(n)
    rows = np.repeat(np.arange(n), np.diff(indptr))
    own[rows[rows == indices]] = counts[rows == indices]
    kind = {"cosine": COSINE, "jaccard": JACCARD, "dot": DOT}[similarity]
    sizes = own if kind == JACCARD else np.sqrt(own)

    def task(part: range) -> None:
        neighbours_of_counts(
            part.start, part.stop, indptr, indices, counts, sizes, kind, float(shrinkage), codes, weights, lengths
        )

    for _ in engine.map(task, chunk_ranges(n, _ROWS_A_TASK)):
        pass
    return Neighbors(codes, weights, lengths)


def _sums_of_squares(matrix: UserItemMatrix) -> np.ndarray:
    """Σ of the squares of each row, float64."""
    if (matrix.values == 1).all():
        return np.diff(matrix.indptr).astype(np.float64)
    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    return np.bincount(rows, matrix.values.astype(np.float64) ** 2, matrix.n_rows)
