"""xQuAD for the long tail: as many tail items as the user's own history has (Abdollahpouri, Burke, Mobasher 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError
from reclens.models._core.form import Form, flags
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight
from reclens.pipeline.rerank._greedy import greedy_order
from reclens.schema import Vocabulary

__all__ = ["XQuAD"]


@dataclass(kw_only=True)
class XQuAD(Reranker):
    """Place by place the item with the highest (1 - weight) × relevance + weight × P(c | u) × (1 - covered(c)).

    c is the item's class, short head or long tail; P(c | u) is the share of the user's history in it. ``covered`` is,
    under ``smooth``, the share of the items placed so far that are of the class, and, under ``binary``, 1 as soon as
    one is. The short head is the smallest set of most popular items that holds ``head_share`` of the training
    interactions.

    Attributes:
        weight: 0 keeps the ranker's order, 1 looks at the classes alone.
        mode: ``smooth`` or ``binary``.
        head_share: Share of the interactions that makes the short head, 0 … 1.

    References:
        Abdollahpouri, Burke, Mobasher (2019), Managing popularity bias in recommender systems with personalized
        re-ranking; after Santos, Macdonald, Ounis (2010), Exploiting query reformulations for web search result
        diversification.
    """

    kind: ClassVar[str] = "xquad"

    weight: float = 0.5
    mode: str = "smooth"
    head_share: float = 0.8

    def _check(self) -> None:
        check_weight(self.kind, self.weight)
        if self.mode not in ("smooth", "binary"):
            raise UnknownNameError("mode of xquad", self.mode, ("smooth", "binary"))
        if not 0 < self.head_share < 1:
            raise UsageError(f"xquad: head_share is {self.head_share}, expected a number between 0 and 1, such as 0.8.")

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        counts = np.zeros(len(items), np.int64)
        known = train.matrix()
        counts[items.encode(train.item_vocabulary.ids)] = np.bincount(known.indices, minlength=known.n_columns)
        order = np.argsort(-counts, kind="stable")
        before = np.cumsum(counts[order]) - counts[order]
        self.tail_ = np.empty(len(items), bool)
        self.tail_[order] = before >= self.head_share * counts.sum()

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"tail_": flags("items")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with their first k places chosen one after the other."""
        tail = np.where(lists.listed, self.tail_[lists.items], False)
        likes_tail = self._tail_share(lists)[:, None]
        preference = np.where(tail, likes_tail, 1 - likes_tail)
        relevance = (1 - self.weight) * lists.relevance
        placed = np.zeros((len(tail), 2))  # items placed of the head, and of the tail
        rows = np.arange(len(tail))

        def gains(last: np.ndarray | None) -> np.ndarray:
            if last is not None:
                placed[rows, tail[rows, last].astype(np.int64)] += 1
            total = np.maximum(placed.sum(axis=1, keepdims=True), 1)
            covered = placed / total if self.mode == "smooth" else (placed > 0).astype(np.float64)
            return relevance + self.weight * preference * (1 - np.where(tail, covered[:, 1:], covered[:, :1]))

        return lists.reordered(greedy_order(lists, gains))

    def _tail_share(self, lists: RankedLists) -> np.ndarray:
        """Share of the long tail in each user's history, shape (n,); in the whole catalogue's, for one without."""
        seen = lists.seen
        rows = np.repeat(np.arange(seen.n_rows), np.diff(seen.indptr))
        hits = np.bincount(rows, self.tail_[seen.indices], seen.n_rows)
        shares = hits / np.maximum(np.diff(seen.indptr), 1)
        overall = float(hits.sum() / max(len(seen.indices), 1))
        return np.where(lists.users >= 0, shares[lists.users], overall)
