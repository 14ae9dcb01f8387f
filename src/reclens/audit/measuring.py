"""Measure chunks of lists: the columns of an audit, one value per user."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reclens.audit.distances import list_distances, shares
from reclens.audit.item_groups import ItemGroups
from reclens.evaluation.context import EvaluationContext
from reclens.evaluation.measuring import lists_of, user_values
from reclens.evaluation.passes import CodedLists
from reclens.metrics.conventions import CONVENTIONS
from reclens.metrics.matching import match
from reclens.metrics.registry import MetricSpec
from reclens.stats.summary import Summary

__all__ = [
    "LIST_POPULARITY",
    "POPULARITY",
    "PROFILE_POPULARITY",
    "REACHES",
    "SCORE_BINS",
    "MeasuredPart",
    "MeasuringPlan",
    "Quantity",
    "column_of",
    "needs_history",
    "needs_truth",
]

POPULARITY: Final = "popularity"
"""The attribute of items that is made from the training data: head, middle and tail."""

Quantity = Literal[
    "shown", "exposure", "hits", "attention", "relevant", "merit", "owned", "profile", "candidates", "retrieved"
]
"""What is summed up by group of items, for each user. ``shown``: items of the list. ``exposure``: their position
weights. ``hits``: relevant items of the list; ``attention``: their position weights. ``relevant``: relevant items;
``merit``: their shares, which add up to 1. ``owned``: items of the history; ``profile``: their shares, adding up to
1; ``candidates``: items of the catalogue that the user does not have. Merit and profile are not defined for users
without relevant items, or without a history. ``retrieved``: items among the places that the scores chose."""

REACHES: Final = ("data", "scores", "lists")
"""Columns ``reach|stage``: share of a user's relevant items that the catalogue has, that the scores chose, and that
stand in the first k places."""

SCORE_BINS: Final = 10
"""Bins of equal width of scores that are probabilities; columns ``score|bin|part``, and ``score|all|part`` of all: how
many ``places`` have a score, the sum of their ``scores``, and how many hold a relevant item, ``hits``."""

LIST_POPULARITY: Final = "list_popularity"
"""Column: mean over a list of the share of the other training users who have the item; needs training data."""
PROFILE_POPULARITY: Final = "profile_popularity"
"""Column: the same over the user's own history."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredPart:
    """The results of a chunk."""

    values: np.ndarray
    summary: Summary
    shown: np.ndarray
    items: np.ndarray | None
    scores: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuringPlan:
    """The shared input of all chunks."""

    context: EvaluationContext
    specs: tuple[MetricSpec, ...]
    groups: Mapping[str, ItemGroups]
    k: int
    retrieved: int
    weights: np.ndarray
    has_truth: bool
    has_scores: bool
    keeps_items: bool
    replicates: int
    seed: int

    def measure(self, coded: CodedLists) -> MeasuredPart:
        """The sums of some users."""
        context, users = self.context, coded.users
        lists = lists_of(context, coded)
        columns = {
            spec.text: self._defined(user_values(spec, lists, CONVENTIONS["trec"]), spec, users) for spec in self.specs
        }
        values = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(users), 0))
        items = np.ascontiguousarray(coded.items[:, : self.k])
        hits = lists.hits[:, : self.k]
        for attribute, groups in self.groups.items():
            found = self._of(groups, users, items, hits)
            for quantity, table in found.items():
                columns |= {
                    column_of(quantity, attribute, label): table[:, at] for at, label in enumerate(groups.labels)
                }
            columns |= {f"{kind}|{attribute}": each for kind, each in list_distances(groups, items, found).items()}
            if self.retrieved:
                table = groups.of_lists(coded.items[:, : self.retrieved], np.ones(self.retrieved))
                names = (column_of("retrieved", attribute, label) for label in groups.labels)
                columns |= dict(zip(names, table.T, strict=True))
        columns |= self._popularity(users, items) | self._reaches(users, lists.hits) | self._scores(coded, hits)
        cells = {by: (labels, codes[users]) for by, (labels, codes) in context.groups.items()}
        summary = Summary.of(
            context.keys[users],
            columns or {"": np.ones(len(users))},
            groups=cells,
            replicates=self.replicates,
            seed=self.seed,
            threads=1,
        )
        shown = np.bincount(items[items >= 0], minlength=len(context.items))
        ends = math.inf, -math.inf
        if coded.scores is not None and coded.length.any():
            given = coded.scores[:, : self.k][np.arange(self.k) < coded.length[:, None]]
            ends = float(given.min()), float(given.max())
        return MeasuredPart(
            values=values, summary=summary, shown=shown, items=items if self.keeps_items else None, scores=ends
        )

    def _defined(self, values: np.ndarray, spec: MetricSpec, users: np.ndarray) -> np.ndarray:
        """Set accuracy to NaN for users without relevant items, who are audited only for their lists."""
        if "truth" not in spec.info.needs:
            return values
        return np.where(self.context.n_relevant[users] > 0, values, np.nan)

    def _popularity(self, users: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Mean popularity of what each user is shown and has, as shares of the other users; NaN without any."""
        profiles, catalogue = self.context.profiles, self.context.catalogue
        if profiles is None:
            return {}
        count = np.append(np.where(catalogue.in_catalogue, catalogue.popularity, 0), 0).astype(np.float64)
        own, known = profiles.part(users), np.append(catalogue.in_catalogue, False)[items]
        # Exclude the user, whose own history makes its items more popular.
        others = np.maximum(catalogue.n_users - (own.sizes > 0), 1)
        mine = match(items, users, profiles.indptr, profiles.items, np.ones(len(profiles.items)))
        total = np.bincount(own.owners, np.maximum(count[own.items] - 1, 0), minlength=len(users))
        return {
            LIST_POPULARITY: _ratio((count[items] - mine).sum(axis=1) / others, known.sum(axis=1)),
            PROFILE_POPULARITY: _ratio(total / others, own.sizes),
        }

    def _reaches(self, users: np.ndarray, hits: np.ndarray) -> dict[str, np.ndarray]:
        """Number of relevant items of each user that remain at each stage; NaN for users without any."""
        if not (self.retrieved and self.has_truth):
            return {}
        context = self.context
        inside = np.concatenate([[0], np.cumsum(context.catalogue.in_catalogue[context.relevant])])
        left = {
            "data": inside[context.indptr[users + 1]] - inside[context.indptr[users]],
            "scores": hits[:, : self.retrieved].sum(axis=1),
            "lists": hits[:, : self.k].sum(axis=1),
        }
        return {f"reach|{stage}": _ratio(count, context.n_relevant[users]) for stage, count in left.items()}

    def _scores(self, coded: CodedLists, hits: np.ndarray) -> dict[str, np.ndarray]:
        """Places, scores and hits of each user, in bins of the score; NaN for users without truth, or without any."""
        if not (self.has_scores and self.has_truth):
            return {}
        shape = coded.items[:, : self.k].shape
        scores = np.full(shape, np.nan) if coded.scores is None else coded.scores[:, : self.k]
        known = ~np.isnan(scores) & (self.context.n_relevant[coded.users] > 0)[:, None]
        filled = np.where(known, scores, -1.0)
        at = np.minimum((np.clip(filled, 0, 1) * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        columns = {}
        bins = {"all": known} | {str(each): known & (at == each) for each in range(SCORE_BINS)}
        for name, inside in bins.items():
            n = inside.sum(axis=1)
            sums = {"places": n, "scores": (inside * filled).sum(axis=1), "hits": (inside & hits).sum(axis=1)}
            columns |= {f"score|{name}|{part}": np.where(n > 0, each, np.nan) for part, each in sums.items()}
        return columns

    def _of(
        self, groups: ItemGroups, users: np.ndarray, items: np.ndarray, hits: np.ndarray
    ) -> dict[Quantity, np.ndarray]:
        context = self.context
        found: dict[Quantity, np.ndarray] = {
            "shown": groups.of_lists(items, np.ones(self.k)),
            "exposure": groups.of_lists(items, self.weights),
        }
        if self.has_truth:
            found["hits"] = groups.of_lists(items, hits.astype(np.float64))
            found["attention"] = groups.of_lists(items, hits * self.weights)
            found["relevant"] = groups.of_rows(users, context.indptr, context.relevant)
            found["merit"] = shares(found["relevant"])
        if context.profiles is not None:
            found["owned"] = groups.of_rows(users, context.profiles.indptr, context.profiles.items)
            found["profile"] = shares(found["owned"])
        return found


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Means; NaN for empty groups."""
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def needs_truth(quantity: Quantity) -> bool:
    """Whether a quantity needs relevant items."""
    return quantity in ("hits", "attention", "relevant", "merit")


def needs_history(quantity: Quantity) -> bool:
    """Whether a quantity needs training data."""
    return quantity in ("owned", "profile", "candidates")


def column_of(quantity: Quantity, attribute: str, label: str) -> str:
    """The column of a quantity in a group of items."""
    return f"{quantity}|{attribute}|{label}"
