"""The explorer: items, users and queries as vectors, what is near what, and what a recommender can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.explore.exact import top_k
    from reclens.explore.space import EmbeddingCard, EmbeddingSpace

__all__ = ["EmbeddingCard", "EmbeddingSpace", "top_k"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "EmbeddingCard": "space",
        "EmbeddingSpace": "space",
        "top_k": "exact",
    },
)
