"""Base class of models that score an item by the sum of sparse weights from the items of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.models._core.block import Block
from reclens.models._core.form import Form, codes, numbers, pointers
from reclens.models._core.kernels import product_rows, top_of_product
from reclens.models._core.recommender import Recommender

__all__ = ["ItemWeights", "dense_rows", "top_of_weights"]


@dataclass(frozen=True, eq=False)
class _Arranged:
    """Weights with columns in order of popularity, so that most additions hit the same few cache lines.

    Attributes:
        weights: The original weights.
        order: Item at each place, int32, shape (items,).
        places: Place of each column of ``weights.indices``, int32.
    """

    weights: UserItemMatrix
    order: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, weights: UserItemMatrix, seen: UserItemMatrix) -> _Arranged:
        """Arrange weights by the popularity of items in the histories."""
        order = np.argsort(-np.bincount(seen.indices, minlength=seen.n_columns), kind="stable").astype(np.int32)
        places = np.empty_like(order)
        places[order] = np.arange(len(order), dtype=np.int32)
        return cls(weights, order, places[weights.indices])


def top_of_weights(
    model: Recommender, block: Block, weights: UserItemMatrix, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and scores of the best items of a block of users by sparse weights, history item -> candidate.

    Args:
        model: The model, which caches the arranged weights between blocks.
        block: The users.
        weights: The weights.
        values: The value of each cell of the histories, float32.
    """
    learned = vars(model)
    arranged: _Arranged | None = learned.get("arranged_")
    if arranged is None or arranged.weights is not weights:
        arranged = learned["arranged_"] = _Arranged.of(weights, model.seen_)
    seen = block.seen
    codes = np.empty((len(block.users), block.k), np.int32)
    scores = np.empty((len(block.users), block.k), np.float32)
    top_of_product(
        block.users,
        (seen.indptr, seen.indices, values),
        (weights.indptr[:-1], weights.indptr[1:], arranged.places, weights.values),
        (seen.indptr, seen.indices),
        block.exclude_seen,
        np.float32(0),
        arranged.order,
        codes,
        scores,
    )
    return codes, scores


def dense_rows(matrix: UserItemMatrix, rows: np.ndarray) -> np.ndarray:
    """Some rows of a sparse matrix, dense: float32, shape (n, columns)."""
    found = np.zeros((len(rows), matrix.n_columns), np.float32)
    for at, row in enumerate(rows):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        found[at, matrix.indices[part]] = matrix.values[part]
    return found


@dataclass(kw_only=True)
class ItemWeights(Recommender):
    """A recommender whose score of an item is the sum of its weights over the items of the history.

    A subclass implements ``_fit``, which sets ``weights_``: rows are items of the history, columns candidates, and
    values are positive. Items without any weight have a score of 0 and are not recommended.
    """

    min_score: ClassVar[float] = 0.0
    relates_items: ClassVar[bool] = True

    @property
    def supports_fold_in(self) -> bool:
        """Yes: a user is the sum of the rows of their items."""
        return True

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        return top_of_weights(self, block, self.weights_, block.seen.values)

    def _scores(self, block: Block) -> np.ndarray:
        weights, seen = self.weights_, block.seen
        rows = np.zeros((len(block.users), seen.n_columns), np.float32)
        product_rows(
            block.users,
            seen.indptr,
            seen.indices,
            seen.values,
            weights.indptr[:-1],
            weights.indptr[1:],
            weights.indices,
            weights.values,
            rows,
        )
        return rows

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        return dense_rows(self.weights_, items)

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        weights = self.weights_
        ids: list[int] = []
        parts: list[float] = []
        for other in block.seen.indices[block.history()]:
            row = slice(weights.indptr[other], weights.indptr[other + 1])
            hit = weights.indices[row] == item
            if hit.any():
                ids.append(int(other))
                parts.append(float(weights.values[row][hit][0]))
        return "item", self.items_.decode(ids).to_list(), np.array(parts)

    def _state(self) -> dict[str, np.ndarray]:
        weights = self.weights_
        return {"indptr": weights.indptr, "codes": weights.indices, "weights": weights.values}

    def _form(self) -> Mapping[str, Form]:
        return {
            "indptr": pointers("items", cells="near"),
            "codes": codes("near", of="items"),
            "weights": numbers("near", low=0),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights_ = UserItemMatrix(arrays["indptr"], arrays["codes"], arrays["weights"], len(self.items_))
