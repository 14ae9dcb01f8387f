"""Amortised fairness: over many lists, items get attention in proportion to relevance (Biega et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.models._core.form import Form, codes, numbers
from reclens.pipeline.rerank._attention import check_attention, place_weights
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, places_of, scaled
from reclens.pipeline.rerank._group_kernels import amortised_places
from reclens.pipeline.rerank._groups import check_head_share, groups_of
from reclens.pipeline.rerank._kernels import fill_rest
from reclens.schema import Vocabulary

__all__ = ["Amortised"]


@dataclass(kw_only=True)
class Amortised(Reranker):
    """List after list, what was owed attention so far comes first: (1 - weight) × relevance + weight × deficit.

    Each list gives one unit of attention to its places, and its candidates have one unit of relevance: their scores on
    0 … 1, divided by the sum. The deficit of an item, or of a group, is its relevance less its attention over all lists
    so far, this one's relevance counted; it counts in units of a first place, within -1 … 1. With a weight of 1, each
    list is the one that brings Σ |relevance - attention| down most. Lists are gone through in the order given, as
    requests arrive; the deficit of a user's list depends on the lists before.

    :meth:`rerank` starts from the account of the days before and does not change it; :meth:`settle` adds a day of lists
    to it. The account is saved with the pipeline.

    Use when: no single list can be fair, since one item is first, and many lists are shown. Misleads when: the scores
    say little of relevance, since what is amortised is the ranker's own opinion; items that it is wrong about stay
    where they are.

    Attributes:
        weight: 0 keeps the ranker's order, 1 looks at the deficit alone.
        attribute: Column of the items table with one value an item, whose groups have an account each; ``"popularity"``
            is head and tail. None: an account for each item.
        attention: Position weights, one a rank, such as those estimated from a log; empty for 1 ÷ log2(1 + rank).
        head_share: Share of the training interactions that makes the head, under ``"popularity"``.

    References:
        Biega, Gummadi, Weikum (2018), Equity of attention: amortizing individual fairness in rankings; SIGIR. There,
        each list solves an integer programme under a floor of its NDCG; here the weight holds relevance against the
        deficit, which is sorted by.
    """

    kind: ClassVar[str] = "amortised"
    together: ClassVar[bool] = True

    weight: float = 0.3
    attribute: str | None = None
    attention: Sequence[float] = ()
    head_share: float = 0.8

    def _check(self) -> None:
        check_weight(self.kind, self.weight)
        check_head_share(self.kind, self.head_share)
        check_attention(self.kind, self.attention)

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        if self.attribute is None:
            self.account_ = np.arange(len(items), dtype=np.int32)
            self.deficit_ = np.zeros(len(items))
        else:
            groups = groups_of(self.kind, self.attribute, self.head_share, train, items)
            self.account_ = groups.single(self.kind, self.attribute)
            self.deficit_ = np.zeros(len(groups.labels))

    def form(self) -> Mapping[str, Form]:
        """What the learned arrays have to be."""
        return {"account_": codes("items", of="accounts"), "deficit_": numbers("accounts", dtype="float64")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists in turn, each paying back what is owed; the account stays as it is."""
        return self._run(lists)[0]

    def settle(self, lists: RankedLists) -> RankedLists:
        """The lists as :meth:`rerank` gives them, and their attention and relevance are added to the account.

        Args:
            lists: The lists of a day as the ranker made them.
        """
        found, self.deficit_ = self._run(lists)
        return found

    def _run(self, lists: RankedLists) -> tuple[RankedLists, np.ndarray]:
        order, width = places_of(lists)
        attention = place_weights(self.kind, self.attention, width)
        deficit = self.deficit_.copy()
        if width:
            share = attention / attention.sum()
            accounts = self.account_[lists.items]
            amortised_places(lists.listed, accounts, scaled(lists, 1.0), share, deficit, self.weight, width, order)
        fill_rest(order, width)
        return lists.reordered(order), deficit
