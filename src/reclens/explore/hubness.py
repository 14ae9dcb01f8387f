"""Hubness: items that are nearest neighbours of very many others or of none, and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.concentration import gini
from reclens.errors import UsageError
from reclens.explore.exact import top_k
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.tabular import Tabular

__all__ = ["Hubness", "Occurrence", "Remedy", "hubness", "occurrence", "remedies"]

Remedy = Literal["none", "mutual_proximity", "local_scaling"]
"""Similarities that hubs profit from less: the chance that two items are closer to each other than to others
(Schnitzer et al. 2012), and distances divided by those that are usual around both (Zelnik-Manor and Perona 2004)."""

_HUB: Final = 2
"""A hub is a neighbour of this many times as many as the average item (Radovanović et al. 2010)."""
_STRONG: Final = 5
_CANDIDATES: Final = 100
_SAMPLE: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """Inequality of the occurrence of items as neighbours.

    Attributes:
        skewness: Of the k-occurrences, E[(N - μ)³] / σ³; 0 where all items occur alike.
        anti_hubs: Share of the items that are a neighbour of none.
        hubs: Share of the items that are a neighbour of at least twice the average.
        hub_slots: Share of all places among neighbours that hubs take.
        robin_hood: Share of the places that would have to change hands for all items to occur alike.
        gini: Gini coefficient of the k-occurrences.
        most: The largest k-occurrence.
    """

    skewness: float
    anti_hubs: float
    hubs: float
    hub_slots: float
    robin_hood: float
    gini: float
    most: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Hubness(Tabular):
    """The k-occurrences of a space.

    Attributes:
        k: Neighbours of each vector.
        counts: Number of vectors of which each is one of the k nearest, shape (n,), int64.
        total: Their inequality.
        hubs: Rows that are a neighbour of at least twice the average, the largest first.
        anti_hubs: Rows that are a neighbour of none.
        ids: Ids by row.
    """

    k: int
    counts: np.ndarray
    total: Occurrence
    hubs: np.ndarray
    anti_hubs: np.ndarray
    ids: pl.Series

    @property
    def strong(self) -> np.ndarray:
        """Rows of the hubs that are a neighbour of at least five times the average, the largest first."""
        return self.hubs[self.counts[self.hubs] >= _STRONG * self.counts.mean()]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per hub, the largest first."""
        return [{"id": self.ids[int(row)], "k_occurrence": int(self.counts[row])} for row in self.hubs]

    def _about(self) -> str:
        return f"Hubness at k = {self.k}, skewness {self.total.skewness:.2f}"


def occurrence(counts: np.ndarray) -> Occurrence:
    """Inequality of counts of occurrences.

    Args:
        counts: Shape (n,): how often each of n items occurs among neighbours.

    Example:
        >>> found = occurrence(np.array([0, 1, 1, 6]))
        >>> round(found.skewness, 3), found.anti_hubs, found.hub_slots, found.robin_hood
        (1.047, 0.25, 0.75, 0.5)

    References:
        Radovanović, Nanopoulos and Ivanović (2010), Hubs in space; Feldbauer et al. (2018), Fast approximate hubness
        reduction, for the Robin Hood index.
    """
    counts = np.asarray(counts, np.float64)
    mean, spread, total = counts.mean(), counts.std(), counts.sum()
    hub = counts >= _HUB * mean if total else np.zeros(len(counts), bool)
    return Occurrence(
        skewness=float(((counts - mean) ** 3).mean() / spread**3) if spread else 0.0,
        anti_hubs=float((counts == 0).mean()),
        hubs=float(hub.mean()),
        hub_slots=float(counts[hub].sum() / total) if total else 0.0,
        robin_hood=float(np.abs(counts - mean).sum() / (2 * total)) if total else 0.0,
        gini=float(gini(counts)) if total else 0.0,
        most=int(counts.max()),
    )


def hubness(space: EmbeddingSpace, graph: NeighbourGraph, *, k: int = 10) -> Hubness:
    """Count how often each vector is among the k nearest neighbours of another.

    Args:
        space: The vectors.
        graph: Their neighbours, at least k of each.
        k: Number of neighbours.

    Raises:
        UsageError: If the graph has fewer neighbours, or belongs to another space.
    """
    if graph.revision != space.revision:
        raise UsageError("the graph belongs to another space: make it of this one.")
    rows = graph.first(k).rows
    counts = np.bincount(rows[rows >= 0], minlength=len(space))
    ranked = np.lexsort((np.arange(len(counts)), -counts))
    hubs = ranked[counts[ranked] >= _HUB * counts.mean()] if counts.any() else ranked[:0]
    return Hubness(
        k=k, counts=counts, total=occurrence(counts), hubs=hubs, anti_hubs=np.flatnonzero(counts == 0), ids=space.ids
    )


def remedies(
    space: EmbeddingSpace, graph: NeighbourGraph, *, k: int = 10, sample: int = _SAMPLE, rng: int = 0
) -> Mapping[Remedy, Occurrence]:
    """Hubness under other similarities, for the same sample of queries.

    Each query's 100 nearest items by cosine are ranked anew; the k first count.

    Args:
        space: The vectors.
        graph: Their neighbours: the distance to the last of them is what is usual around an item.
        k: Number of neighbours.
        sample: Items that ask for their neighbours, at most.
        rng: Seed of the sample.

    References:
        Schnitzer, Flexer, Schedl and Widmer (2012), Local and global scaling reduce hubs in space; Zelnik-Manor and
        Perona (2004), Self-tuning spectral clustering.
    """
    draw = np.random.default_rng(rng)
    n = len(space)
    asking = np.sort(draw.choice(n, min(sample, n), replace=False)).astype(np.int32)
    near, cosines = top_k(space.unit[asking], space.unit, min(_CANDIDATES, n - 1), skip=asking)
    apart = 1 - np.nan_to_num(cosines.astype(np.float64), nan=-1.0)
    # Mean and spread of the distances from each item to others; 1,000 of them are enough for a normal distribution.
    others = space.unit[draw.choice(n, min(1_000, n), replace=False)]
    mean, spread = _distances(space.unit, others)
    usual = 1 - np.nan_to_num(graph.similarities[:, -1].astype(np.float64), nan=-1.0)
    usual = np.maximum(usual, 1e-9)
    scores: dict[Remedy, np.ndarray] = {
        "none": apart,
        "mutual_proximity": -_mutual(apart, asking, near, mean, spread),
        "local_scaling": apart / np.sqrt(usual[asking, None] * usual[near]),
    }
    found: dict[Remedy, Occurrence] = {}
    for name, score in scores.items():
        score = np.where(near >= 0, score, np.inf)
        first = np.argsort(score, axis=1, kind="stable")[:, :k]
        rows = np.take_along_axis(near, first, axis=1)
        found[name] = occurrence(np.bincount(rows[rows >= 0], minlength=n))
    return found


def _distances(unit: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the cosine distance from each vector to some others, without n × m at once."""
    mean = 1 - unit @ others.mean(axis=0)
    square = np.einsum("ij,ij->i", unit @ (others.T @ others / len(others)), unit)
    variance = np.maximum(square - (1 - mean) ** 2, 1e-12)
    return mean.astype(np.float64), np.sqrt(variance).astype(np.float64)


def _mutual(
    apart: np.ndarray, asking: np.ndarray, near: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Mutual proximity under independent normal distances: both find that the other is closer than usual."""
    from scipy.special import ndtr

    own = ndtr((mean[asking, None] - apart) / spread[asking, None])
    theirs = ndtr((mean[near] - apart) / spread[near])
    return own * theirs
