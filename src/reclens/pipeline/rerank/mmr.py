"""Maximal marginal relevance: relevant, and unlike what already stands above (Carbonell and Goldstein 1998)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.models._core.form import Form, numbers
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, item_labels
from reclens.pipeline.rerank._greedy import greedy_order
from reclens.schema import Vocabulary

__all__ = ["MMR"]


@dataclass(kw_only=True)
class MMR(Reranker):
    """Place by place the item with the highest (1 - weight) × relevance - weight × similarity.

    Relevance is the score on 0 … 1 within the list; similarity is the highest cosine with an item placed above, over
    the labels of ``attribute``. An item without labels is like nothing. Only the first k places are chosen so; the
    other candidates follow as they were.

    Attributes:
        weight: 0 keeps the ranker's order, 1 looks at diversity alone.
        attribute: Column of the items table with the labels; None for its only list-valued one.
    """

    kind: ClassVar[str] = "mmr"

    weight: float = 0.3
    attribute: str | None = None

    def _check(self) -> None:
        check_weight(self.kind, self.weight)

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        labels = item_labels(self.kind, train, items, self.attribute)
        length = np.sqrt((labels**2).sum(axis=1, keepdims=True))
        self.vectors_ = np.divide(labels, length, out=np.zeros_like(labels), where=length > 0)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"vectors_": numbers("items", "labels", low=0)}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with their first k places chosen one after the other."""
        vectors = self.vectors_[lists.items]
        relevance = (1 - self.weight) * lists.relevance
        nearest = np.zeros(lists.items.shape)
        rows = np.arange(len(lists.items))

        def gains(last: np.ndarray | None) -> np.ndarray:
            if last is not None:
                similarity = np.matmul(vectors, vectors[rows, last][:, :, None])[:, :, 0]
                np.maximum(nearest, similarity, out=nearest)
            return relevance - self.weight * nearest

        return lists.reordered(greedy_order(lists, gains))
