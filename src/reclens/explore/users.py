"""Users as vectors: the mean of what each of them has."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.schema import ITEM, USER
from reclens.vocabulary import Vocabulary

__all__ = ["mean_users"]


def mean_users(space: EmbeddingSpace, interactions: pl.DataFrame) -> EmbeddingSpace:
    """Users at the mean of the vectors of their items, each at length 1: a user vector for any space of items.

    Args:
        space: The items.
        interactions: ``user_id, item_id``. Items that the space does not hold are left out, and users of such alone.

    Raises:
        DataError: If no interaction is with an item of the space.

    Example:
        >>> card = EmbeddingCard(model="m", revision="1", dimension=2, source="file")
        >>> space = EmbeddingSpace(ids=pl.Series(["a", "b"]), vectors=np.eye(2), card=card)
        >>> users = mean_users(space, pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "b"]}))
        >>> users.ids.to_list(), users.vectors.round(2).tolist()
        ([1, 2], [[0.7099999785423279, 0.7099999785423279], [0.0, 1.0]])
    """
    rows = space.rows(interactions[ITEM])
    known = rows >= 0
    if not known.any():
        raise DataError(
            "no interaction is with an item of the space", column=ITEM, fix="See that both have the same kind of ids."
        )
    owners = interactions[USER].filter(pl.Series(known))
    vocabulary = Vocabulary(owners)
    codes = vocabulary.encode(owners)
    order = np.argsort(codes, kind="stable")
    sums = np.zeros((len(vocabulary), space.dimension))
    edges = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for start in range(0, len(edges), 1_024):  # a block of users at a time: their items' vectors fit into memory
        stops = np.append(edges, len(order))
        first, last = edges[start], stops[min(start + 1_024, len(edges))]
        block = space.unit[rows[known][order[first:last]]].astype(np.float64)
        sums[start : start + 1_024] = np.add.reduceat(block, edges[start : start + 1_024] - first, axis=0)
    lengths = np.linalg.norm(sums, axis=1)
    apart = lengths > 1e-9  # items that point in opposite directions leave no direction
    card = EmbeddingCard(
        model=space.card.model,
        revision=space.card.revision,
        dimension=space.dimension,
        source=space.card.source,
        settings={"users": "mean of items"},
    )
    ids = vocabulary.ids.filter(pl.Series(apart))
    vectors = (sums[apart] / lengths[apart, None]).astype(np.float32)
    return EmbeddingSpace(ids=ids, vectors=vectors, card=card, entity="user", name=f"users of {space.name}")
