"""Base class of factor models: scores are dot products, and the best items are selected block by block."""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np

from reclens.errors import ArgumentValueError
from reclens.memory import require_memory
from reclens.models._core.block import Block, top_of_scores
from reclens.models._core.dot_kernels import dot_pairs, dot_rows
from reclens.models._core.recommender import Recommender

__all__ = ["MOST_PASSES", "FactorModel", "check_whole", "require_factors"]

MOST_PASSES: Final = 10_000
"""Largest number of epochs or iterations: 50 times that of any default or search space."""

_FEW: Final = 8
"""Number of users up to which products are computed directly, which is faster for small requests."""
_MORE: Final = 16
"""Number of extra candidates beyond the length of the list."""
_ROUNDING: Final = 2.0**-24


@dataclass(kw_only=True)
class FactorModel(Recommender):
    """A recommender whose score is the dot product of a vector of the user and a vector of the item.

    ``_fit`` leaves ``item_factors_``, float32, shape (items, d); ``_vectors`` gives the same of users.
    """

    relates_items: ClassVar[bool] = True

    item_factors_ = np.empty((0, 0), np.float32)

    @abstractmethod
    def _vectors(self, block: Block) -> np.ndarray:
        """The vectors of a block of users: float32, shape (n, d)."""

    def _item_vectors(self) -> np.ndarray:
        """Vectors for the similarity of items: float32, shape (items, d)."""
        return self.item_factors_

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        directions = self._kept("directions", self.item_factors_, lambda _: _of_length_one(self._item_vectors()))
        return directions[items] @ directions.T

    def _scores(self, block: Block) -> np.ndarray:
        return self._products(self._vectors(block))

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        vectors = self._vectors(block)
        if len(vectors) <= _FEW:
            return top_of_scores(self._products(vectors), block, self.min_score)
        # BLAS is several times as fast but rounds differently: it selects a few more candidates, whose products are
        # then computed exactly as above. All blocks of a thread share one array of scores.
        wide = replace(block, k=min(block.k + _MORE, len(self.items_)))
        rows = np.matmul(vectors, self.item_factors_.T, out=_room(len(vectors), len(self.items_)))
        codes, rough = top_of_scores(rows, wide, self.min_score)
        scores = np.full(codes.shape, -np.inf, np.float32)
        dot_pairs(vectors, self.item_factors_, codes, scores)
        whole = codes[:, -1] >= 0
        last = np.where(whole, rough[:, -1], np.float32(0))  # short lists leave the rest unwritten
        order = np.lexsort((codes, -scores), axis=1)[:, : block.k]
        codes, scores = (np.take_along_axis(each, order, axis=1) for each in (codes, scores))
        # An item that BLAS did not select can belong to the list only if its score is near that of the last candidate.
        reach = 2 * vectors.shape[1] * _ROUNDING * np.linalg.norm(vectors, axis=1) * self._longest
        unsure = whole & (wide.k < len(self.items_)) & (last + reach >= scores[:, -1])
        if unsure.any():
            some = block.take(unsure)
            codes[unsure], scores[unsure] = top_of_scores(self._products(vectors[unsure]), some, self.min_score)
        return codes, scores

    def _products(self, vectors: np.ndarray) -> np.ndarray:
        """Products of vectors with all item vectors, bitwise equal for any number of vectors."""
        rows = np.empty((len(vectors), len(self.items_)), np.float32)
        dot_rows(np.ascontiguousarray(vectors), self._columns, rows)
        return rows

    @property
    def _columns(self) -> np.ndarray:
        return self._kept("columns", self.item_factors_, lambda table: np.ascontiguousarray(table.T))

    @property
    def _longest(self) -> float:
        """The length of the longest item vector."""
        return self._kept("longest", self.item_factors_, lambda table: float(np.linalg.norm(table, axis=1).max()))

    def _block_size(self) -> int:
        """Number of users per block: enough for BLAS to be efficient, with at most 96 MB of scores per thread."""
        return int(np.clip(24_000_000 // max(len(self.items_), 1), 64, 768))


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


_rooms = threading.local()


def _room(rows: int, columns: int) -> np.ndarray:
    """Work array of this thread, float32, with at least so many rows; its old content is not preserved."""
    size = rows * columns
    if getattr(_rooms, "values", np.empty(0)).size < size:
        _rooms.values = np.empty(size, np.float32)
    return _rooms.values[:size].reshape(rows, columns)


def require_factors(name: str, factors: int, *, users: int, items: int, width: int = 8) -> None:
    """Check that the vectors of users and items fit into memory.

    Args:
        name: The model.
        factors: Length of the vectors.
        users: How many users there are.
        items: How many items there are.
        width: Bytes of each number while the model is fitted: 8 are two copies in float32.

    Raises:
        NotEnoughMemoryError: If there is not enough.
    """
    require_memory(
        width * factors * (users + items),
        f"{name} with {factors:,} factors of {users:,} users and {items:,} items",
        advice="Use fewer factors: 16 to 256 are usual.",
    )


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Check that a hyper-parameter is a whole number within its range.

    Args:
        name: The hyper-parameter.
        value: What was given.
        least: The smallest value allowed.
        most: The largest value allowed; None if memory is the limit, see :func:`require_factors`.

    Raises:
        UsageError: With the name, the value and what is allowed.

    Example:
        >>> check_whole("epochs", 10**9, 1, MOST_PASSES)
        Traceback (most recent call last):
        reclens.errors.ArgumentValueError: epochs is 1,000,000,000, expected a whole number, 1 to 10,000.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        seen = f"{value:,}" if whole else repr(value)
        allowed = f"{least} or more" if most is None else f"{least} to {most:,}"
        raise ArgumentValueError(name, f"is {seen}, expected a whole number, {allowed}.", of="model")
