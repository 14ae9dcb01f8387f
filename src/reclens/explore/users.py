"""Users as vectors: the mean of what each of them has, and the regions near it that they have not seen."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.schema import ITEM, USER
from reclens.vocabulary import Vocabulary

__all__ = ["mean_users", "unexplored_regions"]


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


def unexplored_regions(
    space: EmbeddingSpace, regions: np.ndarray, had: np.ndarray, seen: np.ndarray, *, most: int = 5
) -> np.ndarray:
    """Regions near a user that hold nothing the user has had or seen, the nearest first.

    A region is near if its mean vector has at least the cosine with the mean of the user's items that half of the
    regions of these items have.

    Args:
        space: The items.
        regions: Region of each item, shape (n,), from 0.
        had: Rows of the items that the user has had.
        seen: Rows of what else the user knows, such as the list.
        most: The most regions.

    Example:
        >>> card = EmbeddingCard(model="m", revision="1", dimension=2, source="file")
        >>> vectors = np.array([[1, 0], [0.96, 0.28], [0.8, 0.6], [-1, 0]])
        >>> space = EmbeddingSpace(ids=pl.Series([1, 2, 3, 4]), vectors=vectors, card=card)
        >>> unexplored_regions(space, np.array([0, 1, 2, 3]), np.array([0, 2]), np.array([2])).tolist()
        [1]
    """
    if not len(had):
        return np.zeros(0, np.int64)
    count = int(regions.max()) + 1
    means = np.zeros((count, space.dimension))
    np.add.at(means, regions, space.unit)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = means @ space.unit[had].sum(axis=0)  # of the user, but for a factor
    known = np.zeros(count, bool)
    known[regions[np.concatenate([had, seen])]] = True
    near = ~known & (cosines >= np.median(cosines[np.unique(regions[had])]))
    order = np.argsort(-cosines, kind="stable")
    return order[near[order]][:most]
