"""Small spaces that the tests of diagnostics share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from reclens.explore.neighbours import NeighbourGraph, neighbour_graph
from reclens.explore.planted import Fault, PlantedSpace, planted_space
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.explore.vectors import as_vectors, unit_vectors


@pytest.fixture(scope="session")
def space_of() -> Callable[..., EmbeddingSpace]:
    """A space of vectors: by cosine unless told otherwise."""

    def made(vectors, *, dot: bool = False, **options) -> EmbeddingSpace:
        vectors = as_vectors(np.asarray(vectors, float))
        d = vectors.shape[1]
        card = EmbeddingCard(
            model="m",
            revision="1",
            dimension=d,
            source="file",
            normalized=not dot,
            similarity="dot" if dot else "cosine",
        )
        return EmbeddingSpace(
            ids=options.pop("ids", pl.Series(range(len(vectors)))),
            vectors=vectors if dot else unit_vectors(vectors),
            card=card,
            **options,
        )

    return made


@pytest.fixture(scope="session")
def planted() -> Callable[..., PlantedSpace]:
    """Planted spaces of 1,500 items and 400 users, made once each."""
    made: dict[tuple, PlantedSpace] = {}

    def get(fault: Fault = "none", strength: float = 0.02, seed: int = 0) -> PlantedSpace:
        key = (fault, strength, seed)
        if key not in made:
            made[key] = planted_space(
                fault, strength=strength, n_items=1_500, n_users=400, dimension=32, clusters=10, seed=seed
            )
        return made[key]

    return get


@pytest.fixture(scope="session")
def clean_graph(planted) -> NeighbourGraph:
    """The neighbours of the clean space."""
    return neighbour_graph(planted().items)
