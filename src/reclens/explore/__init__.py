"""The explorer: items, users and queries as vectors, what is near what, and what a recommender can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.explore.coverage import Coverage
    from reclens.explore.drift import Drift, drift_between
    from reclens.explore.embed_models import ModelSpaces, embed_model
    from reclens.explore.exact import top_k
    from reclens.explore.gate import ExploreGateRule, explore_gate
    from reclens.explore.local_store import LocalStore
    from reclens.explore.neighbours import NeighbourGraph, neighbour_graph
    from reclens.explore.planted import PlantedSpace, planted_space
    from reclens.explore.procedure import run
    from reclens.explore.project import PointMap, extend_map, kept_map, pca_map, umap_map
    from reclens.explore.quality import map_quality
    from reclens.explore.reach import Reach
    from reclens.explore.result import Exploration
    from reclens.explore.retrieval import choose_setting, retrieval_recall
    from reclens.explore.settings import ExploreSettings
    from reclens.explore.space import EmbeddingCard, EmbeddingSpace
    from reclens.explore.stores import card_of
    from reclens.explore.structure import structural_reach
    from reclens.explore.text_embedding import embed_texts
    from reclens.explore.tfidf import TfidfSvd
    from reclens.explore.transfer import Moved, move
    from reclens.explore.users import mean_users
    from reclens.explore.vector_files import read_vectors

__all__ = [
    "Coverage",
    "Drift",
    "EmbeddingCard",
    "EmbeddingSpace",
    "Exploration",
    "ExploreGateRule",
    "ExploreSettings",
    "LocalStore",
    "ModelSpaces",
    "Moved",
    "NeighbourGraph",
    "PlantedSpace",
    "PointMap",
    "Reach",
    "TfidfSvd",
    "card_of",
    "choose_setting",
    "drift_between",
    "embed_model",
    "embed_texts",
    "explore_gate",
    "extend_map",
    "kept_map",
    "map_quality",
    "mean_users",
    "move",
    "neighbour_graph",
    "pca_map",
    "planted_space",
    "read_vectors",
    "retrieval_recall",
    "run",
    "structural_reach",
    "top_k",
    "umap_map",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Coverage": "coverage",
        "Drift": "drift",
        "EmbeddingCard": "space",
        "EmbeddingSpace": "space",
        "Exploration": "result",
        "ExploreGateRule": "gate",
        "ExploreSettings": "settings",
        "LocalStore": "local_store",
        "ModelSpaces": "embed_models",
        "Moved": "transfer",
        "NeighbourGraph": "neighbours",
        "PlantedSpace": "planted",
        "PointMap": "project",
        "Reach": "reach",
        "TfidfSvd": "tfidf",
        "card_of": "stores",
        "choose_setting": "retrieval",
        "drift_between": "drift",
        "embed_model": "embed_models",
        "embed_texts": "text_embedding",
        "explore_gate": "gate",
        "extend_map": "project",
        "kept_map": "project",
        "map_quality": "quality",
        "mean_users": "users",
        "move": "transfer",
        "neighbour_graph": "neighbours",
        "pca_map": "project",
        "planted_space": "planted",
        "read_vectors": "vector_files",
        "retrieval_recall": "retrieval",
        "run": "procedure",
        "structural_reach": "structure",
        "top_k": "exact",
        "umap_map": "project",
    },
)
