"""Calibrated re-ranking: lists with the genres of the user's history (Steck 2018, Calibrated recommendations)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._core.form import Form, numbers
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, item_labels, places_of, scaled
from reclens.pipeline.rerank._kernels import calibrated_places, fill_rest, history_shares
from reclens.schema import Vocabulary

__all__ = ["Calibrated"]


@dataclass(kw_only=True)
class Calibrated(Reranker):
    """Place by place the item with the highest (1 - weight) × relevance - weight × KL(p, q̃).

    p is the mean share of each label over the user's history, q that over the items placed so far with the candidate,
    q̃ = (1 - alpha) q + alpha p; an item with n labels gives each 1/n. This is Steck's greedy maximisation of its
    equation 7, with equal weights of the places; it is what the metric miscalibration measures. Lists of users whose
    history has no labels stay as they are.

    Attributes:
        weight: 0 keeps the ranker's order, 1 looks at calibration alone.
        attribute: Column of the items table with the labels; None for its only list-valued one.
        alpha: How much of p is blended into q, so that a label that no item has yet does not make KL infinite.
    """

    kind: ClassVar[str] = "calibrated"

    weight: float = 0.5
    attribute: str | None = None
    alpha: float = 0.01

    def _check(self) -> None:
        check_weight(self.kind, self.weight)
        if not 0 < self.alpha < 1:
            raise UsageError(f"calibrated: alpha is {self.alpha}, expected a number between 0 and 1, such as 0.01.")

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        labels = item_labels(self.kind, train, items, self.attribute)
        total = labels.sum(axis=1, keepdims=True)
        self.shares_ = np.divide(labels, total, out=np.zeros_like(labels), where=total > 0)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"shares_": numbers("items", "labels", low=0, high=1)}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with their first k places chosen one after the other."""
        order, width = places_of(lists)
        p = np.zeros((len(lists.users), self.shares_.shape[1]))
        history_shares(lists.users, lists.seen.indptr, lists.seen.indices, self.shares_, p)
        shares, relevance = self.shares_[lists.items], scaled(lists, 1 - self.weight)
        calibrated_places(lists.listed, relevance, shares, p, self.weight, self.alpha, width, order)
        fill_rest(order, width)
        return lists.reordered(order)
