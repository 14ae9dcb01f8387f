"""What a metric sees: the lists of a chunk of users beside their truth, and what is known of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from reclens.errors import Advice, Setting, UsageError

__all__ = ["Catalogue", "Lists", "Profiles"]


@dataclass(frozen=True, eq=False)
class Profiles:
    """What each user has consumed in the training data, compressed by rows; users as in the lists.

    Attributes:
        indptr: int64, shape (users + 1,).
        items: int32 item codes, ascending within a user, shape (nnz,).
    """

    indptr: np.ndarray
    items: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Items consumed, shape (users,)."""
        return np.diff(self.indptr)

    @property
    def owners(self) -> np.ndarray:
        """The row of each item's user, int64, shape (nnz,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.sizes)

    def part(self, users: np.ndarray) -> Profiles:
        """The profiles of some users, in that order."""
        sizes = self.sizes[users]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        at = np.repeat(self.indptr[users] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return Profiles(indptr, self.items[at])


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """What is known of the items, by item code.

    Attributes:
        popularity: Training users of each item, int64, shape (n_items,).
        n_users: Users of the training data.
        in_catalogue: Which items can be recommended, bool, shape (n_items,): others are known from truth alone.
        features: Item vectors, float64, shape (n_items, dimensions), or None; a zero row is an item without features.
        distributions: Non-negative features normalised to shares that add up to 1, same shape, or None.
    """

    popularity: np.ndarray
    n_users: int
    in_catalogue: np.ndarray
    features: np.ndarray | None = None
    distributions: np.ndarray | None = None

    @property
    def n_items(self) -> int:
        """Items that can be recommended."""
        return int(self.in_catalogue.sum())

    @cached_property
    def position(self) -> np.ndarray:
        """Place of each item code among the catalogue's items, int64, shape (len(in_catalogue) + 1,).

        It is ``n_items`` for items outside the catalogue, and at the end, where code -1 looks.
        """
        place = np.full(len(self.in_catalogue) + 1, self.n_items, np.int64)
        place[:-1][self.in_catalogue] = np.arange(self.n_items)
        return place

    @cached_property
    def by_popularity(self) -> np.ndarray:
        """Item codes, the most popular first; ties by code."""
        return np.lexsort((np.arange(len(self.popularity)), -self.popularity)).astype(np.int32)

    @cached_property
    def popularity_rank(self) -> np.ndarray:
        """0 for the most popular item of the catalogue; int64, shape (n_items,).

        Items outside the catalogue, which no popularity list can show, stand behind all others.
        """
        listed = self.by_popularity[self.in_catalogue[self.by_popularity]]
        rank = np.full(len(self.popularity), np.iinfo(np.int32).max, np.int64)
        rank[listed] = np.arange(len(listed))
        return rank

    @cached_property
    def long_tail(self) -> np.ndarray:
        """Items outside the short head, bool, shape (n_items,).

        The head is the smallest set of most popular items that holds 80 % of the interactions (Abdollahpouri, Burke,
        Mobasher 2017).
        """
        counts = self.popularity[self.by_popularity]
        before = np.cumsum(counts) - counts
        tail = np.empty(len(counts), bool)
        tail[self.by_popularity] = 5 * before >= 4 * counts.sum()  # whole numbers: 0.8 has no exact float
        return tail


@dataclass(frozen=True, eq=False, kw_only=True)
class Lists:
    """The lists of n users, as rectangles of depth d.

    Attributes:
        items: Item code at each rank, int32, shape (n, d); -1 past the end of a list and for unknown items.
        gains: Relevance of the item at each rank, float64, shape (n, d); 0 where it is not relevant.
        length: Items in each list, int32, shape (n,), at most d.
        n_relevant: Relevant items of each user, int32, shape (n,); 0 when the truth is unknown.
        ideal: Relevance of the user's d most relevant items, the highest first, shape (n, d); zeros fill up.
        catalogue: The items.
        profiles: What the users have consumed before, or None without training data.
    """

    items: np.ndarray
    gains: np.ndarray
    length: np.ndarray
    n_relevant: np.ndarray
    ideal: np.ndarray
    catalogue: Catalogue
    profiles: Profiles | None = None
    cuts: dict[int, Lists] = field(default_factory=dict, repr=False)

    @property
    def depth(self) -> int:
        """Ranks of the rectangle, d."""
        return self.items.shape[1]

    @property
    def has_list(self) -> np.ndarray:
        """Users with at least one item, bool, shape (n,)."""
        return self.length > 0

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether the item at each rank is relevant, bool, shape (n, d)."""
        return self.gains > 0

    @cached_property
    def n_hits(self) -> np.ndarray:
        """Relevant items in each list, int64, shape (n,)."""
        return self.hits.sum(axis=1)

    @cached_property
    def listed(self) -> np.ndarray:
        """Whether a rank holds an item, bool, shape (n, d)."""
        return np.arange(self.depth) < self.length[:, None]

    def cut(self, k: int | None) -> Lists:
        """The same lists down to rank k; None keeps all."""
        if k is None or k >= self.depth:
            return self
        if k not in self.cuts:
            self.cuts[k] = replace(
                self,
                items=self.items[:, :k],
                gains=self.gains[:, :k],
                length=np.minimum(self.length, k),
                ideal=self.ideal[:, :k],
                cuts={},
            )
        return self.cuts[k]

    def listed_mean(self, item_values: np.ndarray) -> np.ndarray:
        """Mean over a list of a value per item, shape (n,); NaN for lists without an item of the catalogue.

        Items outside the catalogue are left out, also those that the truth of some user names.

        Args:
            item_values: Shape (n_items,).
        """
        code = np.maximum(self.items, 0)
        known = (self.items >= 0) & self.catalogue.in_catalogue[code]
        values = np.where(known, item_values[code], 0.0)
        count = known.sum(axis=1)
        return np.divide(values.sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)

    def require(self, what: str) -> None:
        """Raise unless the lists carry what a metric needs.

        Raises:
            UsageError: Saying which argument of ``evaluate`` is missing.
        """
        train, features = Setting("train"), Setting("features", "genres")
        present: Mapping[str, tuple[bool, str, Advice]] = {
            "profiles": (
                self.profiles is not None,
                "the training data",
                Advice("pass_train", (train,), "Pass {train}."),
            ),
            "features": (
                self.catalogue.features is not None,
                "item features",
                Advice(
                    "pass_features",
                    (train, features),
                    "Pass {0} with items that have a list column, such as genres, or {1}.",
                ),
            ),
            "distributions": (
                self.catalogue.distributions is not None,
                "item features that are shares or flags (none negative), such as genres",
                Advice("pass_shares", (features,), "Pass {features}."),
            ),
        }
        there, what_of, advice = present[what]
        if not there:
            raise UsageError(f"this metric needs {what_of}", advice=advice)
