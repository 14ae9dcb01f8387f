"""What models share that score an item by the sum of sparse weights of the items of a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import UserItemMatrix
from reclens.models._base import Block, Recommender
from reclens.models._kernels import product_rows, top_of_product

__all__ = ["ItemWeights"]


@dataclass(kw_only=True)
class ItemWeights(Recommender):
    """The score of an item is the sum of the weights that the items of the user's history give it.

    A model writes ``_fit``, which leaves ``weights_``: rows are items of the history, columns the items that they speak
    for, values are positive. Items without any weight have a score of 0 and are not recommended.
    """

    floor: ClassVar[float] = 0.0

    @property
    def folds_in(self) -> bool:
        """Yes: a user is the sum of the rows of her items."""
        return True

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        weights, seen = self.weights_, block.seen
        codes = np.empty((len(block.users), block.k), np.int32)
        scores = np.empty((len(block.users), block.k), np.float32)
        top_of_product(
            block.users, seen.indptr, seen.indices, seen.values, weights.indptr[:-1], weights.indptr[1:],
            weights.indices, weights.values, seen.indptr, seen.indices, block.exclude_seen, np.float32(0),
            seen.n_columns, codes, scores,
        )  # fmt: skip
        return codes, scores

    def _scores(self, block: Block) -> np.ndarray:
        weights, seen = self.weights_, block.seen
        rows = np.zeros((len(block.users), seen.n_columns), np.float32)
        product_rows(block.users, seen.indptr, seen.indices, seen.values, weights.indptr[:-1], weights.indptr[1:],
                     weights.indices, weights.values, rows)  # fmt: skip
        return rows

    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        weights = self.weights_
        ids: list[int] = []
        parts: list[float] = []
        for other in self.seen_.indices[self.seen_.indptr[user] : self.seen_.indptr[user + 1]]:
            row = slice(weights.indptr[other], weights.indptr[other + 1])
            hit = weights.indices[row] == item
            if hit.any():
                ids.append(int(other))
                parts.append(float(weights.values[row][hit][0]))
        return "item", self.items_.decode(ids).to_list(), np.array(parts)

    def _state(self) -> dict[str, np.ndarray]:
        weights = self.weights_
        return {"indptr": weights.indptr, "codes": weights.indices, "weights": weights.values}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights_ = UserItemMatrix(arrays["indptr"], arrays["codes"], arrays["weights"], len(self.items_))
