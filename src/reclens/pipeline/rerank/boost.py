"""Boost what the business wants seen, within a cap: at most so many items of a list, by so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import Advice, Setting, UsageError
from reclens.models._core.form import Form, flags
from reclens.pipeline.rerank._base import RankedLists, Reranker
from reclens.pipeline.rerank._where import items_where
from reclens.schema import Vocabulary

__all__ = ["Boost"]


@dataclass(kw_only=True)
class Boost(Reranker):
    """The first ``most`` items of a list that meet ``where`` get ``amount`` added to their relevance.

    Relevance is the score on 0 … 1 within the list, so that an amount of 1 lifts the last item to the height of the
    first. Because only ``most`` items of a list are lifted, no more than that many can stand in it by the boost; the
    order among those lifted, and among the others, stays as it was.

    Attributes:
        where: A requirement on the attributes of the items, such as ``"brand = Acme"``, or several.
        amount: What is added, 0 or more.
        most: How many items of each list are lifted at most.
    """

    kind: ClassVar[str] = "boost"

    where: str | Sequence[str] = ()
    amount: float = 0.1
    most: int = 2

    def _check(self) -> None:
        if not self.where:
            raise UsageError(
                "boost: nothing says what is boosted",
                advice=Advice(
                    "say_boosted", (Setting("where", "brand = Acme", "model"),), "Give a condition such as {where}."
                ),
            )
        if not 0 <= self.amount < np.inf:
            raise UsageError(f"boost: amount is {self.amount}, expected 0 or more; 1 lifts the last to the first.")
        if self.most < 1:
            raise UsageError(f"boost: most is {self.most}, expected 1 or more items of each list.")

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        self.wanted_ = items_where(self.kind, self.where, train, items)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"wanted_": flags("items")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with some items lifted."""
        wanted = self.wanted_[lists.items] & lists.listed
        lifted = wanted & (np.cumsum(wanted, axis=1) <= self.most)
        return lists.reordered(np.argsort(-(lists.relevance + self.amount * lifted), axis=1, kind="stable"))
