"""xQuAD for the long tail: as many tail items as the user's own history has (Abdollahpouri, Burke, Mobasher 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError
from reclens.models._core.form import Form, flags
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, places_of, scaled
from reclens.pipeline.rerank._groups import check_head_share, long_tail, training_users
from reclens.pipeline.rerank._kernels import fill_rest, history_shares, xquad_places
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
        check_head_share(self.kind, self.head_share)

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        self.tail_ = long_tail(training_users(train, items), self.head_share)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"tail_": flags("items")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with their first k places chosen one after the other."""
        order, width = places_of(lists)
        tail, relevance = self.tail_[lists.items], scaled(lists, 1 - self.weight)
        shares = self._tail_share(lists)
        xquad_places(lists.listed, tail, relevance, shares, self.weight, self.mode == "smooth", width, order)
        fill_rest(order, width)
        return lists.reordered(order)

    def _tail_share(self, lists: RankedLists) -> np.ndarray:
        """Share of the long tail in each user's history, shape (n,); in the whole catalogue's, for one without."""
        seen, found = lists.seen, np.zeros((len(lists.users), 2))
        classes = np.stack([~self.tail_, self.tail_], axis=1).astype(np.float32)
        history_shares(lists.users, seen.indptr, seen.indices, classes, found)
        unknown = np.isnan(found[:, 1])
        if unknown.any():
            found[unknown, 1] = self.tail_[seen.indices].mean() if len(seen.indices) else 0.0
        return np.ascontiguousarray(found[:, 1])
