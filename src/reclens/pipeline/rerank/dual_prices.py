"""Exposure constraints over all lists together: one price a group of items, by Lagrangian duality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError
from reclens.models._core.form import Form, bytes_, codes, numbers
from reclens.pipeline.rerank._attention import check_attention, place_weights
from reclens.pipeline.rerank._base import RankedLists, Reranker, check_weight, places_of, scaled
from reclens.pipeline.rerank._group_kernels import best_by_group, priced_places
from reclens.pipeline.rerank._groups import check_head_share, groups_of, target_shares
from reclens.pipeline.rerank._kernels import fill_rest
from reclens.schema import Vocabulary

__all__ = ["DualPrices"]

_ROUNDS = 150
_STEP = 0.05
"""The first step of a price; relevance is 0 … 1."""
_HIGHEST = 10.0
"""Relevance spans 1, so that a price of 1 for all of an item moves it past any other; more is for items with several
labels, of which a price reaches a part."""
_CLOSE = 5e-4
"""Share of the exposure by which a floor may be missed."""


@dataclass(kw_only=True)
class DualPrices(Reranker):
    """The lists with the most relevance, weighted by place, in which each group has a share of all exposure.

    Maximises Σ over lists Σ over places v_j × relevance, subject to: the share of each group in Σ v_j, over all lists
    together, is at least its floor. The constraint is relaxed by a price μ ≥ 0 for each group (Lagrange multipliers):
    for given prices each list is sorted by relevance + μ of the item's groups, and the prices are raised where a floor
    is missed and lowered where it is passed, until the shares are met to 0.05 %. Lists at these prices have more
    relevance than any others with the same exposure of the priced groups (Everett 1963). The floor is (1 - weight) ×
    the share that the group has in the lists as they come + weight × its target.

    All lists of a request are priced together. A request for one user has no prices of its own: take those of a large
    run by :meth:`find_prices` and give them as ``prices``.

    Use when: a share of all exposure is promised to groups (sellers, the tail), and not a share of each list: users who
    like the group's items see more of them, which costs less relevance than the same rule for everybody. Misleads
    when: the candidates hold too little of a group: the floor is then missed at any price, which :meth:`shares` shows.

    Attributes:
        attribute: Column of the items table; an item with several labels gives each an equal share of its exposure, and
            its price is their mean. ``"popularity"`` is head and tail.
        target: ``"catalogue"``, the shares of the items; ``"history"``, of the training interactions; or group ->
            share.
        weight: How far to go: 0 keeps the lists as they are, 1 goes to the target.
        prices: Group -> price, instead of looking for them; groups without cost nothing.
        attention: Position weights, one a rank, such as those estimated from a log; empty for 1 ÷ log2(1 + rank).
        head_share: Share of the training interactions that makes the head, under ``"popularity"``.

    References:
        Everett (1963), Generalized Lagrange multiplier method for solving problems of optimum allocation of resources;
        Operations Research 11.
        Singh, Joachims (2018), Fairness of exposure in rankings; KDD, for the constraint within a list.
        Xu, Chen, Xu, Shen, Zheng, Wen (2023), P-MMF: provider max-min fairness re-ranking in recommender system; WWW,
        for dual prices of groups over all users.
    """

    kind: ClassVar[str] = "dual_prices"
    together: ClassVar[bool] = True

    attribute: str = "popularity"
    target: str | Mapping[str, float] = "catalogue"
    weight: float = 0.5
    prices: Mapping[str, float] = field(default_factory=dict)
    attention: Sequence[float] = ()
    head_share: float = 0.8

    def _check(self) -> None:
        check_weight(self.kind, self.weight)
        check_head_share(self.kind, self.head_share)
        check_attention(self.kind, self.attention)
        for label, price in self.prices.items():
            if not np.isfinite(price):
                raise UsageError(f"dual_prices: the price of '{label}' is {price}, expected a finite number.")

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        groups = groups_of(self.kind, self.attribute, self.head_share, train, items)
        for label in self.prices:
            if label not in groups.labels:
                raise UnknownNameError("group of dual_prices", label, groups.labels)
        # Items with the same groups have the same price: they are one class.
        self.shares_, found = np.unique(groups.shares, axis=0, return_inverse=True)
        self.class_ = found.ravel().astype(np.int32)
        target = target_shares(self.kind, self.target, groups, train, items)
        self.target_ = np.where(np.isnan(target), -1.0, target)
        self.labels_ = np.frombuffer(json.dumps(groups.labels).encode(), np.uint8)

    def form(self) -> Mapping[str, Form]:
        """What the learned arrays have to be."""
        return {
            "shares_": numbers("classes", "groups", low=0, high=1),
            "class_": codes("items", of="classes"),
            "target_": numbers("groups", dtype="float64", low=-1, high=1),
            "labels_": bytes_("label_bytes"),
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups, in the order of the target."""
        return tuple(json.loads(self.labels_.tobytes()))

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists at the given prices, or at those of these lists."""
        market = _Market(self, lists)
        market.sell(self._given(market))
        fill_rest(market.order, market.width)
        return lists.reordered(market.order)

    def find_prices(self, lists: RankedLists) -> dict[str, float]:
        """The prices at which lists meet the floors, group -> price.

        Args:
            lists: The lists of many users, as the ranker made them.
        """
        return dict(zip(self.labels, _Market(self, lists).prices().tolist(), strict=True))

    def shares(self, lists: RankedLists) -> dict[str, tuple[float, float | None, float]]:
        """The share of each group in the exposure: before, the floor (None where there is none), and after.

        Args:
            lists: The lists as the ranker made them.
        """
        market = _Market(self, lists)
        floors = market.floors()
        before, after = market.sell(np.zeros(len(floors))), market.sell(self._given(market))
        asked = [None if np.isnan(each) else float(each) for each in floors]
        return dict(zip(self.labels, zip(before.tolist(), asked, after.tolist(), strict=True), strict=True))

    def _given(self, market: _Market) -> np.ndarray:
        if self.prices:
            return np.array([self.prices.get(label, 0.0) for label in self.labels])
        return market.prices()


class _Market:
    """Some lists, and what exposure they give to groups at prices."""

    def __init__(self, reranker: DualPrices, lists: RankedLists) -> None:
        self.order, self.width = places_of(lists)
        self.weights = place_weights(reranker.kind, reranker.attention, self.width)
        self.shares = reranker.shares_.astype(np.float64)
        self.target, self.weight = reranker.target_, reranker.weight
        self.relevance = scaled(lists, 1.0)
        self.heads = np.empty((len(self.order), len(self.shares)), np.int64)
        self.after = np.empty_like(self.order)
        best_by_group(lists.listed, reranker.class_[lists.items], self.heads, self.after)

    def sell(self, prices: np.ndarray) -> np.ndarray:
        """Choose the places at prices of groups; the share of each group in the exposure, float64, shape (groups,)."""
        exposure = np.zeros(len(self.shares))
        priced_places(
            self.heads,
            self.after,
            self.relevance,
            self.shares @ prices,
            self.weights,
            exposure,
            self.width,
            self.order,
        )
        return exposure @ self.shares / max(exposure.sum(), 1e-300)

    def floors(self) -> np.ndarray:
        """The share that each group should have at least; NaN where nothing is asked for."""
        before = self.sell(np.zeros(self.shares.shape[1]))
        return np.where(self.target < 0, np.nan, (1 - self.weight) * before + self.weight * self.target)

    def prices(self) -> np.ndarray:
        """Prices that meet the floors; where no prices do, those that miss them least.

        Every price is moved by a step of its own, which grows while the floor stays on one side and is halved where it
        has been crossed: bisection in all groups at once (Riedmiller and Braun 1993, Rprop).
        """
        floors = self.floors()
        asked = ~np.isnan(floors)
        prices, step = np.zeros(len(floors)), np.full(len(floors), _STEP)
        best, least, last = prices.copy(), np.inf, np.zeros(len(floors))
        if not self.weight:
            return prices
        for _ in range(_ROUNDS):
            short = np.where(asked, floors - self.sell(prices), 0.0)
            missed = float(np.maximum(np.where(prices > 0, np.abs(short), short), 0.0).max(initial=0.0))
            if missed < least:
                best, least = prices.copy(), missed
            if missed <= _CLOSE:
                break
            turned, same = short * last < 0, short * last > 0
            step = np.where(turned, 0.5 * step, np.where(same, np.minimum(1.2 * step, 0.5), step))
            prices = np.clip(prices + np.sign(short) * step * asked, 0.0, _HIGHEST)
            last = short
        return best
