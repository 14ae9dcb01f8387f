"""The contents of the card of an exploration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from reclens.cards import ListsCard

__all__ = ["EmbeddingRow", "ExplorationCard", "ExploreSettingsCard"]


class EmbeddingRow(TypedDict):
    """An :class:`~reclens.explore.space.EmbeddingCard`, field -> value; ``settings`` are those of any embedder."""

    model: str
    revision: str
    dimension: int
    source: Literal["text", "model", "file"]
    text_columns: Sequence[str]
    pooling: str | None
    normalized: bool
    similarity: Literal["cosine", "dot"]
    settings: Mapping[str, Any]


class ExploreSettingsCard(TypedDict):
    """:class:`reclens.explore.ExploreSettings`, field -> value; ``filters`` name attributes of any catalogue."""

    k: int
    neighbours: int
    regions: int | None
    level: float
    duplicate: float
    rare: float
    recall: float
    most_exact: int
    probes: int
    remedies: bool
    text: str | None
    labels: Sequence[str]
    category: str | None
    price: str | None
    filters: Sequence[Mapping[str, Any]]
    seed: int
    threads: int | None


class ExplorationCard(TypedDict):
    """What was explored, how, and under which settings.

    Attributes:
        space: Name of the space.
        entity: What its vectors are of.
        revision: Fingerprint of its vectors.
        model: ``EmbeddingCard``, field -> value.
        items: Vectors of the space.
        left_out: Items without a vector.
        users: Vectors of users.
        graph: Whether neighbours are exact, or those that the index returns.
        store: Name of the index; None without.
        settings: ``ExploreSettings``, field -> value.
        lists: Card of the lists; empty where they have none.
    """

    space: str
    entity: str
    revision: str
    model: EmbeddingRow
    items: int
    left_out: int
    users: int
    graph: Literal["exact", "store"]
    store: str | None
    settings: ExploreSettingsCard
    lists: NotRequired[ListsCard]
