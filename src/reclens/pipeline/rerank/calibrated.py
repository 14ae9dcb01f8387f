"""Calibrated re-ranking: lists with the genres of the user's history (Steck 2018, Calibrated recommendations)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._core.form import Form, numbers
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, item_labels
from reclens.pipeline.rerank._greedy import greedy_order
from reclens.schema import Vocabulary

__all__ = ["Calibrated"]


@dataclass(kw_only=True)
class Calibrated(Reranker):
    """Place by place the item with the highest (1 - weight) × relevance - weight × KL(p, q̃).

    p is the mean share of each label over the user's history, q that over the items placed so far with the candidate,
    q̃ = (1 - alpha) q + alpha p; an item with n labels gives each 1/n. This is Steck's greedy maximisation of his
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
        p = self._history(lists)
        known = ~np.isnan(p[:, 0]) if p.shape[1] else np.zeros(len(p), bool)
        p = np.nan_to_num(p)
        shares = np.where(lists.listed[:, :, None], self.shares_[lists.items], 0.0)
        labelled = shares.sum(axis=2) > 0
        placed, count = np.zeros((len(p), p.shape[1])), np.zeros(len(p))
        relevance = (1 - self.weight) * lists.relevance
        rows = np.arange(len(p))
        constant = (p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)

        def gains(last: np.ndarray | None) -> np.ndarray:
            if last is not None:
                placed[rows] += shares[rows, last]
                count[rows] += labelled[rows, last]
            with_it = placed[:, None, :] + shares
            n = np.maximum(count[:, None] + labelled, 1)[:, :, None]
            blended = (1 - self.alpha) * with_it / n + self.alpha * p[:, None, :]
            # Where p is 0 the term is 0, whatever q is.
            crossed = (p[:, None, :] * np.log(np.where(p[:, None, :] > 0, blended, 1.0))).sum(axis=2)
            return relevance - self.weight * (constant[:, None] - crossed) * known[:, None]

        return lists.reordered(greedy_order(lists, gains))

    def _history(self, lists: RankedLists) -> np.ndarray:
        """Shares of the labels over each user's history, shape (n, labels); NaN where it has none."""
        n, width = len(lists.users), self.shares_.shape[1]
        total, count = np.zeros((n, width)), np.zeros(n)
        for at, user in enumerate(lists.users):
            if user >= 0:
                own = self.shares_[lists.seen.indices[lists.seen.indptr[user] : lists.seen.indptr[user + 1]]]
                total[at], count[at] = own.sum(axis=0), (own.sum(axis=1) > 0).sum()
        return np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)
