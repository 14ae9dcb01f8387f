"""Recommendation strategies. This module has simple strategies; an adapter in another package wraps models.

A strategy is any object with ``name``, ``fit`` and ``recommend``. Its data are those of a production system: the
consumed items of each user with their days, as codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from reclens.world._draws import uniforms

if TYPE_CHECKING:
    from reclens.world.population import World

__all__ = ["Consumed", "Oracle", "Popular", "Random", "Strategy"]

_BLOCK: Final = 1_024


@dataclass(frozen=True, eq=False, kw_only=True)
class Consumed:
    """The training data of a strategy.

    Attributes:
        users: Codes, int32, shape (rows,).
        items: Codes, int32.
        days: Days; below 0 for what was before the first day; int32.
        n_users: Users there are.
        n_items: Items there are.
        day: The day on which it is learned: everything is from before it.
    """

    users: np.ndarray
    items: np.ndarray
    days: np.ndarray
    n_users: int
    n_items: int
    day: int


class Strategy(Protocol):
    """The interface of a recommender in the world."""

    @property
    def name(self) -> str:
        """Name of the strategy in logs."""
        ...

    def fit(self, consumed: Consumed, /) -> None:
        """Fit the strategy to all interactions so far."""
        ...

    def recommend(self, users: np.ndarray, k: int, /) -> np.ndarray:
        """The k best items of each user, best first, -1 fills up: int32, shape (users, k).

        The world itself leaves out the consumed items of a user; a strategy can do so too.
        """
        ...


class _Catalogue:
    """Shared state of the strategies: consumed items, which are not recommended again."""

    def __init__(self) -> None:
        self._order, self._begins = np.zeros(0, np.int32), np.zeros(1, np.int64)
        self._n_items, self._day = 0, 0

    def fit(self, consumed: Consumed, /) -> None:
        """Store the consumed items and the current day."""
        order = np.argsort(consumed.users, kind="stable")
        self._order = consumed.items[order]
        self._begins = np.searchsorted(consumed.users[order], np.arange(consumed.n_users + 1))
        self._n_items, self._day = consumed.n_items, consumed.day

    def _seen(self, users: np.ndarray) -> np.ndarray:
        """Whether each user has consumed each item; shape (users, items)."""
        begins, ends = self._begins[users], self._begins[users + 1]
        counts = ends - begins
        rows = np.repeat(np.arange(len(users)), counts)
        places = (
            np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begins, counts)
        )
        seen = np.zeros((len(users), self._n_items), bool)
        seen[rows, self._order[places]] = True
        return seen

    def recommend(self, users: np.ndarray, k: int, /) -> np.ndarray:
        """The best items that a user has not consumed; -1 fills up."""
        k = min(k, self._n_items)
        found = np.empty((len(users), k), np.int32)
        for at in range(0, len(users), _BLOCK):
            part = users[at : at + _BLOCK]
            values = self._values(part)
            values[self._seen(part)] = -np.inf
            best = np.sort(np.argpartition(-values, k - 1, axis=1)[:, :k], axis=1)
            ordered = np.take_along_axis(values, best, axis=1)
            order = np.argsort(-ordered, axis=1, kind="stable")
            best = np.take_along_axis(best, order, axis=1)
            found[at : at + _BLOCK] = np.where(np.isneginf(np.take_along_axis(ordered, order, axis=1)), -1, best)
        return found

    def _values(self, users: np.ndarray) -> np.ndarray:
        """The scores of all items for some users; the caller may modify them."""
        raise NotImplementedError


class Popular(_Catalogue):
    """The items that were consumed most, the same for everybody but for what they have.

    Args:
        days: Number of last days that count; if None, all interactions count.
        name: Name of the strategy.
    """

    def __init__(self, *, days: int | None = None, name: str = "popular") -> None:
        super().__init__()
        self.name, self.days = name, days
        self._ranking = np.zeros(0, np.int32)

    def fit(self, consumed: Consumed, /) -> None:
        """Count."""
        super().fit(consumed)
        items = consumed.items
        if self.days is not None:
            items = items[consumed.days >= consumed.day - self.days]
        counts = np.bincount(items, minlength=consumed.n_items)
        self._ranking = np.argsort(-counts, kind="stable").astype(np.int32)

    def recommend(self, users: np.ndarray, k: int, /) -> np.ndarray:
        """Walk down one ranking and skip consumed items, without sorting scores."""
        found = np.full((len(users), min(k, self._n_items)), -1, np.int32)
        for at in range(0, len(users), _BLOCK):
            part = users[at : at + _BLOCK]
            most = int((self._begins[part + 1] - self._begins[part]).max())  # nobody has to go further down
            free = ~self._seen(part)[:, self._ranking[: found.shape[1] + most]]
            place = np.cumsum(free, axis=1, dtype=np.int32)
            rows, ranks = np.nonzero(free & (place <= found.shape[1]))
            found[at + rows, place[rows, ranks] - 1] = self._ranking[ranks]
        return found


class Random(_Catalogue):
    """Random items, drawn for each user after each fit.

    Args:
        seed: Of the draws.
        name: Name of the strategy.
    """

    learns: Final = False

    def __init__(self, *, seed: int = 0, name: str = "random") -> None:
        super().__init__()
        self.name, self.seed = name, seed

    def _values(self, users: np.ndarray) -> np.ndarray:
        return _luck(users, self._n_items, self.seed + 1_000_003 * (self._day + 1))


class Oracle(_Catalogue):
    """Rank by the true tastes of the first day, which no real system knows.

    Args:
        world: The world whose tastes it uses.
        blur: Standard deviation of the error of the tastes, in logits; larger values give a worse strategy.
        seed: Of the errors, which are logistic and stay the same.
        name: Name of the strategy.
    """

    learns: Final = False

    def __init__(self, world: World, *, blur: float = 0.0, seed: int = 0, name: str = "oracle") -> None:
        super().__init__()
        self.world, self.blur, self.seed, self.name = world, blur, seed, name

    def _values(self, users: np.ndarray) -> np.ndarray:
        world = self.world
        values = world.tastes[users] @ world.vectors.T + world.appeal_on(self._day)
        if self.blur:
            luck = np.clip(_luck(users, self._n_items, self.seed), 1e-12, 1 - 1e-12)
            values += (self.blur * np.sqrt(3) / np.pi * np.log(luck / (1 - luck))).astype(np.float32)
        return values


def _luck(users: np.ndarray, n_items: int, seed: int) -> np.ndarray:
    """A uniform random number per user and item, independent of the other users."""
    keys = users.astype(np.uint64)[:, None] * np.uint64(n_items) + np.arange(n_items, dtype=np.uint64)
    return uniforms(keys, seed)
