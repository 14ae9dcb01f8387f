"""Deterministic constrained sorting: DetGreedy, DetCons and DetRelaxed (Geyik, Ambler, Kenthapadi 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError
from reclens.models._core.form import Form, codes, numbers
from reclens.pipeline.rerank._base import RankedLists, Reranker, places_of
from reclens.pipeline.rerank._group_kernels import best_by_group, constrained_places
from reclens.pipeline.rerank._groups import check_head_share, groups_of, target_shares
from reclens.pipeline.rerank._kernels import fill_rest
from reclens.schema import Vocabulary

__all__ = ["ConstrainedSort"]

METHODS = ("greedy", "conservative", "relaxed")


@dataclass(kw_only=True)
class ConstrainedSort(Reranker):
    """Every prefix of i places has between ⌊p i⌋ and ⌈p i⌉ items of each group with a target share of p.

    Place by place: where a group is below its ⌊p i⌋, the most relevant item of such groups is taken. Else one of the
    groups below their ⌈p i⌉ is: ``greedy`` (DetGreedy) takes the most relevant item of them, ``conservative`` (DetCons)
    that of the group with the smallest ⌈p i⌉ ÷ p, which is the one that falls behind first, and ``relaxed``
    (DetRelaxed) the most relevant among the groups with the smallest ⌈⌈p i⌉ ÷ p⌉. DetGreedy meets the lower bounds
    for up to three groups and can miss them for more; the other two are for those. A group that has run out of
    candidates is passed over.

    Use when: several groups are to appear in given shares throughout each list, such as those of the catalogue.
    Misleads when: the candidates of a user do not hold the groups in these shares; the list is then what is left, and
    relevance is not traded for fairness but given up wherever a bound asks for it.

    Attributes:
        attribute: Column of the items table with one value an item; ``"popularity"`` is head and tail.
        target: ``"candidates"``, the shares among the candidates of each user; ``"catalogue"``; ``"history"``, the
            shares of the training interactions; or group -> share, where a group without is only taken if none else is
            left.
        method: ``greedy``, ``conservative`` or ``relaxed``.
        head_share: Share of the training interactions that makes the head, under ``"popularity"``.

    References:
        Geyik, Ambler, Kenthapadi (2019), Fairness-aware ranking in search and recommendation systems with application
        to LinkedIn talent search; KDD, algorithms 1 and 2.
    """

    kind: ClassVar[str] = "constrained_sort"

    attribute: str = "popularity"
    target: str | Mapping[str, float] = "candidates"
    method: str = "relaxed"
    head_share: float = 0.8

    def _check(self) -> None:
        check_head_share(self.kind, self.head_share)
        if self.method not in METHODS:
            raise UnknownNameError("method of constrained_sort", self.method, METHODS)
        if isinstance(self.target, str) and self.target not in (known := ("candidates", "catalogue", "history")):
            raise UnknownNameError("target of constrained_sort", self.target, known)

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        groups = groups_of(self.kind, self.attribute, self.head_share, train, items)
        self.group_ = groups.single(self.kind, self.attribute)
        self.target_ = np.zeros(len(groups.labels))
        if self.target != "candidates":
            self.target_ = np.nan_to_num(target_shares(self.kind, self.target, groups, train, items))

    def form(self) -> Mapping[str, Form]:
        """What the learned arrays have to be."""
        return {"group_": codes("items", of="groups"), "target_": numbers("groups", dtype="float64", low=0, high=1)}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with the groups in their shares, from the first place on."""
        order, width = places_of(lists)
        groups = self.group_[lists.items]
        heads, after = np.empty((len(order), len(self.target_)), np.int64), np.empty_like(order)
        best_by_group(lists.listed, groups, heads, after)
        constrained_places(heads, after, self._shares(lists, groups), METHODS.index(self.method), width, order)
        fill_rest(order, width)
        return lists.reordered(order)

    def _shares(self, lists: RankedLists, groups: np.ndarray) -> np.ndarray:
        """The target of each list, float64, shape (n, groups)."""
        n, width = len(groups), len(self.target_)
        if self.target != "candidates":
            return np.repeat(self.target_[None], n, axis=0)
        rows = np.nonzero(lists.listed)[0]
        counts = np.bincount(rows * width + groups[lists.listed], minlength=n * width).reshape(n, width)
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
