"""Popularity discount: the score divided by a power of the popularity, for lists with less popular items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._core.form import Form, numbers
from reclens.pipeline.rerank._base import RankedLists, Reranker
from reclens.pipeline.rerank._groups import training_users
from reclens.schema import Vocabulary

__all__ = ["PopularityDiscount"]


@dataclass(kw_only=True)
class PopularityDiscount(Reranker):
    """Items in the order of score ÷ (popularity + 1)^beta; popularity is the number of training users.

    A score below 0 has no meaningful ratio: a list that holds one is first moved up, so that its lowest score is 0.

    Use when: lists should be less popular for everybody and one number is to be turned; it is the cheapest of the
    mitigations, and works on all the candidates. Misleads when: the scores of the ranker have no natural zero, since
    the ratio depends on it; and the tail is helped where the scores are close, and not where a group needs it.

    Attributes:
        beta: Power; 0 keeps the ranker's order, and 0.1 to 0.3 are usual.

    References:
        Steck (2011), Item popularity and recommendation accuracy; RecSys, on the power of the popularity.
        Abdollahpouri, Burke, Mobasher (2019), Managing popularity bias in recommender systems with personalized
        re-ranking.
    """

    kind: ClassVar[str] = "popularity_discount"

    beta: float = 0.1

    def _check(self) -> None:
        if not 0 <= self.beta < np.inf:
            raise UsageError(f"popularity_discount: beta is {self.beta}, expected 0 or more, such as 0.1.")

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        self.popularity_ = training_users(train, items)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"popularity_": numbers("items", dtype="int64", low=0)}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists by discounted scores; equal ones as they stood."""
        scores = np.where(lists.listed, lists.scores, np.inf).astype(np.float64)
        low = np.minimum(scores.min(axis=1, keepdims=True, initial=0.0), 0.0)
        discount = (self.popularity_[lists.items] + 1.0) ** self.beta
        worth = np.where(lists.listed, (scores - low) / discount, -np.inf)
        return lists.reordered(np.argsort(-worth, axis=1, kind="stable"))
