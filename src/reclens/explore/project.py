"""The map: a space in two dimensions, by principal components or by UMAP on the graph of neighbours."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.errors import ArgumentValueError, DataError, UsageError
from reclens.explore.exact import top_k
from reclens.explore.layout import lay_out, pair_weights
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.files import write_bytes
from reclens.tabular import Tabular

__all__ = ["Method", "PointMap", "extend_map", "kept_map", "pca_map", "umap_map"]

Method = Literal["pca", "umap", "extended"]

_ROWS: Final = 4_096
_WIDTH, _NOISE = 10.0, 1e-4
"""Largest coordinate of the start, and the noise that is added to it: those that umap-learn takes."""
_LAYOUT: Final = 2
"""Version of the layout, which is part of the name of a kept map."""
_NEIGHBOURS: Final = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class PointMap(Tabular):
    """Places of the items of a space on a map.

    Attributes:
        ids: n ids, in the order of the space.
        points: Shape (n, 2), float32. Distances across the map, and the axes, mean nothing by themselves.
        method: How it was made: principal components, UMAP, or an older map with new points put in.
        revision: Of the space.
        settings: Arguments of the method: ``seed``, ``neighbours``, ``epochs``, ``min_distance``.
    """

    ids: pl.Series
    points: np.ndarray
    method: Method
    revision: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per point."""
        return self.to_frame().to_dicts()

    def to_frame(self) -> pl.DataFrame:
        """``id``, ``x``, ``y``."""
        return pl.DataFrame({"id": self.ids, "x": self.points[:, 0], "y": self.points[:, 1]})

    def _about(self) -> str:
        return f"PointMap of {len(self):,} points by {self.method}"


def pca_map(space: EmbeddingSpace) -> PointMap:
    """The two directions of largest variance, of vectors of length 1: a map at once, which shows the coarse shape only.

    The sign of each direction is such that the point farthest from the middle along it lies on the positive side.

    References:
        Pearson (1901), On lines and planes of closest fit to systems of points in space.
    """
    from scipy.linalg import eigh

    unit, d = space.unit, space.dimension
    mean = unit.mean(axis=0, dtype=np.float64)
    parts = (unit[part.start : part.stop] for part in chunk_ranges(len(unit), _ROWS))
    total = sum(LocalEngine().map(lambda part: (part.T @ part).astype(np.float64), parts), np.zeros((d, d)))
    _, directions = eigh(total / len(unit) - np.outer(mean, mean), subset_by_index=[max(d - 2, 0), d - 1])
    chosen = directions[:, ::-1]
    points = unit @ chosen.astype(np.float32) - (mean @ chosen)
    if points.shape[1] < 2:
        points = np.column_stack([points, np.zeros(len(points))])
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    return PointMap(
        ids=space.ids,
        points=(points * np.where(signs == 0, 1, signs)).astype(np.float32),
        method="pca",
        revision=space.revision,
    )


def umap_map(
    space: EmbeddingSpace,
    graph: NeighbourGraph,
    *,
    seed: int = 0,
    min_distance: float = 0.1,
    epochs: int = 300,
    start: np.ndarray | None = None,
    threads: int | None = None,
    progress: Progress = quiet,
) -> PointMap:
    """UMAP of the graph of neighbours, from a start of principal components.

    The layout is compiled here and runs on all cores; umap-learn is not needed. It differs from umap-learn in two ways.
    A point sees the others where they were before the round, so that the result is the same for any number of threads.
    And it moves only in its own turn: in umap-learn both ends of a pair move in each turn of either, which attracts
    twice as much, and takes more rounds to keep as many neighbours.

    Args:
        space: The vectors.
        graph: Their neighbours: computed once, and not again here.
        seed: Of the draws. The same seed gives the same map on one machine.
        min_distance: How near points may come on the map, from 0 to 1.
        epochs: Rounds of the layout, 1 or more.
        start: Shape (n, 2), such as an older map that this one should resemble; None for principal components.
        threads: How many; None for one a core. The result is the same.
        progress: Called as rounds are done.

    Raises:
        UsageError: If the graph belongs to another space, the start has another shape, or a number is out of range.

    References:
        McInnes, Healy and Melville (2018), UMAP: uniform manifold approximation and projection.
    """
    if graph.revision != space.revision:
        raise UsageError("the graph belongs to another space: make it of this one.")
    if start is not None and start.shape != (len(space), 2):
        raise UsageError(f"the start has the shape {start.shape}, expected ({len(space):,}, 2).")
    if not 0 <= min_distance <= 1:
        raise ArgumentValueError("min_distance", f"is {min_distance}, expected 0 to 1")
    if epochs < 1:
        raise ArgumentValueError("epochs", f"is {epochs}, expected 1 or more")
    first = pca_map(space).points if start is None else start
    first = first * (_WIDTH / max(float(np.abs(first).max()), 1e-12))
    # Points that start on one line would have no force away from it.
    first = first + np.random.default_rng(seed).normal(0, _NOISE, first.shape)
    points = lay_out(
        pair_weights(graph),
        first,
        min_distance=min_distance,
        epochs=epochs,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    settings = {"seed": seed, "neighbours": graph.k, "epochs": epochs, "min_distance": min_distance}
    return PointMap(ids=space.ids, points=points, method="umap", revision=space.revision, settings=settings)


def extend_map(known: PointMap, space: EmbeddingSpace, *, neighbours: int = _NEIGHBOURS) -> PointMap:
    """The map of a grown space: points that are on the old map stay where they are, new ones go to their neighbours.

    A new item stands at the mean of its nearest old items, weighted by how near they are.

    Args:
        known: The old map.
        space: The grown space, in which old items have the vectors that they had.
        neighbours: Old items that place a new one.

    Raises:
        DataError: If none of the items of the space is on the old map.
    """
    places = pl.DataFrame({"id": known.ids, "at": np.arange(len(known))})
    asked = pl.DataFrame({"id": space.ids.cast(known.ids.dtype)})
    at = asked.join(places, on="id", how="left", maintain_order="left")["at"].fill_null(-1).to_numpy()
    old, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
    if not len(old):
        raise DataError("no item of the space is on the old map", fix="Make a new map.")
    points = np.empty((len(space), 2), np.float32)
    points[old] = known.points[at[old]]
    if len(new):
        near, cosines = top_k(space.unit[new], space.unit[old], min(neighbours, len(old)))
        # Relative to the farthest of them, so that the nearest decides also where all are about as near.
        weights = np.exp(8 * (cosines - cosines[:, :1]).astype(np.float64) / (1 - cosines[:, -1:] + 1e-6))
        weights /= weights.sum(axis=1, keepdims=True)
        points[new] = np.einsum("ij,ijk->ik", weights, known.points[at[old]][near])
    settings = {**known.settings, "from": known.revision, "new": len(new)}
    return PointMap(ids=space.ids, points=points, method="extended", revision=space.revision, settings=settings)


def kept_map(
    folder: str | Path, space: EmbeddingSpace, graph: NeighbourGraph, *, progress: Progress = quiet, **options: Any
) -> PointMap:
    """UMAP of a space, made once and kept: the same vectors and settings give the map that is there.

    Args:
        folder: Where maps are kept.
        space: The vectors.
        graph: Their neighbours.
        progress: Called as work goes on.
        options: As for :func:`umap_map`, but ``start``.
    """
    told = {"revision": space.revision, "k": graph.k, "exact": graph.exact, "layout": _LAYOUT, **options}
    key = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()
    path = Path(folder) / f"map-{key}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as held:
                points, settings = held["points"], json.loads(str(held["settings"]))
            if points.shape == (len(space), 2) and points.dtype == np.float32:
                return PointMap(ids=space.ids, points=points, method="umap", revision=space.revision, settings=settings)
        except (OSError, ValueError, KeyError):
            pass  # cut off by a full disk: it is made again
    made = umap_map(space, graph, progress=progress, **options)
    held = io.BytesIO()
    np.savez(held, points=made.points, settings=np.array(json.dumps(dict(made.settings))))
    write_bytes(path, held.getvalue())
    return made
