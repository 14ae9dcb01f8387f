"""The explorer: items, users and queries as vectors, what is near what, and what a recommender can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.explore.embed_models import ModelSpaces, embed_model
    from reclens.explore.embed_texts import embed_texts
    from reclens.explore.exact import top_k
    from reclens.explore.local_store import LocalStore
    from reclens.explore.read_vectors import read_vectors
    from reclens.explore.space import EmbeddingCard, EmbeddingSpace
    from reclens.explore.stores import card_of
    from reclens.explore.tfidf import TfidfSvd

__all__ = [
    "EmbeddingCard",
    "EmbeddingSpace",
    "LocalStore",
    "ModelSpaces",
    "TfidfSvd",
    "card_of",
    "embed_model",
    "embed_texts",
    "read_vectors",
    "top_k",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "EmbeddingCard": "space",
        "EmbeddingSpace": "space",
        "LocalStore": "local_store",
        "ModelSpaces": "embed_models",
        "TfidfSvd": "tfidf",
        "card_of": "stores",
        "embed_model": "embed_models",
        "embed_texts": "embed_texts",
        "read_vectors": "read_vectors",
        "top_k": "exact",
    },
)
