"""Regions of a space: clusters of the map or of the space itself, at two levels, and how they match categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.engine import need
from reclens.errors import ArgumentValueError
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.tabular import Tabular

__all__ = ["Purity", "Regions", "cluster_map", "cluster_space", "purity"]

_ROUNDS: Final = 25
_PER_REGION: Final = 100
_MOST: Final = 60
_SAMPLE: Final = 20_000
_CLUSTERED: Final = 50_000
"""Points that HDBSCAN gets at most: it takes a minute or more beyond, and the regions stay the same."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Regions(Tabular):
    """The region of each item.

    Attributes:
        fine: Region of each item, shape (n,), int64, from 0; the largest is 0.
        coarse: Coarse region of each fine region.
        noise: Whether the clustering left an item out, shape (n,), bool; it belongs to the region of its neighbours.
        method: ``"map"``: HDBSCAN of the places on the map; ``"space"``: spherical k-means of the vectors.
        names: Label of each region; empty until named.
        coarse_names: Label of each coarse region.
    """

    fine: np.ndarray
    coarse: np.ndarray
    noise: np.ndarray
    method: Literal["map", "space"]
    names: tuple[str, ...] = ()
    coarse_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.coarse)

    def name(self, region: int) -> str:
        """Label of a region; its number where it has none."""
        return self.names[region] if self.names else str(region)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per region."""
        sizes = np.bincount(self.fine, minlength=len(self))
        return [
            {"region": at, "name": self.name(at), "items": int(sizes[at]), "group": int(self.coarse[at])}
            for at in range(len(self))
        ]


def cluster_map(
    points: np.ndarray, space: EmbeddingSpace, graph: NeighbourGraph, *, min_size: int | None = None
) -> Regions:
    """HDBSCAN of the places on a map. Items that it leaves out join the region of their nearest neighbours.

    For more than 50,000 items, a sample of this size is clustered, drawn with a fixed seed; the others join the region
    of the nearest sampled item on the map.

    Args:
        points: Places, shape (n, 2).
        space: The vectors.
        graph: Their neighbours.
        min_size: Minimum number of items per cluster; None for 0.4 % of all, and 5 or more.

    Raises:
        MissingExtraError: If scikit-learn is not installed.

    References:
        Campello, Moulavi and Sander (2013), Density-based clustering based on hierarchical density estimates.
    """
    from scipy.spatial import KDTree

    places = np.asarray(points, np.float64)
    drawn = places
    if len(places) > _CLUSTERED:
        drawn = places[np.sort(np.random.default_rng(0).choice(len(places), _CLUSTERED, replace=False))]
    least = max(5, len(drawn) // 250) if min_size is None else max(2, round(min_size * len(drawn) / len(places)))
    found = need("sklearn.cluster", extra="explore").HDBSCAN(
        min_cluster_size=least, min_samples=min(5, len(drawn)), copy=True
    )
    labels = found.fit_predict(drawn).astype(np.int64)
    if len(drawn) < len(places):
        labels = labels[KDTree(drawn).query(places)[1]]
    noise = labels < 0
    if noise.all():
        labels[:] = 0
    return _regions(_joined(labels, graph), space, noise, "map")


def cluster_space(space: EmbeddingSpace, *, count: int | None = None, rng: int = 0) -> Regions:
    """Spherical k-means of the vectors: regions of the space itself, without the distortion of a map.

    Args:
        space: The vectors.
        count: Regions; None for one per 100 items, 2 … 60.
        rng: Seed of the start (k-means++).

    Raises:
        UsageError: If there are fewer items than regions.

    References:
        Dhillon and Modha (2001), Concept decompositions for large sparse text data using clustering; Arthur and
        Vassilvitskii (2007), k-means++: the advantages of careful seeding.
    """
    count = count or int(np.clip(len(space) // _PER_REGION, 2, _MOST))
    if not 1 <= count <= len(space):
        raise ArgumentValueError("count", f"is {count}, expected 1 to the {len(space):,} items")
    draw = np.random.default_rng(rng)
    sample = space.unit
    if len(sample) > _SAMPLE:
        sample = sample[np.sort(draw.choice(len(sample), _SAMPLE, replace=False))]
    centres = _start(sample, count, draw)
    for _ in range(_ROUNDS):
        labels = (sample @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
        if np.abs(moved - centres).max() < 1e-5:
            break
        centres = moved
    labels = np.concatenate(
        [(space.unit[at : at + 8_192] @ centres.T).argmax(axis=1) for at in range(0, len(space), 8_192)]
    )
    return _regions(labels, space, np.zeros(len(space), bool), "space")


def _start(sample: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    """Spread initial centres (k-means++): the probability of a draw grows with the distance from earlier ones."""
    chosen = [int(draw.integers(len(sample)))]
    apart = np.full(len(sample), np.inf)
    for _ in range(count - 1):
        apart = np.minimum(apart, np.maximum(1 - (sample @ sample[chosen[-1]]).astype(np.float64), 0))
        apart[chosen] = 0
        total = apart.sum()
        chances = apart / total if total > 0 else None
        chosen.append(int(draw.choice(len(sample), p=chances)))
    return sample[chosen].copy()


def _joined(labels: np.ndarray, graph: NeighbourGraph) -> np.ndarray:
    """Assign items without a cluster to that of their nearest clustered neighbour, round by round."""
    labels = labels.copy()
    while (labels < 0).any():
        before = labels.copy()
        for row in np.flatnonzero(before < 0):
            near = graph.rows[row]
            known = near[(near >= 0) & (before[np.maximum(near, 0)] >= 0)]
            if len(known):
                labels[row] = before[known[0]]
        if np.array_equal(labels, before):
            # All their neighbours are unassigned too: form a separate cluster.
            labels[labels < 0] = labels.max() + 1
    return labels


def _regions(labels: np.ndarray, space: EmbeddingSpace, noise: np.ndarray, method: Literal["map", "space"]) -> Regions:
    """Regions numbered by size, the largest 0, and the coarser level."""
    used, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.lexsort((used, -sizes))
    number = np.empty(len(used), np.int64)
    number[order] = np.arange(len(used))
    fine = number[labels]
    return Regions(fine=fine, coarse=_coarser(space, fine, len(used)), noise=noise, method=method)


def _coarser(space: EmbeddingSpace, fine: np.ndarray, count: int) -> np.ndarray:
    """Merge regions by the distance of their centres (average linkage), to about sqrt(2n) regions."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if count < 4:
        return np.zeros(count, np.int64)
    middles = np.zeros((count, space.dimension))
    np.add.at(middles, fine, space.unit.astype(np.float64))
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    wanted = max(2, round(float(np.sqrt(2 * count))))
    groups = fcluster(linkage(middles, "average"), wanted, "maxclust")
    _, first = np.unique(groups, return_index=True)
    order = np.argsort(np.argsort(first))  # numbered as their first regions are
    return order[np.unique(groups, return_inverse=True)[1]].astype(np.int64)


@dataclass(frozen=True)
class Purity(Tabular):
    """Agreement of regions with categories.

    Attributes:
        purity: Share of the items that have the most frequent category of their region.
        expected: The same of one region with everything in it: the value without clustering.
        agreement: Normalised mutual information, 0 … 1.
        items: Items that have a category.
    """

    purity: float
    expected: float
    agreement: float
    items: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row."""
        return [dict(vars(self))]


def purity(labels: np.ndarray, categories: pl.Series) -> Purity:
    """How well regions match a category of items.

    Args:
        labels: Region of each item, shape (n,), from 0.
        categories: Category of each item; null is left out.

    Example:
        >>> found = purity(np.array([0, 0, 0, 1, 1]), pl.Series(["a", "a", "b", "b", "b"]))
        >>> found.purity, found.expected, round(found.agreement, 4)
        (0.8, 0.6, 0.4325)

    References:
        Manning, Raghavan and Schütze (2008), Introduction to information retrieval, section 16.3; the mutual
        information is divided by the mean of both entropies.
    """
    known = categories.is_not_null().to_numpy()
    if not known.any():
        return Purity(float("nan"), float("nan"), float("nan"), 0)
    codes = categories.filter(pl.Series(known)).cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
    regions = np.unique(labels[known], return_inverse=True)[1]
    cells = np.zeros((int(regions.max()) + 1, int(codes.max()) + 1))
    np.add.at(cells, (regions, codes), 1)
    n = cells.sum()
    share = cells / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.nansum(share * np.log(share / np.outer(rows, columns)))
    entropies = -(rows * np.log(rows)).sum() - (columns * np.log(columns)).sum()
    agreement = float(2 * mutual / entropies) if entropies > 0 else 1.0
    return Purity(float(cells.max(axis=1).sum() / n), float(cells.sum(axis=0).max() / n), agreement, int(n))
