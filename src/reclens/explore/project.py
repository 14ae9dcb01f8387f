"""The map: a space in two dimensions, by principal components or by UMAP on the graph of neighbours."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.engine import Progress, need, quiet
from reclens.errors import DataError, UsageError
from reclens.explore.exact import top_k
from reclens.explore.neighbours import NeighbourGraph
from reclens.explore.space import EmbeddingSpace
from reclens.files import write_bytes
from reclens.tabular import Tabular

__all__ = ["Method", "PointMap", "extend_map", "kept_map", "pca_map", "umap_map"]

Method = Literal["pca", "umap", "extended"]

_FEW: Final = 10_000
_EPOCHS: Final = (500, 200)
"""Rounds of the layout of up to so many points, and of more: what UMAP takes by itself."""
_WIDTH: Final = 10.0
"""Largest coordinate of the start, which is what UMAP gives its own starts."""
_NEIGHBOURS: Final = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class PointMap(Tabular):
    """Places of the items of a space on a map.

    Attributes:
        ids: n ids, in the order of the space.
        points: Shape (n, 2), float32. Distances across the map, and the axes, mean nothing by themselves.
        method: How it was made: principal components, UMAP, or an older map with new points put in.
        revision: Of the space.
        settings: What the method was told: ``seed`` (None: fast, over all cores, and another map each time),
            ``neighbours``, ``epochs``.
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
    unit = space.unit
    mean = unit.mean(axis=0, dtype=np.float64)
    total = unit.T.astype(np.float64) @ unit if unit.shape[1] else np.zeros((0, 0))
    values, directions = np.linalg.eigh(total / len(unit) - np.outer(mean, mean))
    chosen = directions[:, np.argsort(-values, kind="stable")[:2]]
    points = unit @ chosen - mean @ chosen
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
    seed: int | None = 0,
    min_distance: float = 0.1,
    epochs: int | None = None,
    start: np.ndarray | None = None,
    progress: Progress = quiet,
) -> PointMap:
    """UMAP of the graph of neighbours, from a start of principal components.

    Args:
        space: The vectors.
        graph: Their neighbours: computed once, and not again here.
        seed: Of the layout, which then runs on one core and is the same each time on one machine; None is fast: it runs
            on all cores, and is another map each time.
        min_distance: How near points may come on the map.
        epochs: Rounds of the layout; None for 500 up to 10,000 points, and 200 beyond.
        start: Shape (n, 2), such as an older map that this one should resemble; None for principal components.
        progress: Called before and after: UMAP does not say how far it is.

    Raises:
        MissingExtraError: If umap-learn is not installed.
        UsageError: If the graph belongs to another space, or the start has another shape.

    References:
        McInnes, Healy and Melville (2018), UMAP: uniform manifold approximation and projection.
    """
    umap = need("umap", extra="explore")
    if graph.revision != space.revision:
        raise UsageError("the graph belongs to another space: make it of this one.")
    if start is not None and start.shape != (len(space), 2):
        raise UsageError(f"the start has the shape {start.shape}, expected ({len(space):,}, 2).")
    first = pca_map(space).points if start is None else start
    first = first * (_WIDTH / max(float(np.abs(first).max()), 1e-12))
    near, apart = _with_itself(graph)
    epochs = epochs or _EPOCHS[len(space) > _FEW]
    progress("UMAP", 0, 1)
    with warnings.catch_warnings():
        # It says of a graph without an index that new points cannot be put in: they are, by `extend_map`.
        warnings.simplefilter("ignore", UserWarning)
        model = umap.UMAP(
            n_neighbors=near.shape[1],
            min_dist=min_distance,
            n_epochs=epochs,
            init=first.astype(np.float32),
            precomputed_knn=(near, apart, None),
            force_approximation_algorithm=True,
            metric="cosine",
            random_state=seed,
            n_jobs=1 if seed is not None else -1,
            low_memory=True,
        )
        points = model.fit_transform(space.unit)
    progress("UMAP", 1, 1)
    settings = {"seed": seed, "neighbours": graph.k, "epochs": epochs, "min_distance": min_distance}
    return PointMap(
        ids=space.ids,
        points=np.ascontiguousarray(points, np.float32),
        method="umap",
        revision=space.revision,
        settings=settings,
    )


def _with_itself(graph: NeighbourGraph) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and distances in the format of UMAP: each point comes first, at distance 0."""
    own = np.arange(len(graph), dtype=np.int32)[:, None]
    apart = np.where(graph.rows >= 0, 1 - np.nan_to_num(graph.similarities, nan=-1.0), np.inf)
    near = np.hstack([own, graph.rows]).astype(np.int32)
    return near, np.hstack([np.zeros((len(own), 1)), np.maximum(apart, 0)]).astype(np.float32)


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
    told = json.dumps({"revision": space.revision, "k": graph.k, "exact": graph.exact, **options}, sort_keys=True)
    key = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
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
