"""Supply and demand: queries without nearby items, and items without nearby queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import IncomparableError
from reclens.explore.exact import top_k
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion
from reclens.tabular import Tabular

__all__ = ["Hole", "SupplyDemand", "far_fence", "outside_queries", "supply_and_demand"]

_OWN: Final = 0.99
"""A query is outside of the catalogue where it is farther from it than this share of the items are."""
_TOGETHER: Final = 0.5
"""Cosine from which two far queries look at the same hole."""
_SPREADS: Final = 3.0


@dataclass(frozen=True)
class Hole:
    """Queries or users that are far from every item and point in the same direction.

    Attributes:
        queries: Their ids.
        nearest: The nearest items, the nearest first.
        similarity: Cosine of the nearest one with the middle of the queries.
    """

    queries: tuple[Any, ...]
    nearest: tuple[Any, ...]
    similarity: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SupplyDemand(Tabular):
    """Items and queries by their distance to the other side.

    Attributes:
        item_nearest: Cosine of each item with the nearest query, shape (n,), float32.
        query_nearest: Cosine of each query with its k-th nearest item, shape (q,), float32.
        item_fence: Below this cosine an item is far from every query.
        query_fence: Below this cosine a query is far from every item.
        dead_stock: Rows of the items that no query is near to, the farthest first.
        far_queries: Rows of the queries that no item is near to, the farthest first.
        far: Share of the queries that are far.
        outside: Share of the queries that are farther from the catalogue than 99 % of its own items are.
        holes: Far queries by where they look, the most queries first.
    """

    item_nearest: np.ndarray
    query_nearest: np.ndarray
    item_fence: float
    query_fence: float
    dead_stock: np.ndarray
    far_queries: np.ndarray
    far: Estimate
    outside: Estimate
    holes: tuple[Hole, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per hole."""
        return [
            {"queries": len(hole.queries), "similarity": hole.similarity, "nearest": list(hole.nearest)}
            for hole in self.holes
        ]


def far_fence(nearness: np.ndarray, *, spreads: float = _SPREADS) -> float:
    """The cosine below which a vector is an outlier: an angle of more than Q3 + 3 (Q3 - Q1).

    Quartiles are robust to a separate region, unlike the mean and standard deviation. Angles are less
    skewed than cosines, which hardly change near 1.

    Args:
        nearness: Cosines with the nearest, shape (n,).
        spreads: Interquartile ranges above the third quartile.

    Example:
        >>> round(float(np.degrees(np.arccos(far_fence(np.cos(np.radians([10, 20, 20, 30, 80])))))), 4)
        60.0

    References:
        Tukey (1977), Exploratory data analysis: what lies beyond is far out.
    """
    if not len(nearness):
        return -1.0
    angles = np.arccos(np.clip(nearness.astype(np.float64), -1, 1))
    low, high = np.quantile(angles, [0.25, 0.75])
    return float(np.cos(min(high + spreads * (high - low), np.pi)))


def outside_queries(queries: np.ndarray, space: EmbeddingSpace, graph: NeighbourGraph, *, k: int = 10) -> np.ndarray:
    """Whether each query is outside of what the catalogue covers.

    It is where its k-th nearest item is farther away than the k-th nearest neighbours of 99 % of the items are.

    Args:
        queries: Shape (q, d), of length 1.
        space: The items.
        graph: Their neighbours, at least k of each.
        k: Which neighbour.

    Returns:
        Shape (q,), bool.
    """
    _, cosines = top_k(queries, space.unit, k)
    return _outside(cosines[:, k - 1], graph, k)


def _outside(kth: np.ndarray, graph: NeighbourGraph, k: int) -> np.ndarray:
    own = graph.similarities[:, min(k, graph.k) - 1].astype(np.float64)
    return kth < np.quantile(own[np.isfinite(own)], 1 - _OWN)


def supply_and_demand(
    space: EmbeddingSpace,
    queries: EmbeddingSpace,
    graph: NeighbourGraph,
    *,
    k: int = 10,
    level: float = 0.95,
    threads: int | None = None,
    progress: Progress = quiet,
) -> SupplyDemand:
    """Find the queries that are far from every item, and the items that are far from every query.

    Distances are by direction, also where the model compares by dot product: length does not express taste.

    Args:
        space: The items.
        queries: Users or queries in the same space.
        graph: The neighbours of the items.
        k: A query is as near to the catalogue as its k-th nearest item.
        level: Confidence level of the shares.
        threads: Number of threads.
        progress: Called to report progress.

    Raises:
        IncomparableError: If the dimensions differ.
    """
    if queries.dimension != space.dimension:
        raise IncomparableError(
            f"the queries have {queries.dimension} dimensions and the items {space.dimension}: embed both with one "
            "model."
        )
    k = min(k, len(space), graph.k)
    near, cosines = top_k(queries.unit, space.unit, k, threads=threads, progress=progress)
    kth = cosines[:, k - 1]
    item_nearest = top_k(space.unit, queries.unit, 1, threads=threads, progress=progress)[1][:, 0]
    item_fence, query_fence = far_fence(item_nearest), far_fence(kth)
    outside = _outside(kth, graph, k)
    far = np.flatnonzero((kth < query_fence) & outside)
    dead = np.flatnonzero(item_nearest < item_fence)
    return SupplyDemand(
        item_nearest=item_nearest,
        query_nearest=kth,
        item_fence=item_fence,
        query_fence=query_fence,
        dead_stock=dead[np.argsort(item_nearest[dead], kind="stable")],
        far_queries=far[np.argsort(kth[far], kind="stable")],
        far=proportion(len(far), len(queries), level=level),
        outside=proportion(int(outside.sum()), len(queries), level=level),
        holes=tuple(_holes(space, queries, far, near)),
    )


def _holes(space: EmbeddingSpace, queries: EmbeddingSpace, far: np.ndarray, near: np.ndarray) -> list[Hole]:
    from scipy.sparse.csgraph import connected_components

    if not len(far):
        return []
    unit = queries.unit[far]
    count, label = connected_components(unit @ unit.T >= _TOGETHER, directed=False)
    found: list[Hole] = []
    for each in range(count):
        mine = np.flatnonzero(label == each)
        middle = unit[mine].mean(axis=0, keepdims=True)
        middle /= max(float(np.linalg.norm(middle)), 1e-12)
        candidates = np.unique(near[far[mine]])
        cosines = (space.unit[candidates] @ middle[0]).astype(np.float64)
        order = np.argsort(-cosines, kind="stable")[:5]
        found.append(
            Hole(
                queries=tuple(_ids(queries.ids, far[mine])),
                nearest=tuple(_ids(space.ids, candidates[order])),
                similarity=float(cosines[order[0]]),
            )
        )
    return sorted(found, key=lambda hole: (-len(hole.queries), str(hole.queries[0])))


def _ids(ids: pl.Series, rows: np.ndarray) -> list[Any]:
    return ids.gather(rows).to_list()
