"""A synthetic space with a known fault: clusters of items, users among them, and one fault of a given size.

It is used to test the diagnostics: each must find its fault, and report nothing without one. All data are
synthetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.errors import DataError, UsageError
from reclens.explore.exact import top_k
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.explore.vectors import as_vectors, unit_vectors
from reclens.protocols import StoreCard, StoreDescription, StoredVectors, Where
from reclens.schema import ITEM, RANK, USER

__all__ = ["Fault", "HidingStore", "PlantedSpace", "planted_space"]

Fault = Literal["none", "duplicates", "orphans", "hubs", "hole", "unreachable", "drift"]
"""``duplicates``: near-copies of other items. ``orphans``: a cluster that no user is near to. ``hubs``: items near the
middle of a cluster that lack the noise of the others. ``hole``: users who look where there is nothing.
``unreachable``: a cluster with users of its own that the index does not return. ``drift``: a neighbourhood that lies
elsewhere in the next version."""

_INNER: Final = 8
"""Directions in which the items of a cluster differ."""
_SPREAD: Final = 0.8
_NOISE: Final = 0.5
_WANTED: Final = 5
_NEAR: Final = 40
_TOPICS: Final = (
    "harbour mountain violin desert orchard glacier lantern castle submarine circus bakery railway jungle observatory "
    "carnival lighthouse monastery vineyard arena laboratory aquarium chess pottery falcon meadow tunnel canyon opera "
    "safari archive volcano regatta mosaic cathedral dynamo beehive coral tundra bazaar telescope"
)
_MOST_TOPICS: Final = 40
_COMMON: Final = "story family night world journey secret friend home"


@dataclass(frozen=True, eq=False, kw_only=True)
class PlantedSpace:
    """A space with a fault.

    Attributes:
        items: The items, with the attributes ``topic`` and ``text``.
        users: Vectors of users, of length 1.
        lists: The first ten items of each user that the store returns.
        truth: Items that each user turned out to want: some of the nearest 40, in whichever index they are.
        store: The index: exact, but for items that it hides.
        later: The next version of the items: turned, a little noise, and the drift.
        fault: What was planted.
        planted: Rows of the items (or, of a hole, of the users) that it was planted in.
        topics: Cluster of each item.
    """

    items: EmbeddingSpace
    users: EmbeddingSpace
    lists: pl.DataFrame
    truth: pl.DataFrame
    store: HidingStore
    later: EmbeddingSpace
    fault: Fault
    planted: np.ndarray
    topics: np.ndarray


def _check(dimension: int, n_items: int, clusters: int, strength: float) -> None:
    few = dimension < 2 * _INNER or n_items < 10 * clusters
    if few or not 2 <= clusters < _MOST_TOPICS or not 0 < strength < 0.5:
        raise UsageError(
            f"{dimension} dimensions, {n_items:,} items, {clusters} topics and strength {strength:g}: expected "
            f"{2 * _INNER} dimensions or more, 10 items a topic, 2 … {_MOST_TOPICS - 1} topics and a strength between "
            "0 and 0.5."
        )


def planted_space(
    fault: Fault = "none",
    *,
    strength: float = 0.01,
    n_items: int = 5_000,
    dimension: int = 64,
    n_users: int = 1_000,
    clusters: int = 20,
    seed: int = 0,
) -> PlantedSpace:
    """Draw a space, its users, their lists and wants, and plant a fault.

    Args:
        fault: What to plant.
        strength: Its size as a share of the items (of a hole: of the users).
        n_items: Items.
        dimension: Length of the vectors.
        n_users: Users.
        clusters: Topics.
        seed: Of everything.

    Raises:
        UsageError: If there are too few dimensions, items or topics, or the strength is out of range.
    """
    _check(dimension, n_items, clusters, strength)
    draw = np.random.default_rng(seed)
    ground = _Ground.drawn(draw, clusters + 1, dimension)
    topics, whose = draw.integers(0, clusters, n_items), draw.integers(0, clusters, n_users)
    size = max(1, round(strength * (n_users if fault == "hole" else n_items)))
    planted = np.sort(draw.choice(n_users if fault == "hole" else n_items, size, replace=False))
    if fault in ("orphans", "unreachable"):
        topics[planted] = clusters  # a cluster of its own
    if fault == "unreachable":
        whose[np.sort(draw.choice(n_users, max(1, round(strength * n_users)), replace=False))] = clusters
    if fault == "hole":
        whose[planted] = clusters
    vectors, people = ground.around(topics, draw), ground.around(whose, draw)
    if fault == "duplicates":
        rest = np.setdiff1d(np.arange(n_items), planted)
        vectors[planted] = vectors[draw.choice(rest, size)] + draw.normal(
            0, 0.02 / np.sqrt(dimension), (size, dimension)
        )
    if fault == "hubs":
        vectors[planted] = ground.around(topics[planted], draw, spread=0.4 * _SPREAD, noise=0.0)
    if fault == "drift":
        planted = _neighbourhood(vectors, size, draw)
    vectors, people = unit_vectors(as_vectors(vectors)), unit_vectors(as_vectors(people))
    items = _space(vectors, topics, draw)
    users = EmbeddingSpace(
        ids=pl.Series([f"u{at}" for at in range(n_users)]),
        vectors=people,
        card=items.card,
        entity="user",
        name="planted users",
    )
    store = HidingStore(items, planted if fault == "unreachable" else np.zeros(0, np.int64))
    near, _ = top_k(people, vectors, _NEAR)
    wanted = np.stack([draw.choice(each, _WANTED, replace=False) for each in near])
    answers, _ = store.query(people, 10)
    shown = pl.DataFrame({USER: users.ids, ITEM: answers}).explode(ITEM)
    lists = shown.with_columns((pl.int_range(pl.len()).over(USER) + 1).alias(RANK))
    truth = pl.DataFrame({USER: users.ids, ITEM: [items.ids.gather(each).to_list() for each in wanted]}).explode(ITEM)
    later = _later(items, planted if fault == "drift" else np.zeros(0, np.int64), draw)
    return PlantedSpace(
        items=items,
        users=users,
        lists=lists,
        truth=truth,
        store=store,
        later=later,
        fault=fault,
        planted=planted,
        topics=topics,
    )


@dataclass(frozen=True, eq=False)
class _Ground:
    """Centres and directions of spread of the clusters."""

    middles: np.ndarray
    inner: np.ndarray

    @classmethod
    def drawn(cls, draw: np.random.Generator, clusters: int, dimension: int) -> _Ground:
        middles = draw.normal(size=(clusters, dimension))
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
        return cls(middles, draw.normal(0, 1 / np.sqrt(dimension), (clusters, _INNER, dimension)))

    def around(
        self, topics: np.ndarray, draw: np.random.Generator, *, spread: float = _SPREAD, noise: float = _NOISE
    ) -> np.ndarray:
        """Points of clusters, shape (n, d)."""
        shape = (len(topics), self.middles.shape[1])
        shifts = draw.normal(0, spread / np.sqrt(_INNER), (len(topics), _INNER))
        inner = np.einsum("ni,nid->nd", shifts, self.inner[topics])
        return self.middles[topics] + inner + draw.normal(0, 1, shape) * (noise / np.sqrt(shape[1]))


def _neighbourhood(vectors: np.ndarray, size: int, draw: np.random.Generator) -> np.ndarray:
    """An item and those nearest to it."""
    unit = unit_vectors(as_vectors(vectors))
    return np.sort(top_k(unit[[int(draw.integers(len(unit)))]], unit, size)[0][0]).astype(np.int64)


def _later(items: EmbeddingSpace, moved: np.ndarray, draw: np.random.Generator) -> EmbeddingSpace:
    """The next version: the same model retrained, with a rotation and a little noise."""
    d = items.dimension
    vectors = items.vectors.astype(np.float64) + draw.normal(0, 0.1 / np.sqrt(d), items.vectors.shape)
    if len(moved):
        elsewhere, middle = draw.normal(size=d), vectors[moved].mean(axis=0)
        vectors[moved] += np.linalg.norm(middle) * elsewhere / np.linalg.norm(elsewhere) - middle
    turn, _ = np.linalg.qr(draw.normal(size=(d, d)))
    card = EmbeddingCard(model="planted", revision="2", dimension=d, source="file")
    return EmbeddingSpace(
        ids=items.ids, vectors=unit_vectors(as_vectors(vectors @ turn)), card=card, name="planted, later"
    )


def _space(vectors: np.ndarray, topics: np.ndarray, draw: np.random.Generator) -> EmbeddingSpace:
    known, common = _TOPICS.split(), _COMMON.split()
    names = [known[each] for each in topics]
    words = draw.integers(0, len(common), (len(topics), 4))
    marked = draw.random(len(topics)) < 0.8  # not every text says what it is about
    texts = [
        " ".join([*(common[each] for each in row), *([name] if is_marked else [])])
        for row, name, is_marked in zip(words, names, marked, strict=True)
    ]
    return EmbeddingSpace(
        ids=pl.Series([f"i{at}" for at in range(len(topics))]),
        vectors=vectors,
        card=EmbeddingCard(
            model="planted", revision="1", dimension=vectors.shape[1], source="file", text_columns=("text",)
        ),
        name="planted",
        attributes=pl.DataFrame({"topic": names, "text": texts}),
    )


class HidingStore:
    """A store that searches exactly and never returns some of the items that it holds. It is read-only.

    Args:
        space: What it holds.
        hidden: Rows that it does not return.
    """

    def __init__(self, space: EmbeddingSpace, hidden: Sequence[int] | np.ndarray = ()) -> None:
        self._space = space
        self._seen = np.setdiff1d(np.arange(len(space)), np.asarray(hidden, np.int64))
        self._names = space.ids.cast(pl.String).to_list()

    def create(self, card: StoreCard) -> None:
        """Raise an error, because the store is read-only."""
        raise UsageError("this store is made of a space, and cannot be created or written to.")

    def upsert(self, ids: Sequence[str], vectors: np.ndarray, attributes: pl.DataFrame | None = None) -> None:
        """Raise an error, because the store is read-only."""
        raise UsageError("this store is made of a space, and cannot be created or written to.")

    def delete(self, ids: Sequence[str]) -> None:
        """Raise an error, because the store is read-only."""
        raise UsageError("this store is made of a space, and cannot be created or written to.")

    def query(self, vectors: np.ndarray, k: int, *, where: Where | None = None) -> tuple[list[list[str]], np.ndarray]:
        """The nearest ids among those that it returns."""
        if where:
            raise DataError("this store has no filters", fix="Ask without one.")
        rows, cosines = top_k(unit_vectors(as_vectors(vectors)), self._space.unit[self._seen], k)
        return [[self._names[self._seen[row]] for row in line if row >= 0] for line in rows], cosines

    def fetch(self, ids: Sequence[str]) -> StoredVectors:
        """Vectors and attributes by id."""
        known = {name: at for at, name in enumerate(self._names)}
        rows = [known[each] for each in ids if each in known]
        return StoredVectors([self._names[row] for row in rows], self._space.unit[rows], self._space.attributes[rows])

    def count(self) -> int:
        """Items that it holds."""
        return len(self._space)

    def list_ids(self) -> Iterator[list[str]]:
        """All ids, also of those that it does not return."""
        yield list(self._names)

    def describe(self) -> StoreDescription:
        """Information about the store."""
        card = self._space.card
        kept = StoreCard(model=card.model, revision=card.revision, dimension=card.dimension)
        return StoreDescription(
            backend="hiding", version="1", place="memory", count=len(self._space), exact=False, card=kept
        )
