"""Item-kNN: what is consumed by the same users is alike (Deshpande and Karypis 2004; Sarwar et al. 2001)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models._base import Block, Recommender
from reclens.models._kernels import top_of_product
from reclens.models._neighbors import Neighbors, check_neighbor_options, find_neighbors, weigh

__all__ = ["ItemKNN"]


@dataclass(kw_only=True)
class ItemKNN(Recommender):
    """Items close to those of the user's history.

    The score of an item is the sum, over the items of the history that have it among their neighbours, of similarity ×
    value; the value is 1, or the rating less the user's mean under adjusted cosine. Items without a positive score are
    not recommended, so that lists can be short.

    Attributes:
        neighbors: Neighbours kept of each item.
        similarity: ``cosine``, ``adjusted_cosine`` (needs ratings), ``jaccard`` or ``dot``.
        weighting: ``none``, ``tf_idf`` or ``bm25``, applied before the similarity.
        shrinkage: Added to the denominator: pulls similarities that rest on few users towards 0.
    """

    name: ClassVar[str] = "item_knn"

    neighbors: int = 100
    similarity: str = "cosine"
    weighting: str = "none"
    shrinkage: float = 0.0

    def _check(self) -> None:
        check_neighbor_options(neighbors=self.neighbors, similarity=self.similarity, weighting=self.weighting,
                               shrinkage=self.shrinkage)  # fmt: skip

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        matrix = weigh(train, similarity=self.similarity, weighting=self.weighting)
        self.neighbors_ = find_neighbors(
            matrix.transposed, neighbors=self.neighbors, similarity=self.similarity, shrinkage=self.shrinkage,
            engine=engine, progress=progress, what="fit item_knn",
        )  # fmt: skip
        # Weights shape the similarities; the history itself counts with ones, or with centred ratings.
        self.values_ = matrix.values if self.similarity == "adjusted_cosine" else self.seen_.values

    def _recommend(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        near, seen = self.neighbors_, self.seen_
        codes = np.empty((len(block.users), block.k), np.int32)
        scores = np.empty((len(block.users), block.k), np.float32)
        top_of_product(block.users, seen.indptr, seen.indices, self.values_, near.begins, near.begins + near.lengths,
                       near.codes.ravel(), near.weights.ravel(), seen.indptr, seen.indices, block.exclude_seen,
                       np.float32(0), seen.n_columns, codes, scores)  # fmt: skip
        return codes, scores

    def _reasons(self, user: int, item: int) -> tuple[str, list[Any], np.ndarray]:
        part = slice(self.seen_.indptr[user], self.seen_.indptr[user + 1])
        own = self.seen_.indices[part]
        listed = np.arange(self.neighbors_.codes.shape[1]) < self.neighbors_.lengths[own, None]
        hit = (self.neighbors_.codes[own] == item) & listed
        weights = np.where(hit, self.neighbors_.weights[own], 0).sum(axis=1) * self.values_[part]
        return "item", self.items_.decode(own[hit.any(axis=1)]).to_list(), weights[hit.any(axis=1)]

    def _state(self) -> dict[str, np.ndarray]:
        near = self.neighbors_
        return {"codes": near.codes, "weights": near.weights, "lengths": near.lengths, "values": self.values_}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.neighbors_ = Neighbors(arrays["codes"], arrays["weights"], arrays["lengths"])
        self.values_ = arrays["values"]
