"""The contents of the card of an exploration."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

__all__ = ["ExplorationCard"]


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
    model: dict[str, Any]
    items: int
    left_out: int
    users: int
    graph: Literal["exact", "store"]
    store: str | None
    settings: dict[str, Any]
    lists: NotRequired[dict[str, Any]]
